//! Sends what was planned: batch by batch, each with a record of what became of it, so that whoever
//! goes on after a crash sends what has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use tenfold_core::activation::{
    Acknowledged, Next, Outcome, ROW_TRIES, RowEvent, RowState, SendError, Work, acknowledge, next,
    without_values,
};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::{Gone, erasures};
use tenfold_store::erase::gone;
use tenfold_store::marks::marks;

use crate::driver::{DeliveryInfo, Driver};
use crate::ledger::{DoneRecord, Ending, Ledger, PlanRecord, Rejection, ResultRecord};
use crate::responses::{Tell, responses_of};
use crate::turns::Turns;
use crate::{made, rows};

/// Who sends, and with what.
pub struct Runner<'a> {
    /// The ledger of the delivery.
    pub ledger: Ledger<'a>,
    /// The destination.
    pub driver: &'a dyn Driver,
    /// Batches at once, and calls per second, where the declaration says less than the driver.
    pub at_once: Option<usize>,
    /// Calls per second of the account, where the declaration says less than the driver.
    pub per_second: Option<f64>,
    /// The account: all who send to it share its calls per second.
    pub account: String,
    /// A name that nobody else has.
    pub holder: &'a str,
    /// Who takes responses in, and how keys of customers are made of texts.
    pub tell: Option<&'a dyn Tell>,
    /// Whether customers are whole numbers.
    pub int_keys: bool,
    /// The time, in milliseconds since 1970.
    pub now_ms: &'a (dyn Fn() -> i64 + Sync),
}

/// One sending of one number.
struct Sending<'a> {
    runner: &'a Runner<'a>,
    plan: &'a PlanRecord,
    work: &'a [Work],
    epoch: u64,
    /// Those who must not be sent any more, and the number of erasures that say so.
    gone: tokio::sync::Mutex<(u64, Option<Arc<Gone>>)>,
    turns: Option<Turns<'a>>,
}

impl Runner<'_> {
    /// Sends what of a number has no outcome, and ends it.
    ///
    /// # Errors
    /// When the destination stops taking, another process took over, or the store fails. What has an
    /// outcome keeps it.
    pub async fn run(&self, plan: &PlanRecord) -> Result<DoneRecord, Failure> {
        let number = plan.number;
        if let Some(done) = self.ledger.done(number).await? {
            return Ok(done);
        }
        let epoch = self
            .ledger
            .claim(number, self.holder, (self.now_ms)())
            .await?;
        let sent = self.sent(plan, epoch).await;
        if sent.is_err() {
            // Whoever goes on need not wait; the failure is what counts.
            let _ = self.ledger.give_back(number, epoch, self.holder).await;
        }
        sent
    }

    /// Sends what has no outcome, by whoever holds the number.
    async fn sent(&self, plan: &PlanRecord, epoch: u64) -> Result<DoneRecord, Failure> {
        let work = rows::work(self.ledger.store(), plan.work.as_ref()).await?;
        let limits = self.driver.limits();
        let per_second = [self.per_second, limits.per_second].into_iter().flatten();
        let per_second = per_second.reduce(f64::min);
        let turns = per_second.map(|rate| {
            let store = self.ledger.store();
            Turns::new(store, &self.account, self.holder, rate, self.now_ms)
        });
        let sending = Sending {
            runner: self,
            plan,
            work: &work,
            epoch,
            gone: tokio::sync::Mutex::default(),
            turns,
        };
        let at_once = self
            .at_once
            .unwrap_or(usize::MAX)
            .min(limits.at_once)
            .max(1);
        sending.all(at_once).await?;
        self.finished(plan, &work).await
    }

    /// Ends a number whose batches all have an outcome.
    async fn finished(&self, plan: &PlanRecord, work: &[Work]) -> Result<DoneRecord, Failure> {
        let outcomes = Outcomes::read(&self.ledger, plan).await?;
        if let Some(tell) = self.tell {
            let int_keys = self.int_keys;
            let key = |text: &str| key_of(text, int_keys);
            let told = responses_of(plan, work, key, |place| outcomes.of(place) == Some(true));
            tell.tell(plan, told).await?;
        }
        let state = match outcomes.rejected {
            0 => Ending::Succeeded,
            _ => Ending::Partial,
        };
        ended(&self.ledger, plan, work, &outcomes, state, (self.now_ms)()).await
    }
}

