//! Merge: bring the state of one shard up to date, and count what the models need.
//!
//! A night brings the accounts forward from those of the last one, reading only the months that new
//! events lie in or that a date moved over. Where that does not tell, or does not pay, it adds up
//! all days. Either way the accounts are the same, and new events are kept as a run of their own.

mod accounts;
mod codes;
mod days;
mod events;
mod ids;
mod lost;
mod runs;
mod split;
mod suspects;

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::reach::{Months, moved, pays};
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::task::{AccountsSpec, MergeOutput, MergeReach, MergeSource, MergeTask};
use tenfold_store::part::{decode_segment, get_segment};

use crate::TaskContext;
use crate::arrays::{column, without_days};
use accounts::Accounts;
use codes::CustomerCodes;
use days::Days;
use events::Arrived;
use lost::{Losses, Lost};

pub use runs::read as read_runs;
pub use split::run as split;
pub use suspects::{contenders, run as suspects};

/// Events that do not count for another customer's, by source.
type AllLosses = BTreeMap<String, Losses>;

/// New events, by source.
type Pieces = BTreeMap<String, Vec<RecordBatch>>;

/// Runs a merge task.
pub fn run(task: &MergeTask, context: &TaskContext) -> Result<MergeOutput, Failure> {
    let pieces = load(task, context)?;
    let runs = task
        .previous
        .days
        .values()
        .chain(task.previous.events.values());
    let mut reach = MergeReach {
        months: runs.flatten().map(|run| run.months.len() as u64).sum(),
        bytes: task.previous.parts().map(|part| part.bytes).sum(),
        ..MergeReach::default()
    };
    let with_ids = task.sources.iter().filter(|source| source.event_ids);
    let losses = with_ids.map(|source| {
        let losses = Losses::of(task, source, context, &mut reach)?;
        Ok((source.source.clone(), losses))
    });
    let losses: AllLosses = losses.collect::<Result<_, Failure>>()?;
    // Suspects whose ids are not shared, or were decided before.
    if !task.contests.is_empty() && losses.values().all(Losses::are_the_same) {
        return Ok(MergeOutput {
            unchanged: true,
            reach,
            ..MergeOutput::default()
        });
    }
    let news = News { pieces, losses };
    if let Some(old) = &task.previous_spec
        && let Some(months) = months(task, old, &news, context, &mut reach)?
        && let Some(output) = forward(task, old, &news, &months, context, &mut reach)?
    {
        return Ok(output);
    }
    anew(task, &news, context, &mut reach)
}

/// What is new to a shard.
struct News {
    pieces: Pieces,
    losses: AllLosses,
}

fn load(task: &MergeTask, context: &TaskContext) -> Result<Pieces, Failure> {
    let sources = task.sources.iter();
    let mut pieces: Pieces = sources
        .map(|source| (source.source.clone(), Vec::new()))
        .collect();
    for piece in &task.pieces {
        let bytes =
            context.wait_for_store(get_segment(&context.store, &piece.path, &piece.segment))?;
        let batches = pieces.entry(piece.source.clone()).or_default();
        batches.push(decode_segment(bytes)?);
    }
    Ok(pieces)
}

