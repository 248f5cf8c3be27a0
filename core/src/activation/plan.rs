//! What has to be sent: who should be at the destination, against whom it has acknowledged.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::delivery::{DeliveryMode, Duplicates, Guard};
use super::mapping::Candidate;
use super::row::{Value, payload_hash};
use crate::failure::{ErrorCode, Failure};
use crate::response::CONTROL;

/// What is done about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// They are sent.
    Upsert,
    /// Their removal is sent.
    Remove,
    /// Nothing is sent; the destination does not count as having them any more.
    Forget,
    /// Nothing is sent: they are in the group that is held out.
    HoldOut,
}

/// Somebody whom a delivery is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What is done.
    pub act: Act,
    /// How the destination knows them.
    pub identity: String,
    /// The key of the customer.
    pub customer: String,
    /// What is told of them.
    pub fields: Vec<(String, Value)>,
    /// The hash of that.
    pub hash: String,
    /// Their group, of an audience that holds some out.
    pub holdout: Option<String>,
    /// Their decile as of the snapshot.
    pub decile: Option<i32>,
}

/// Somebody whom the destination has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// How it knows them.
    pub identity: String,
    /// The key of the customer.
    pub customer: String,
    /// The hash of what it was told; empty when it is not known what it has.
    pub hash: String,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanCounts {
    /// Rows that the members came as.
    pub members: u64,
    /// Those in the group that is held out.
    pub held_out: u64,
    /// Those without an identity.
    pub without_identity: u64,
    /// Those who lack a required field.
    pub incomplete: u64,
    /// Those who were erased since the snapshot.
    pub suppressed: u64,
    /// Those who have the identity of somebody who is sent.
    pub duplicates: u64,
    /// Those who should be at the destination.
    pub desired: u64,
    /// Those whom the destination had before.
    pub acknowledged: u64,
    /// Rows that it does not have.
    pub adds: u64,
    /// Rows that it has otherwise.
    pub changes: u64,
    /// Rows that it has so.
    pub unchanged: u64,
    /// Rows that it is told to remove, or that are left out of files from now on.
    pub removals: u64,
    /// Rows that are sent.
    pub rows: u64,
}

/// What has to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Everybody whom it is about: first those who are sent (`counts.rows` of them) by identity,
    /// then removals by identity, then those about whom nothing is sent.
    pub work: Vec<Work>,
    /// How many of each.
    pub counts: PlanCounts,
}

/// Decides what has to be sent. `acknowledged` is sorted by identity.
///
/// # Errors
/// When several customers have one identity and that is refused.
pub fn plan(
    delivery: &str,
    mode: DeliveryMode,
    duplicates: &Duplicates,
    tells_exits: bool,
    candidates: Vec<Candidate>,
    acknowledged: &[Acknowledged],
) -> Result<Plan, Failure> {
    let mut counts = PlanCounts {
        members: candidates.len() as u64,
        acknowledged: acknowledged.len() as u64,
        ..PlanCounts::default()
    };
    let mut held_out = Vec::new();
    let mut able = Vec::new();
    for candidate in candidates {
        match (&candidate.identity, candidate.complete) {
            _ if candidate.holdout.as_deref() == Some(CONTROL) => held_out.push(candidate),
            (None, _) => counts.without_identity += 1,
            (Some(_), false) => counts.incomplete += 1,
            (Some(_), true) => able.push(candidate),
        }
    }
    counts.held_out = held_out.len() as u64;
    let able = unique(delivery, able, duplicates, &mut counts)?;
    counts.desired = able.len() as u64;
    let mut work = compared(able, mode, acknowledged, &mut counts);
    let gone = gone(&work, acknowledged);
    counts.removals = match mode {
        DeliveryMode::Upsert | DeliveryMode::Full => 0,
        _ => gone.len() as u64,
    };
    work.retain(|(work, send)| *send || work.act != Act::Upsert);
    let mut work: Vec<Work> = work.into_iter().map(|(work, _)| work).collect();
    let act = match mode {
        DeliveryMode::Mirror => Some(Act::Remove),
        DeliveryMode::FileIncremental if tells_exits => Some(Act::Remove),
        DeliveryMode::FileIncremental | DeliveryMode::FileFull => Some(Act::Forget),
        DeliveryMode::Upsert | DeliveryMode::Full => None,
    };
    if let Some(act) = act {
        work.extend(gone.into_iter().map(|who| removal(who, act)));
    }
    let sent = |work: &&Work| matches!(work.act, Act::Upsert | Act::Remove);
    counts.rows = work.iter().filter(sent).count() as u64;
    work.extend(
        held_out
            .into_iter()
            .map(|candidate| of(candidate, Act::HoldOut)),
    );
    Ok(Plan { work, counts })
}

/// One candidate for each identity, by identity.
fn unique(
    delivery: &str,
    candidates: Vec<Candidate>,
    duplicates: &Duplicates,
    counts: &mut PlanCounts,
) -> Result<Vec<Candidate>, Failure> {
    let mut chosen: BTreeMap<String, Candidate> = BTreeMap::new();
    for candidate in candidates {
        let identity = candidate.identity.clone().unwrap_or_default();
        match chosen.get_mut(&identity) {
            None => drop(chosen.insert(identity, candidate)),
            Some(other) => {
                counts.duplicates += 1;
                if before(&candidate, other) == Ordering::Less {
                    *other = candidate;
                }
            }
        }
    }
    if counts.duplicates > 0 && *duplicates == Duplicates::Refuse {
        return Err(Failure::data(format!(
            "delivery {delivery}: {} of {} rows have the identity of another one",
            counts.duplicates,
            chosen.len() as u64 + counts.duplicates
        ))
        .code(ErrorCode::WrongDelivery)
        .remedy(
            "say which customer is meant: `duplicates: {newest: COLUMN}` or \
             `duplicates: {highest: COLUMN}`",
        ));
    }
    Ok(chosen.into_values().collect())
}

