//! Merge: bring the state of one shard up to date, and count what the models need.
//!
//! A night brings the accounts forward from those of the last one, reading only the months that new
//! events lie in or that a date moved over, and of these only the days. Where that does not tell, or does not pay, it adds up
//! all days. Either way the accounts are the same, and new events are kept as a run of their own.

mod accounts;
mod changed;
mod codes;
mod days;
mod events;
mod ids;
mod kept;
mod lost;
mod news;
mod night;
mod ranges;
mod runs;
mod split;
mod suspects;
mod whole;
mod within;

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::reach::{Months, moved, pays};
use tenfold_core::refresh::task::{AccountsSpec, MergeOutput, MergeReach, MergeSource, MergeTask};

use crate::TaskContext;
use crate::arrays::column;
use accounts::FirstDay;
use lost::Losses;
use news::{Arriving, News, Pieces};
use night::Night;
use whole::Whole;
use within::Within;

pub use accounts::{Columns, NONE};
pub use codes::CustomerCodes;
pub use days::{Days, total};
pub use kept::{kept, kept_days};
pub use runs::read as read_runs;
pub use split::run as split;
pub use suspects::{contenders, run as suspects};

/// Events that do not count for another customer's, by source.
type AllLosses = BTreeMap<String, Losses>;

/// The months of each source that are read.
type AllMonths = BTreeMap<String, Months>;

/// Runs a merge task.
pub fn run(task: &MergeTask, context: &TaskContext) -> Result<MergeOutput, Failure> {
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
    let (mut news, arriving) = News::of(task, losses, context)?;
    if let Some(old) = &task.previous_spec
        && let Some(months) = months(old, &news, arriving, &mut reach)?
        && let Some(output) = forward(old, &mut news, &months, &mut reach)?
    {
        return Ok(output);
    }
    anew(&mut news, &mut reach)
}

/// The months of each source that have to be read to bring the accounts forward, if that is
/// possible and pays.
fn months(
    old: &AccountsSpec,
    news: &News<'_>,
    mut arriving: BTreeMap<String, Arriving>,
    reach: &mut MergeReach,
) -> Result<Option<AllMonths>, Failure> {
    let task = news.task;
    let mut by_source = BTreeMap::new();
    for source in &task.sources {
        let Ok(days) = moved(old, &task.spec, &source.source) else {
            return Ok(None);
        };
        let mut months = Months::of(&days);
        let arriving = arriving.get(&source.source).into_iter();
        let arriving = arriving.flat_map(|arriving| &arriving.months);
        arriving.for_each(|month| months.add(*month));
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
        let arriving = arriving.get_mut(&source.source);
        if let Some((months, arriving)) = by_source.get_mut(&source.source).zip(arriving) {
            let seen = task.previous.runs(&source.source);
            let asked = &mut arriving.asked;
            ids::add_seen(seen, source.horizon, asked, months, news.context, reach)?;
        }
    }
    Ok(pays(&task.previous, &by_source)
        .is_ok()
        .then_some(by_source))
}

/// Brings the accounts of the last night forward; none when only all days can tell.
fn forward(
    old: &AccountsSpec,
    news: &mut News<'_>,
    months: &AllMonths,
    reach: &mut MergeReach,
) -> Result<Option<MergeOutput>, Failure> {
    let parts = whole::parts(news, Some(months));
    news.make_room(parts);
    let news = &*news;
    let (task, context) = (news.task, news.context);
    let accounts = task.previous.accounts_parts().map(|part| part.bytes);
    reach.bytes_read += accounts.sum::<u64>();
    let mut whole = Whole::of(news, Some(months), parts);
    let mut first_day = FirstDay::default();
    for (place, within) in whole.ranges()?.iter().enumerate() {
        let stored = accounts::read(&task.previous, old, within, context)?;
        let pieces = news.pieces(within)?;
        let mut again = MergeReach::default();
        let counted = if place == 0 { &mut *reach } else { &mut again };
        let mut kept = read(task, Some(months), within, context, counted)?;
        changed::only(old, task, &pieces, &mut kept)?;
        let codes = codes(task, &pieces, &kept, stored.customers()?)?;
        let night = Night::new(news, &pieces, kept, &codes, true)?;
        drop(pieces);
        if night.arrived.values().any(|arrived| arrived.moved) {
            return Ok(None);
        }
        let gone = accounts::fold(old, task.counting(), &night.before)?;
        let came = accounts::fold(&task.spec, task.counting(), &night.after)?;
        let known = stored.decode(old, &codes)?;
        drop(stored);
        first_day.add(&known, &gone, &came);
        let Ok(accounts) = known.forward(&gone, &came) else {
            return Ok(None);
        };
        drop((gone, came));
        whole.add(within, accounts, night, codes)?;
    }
    let Ok(first_day) = first_day.of(task.previous.first_day) else {
        return Ok(None);
    };
    reach.forward = true;
    whole.finish(first_day, reach).map(Some)
}

/// Adds up all days.
fn anew(news: &mut News<'_>, reach: &mut MergeReach) -> Result<MergeOutput, Failure> {
    let parts = whole::parts(news, None);
    news.make_room(parts);
    let news = &*news;
    let (task, context) = (news.task, news.context);
    let mut whole = Whole::of(news, None, parts);
    let mut first_day: Option<Day> = None;
    for (place, within) in whole.ranges()?.iter().enumerate() {
        let pieces = news.pieces(within)?;
        // What is read is what one range of everything would read.
        let mut again = MergeReach::default();
        let counted = if place == 0 { &mut *reach } else { &mut again };
        let kept = read(task, None, within, context, counted)?;
        let codes = codes(task, &pieces, &kept, Vec::new())?;
        let night = Night::new(news, &pieces, kept, &codes, false)?;
        drop(pieces);
        let accounts = accounts::fold(&task.spec, task.counting(), &night.after)?;
        first_day = first_day.into_iter().chain(accounts.first_day()).min();
        whole.add(within, accounts, night, codes)?;
    }
    whole.finish(first_day, reach)
}

/// Reads the rows of some months; all of them without any named.
fn read(
    task: &MergeTask,
    months: Option<&AllMonths>,
    within: &Within,
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
        let rows = runs::read_within(runs, months, within, context, reach)?;
        kept.insert(source.clone(), rows);
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

/// The measure of a source whose positive values are purchases.
fn value(task: &MergeTask, source: &MergeSource) -> Option<usize> {
    let clv = task.spec.clv.as_ref()?;
    let measures = (clv.source == source.source).then_some(&source.measures)?;
    measures.iter().position(|measure| *measure == clv.value)
}

#[cfg(test)]
mod tests;