/// Gives up the rows of a number that have no outcome. Whoever sends it finds that out.
///
/// # Errors
/// When it has ended already, or the store fails.
pub async fn cancel(
    ledger: &Ledger<'_>,
    plan: &PlanRecord,
    holder: &str,
    now_ms: i64,
) -> Result<DoneRecord, Failure> {
    if ledger.done(plan.number).await?.is_some() {
        return Err(Failure::config(format!(
            "delivery {} {} has ended",
            plan.spec.delivery, plan.number
        ))
        .code(ErrorCode::DeliveryTaken)
        .remedy("there is nothing to cancel; `tenfold delivery get` says how it ended"));
    }
    // Nobody else begins a batch from here on.
    ledger.claim(plan.number, holder, now_ms).await?;
    let work = rows::work(ledger.store(), plan.work.as_ref()).await?;
    let outcomes = Outcomes::read(ledger, plan).await?;
    ended(ledger, plan, &work, &outcomes, Ending::Cancelled, now_ms).await
}

async fn ended(
    ledger: &Ledger<'_>,
    plan: &PlanRecord,
    work: &[Work],
    outcomes: &Outcomes,
    state: Ending,
    now_ms: i64,
) -> Result<DoneRecord, Failure> {
    let store = ledger.store();
    // None counts when it goes to another place than the number before.
    let before = match plan.counts.acknowledged {
        0 => Vec::new(),
        _ => ledger.acknowledged_before(plan.number).await?,
    };
    // Files that no marker followed are read by nobody, or by some: nobody knows.
    let unread = state == Ending::Cancelled && plan.spec.mode.makes_files();
    let outcome = |place| outcomes.of(place).filter(|_| !unread);
    let mut now: Vec<Acknowledged> = acknowledge(&before, work, outcome);
    // An erasure that began meanwhile may have gone through the parts already.
    let gone = gone(store).await?;
    now.retain(|who| !is_gone(gone.as_ref(), &who.customer));
    let batch = rows::encode_acknowledged(&now)?;
    let done = DoneRecord {
        format: DoneRecord::FORMAT,
        state,
        at_ms: now_ms,
        accepted: outcomes.accepted,
        rejected: outcomes.rejected,
        unsent: outcomes.unknown,
        acknowledged: rows::put(store, &ledger.folder(plan.number), &batch).await?,
    };
    if ledger.end(plan.number, &done).await? {
        return Ok(done);
    }
    let theirs = ledger.done(plan.number).await?;
    theirs.ok_or_else(|| Failure::bug("a delivery has ended, and has no record of it"))
}

/// What became of the rows of a number.
pub struct Outcomes {
    /// Those that were rejected, by place.
    pub rejections: BTreeMap<u64, Rejection>,
    /// Places whose outcome is not known, in their order.
    open: Vec<std::ops::Range<usize>>,
    suppressed: BTreeSet<u64>,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Rows whose outcome is not known.
    pub unknown: u64,
}

impl Outcomes {
    /// Reads the records of a number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(ledger: &Ledger<'_>, plan: &PlanRecord) -> Result<Self, Failure> {
        let batches = 0..plan.ends.len();
        let read = |batch| async move {
            Ok::<_, Failure>((batch, ledger.result(plan.number, batch).await?))
        };
        let reading = futures::stream::iter(batches.map(read)).buffered(16);
        let results: Vec<(usize, Option<ResultRecord>)> = reading.try_collect().await?;
        let mut all = Self {
            rejections: BTreeMap::new(),
            open: Vec::new(),
            suppressed: BTreeSet::new(),
            accepted: 0,
            rejected: 0,
            unknown: 0,
        };
        for (batch, result) in results {
            match result {
                Some(result) => {
                    all.accepted += result.accepted;
                    all.rejected += result.rejected.len() as u64;
                    all.suppressed.extend(result.suppressed);
                    let rejected = result.rejected.into_iter();
                    all.rejections
                        .extend(rejected.map(|rejection| (rejection.row, rejection)));
                }
                None => {
                    let places = plan.places(batch);
                    all.unknown += places.len() as u64;
                    all.open.push(places);
                }
            }
        }
        Ok(all)
    }

    /// Whether the row of a place was accepted; none when that is not known.
    pub(crate) fn of(&self, place: usize) -> Option<bool> {
        let open = self.open.partition_point(|open| open.end <= place);
        if self
            .open
            .get(open)
            .is_some_and(|open| open.contains(&place))
        {
            return None;
        }
        let place = place as u64;
        Some(!self.rejections.contains_key(&place) && !self.suppressed.contains(&place))
    }
}