/// The one that is sent comes first: by the higher value, then by the smaller key.
fn before(left: &Candidate, right: &Candidate) -> Ordering {
    let by_value = compare(&right.order, &left.order);
    by_value.then_with(|| left.customer.cmp(&right.customer))
}

/// The order of two values of one column; no value is the lowest.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) | (Value::Time(left), Value::Time(right)) => {
            left.cmp(right)
        }
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
        (Value::Decimal(left), Value::Decimal(right)) => decimals(left, right),
        (left, right) => (*left != Value::Null).cmp(&(*right != Value::Null)),
    }
}

/// The order of decimals of one scale, as they are written: as whole numbers without the point.
fn decimals(left: &str, right: &str) -> Ordering {
    let whole = |text: &str| text.replace('.', "").parse::<i128>().ok();
    whole(left).cmp(&whole(right))
}

/// Each candidate, and whether it is sent.
fn compared(
    able: Vec<Candidate>,
    mode: DeliveryMode,
    acknowledged: &[Acknowledged],
    counts: &mut PlanCounts,
) -> Vec<(Work, bool)> {
    let whole = mode.sends_all();
    let mut compared = Vec::with_capacity(able.len());
    for candidate in able {
        let work = of(candidate, Act::Upsert);
        let found = acknowledged.binary_search_by(|who| who.identity.cmp(&work.identity));
        let same = found.map(|place| acknowledged.get(place).map(|who| who.hash == work.hash));
        let send = match same {
            Err(_) => {
                counts.adds += 1;
                true
            }
            Ok(Some(true)) => {
                counts.unchanged += 1;
                whole
            }
            Ok(_) => {
                counts.changes += 1;
                true
            }
        };
        compared.push((work, send));
    }
    compared
}

/// Those whom the destination has and should not; `wanted` is sorted by identity.
fn gone<'a>(wanted: &[(Work, bool)], acknowledged: &'a [Acknowledged]) -> Vec<&'a Acknowledged> {
    let is_wanted = |who: &Acknowledged| {
        let found = wanted.binary_search_by(|(work, _)| work.identity.cmp(&who.identity));
        found.is_ok()
    };
    let gone = acknowledged.iter().filter(|who| !is_wanted(who));
    gone.collect()
}

fn removal(who: &Acknowledged, act: Act) -> Work {
    Work {
        act,
        identity: who.identity.clone(),
        customer: who.customer.clone(),
        fields: Vec::new(),
        hash: String::new(),
        holdout: None,
        decile: None,
    }
}

fn of(candidate: Candidate, act: Act) -> Work {
    let hash = payload_hash(&candidate.fields);
    Work {
        act,
        identity: candidate.identity.unwrap_or_default(),
        customer: candidate.customer,
        fields: candidate.fields,
        hash,
        holdout: candidate.holdout,
        decile: candidate.decile,
    }
}

/// Stops a plan that would change more than it may.
///
/// # Errors
/// With the share, and how to go on.
pub fn guarded(delivery: &str, counts: &PlanCounts, guard: &Guard) -> Result<(), Failure> {
    let share = |part: u64| part as f64 / counts.acknowledged.max(1) as f64;
    let too_much = |part: u64, most: f64| counts.acknowledged > 0 && share(part) > most;
    let (what, part, most) = match guard.max_changes {
        _ if too_much(counts.removals, guard.max_removals) => {
            ("remove", counts.removals, guard.max_removals)
        }
        Some(most) if too_much(counts.changes, most) => ("change", counts.changes, most),
        _ => return Ok(()),
    };
    Err(Failure::data(format!(
        "delivery {delivery} would {what} {part} of the {} rows that the destination has: {:.1} %, \
         where {:.1} % is the most",
        counts.acknowledged,
        100.0 * share(part),
        100.0 * most
    ))
    .code(ErrorCode::DeliveryGuarded)
    .remedy(
        "look at `tenfold delivery plan`; when it is right, run it with --force, or raise the share \
         under `guard:`",
    ))
}

/// What the destination has once these rows have their outcomes. `outcome` says of a place in `work`
/// whether it was accepted; none when nobody knows, as after a cancellation.
pub fn acknowledge(
    before: &[Acknowledged],
    work: &[Work],
    outcome: impl Fn(usize) -> Option<bool>,
) -> Vec<Acknowledged> {
    let mut has: BTreeMap<&str, Acknowledged> = before
        .iter()
        .map(|who| (who.identity.as_str(), who.clone()))
        .collect();
    for (place, work) in work.iter().enumerate() {
        let now = |hash: &str| Acknowledged {
            identity: work.identity.clone(),
            customer: work.customer.clone(),
            hash: hash.to_owned(),
        };
        match (work.act, outcome(place)) {
            // Of somebody who was erased there is no more than the place.
            _ if work.identity.is_empty() => {}
            (Act::HoldOut, _) | (_, Some(false)) => {}
            (Act::Forget, _) | (Act::Remove, Some(true)) => {
                has.remove(work.identity.as_str());
            }
            (Act::Upsert, Some(true)) => {
                has.insert(&work.identity, now(&work.hash));
            }
            // It may have been taken: the next delivery sends it again, or removes it.
            (Act::Upsert | Act::Remove, None) => {
                has.insert(&work.identity, now(""));
            }
        }
    }
    has.into_values().collect()
}
