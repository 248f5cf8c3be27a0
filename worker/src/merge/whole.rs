//! What a merge comes to: the accounts and figures of each range of customers, put together, and the runs.

use std::collections::BTreeMap;

use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::reach;
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::state::StateRun;
use tenfold_core::refresh::task::{MergeOutput, MergeReach, MergeTask};

use super::accounts::{Accounts, Writer};
use super::codes::CustomerCodes;
use super::lost::Lost;
use super::news::News;
use super::night::{Night, standing};
use super::ranges::{self, New, Spilled};
use super::within::{Within, of_customers};
use super::{AllMonths, runs, value};
use crate::TaskContext;

/// Ranges that a shard is merged by at most: all of it is read for each.
const MOST_RANGES: u64 = 256;

/// Rows that are merged at a time at most, however much memory there is: a column of texts holds two
/// gigabytes, which leaves 128 bytes for each.
const MOST_ROWS: u64 = 1 << 24;

/// As how many ranges a shard is merged of which some months are read, or all days without any named.
pub fn parts(news: &News<'_>, months: Option<&AllMonths>) -> u64 {
    let rows = reach::rows_read(news.task, months);
    let parts = reach::bytes_of(rows).div_ceil(news.memory().max(1));
    parts.max(rows.div_ceil(MOST_ROWS)).min(MOST_RANGES)
}

/// What was merged so far.
pub struct Whole<'a> {
    news: &'a News<'a>,
    months: Option<&'a AllMonths>,
    /// As how many ranges the shard is merged.
    parts: u64,
    accounts: Writer<'a>,
    figures: BTreeMap<String, Figures>,
    /// The days and events of a shard that is merged in one piece.
    one: Option<(Night, CustomerCodes)>,
    /// Days of a shard that is not.
    days: BTreeMap<String, Spilled>,
    /// What was read for these.
    read: MergeReach,
}

/// Where the rows of a source are.
#[derive(Debug, Default)]
struct Figures {
    now: Counts,
    /// Without the new events: on the new date, and on the old one.
    stood: (Counts, Counts),
    duplicates: i64,
    lost: i64,
    withdrawn: u64,
    links: Spans,
    new: New,
}

impl<'a> Whole<'a> {
    /// Nothing yet, of a shard that is merged as so many ranges.
    pub fn of(news: &'a News<'a>, months: Option<&'a AllMonths>, parts: u64) -> Self {
        Self {
            news,
            months,
            parts,
            accounts: Writer::new(&news.task.spec),
            figures: BTreeMap::new(),
            one: None,
            days: BTreeMap::new(),
            read: MergeReach::default(),
        }
    }

    /// The customers that are merged at a time, in their order.
    pub fn ranges(&self) -> Result<Vec<Within>, Failure> {
        of_customers(self.parts, self.news, self.months)
    }

    /// Adds the accounts of the next range, and what became of its rows.
    pub fn add(
        &mut self,
        within: &Within,
        accounts: Accounts,
        mut night: Night,
        codes: CustomerCodes,
    ) -> Result<(), Failure> {
        self.accounts.add(&accounts, &codes)?;
        drop(accounts);
        let as_of = self.news.task.spec.as_of;
        for source in &self.news.task.sources {
            let figures = self.figures.entry(source.source.clone()).or_default();
            figures.add(&source.source, &night, as_of);
        }
        if matches!(within, Within::All) {
            night.before.clear();
            self.one = Some((night, codes));
            return Ok(());
        }
        drop((night, codes));
        let mut again = MergeReach::default();
        let first = self.days.is_empty();
        let sources = self.news.task.sources.iter();
        for source in sources.filter(|source| !source.event_ids) {
            let reach = if first { &mut self.read } else { &mut again };
            let days = self.days.entry(source.source.clone()).or_default();
            ranges::add_days(days, self.news, source, within, reach)?;
        }
        Ok(())
    }

    /// Writes the new state, and tells where the rows are now.
    pub fn finish(
        self,
        first_day: Option<Day>,
        reach: &mut MergeReach,
    ) -> Result<MergeOutput, Failure> {
        let (news, context) = (self.news, self.news.context);
        let mut output = MergeOutput {
            first_day,
            ..MergeOutput::default()
        };
        output.state.first_day = first_day;
        self.accounts.finish(context, &mut output)?;
        let parts = output.state.accounts_parts().map(|part| part.bytes);
        reach.bytes_written += parts.sum::<u64>();
        reach.bytes_read += self.read.bytes_read;
        count(news.task, &self.figures, reach.forward, &mut output);
        let mut runs = match self.one {
            Some((night, codes)) => in_one(news, night, &codes, reach)?,
            None => {
                let ids = (self.months, &self.figures, self.parts as usize);
                of_ranges(news, self.days, ids, reach)?
            }
        };
        for source in &news.task.sources {
            let name = &source.source;
            let runs = runs.remove(name).unwrap_or_default();
            if !source.event_ids {
                output.state.days.insert(name.clone(), runs);
                continue;
            }
            output.state.events.insert(name.clone(), runs);
            let links = self.figures.get(name).map(|figures| &figures.links);
            let links = links.map(|links| linked(news.task, name, links));
            if let Some(links) = links.filter(|links| !links.is_empty()) {
                output.state.links.insert(name.clone(), links);
            }
            let lost = news.losses.get(name).map(|losses| &losses.after);
            if let Some(lost) = lost.map(|lost| kept_lost(news.task, name, lost, context, reach)) {
                let lost = lost?.map(|part| (name.clone(), part));
                output.state.lost.extend(lost);
            }
        }
        output.reach = *reach;
        Ok(output)
    }
}