impl Sending<'_> {
    async fn all(&self, at_once: usize) -> Result<(), Failure> {
        let info = self.plan.info();
        self.patiently("prepare", || self.runner.driver.prepare(&info))
            .await?;
        let batches = (0..self.plan.ends.len()).map(|batch| self.batch(batch));
        let mut sending = futures::stream::iter(batches).buffer_unordered(at_once);
        while sending.try_next().await?.is_some() {}
        drop(sending);
        self.finish(&info).await
    }

    async fn finish(&self, info: &DeliveryInfo) -> Result<(), Failure> {
        self.patiently("finish", || self.runner.driver.finish(info))
            .await
    }

    /// Does something that has no rows until it succeeds, or cannot.
    async fn patiently<F, W>(&self, what: &str, doing: F) -> Result<(), Failure>
    where
        F: Fn() -> W,
        W: Future<Output = Result<(), SendError>>,
    {
        let mut tries = 1;
        loop {
            self.held().await?;
            let Err(error) = doing().await else {
                return Ok(());
            };
            let seed = format!("{}-{what}", self.plan.id);
            match next(error.kind, tries, 0, &seed) {
                Next::Again(pause) => tokio::time::sleep(pause).await,
                _ => return Err(self.stopped(&error)),
            }
            tries += 1;
        }
    }

    async fn held(&self) -> Result<(), Failure> {
        let (ledger, number) = (&self.runner.ledger, self.plan.number);
        ledger.still_held(number, self.epoch).await
    }

    /// Those who must not be sent any more: people may be erased while rows are on their way.
    async fn gone(&self) -> Result<Option<Arc<Gone>>, Failure> {
        let store = self.runner.ledger.store();
        let erasures = erasures(marks(store).await?.suppression.as_ref());
        let mut known = self.gone.lock().await;
        if known.0 != erasures {
            *known = (erasures, gone(store).await?.map(Arc::new));
        }
        Ok(known.1.clone())
    }

    /// Sends a batch, unless it has an outcome, and keeps what became of it.
    async fn batch(&self, number: usize) -> Result<(), Failure> {
        let ledger = &self.runner.ledger;
        if ledger.result(self.plan.number, number).await?.is_some() {
            return Ok(());
        }
        let gone = self.gone().await?;
        let mut suppressed = Vec::new();
        let mut places = Vec::new();
        for place in self.plan.places(number) {
            let work = self.work.get(place);
            let sendable = work.filter(|work| !is_gone(gone.as_deref(), &work.customer));
            match sendable.and_then(made::verb) {
                Some(_) => places.push(place),
                None => suppressed.push(place as u64),
            }
        }
        let rejected = self.rows(number as u64, places.clone()).await?;
        let accepted = (places.len() - rejected.len()) as u64;
        let result = ResultRecord::new(accepted, rejected, suppressed);
        ledger.keep_result(self.plan.number, number, &result).await
    }

    /// Sends rows until each is accepted or rejected; those that are rejected.
    async fn rows(&self, number: u64, places: Vec<usize>) -> Result<Vec<Rejection>, Failure> {
        let mut fates: BTreeMap<usize, Fate> = places
            .iter()
            .map(|place| (*place, Fate::default()))
            .collect();
        // A file without rows is a file: the manifest names one for each batch.
        let is_sent = !places.is_empty() || self.plan.spec.mode.makes_files();
        let mut waiting = match is_sent {
            true => vec![(places, 1)],
            false => Vec::new(),
        };
        while let Some((places, tries)) = waiting.pop() {
            let rows = places.iter().filter_map(|place| self.work.get(*place));
            let rows = rows.filter_map(made::row).collect();
            let batch = made::batch(&self.plan.id, number, rows);
            self.turn().await?;
            each(&mut fates, &places, |fate| fate.on(RowEvent::Sent));
            match self.runner.driver.send(&batch).await {
                Ok(outcomes) => {
                    let again = self.heard(&mut fates, &places, outcomes)?;
                    if !again.is_empty() {
                        let pause = tenfold_core::activation::backoff(tries, &batch.key);
                        tokio::time::sleep(pause).await;
                        waiting.push((again, tries + 1));
                    }
                }
                Err(error) => {
                    each(&mut fates, &places, |fate| fate.on(RowEvent::NotTaken));
                    match next(error.kind, tries, places.len(), &batch.key) {
                        Next::Again(pause) => {
                            tokio::time::sleep(pause).await;
                            waiting.push((places, tries + 1));
                        }
                        Next::Halves => {
                            let (left, right) = places.split_at(places.len() / 2);
                            waiting.push((right.to_vec(), 1));
                            waiting.push((left.to_vec(), 1));
                        }
                        Next::Reject => {
                            let message = self.told(&places, &error.message);
                            each(&mut fates, &places, |fate| {
                                fate.rejected("refused", &message, false);
                                fate.on(RowEvent::GivenUp);
                            });
                        }
                        Next::Stop => return Err(self.stopped(&error)),
                    }
                }
            }
        }
        Ok(fates
            .into_iter()
            .filter(|(_, fate)| fate.state == RowState::Rejected)
            .map(|(place, fate)| fate.rejection(place))
            .collect())
    }

    /// Waits for the turn of the account, and looks whether it is still ours.
    async fn turn(&self) -> Result<(), Failure> {
        if let Some(turns) = &self.turns {
            turns.wait().await?;
        }
        self.held().await
    }

    /// Takes in the outcomes of rows; those that are sent again.
    fn heard(
        &self,
        fates: &mut BTreeMap<usize, Fate>,
        places: &[usize],
        outcomes: Vec<Outcome>,
    ) -> Result<Vec<usize>, Failure> {
        if outcomes.len() != places.len() {
            return Err(Failure::bug(format!(
                "a destination of kind {} answered {} rows of {}",
                self.plan.kind,
                outcomes.len(),
                places.len()
            )));
        }
        let mut again = Vec::new();
        for (place, outcome) in places.iter().zip(outcomes) {
            let Some(fate) = fates.get_mut(place) else {
                continue;
            };
            match outcome {
                Outcome::Accepted { .. } => fate.on(RowEvent::Accepted),
                Outcome::Rejected {
                    code,
                    message,
                    retryable,
                } => {
                    fate.tries += 1;
                    let [code, message] = [code, message].map(|said| self.told(&[*place], &said));
                    fate.rejected(&code, &message, retryable);
                    match retryable {
                        true if fate.tries < ROW_TRIES => {
                            fate.on(RowEvent::Refused);
                            again.push(*place);
                        }
                        true => fate.on(RowEvent::GivenUp),
                        false => fate.on(RowEvent::Rejected),
                    }
                }
            }
        }
        Ok(again)
    }

    /// A message of the destination, without values of these rows.
    fn told(&self, places: &[usize], message: &str) -> String {
        let rows = places.iter().filter_map(|place| self.work.get(*place));
        rows.filter_map(made::row)
            .fold(message.to_owned(), |message, row| {
                without_values(&message, &row)
            })
    }

    fn stopped(&self, error: &SendError) -> Failure {
        let spec = &self.plan.spec;
        let message = format!("destination {}: {}", spec.destination, error.message);
        Failure::new(error.kind.class(), message)
            .code(ErrorCode::DestinationFailed)
            .remedy(format!(
                "mend it (`tenfold destination test {}` tries it), then `tenfold delivery resume {}`: \
                 what was accepted is not sent again",
                spec.destination, spec.delivery
            ))
    }
}

