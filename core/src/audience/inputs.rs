//! What statements about audiences read beside the tables of a snapshot: the events of the state, and
//! `customer_value` as it was.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::model::Audience;
use super::sql::{BEFORE, EVENTS};
use crate::calendar::Day;
use crate::project::{CustomerType, Project};
use crate::refresh::part::PartRef;
use crate::refresh::state::{ShardState, StateRun};
use crate::snapshot::{Manifest, TableEntry};

/// The events of a source, as a statement reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventsInput {
    /// Type of the customer key.
    pub customer_type: CustomerType,
    /// The measures of the source.
    pub measures: Vec<String>,
    /// Its dimensions.
    pub dimensions: Vec<String>,
    /// Whether its events have ids; otherwise they are kept as sums of days.
    pub has_ids: bool,
    /// Days that may lie between copies of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u32>,
    /// First day of the first month that is read; all without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// The files.
    pub runs: Vec<EventsRun>,
    /// Files with events that do not count.
    pub lost: Vec<PartRef>,
}

/// A file of events, and what is read of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventsRun {
    /// The file.
    pub part: PartRef,
    /// Its row groups.
    pub row_groups: u32,
    /// Those that are read, ascending: the first one, and how many.
    pub wanted: Vec<(u32, u32)>,
}

/// What is known when a statement is made ready.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The day that the snapshot looks back from.
    pub as_of: Day,
    /// The state, by shard.
    pub states: &'a [&'a ShardState],
    /// The snapshot before.
    pub before: Option<&'a Manifest>,
}

/// What a statement reads that names these tables, of those that no snapshot has: events by the name of
/// their table, and further tables. `audiences` say how far back it looks.
pub fn hidden(
    project: &Project,
    audiences: &[Audience],
    reads: &[String],
    tables: &BTreeMap<String, TableEntry>,
    known: Known<'_>,
) -> (BTreeMap<String, EventsInput>, BTreeMap<String, TableEntry>) {
    let mut events = BTreeMap::new();
    let mut more = BTreeMap::new();
    for name in reads {
        if let Some(source) = name.strip_prefix(EVENTS) {
            let input = events_input(project, source, first(audiences, source, known), known);
            events.extend(input.map(|input| (name.clone(), input)));
        }
        if name == BEFORE {
            let before = known.before.filter(|before| is_alike(project, before));
            let before = before.and_then(|before| before.tables.get("customer_value"));
            // Beside itself nobody has moved.
            let entry = before.or_else(|| tables.get("customer_value"));
            more.extend(entry.map(|entry| (name.clone(), entry.clone())));
        }
    }
    (events, more)
}

/// Whether the snapshot before has the columns of this one.
fn is_alike(project: &Project, before: &Manifest) -> bool {
    let then = &before.declarations;
    then.customer == project.customer && then.clv == project.clv && then.deciles == project.deciles
}

/// The first day that audiences look at of a source; none where there is no such day.
fn first(audiences: &[Audience], name: &str, known: Known<'_>) -> Option<Day> {
    let windows = audiences.iter().flat_map(Audience::events);
    let firsts: Option<Vec<Day>> = windows
        .filter(|(of, _)| *of == name)
        .map(|(_, window)| window.first(known.as_of))
        .collect();
    firsts.and_then(|days| days.into_iter().min())
}

/// The events of a source from the month of a day on.
pub fn since(project: &Project, name: &str, day: Day, known: Known<'_>) -> Option<EventsInput> {
    events_input(project, name, Some(day), known)
}

/// The events of a source before the month that an input begins with.
pub fn older(name: &str, input: &EventsInput, known: Known<'_>) -> Vec<EventsRun> {
    let Some(from) = input.from else {
        return Vec::new();
    };
    let runs = known.states.iter().flat_map(|state| state.runs(name));
    let months = i32::MIN..=from.month_index().saturating_sub(1);
    runs.filter_map(|run| wanted(run, &months)).collect()
}

fn events_input(
    project: &Project,
    name: &str,
    from: Option<Day>,
    known: Known<'_>,
) -> Option<EventsInput> {
    let source = project.sources.get(name)?;
    let from = from.map(Day::first_of_month);
    let runs = known.states.iter().flat_map(|state| state.runs(name));
    let first = from.map_or(i32::MIN, Day::month_index);
    let months = first..=known.as_of.month_index();
    let runs = runs.filter_map(|run| wanted(run, &months));
    Some(EventsInput {
        customer_type: project.customer.key_type,
        measures: source.measures.keys().cloned().collect(),
        dimensions: source.dimensions.keys().cloned().collect(),
        has_ids: source.event_id.is_some(),
        horizon: source.event_id_horizon,
        from,
        runs: runs.collect(),
        lost: known
            .states
            .iter()
            .filter_map(|state| state.lost.get(name).cloned())
            .collect(),
    })
}

/// What is read of a run: these months.
fn wanted(run: &StateRun, months: &RangeInclusive<i32>) -> Option<EventsRun> {
    let slices = run.months.iter();
    let inside = slices.filter(|slice| months.contains(&slice.month));
    let wanted: Vec<(u32, u32)> = inside
        .map(|slice| (slice.row_group, slice.row_groups))
        .collect();
    let row_groups = run.months.iter().map(|slice| slice.row_groups).sum();
    (!wanted.is_empty()).then(|| EventsRun {
        part: run.part.clone(),
        row_groups,
        wanted,
    })
}
