//! What people are told of deliveries: how far each number is, and what became of its rows.

use jiff::Timestamp;
use serde::Serialize;
use tenfold_core::activation::{Act, PlanCounts, Value, Work, masked};
use tenfold_core::failure::Failure;

use crate::ledger::{DoneRecord, Ending, Ledger, PlanRecord};
use crate::rows;
use crate::run::Outcomes;

/// How far a number is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The delivery.
    pub delivery: String,
    /// Which number of it.
    pub number: u64,
    /// `unfinished`, `succeeded`, `partial` or `cancelled`.
    pub state: &'static str,
    /// Where it goes.
    pub destination: String,
    /// How.
    pub mode: &'static str,
    /// The snapshot that its rows are of.
    pub snapshot: u64,
    /// When it was planned.
    pub planned_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// What was planned.
    pub counts: PlanCounts,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Rows that have no outcome: yet, or for ever when it was cancelled.
    pub unsent: u64,
}

impl Told {
    /// What is told by records; of one that has not ended, by what there is so far where that was read.
    pub fn of(plan: &PlanRecord, done: Option<&DoneRecord>, so_far: Option<&Outcomes>) -> Self {
        let state = match done.map(|done| done.state) {
            None => "unfinished",
            Some(Ending::Succeeded) => "succeeded",
            Some(Ending::Partial) => "partial",
            Some(Ending::Cancelled) => "cancelled",
        };
        let (accepted, rejected, unsent) = match (done, so_far) {
            (Some(done), _) => (done.accepted, done.rejected, done.unsent),
            (None, Some(so_far)) => (so_far.accepted, so_far.rejected, so_far.unknown),
            (None, None) => (0, 0, plan.counts.rows),
        };
        Self {
            delivery: plan.spec.delivery.clone(),
            number: plan.number,
            state,
            destination: plan.spec.destination.clone(),
            mode: plan.spec.mode.name(),
            snapshot: plan.snapshot,
            planned_at: instant(plan.planned_ms),
            ended_at: done.map(|done| instant(done.at_ms)),
            counts: plan.counts,
            accepted,
            rejected,
            unsent,
        }
    }

    /// Reads how far a number is.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read(ledger: &Ledger<'_>, plan: &PlanRecord) -> Result<Self, Failure> {
        let done = ledger.done(plan.number).await?;
        let so_far = match done {
            Some(_) => None,
            None => Some(Outcomes::read(ledger, plan).await?),
        };
        Ok(Self::of(plan, done.as_ref(), so_far.as_ref()))
    }
}

fn instant(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms);
    time.map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowEnd {
    /// The destination took it.
    Accepted,
    /// The destination did not.
    Rejected,
    /// That is not known.
    Unsent,
    /// Nothing was sent: they are in the group that is held out.
    HeldOut,
    /// Nothing was sent: the destination does not count as having them any more.
    Forgotten,
    /// Whoever it was about was erased.
    Erased,
}

impl RowEnd {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Rejected,
        Self::Unsent,
        Self::HeldOut,
        Self::Forgotten,
        Self::Erased,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unsent => "unsent",
            Self::HeldOut => "held_out",
            Self::Forgotten => "forgotten",
            Self::Erased => "erased",
        }
    }
}

/// A row, without what identifies anybody beside the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldRow {
    /// Its place in the plan, from 0.
    pub place: u64,
    /// The key of the customer; empty when they were erased since.
    pub customer: String,
    /// How the destination knows them, masked.
    pub identity: String,
    /// `upsert`, `remove`, `forget` or `hold_out`.
    pub act: &'static str,
    /// What became of it.
    pub state: RowEnd,
    /// The destination's code, or one of ours.
    pub code: Option<String>,
    /// Why it was rejected, without values of the row.
    pub message: Option<String>,
    /// Whether the same row may be taken another time.
    pub retryable: Option<bool>,
    /// The fields, masked.
    pub fields: Vec<(String, String)>,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedRows {
    /// Those with this end alone.
    pub state: Option<RowEnd>,
    /// From this place on.
    pub from: u64,
    /// So many at most.
    pub limit: usize,
}

/// Reads rows of a number in their order, and the place where the next ones begin, where there are more.
///
/// # Errors
/// When the store fails.
pub async fn told_rows(
    ledger: &Ledger<'_>,
    plan: &PlanRecord,
    wanted: WantedRows,
) -> Result<(Vec<ToldRow>, Option<u64>), Failure> {
    let outcomes = Outcomes::read(ledger, plan).await?;
    let work = rows::work(ledger.store(), plan.work.as_ref()).await?;
    let from = usize::try_from(wanted.from).unwrap_or(usize::MAX);
    let mut told = Vec::new();
    for (place, work) in work.iter().enumerate().skip(from) {
        let end = end(work, place, &outcomes);
        if wanted.state.is_some_and(|state| state != end) {
            continue;
        }
        if told.len() == wanted.limit {
            return Ok((told, Some(place as u64)));
        }
        told.push(row(work, place as u64, end, &outcomes));
    }
    Ok((told, None))
}

fn end(work: &Work, place: usize, outcomes: &Outcomes) -> RowEnd {
    match work.act {
        _ if work.identity.is_empty() => RowEnd::Erased,
        Act::HoldOut => RowEnd::HeldOut,
        Act::Forget => RowEnd::Forgotten,
        Act::Upsert | Act::Remove => match outcomes.of(place) {
            None => RowEnd::Unsent,
            Some(true) => RowEnd::Accepted,
            Some(false) if outcomes.rejections.contains_key(&(place as u64)) => RowEnd::Rejected,
            Some(false) => RowEnd::Erased,
        },
    }
}

fn row(work: &Work, place: u64, state: RowEnd, outcomes: &Outcomes) -> ToldRow {
    let rejection = outcomes.rejections.get(&place);
    // Some are known to be erased before their rows are taken out of the parts.
    let there = (state != RowEnd::Erased).then_some(work);
    let fields = there.into_iter().flat_map(|work| &work.fields);
    ToldRow {
        place,
        customer: there.map_or_else(String::new, |work| work.customer.clone()),
        identity: there.map_or_else(String::new, |work| {
            masked(&Value::Text(work.identity.clone()))
        }),
        act: rows::word(work.act),
        state,
        code: rejection.map(|rejection| rejection.code.clone()),
        message: rejection.map(|rejection| rejection.message.clone()),
        retryable: rejection.map(|rejection| rejection.retryable),
        fields: fields
            .map(|(name, value)| (name.clone(), masked(value)))
            .collect(),
    }
}