/// What is known of one row while its batch is sent.
struct Fate {
    state: RowState,
    tries: u32,
    rejection: Option<(String, String, bool)>,
}

impl Default for Fate {
    fn default() -> Self {
        Self {
            state: RowState::New,
            tries: 0,
            rejection: None,
        }
    }
}

impl Fate {
    fn on(&mut self, event: RowEvent) {
        self.state = self.state.on(event);
    }

    fn rejected(&mut self, code: &str, message: &str, retryable: bool) {
        self.rejection = Some((code.to_owned(), message.to_owned(), retryable));
    }

    fn rejection(self, place: usize) -> Rejection {
        let (code, message, retryable) = self.rejection.unwrap_or_default();
        Rejection {
            row: place as u64,
            code,
            message,
            retryable,
        }
    }
}

fn each(fates: &mut BTreeMap<usize, Fate>, places: &[usize], then: impl Fn(&mut Fate)) {
    for place in places {
        if let Some(fate) = fates.get_mut(place) {
            then(fate);
        }
    }
}

fn is_gone(gone: Option<&Gone>, customer: &str) -> bool {
    gone.is_some_and(|gone| gone.has_text(customer))
}

/// The key of a customer, of its text.
fn key_of(text: &str, int_keys: bool) -> tenfold_core::response::CustomerKey {
    use tenfold_core::response::CustomerKey;
    match text.parse() {
        Ok(number) if int_keys => CustomerKey::Int64(number),
        _ => CustomerKey::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
