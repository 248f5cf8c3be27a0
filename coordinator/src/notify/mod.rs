//! Tells people what happened to runs and schedules.
//!
//! What there is to tell is in the ledger ([`tenfold_core::ledger::Notices`]), and so is how far
//! each target was told: a coordinator that is killed between a run's end and the delivery leaves
//! it to the next one. A message that was taken just before a crash is sent again with the same
//! identity; none is lost. Each target is told in order, on its own: one that does not answer holds
//! nobody up but itself.

mod deliver;
mod target;

use std::sync::Arc;
use std::time::Duration;

use tenfold_core::failure::Failure;
use tenfold_core::ledger::{Notice, NoticeKind, Record};
use tokio::time::{Instant, sleep};

use crate::book::NotAdded;
use crate::cluster::{Cluster, Event, Level};
use deliver::Courier;
pub use target::{Slack, Smtp, SmtpTls, Target, Targets, Webhook};

/// Pause after a message that was not taken; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// A message that is not taken for so long is given up.
const GIVE_UP: Duration = Duration::from_secs(6 * 3600);
/// How long to wait before a store that failed is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(2);

/// Tells targets.
pub struct Notifier {
    targets: Targets,
    courier: Courier,
}

impl Notifier {
    /// Tells these targets what happens in the store at a place.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(targets: Targets, source: &str) -> Result<Self, Failure> {
        Ok(Self {
            targets,
            courier: Courier::new(source)?,
        })
    }

    /// Tells each target what it has not been told, for as long as the coordinator is in office.
    pub async fn run(&self, cluster: Arc<Cluster>) {
        let targets = self.targets.targets.iter();
        let each = targets.map(|target| self.follow(&cluster, target));
        futures::future::join_all(each).await;
        // Whoever waits for this waits for something else to end.
        std::future::pending().await
    }

    /// Tells a target of something that did not happen.
    ///
    /// # Errors
    /// When there is no such target, or it does not take the message.
    pub async fn test(&self, target: &str, now_ms: i64) -> Result<(), Failure> {
        let target = self.targets.named(target)?;
        let notice = Notice {
            seq: 0,
            at_ms: now_ms,
            kind: NoticeKind::Recovered,
            run: String::new(),
            schedule: "test".to_owned(),
            message: "This is a test: somebody asked for it, and nothing happened.".to_owned(),
            remedy: String::new(),
        };
        self.courier.deliver(target, &notice, now_ms).await
    }

    async fn follow(&self, cluster: &Cluster, target: &Target) {
        cluster.counters.to_be_notified(&target.name);
        let mut changes = cluster.watch();
        while !cluster.is_deposed() {
            changes.borrow_and_update();
            let ledger = cluster.ledger();
            let notices = &ledger.notices;
            let record = match notices.told.contains_key(&target.name) {
                // What happened before it was a target is not told.
                false => told(target, ledger.last, 0, String::new()),
                true => match notices.next(&target.name, &target.on) {
                    Some(notice) => self.tell(cluster, target, notice).await,
                    None => {
                        // The sender lives in `cluster`, so an error cannot come.
                        let _ = changes.changed().await;
                        continue;
                    }
                },
            };
            keep(cluster, record).await;
        }
    }

    /// Tells a target until it is told or given up.
    async fn tell(&self, cluster: &Cluster, target: &Target, notice: &Notice) -> Record {
        let begun = Instant::now();
        let mut pause = PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let now_ms = cluster.clock.now_ms();
            let delivered = self.courier.deliver(target, notice, now_ms).await;
            let Err(failure) = delivered else {
                let message = format!("{} was told: {}", target.name, notice.kind);
                log(cluster, notice, Level::Info, message);
                cluster.counters.notified(&target.name, "delivered");
                return told(target, notice.seq, tries, String::new());
            };
            cluster.counters.notified(&target.name, "failed");
            if begun.elapsed() >= GIVE_UP {
                let message = format!("{} was not told, for good: {failure}", target.name);
                log(cluster, notice, Level::Error, message);
                cluster.counters.notified(&target.name, "given_up");
                return told(target, notice.seq, tries, failure.message);
            }
            if tries == 1 {
                let message = format!("{} was not told yet: {failure}", target.name);
                log(cluster, notice, Level::Warning, message);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn told(target: &Target, through: u64, tries: u32, given_up: String) -> Record {
    Record::Notified {
        target: target.name.clone(),
        through,
        tries,
        given_up,
    }
}

/// Keeps a record, as long as the store takes to do it.
async fn keep(cluster: &Cluster, record: Record) {
    while let Err(NotAdded::Failed(failure)) = cluster.add(record.clone()).await {
        tracing::warn!(%failure, "that a target was told is not in the ledger yet");
        sleep(STORE_PAUSE).await;
    }
}

/// Says what became of a message: in the log, and in the story of its run.
fn log(cluster: &Cluster, notice: &Notice, level: Level, message: String) {
    match level {
        Level::Info => tracing::info!(run = notice.run, "{message}"),
        _ => tracing::warn!(run = notice.run, "{message}"),
    }
    if !notice.run.is_empty() {
        let event = Event::of_run(cluster.clock.now_ms(), level, message);
        cluster.live.happened(&notice.run, event);
        cluster.changed();
    }
}
