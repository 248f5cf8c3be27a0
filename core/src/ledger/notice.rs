//! What people are told of. It follows from the entries of the ledger alone, so every coordinator
//! tells the same, under the same identity: the number of the entry.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::{Ending, Origin};
use super::run::RunState;
use super::state::{Ledger, Run};

/// Notices that are remembered.
const KEPT: usize = 1_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A run failed, or took too long.
    Failed,
    /// A run published without data that it had been told to wait for.
    Partial,
    /// A scheduled run has not ended when it should have.
    Late,
    /// A schedule was paused.
    Paused,
    /// A run succeeded after one that failed.
    Recovered,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Failed,
        Self::Partial,
        Self::Late,
        Self::Paused,
        Self::Recovered,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Late => "late",
            Self::Paused => "paused",
            Self::Recovered => "recovered",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that people are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The entry that it follows from.
    pub seq: u64,
    /// When that was written, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// What happened.
    pub kind: NoticeKind,
    /// The run; empty when it is about none.
    pub run: String,
    /// The schedule; empty when it is about none.
    pub schedule: String,
    /// What happened, in words.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// What notices follow from, and how far each target was told of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notices {
    /// The newest notices, oldest first.
    pub all: Vec<Notice>,
    /// The last entry that a target was told of, or that was before it was one.
    pub told: std::collections::BTreeMap<String, u64>,
    /// Schedules whose last run failed; the empty name is for runs that no schedule started.
    unwell: std::collections::BTreeSet<String>,
}

impl Notices {
    /// The first notice of some kinds that a target has not been told of.
    pub fn next(&self, target: &str, kinds: &[NoticeKind]) -> Option<&Notice> {
        let told = self.told.get(target).copied().unwrap_or_default();
        let untold = self.all.iter().filter(|notice| notice.seq > told);
        untold
            .into_iter()
            .find(|notice| kinds.contains(&notice.kind))
    }

    fn add(&mut self, notice: Notice) {
        self.all.push(notice);
        if self.all.len() > KEPT {
            self.all.remove(0);
        }
    }
}

impl Ledger {
    /// A run ended with the entry of a number.
    pub(super) fn notice_of_run(&mut self, id: &str, seq: u64, at_ms: i64) {
        let Some(run) = self.runs.get(id) else { return };
        let schedule = match &run.origin {
            Origin::Schedule { schedule, .. } => schedule.clone(),
            Origin::Operator { .. } => String::new(),
            // Who asks for a backfill looks at its runs.
            Origin::Backfill { .. } => return,
        };
        let unwell = match run.state {
            RunState::Failed | RunState::TimedOut => {
                self.notices.unwell.insert(schedule.clone());
                false
            }
            RunState::Succeeded | RunState::Partial => self.notices.unwell.remove(&schedule),
            _ => return,
        };
        let kind = match run.state {
            RunState::Failed | RunState::TimedOut => NoticeKind::Failed,
            RunState::Partial => NoticeKind::Partial,
            _ if unwell => NoticeKind::Recovered,
            _ => return,
        };
        let (message, remedy) = words(run, kind);
        self.notices.add(Notice {
            seq,
            at_ms,
            kind,
            run: id.to_owned(),
            schedule,
            message,
            remedy,
        });
    }

    /// Something happened to a schedule with the entry of a number.
    pub(super) fn notice_of_schedule(
        &mut self,
        kind: NoticeKind,
        schedule: &str,
        message: String,
        (seq, at_ms): (u64, i64),
    ) {
        self.notices.add(Notice {
            seq,
            at_ms,
            kind,
            run: String::new(),
            schedule: schedule.to_owned(),
            message,
            remedy: format!("tenfold schedule get {schedule}"),
        });
    }
}

fn words(run: &Run, kind: NoticeKind) -> (String, String) {
    let as_of = run.request.as_of;
    let ending = run.ending.as_ref();
    let snapshot = ending.and_then(|ending| ending.snapshot);
    match (kind, snapshot) {
        (NoticeKind::Failed, _) => {
            let failure = ending.and_then(|ending: &Ending| ending.failure.as_ref());
            let cause = failure.map_or("", |failure| failure.message.as_str());
            let remedy = failure.map(|failure| failure.remedy.clone());
            (
                format!(
                    "the run as of {as_of} {}: {cause}",
                    run.state.name().replace('_', " ")
                ),
                remedy.unwrap_or_default(),
            )
        }
        (_, Some(snapshot)) => (
            format!("the run as of {as_of} published snapshot {snapshot}"),
            String::new(),
        ),
        (_, None) => (
            format!("the run as of {as_of} {}", run.state),
            String::new(),
        ),
    }
}