/// The months of each source that have to be read to bring the accounts forward, if that is
/// possible and pays.
fn months(
    task: &MergeTask,
    old: &AccountsSpec,
    news: &News,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<BTreeMap<String, Months>>, Failure> {
    let mut by_source = BTreeMap::new();
    for source in &task.sources {
        let Ok(mut months) = moved(old, &task.spec, &source.source) else {
            return Ok(None);
        };
        runs::add_months(&news.pieces[&source.source], &mut months)?;
        if let Some(days) = task.withdrawn.get(&source.source) {
            months.add_days(days);
        }
        let changed = news.losses.get(&source.source).map(Losses::days);
        changed
            .into_iter()
            .flatten()
            .for_each(|day| months.add(day.month_index()));
        by_source.insert(source.source.clone(), months);
    }
    if pays(&task.previous, &by_source).is_err() {
        return Ok(None);
    }
    for source in task.sources.iter().filter(|source| source.event_ids) {
        if let Some(months) = by_source.get_mut(&source.source) {
            let seen = task.previous.runs(&source.source);
            ids::add_seen(
                seen,
                source.horizon,
                &news.pieces[&source.source],
                months,
                context,
                reach,
            )?;
        }
    }
    Ok(pays(&task.previous, &by_source)
        .is_ok()
        .then_some(by_source))
}

/// Brings the accounts of the last night forward; none when only all days can tell.
fn forward(
    task: &MergeTask,
    old: &AccountsSpec,
    news: &News,
    months: &BTreeMap<String, Months>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<MergeOutput>, Failure> {
    let stored = accounts::read(&task.previous, old, context)?;
    let parts = task.previous.accounts_parts().map(|part| part.bytes);
    reach.bytes_read += parts.sum::<u64>();
    let kept = read(task, Some(months), context, reach)?;
    let codes = codes(task, &news.pieces, &kept, stored.customers()?)?;
    let night = Night::new(task, news, kept, &codes, true)?;
    if night.arrived.values().any(|arrived| arrived.moved) {
        return Ok(None);
    }
    let gone = accounts::fold(old, task.counting(), &night.before)?;
    let came = accounts::fold(&task.spec, task.counting(), &night.after)?;
    let Ok(accounts) = stored.decode(old, &codes)?.forward(&gone, &came) else {
        return Ok(None);
    };
    reach.forward = true;
    finish(task, news, night, &accounts, &codes, context, reach).map(Some)
}

/// Adds up all days.
fn anew(
    task: &MergeTask,
    news: &News,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<MergeOutput, Failure> {
    let kept = read(task, None, context, reach)?;
    let codes = codes(task, &news.pieces, &kept, Vec::new())?;
    let night = Night::new(task, news, kept, &codes, false)?;
    let accounts = accounts::fold(&task.spec, task.counting(), &night.after)?;
    finish(task, news, night, &accounts, &codes, context, reach)
}

/// Reads the rows of some months; all of them without any named.
fn read(
    task: &MergeTask,
    months: Option<&BTreeMap<String, Months>>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Pieces, Failure> {
    let mut kept = Pieces::new();
    for source in &task.sources {
        let source = &source.source;
        let months = months.and_then(|months| months.get(source));
        let runs = task.previous.runs(source);
        let slices = runs.iter().flat_map(|run| &run.months);
        let named = slices.filter(|slice| months.is_none_or(|months| months.contains(slice.month)));
        reach.months_read += named.count() as u64;
        kept.insert(source.clone(), runs::read(runs, months, context, reach)?);
    }
    Ok(kept)
}

/// Codes of all customers that the night knows of.
fn codes(
    task: &MergeTask,
    pieces: &Pieces,
    kept: &Pieces,
    mut customers: Vec<ArrayRef>,
) -> Result<CustomerCodes, Failure> {
    for batch in pieces.values().chain(kept.values()).flatten() {
        customers.push(column(batch, "customer")?.clone());
    }
    CustomerCodes::new(task.customer_type, &customers)
}

/// The days that were read, by source.
#[derive(Default)]
struct Night {
    /// The days as they were, where they are taken away.
    before: BTreeMap<String, Days>,
    /// The days with the new events.
    after: BTreeMap<String, Days>,
    /// What became of new events with ids.
    arrived: BTreeMap<String, Arrived>,
    /// Where the rows stood without the new events: on the new date, and on the old one.
    stood: BTreeMap<String, (Counts, Counts)>,
    /// Events that were taken out.
    withdrawn: BTreeMap<String, u64>,
    /// How many events more than before do not count for another customer's.
    lost: BTreeMap<String, i64>,
}

impl Night {
    fn new(
        task: &MergeTask,
        news: &News,
        mut kept: Pieces,
        codes: &CustomerCodes,
        forward: bool,
    ) -> Result<Self, Failure> {
        let mut night = Self::default();
        for source in &task.sources {
            let kept = kept.remove(&source.source).unwrap_or_default();
            night.add(task, source, news, kept, codes, forward)?;
        }
        Ok(night)
    }

    fn add(
        &mut self,
        task: &MergeTask,
        source: &MergeSource,
        news: &News,
        kept: Vec<RecordBatch>,
        codes: &CustomerCodes,
        forward: bool,
    ) -> Result<(), Failure> {
        let name = &source.source;
        let pieces = &news.pieces[name];
        let losses = news.losses.get(name);
        let value = value(task, source);
        let withdrawn = task.withdrawn.get(name);
        let (before, arrived) = if let Some(losses) = losses {
            let mut kept = events::remaining(source, &kept, task.customer_type)?;
            let (counts, mut lost) = losses.before.without(&kept)?;
            let before = days::from_events(source, std::slice::from_ref(&counts), codes, value)?;
            if withdrawn.is_some() {
                kept = without_days(kept, withdrawn)?;
                (_, lost) = losses.before.without(&kept)?;
            }
            self.lost.insert(name.clone(), -lost);
            let arrived = events::take_in(source, kept, pieces, task.customer_type)?;
            (before, Some(arrived))
        } else {
            (days::from_state(source, &kept, codes)?, None)
        };
        drop(kept);
        let old = task.previous_spec.as_ref().unwrap_or(&task.spec);
        let stood = (
            standing(&before, task.spec.as_of),
            standing(&before, old.as_of),
        );
        self.stood.insert(name.clone(), stood);
        if let Some(days) = withdrawn {
            self.withdrawn.insert(name.clone(), before.events_on(days));
        }
        if forward {
            self.before.insert(name.clone(), before.clone());
        }
        let after = match arrived.as_ref().zip(losses) {
            Some((arrived, losses)) => {
                let (counts, lost) = losses.after.without(&arrived.all)?;
                *self.lost.entry(name.clone()).or_default() += lost;
                let same = arrived.new.num_rows() == 0 && losses.are_the_same();
                match same && withdrawn.is_none() {
                    true => before,
                    false => {
                        drop(before);
                        days::from_events(source, std::slice::from_ref(&counts), codes, value)?
                    }
                }
            }
            None => {
                let left = match withdrawn {
                    Some(days) => before.without(days),
                    None => before,
                };
                match pieces.is_empty() {
                    true => left,
                    false => left.plus(days::from_events(source, pieces, codes, value)?)?,
                }
            }
        };
        self.after.insert(name.clone(), after);
        self.arrived
            .extend(arrived.map(|arrived| (name.clone(), arrived)));
        Ok(())
    }
}

/// Writes the new state, and tells where the rows are now.
fn finish(
    task: &MergeTask,
    news: &News,
    night: Night,
    accounts: &Accounts,
    codes: &CustomerCodes,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<MergeOutput, Failure> {
    let mut output = MergeOutput::default();
    accounts::write(accounts, &task.spec, codes, context, &mut output)?;
    let parts = output.state.accounts_parts().map(|part| part.bytes);
    reach.bytes_written += parts.sum::<u64>();
    count(task, &night, reach.forward, &mut output);
    let Night {
        mut arrived,
        mut after,
        withdrawn,
        ..
    } = night;
    output.withdrawn = withdrawn;
    for source in &task.sources {
        let name = &source.source;
        let pieces = &news.pieces[name];
        let state = &mut output.state;
        if let Some(arrived) = arrived.remove(name) {
            let Arrived {
                new, moved, links, ..
            } = arrived;
            let links = linked(task, name, &links);
            if !links.is_empty() {
                state.links.insert(name.clone(), links);
            }
            let runs = runs::append_events(task, source, new, moved, context, reach)?;
            state.events.insert(name.clone(), runs);
            let lost = news.losses.get(name).map(|losses| &losses.after);
            if let Some(lost) = lost.map(|lost| kept_lost(task, name, lost, context, reach)) {
                state.lost.extend(lost?.map(|part| (name.clone(), part)));
            }
        } else if pieces.is_empty() && !task.withdrawn.contains_key(name) {
            let runs = task.previous.runs(name).to_vec();
            state.days.insert(name.clone(), runs);
        } else if task.previous.runs(name).is_empty() {
            let all = after.remove(name).unwrap_or_default();
            let runs = runs::first_days(source, all, codes, context, reach)?;
            state.days.insert(name.clone(), runs);
        } else {
            let value = value(task, source);
            let runs = runs::append_days(task, source, pieces, value, context, reach)?;
            state.days.insert(name.clone(), runs);
        }
    }
    output.reach = *reach;
    Ok(output)
}

/// The part of events that do not count: the one that was there, when it says the same.
fn kept_lost(
    task: &MergeTask,
    source: &str,
    lost: &Lost,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<PartRef>, Failure> {
    match task.contests.contains_key(source) {
        true => lost.write(task.customer_type, context, reach),
        false => Ok(task.previous.lost.get(source).cloned()),
    }
}

/// The days between copies of one event: those that were known and are not taken out, and new ones.
fn linked(task: &MergeTask, source: &str, new: &Spans) -> Spans {
    let known = task.previous.links.get(source).cloned();
    let known = known.unwrap_or_default();
    let left = match task.withdrawn.get(source) {
        Some(days) => known.without(days),
        None => known,
    };
    Spans::of(left.iter().chain(new.iter()))
}

/// Counts the rows of each source, now and against what they were.
fn count(task: &MergeTask, night: &Night, forward: bool, output: &mut MergeOutput) {
    for source in &task.sources {
        let name = &source.source;
        let now = standing(&night.after[name], task.spec.as_of);
        let (without_new, on_old_date) = &night.stood[name];
        let mut change = minus(&now, without_new);
        change.duplicate = night
            .arrived
            .get(name)
            .map_or(0, |new| new.duplicates as i64)
            + night.lost.get(name).copied().unwrap_or_default();
        let mut stands = now;
        // Rows that were not read stand where they stood.
        if forward {
            let whole = task.previous.standing.get(name).cloned();
            stands.add(&minus(&whole.unwrap_or_default(), on_old_date));
        }
        output.change.insert(name.clone(), change);
        output.standing.insert(name.clone(), stands.clone());
        output.state.standing.insert(name.clone(), stands);
    }
}

fn standing(days: &Days, as_of: Day) -> Counts {
    let mut counts = Counts::default();
    for row in 0..days.len() {
        match days.day[row] < as_of.0 {
            true => counts.counted += days.rows[row],
            false => counts.pending += days.rows[row],
        }
        counts.refunds += days.refunds[row];
    }
    counts
}

fn minus(now: &Counts, then: &Counts) -> Counts {
    Counts {
        counted: now.counted - then.counted,
        pending: now.pending - then.pending,
        refunds: now.refunds - then.refunds,
        ..Counts::default()
    }
}

/// The measure of a source whose positive values are purchases.
fn value(task: &MergeTask, source: &MergeSource) -> Option<usize> {
    let clv = task.spec.clv.as_ref()?;
    let measures = (clv.source == source.source).then_some(&source.measures)?;
    measures.iter().position(|measure| *measure == clv.value)
}

#[cfg(test)]
mod tests;