impl Figures {
    fn add(&mut self, source: &str, night: &Night, as_of: Day) {
        if let Some(after) = night.after.get(source) {
            self.now.add(&standing(after, as_of));
        }
        if let Some((now, then)) = night.stood.get(source) {
            self.stood.0.add(now);
            self.stood.1.add(then);
        }
        self.lost += night.lost.get(source).copied().unwrap_or_default();
        self.withdrawn += night.withdrawn.get(source).copied().unwrap_or_default();
        if let Some(arrived) = night.arrived.get(source) {
            self.duplicates += arrived.duplicates as i64;
            self.links = Spans::of(self.links.iter().chain(arrived.links.iter()));
            self.new.rows += arrived.new.num_rows() as u64;
            self.new.moved |= arrived.moved;
        }
    }
}

/// The runs of a shard that was merged in one piece, by source.
fn in_one(
    news: &News<'_>,
    mut night: Night,
    codes: &CustomerCodes,
    reach: &mut MergeReach,
) -> Result<BTreeMap<String, Vec<StateRun>>, Failure> {
    let (task, context) = (news.task, news.context);
    let mut all = BTreeMap::new();
    for source in &task.sources {
        let name = &source.source;
        let before = task.previous.runs(name);
        let runs = if let Some(arrived) = night.arrived.remove(name) {
            runs::append_events(task, source, arrived.new, arrived.moved, context, reach)?
        } else if news.rows(name) == 0 && !task.withdrawn.contains_key(name) {
            before.to_vec()
        } else if before.is_empty() {
            let days = night.after.remove(name).unwrap_or_default();
            runs::first_days(source, days, codes, context, reach)?
        } else {
            let pieces = news.pieces_of(name, &Within::All)?;
            let value = value(task, source);
            runs::append_days(task, source, &pieces, value, context, reach)?
        };
        all.insert(name.clone(), runs);
    }
    Ok(all)
}

/// The runs of a shard that was merged range by range.
fn of_ranges(
    news: &News<'_>,
    mut days: BTreeMap<String, Spilled>,
    (months, figures, parts): (Option<&AllMonths>, &BTreeMap<String, Figures>, usize),
    reach: &mut MergeReach,
) -> Result<BTreeMap<String, Vec<StateRun>>, Failure> {
    let mut all = BTreeMap::new();
    for source in &news.task.sources {
        let name = &source.source;
        let runs = if source.event_ids {
            let new = figures.get(name).map(|figures| figures.new);
            let new = (new.unwrap_or_default(), parts);
            ranges::events(news, source, months, new, reach)?
        } else {
            let days = days.remove(name).unwrap_or_default();
            ranges::days(days, news, source, reach)?
        };
        all.insert(name.clone(), runs);
    }
    Ok(all)
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
fn count(
    task: &MergeTask,
    figures: &BTreeMap<String, Figures>,
    forward: bool,
    output: &mut MergeOutput,
) {
    for (name, figures) in figures {
        let (without_new, on_old_date) = &figures.stood;
        let mut change = minus(&figures.now, without_new);
        change.duplicate = figures.duplicates + figures.lost;
        let mut stands = figures.now.clone();
        // Rows that were not read stand where they stood.
        if forward {
            let whole = task.previous.standing.get(name).cloned();
            stands.add(&minus(&whole.unwrap_or_default(), on_old_date));
        }
        output.change.insert(name.clone(), change);
        output.standing.insert(name.clone(), stands.clone());
        output.state.standing.insert(name.clone(), stands);
        if task.withdrawn.contains_key(name) {
            output.withdrawn.insert(name.clone(), figures.withdrawn);
        }
    }
}

fn minus(now: &Counts, then: &Counts) -> Counts {
    Counts {
        counted: now.counted - then.counted,
        pending: now.pending - then.pending,
        refunds: now.refunds - then.refunds,
        ..Counts::default()
    }
}
