//! What changed declarations cost: said by the plan, before anything runs.

use std::collections::BTreeSet;

use super::{Head, Listing, Plan};
use crate::refresh::reach::moved;
use crate::refresh::restate::{counted, some_of};
use crate::refresh::state::OLDEST_STATE;
use crate::refresh::steps::accounts_spec;
use crate::refresh::task::SourceMapping;
use crate::snapshot::declaration_changes;

/// What a person should know of a plan whose declarations, or whose version of Tenfold, are not those
/// of the snapshot that it builds on.
pub(super) fn notes(plan: &Plan, head: &Head, listing: &Listing) -> Vec<String> {
    let number = head.manifest.number;
    if head.state.format < OLDEST_STATE {
        return vec![format!(
            "another version of Tenfold kept the state of snapshot {number}: every file is read again"
        )];
    }
    effect(plan, head)
        .into_iter()
        .chain(splits(plan, number))
        .chain(lost(plan, head, listing))
        .collect()
}

/// What changed declarations cost.
fn effect(plan: &Plan, head: &Head) -> Option<String> {
    let number = head.manifest.number;
    let changes = declaration_changes(&head.manifest.declarations, &plan.project);
    let changed: BTreeSet<String> = changes.into_iter().map(|change| change.path).collect();
    if changed.is_empty() {
        return plan.from_scratch.then(|| {
            format!("the state of snapshot {number} is of another kind: every file is read again")
        });
    }
    let effect = if plan.from_scratch {
        "events are read in another way, so every file is read again"
    } else if adds_up_anew(plan, head) {
        "sums are added up anew from all days of the state; no file is read for it"
    } else {
        "customers are scored and ranked anew; no file is read for it"
    };
    let changed = some_of(&changed);
    Some(format!(
        "declarations changed since snapshot {number} ({changed}): {effect}"
    ))
}

/// What another number of shards costs.
fn splits(plan: &Plan, number: u64) -> Option<String> {
    let before = plan.shards_before?;
    Some(format!(
        "{} shards instead of the {before} of snapshot {number}: the days and events of its state are \
         split anew, and sums are added up anew from all of them; no file is read for it",
        plan.shards
    ))
}

/// What a horizon of event ids gives up: said when the events are read with it for the first time.
pub(super) fn horizon(mapping: &SourceMapping, from_scratch: bool) -> Option<String> {
    let days = mapping.event_id_horizon.filter(|_| from_scratch)?;
    let days = match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    Some(format!(
        "source {}: an event id counts again when its time is more than {days} after the last event \
         with that id",
        mapping.source
    ))
}

/// Whether the accounts that the head left were made for other sums.
fn adds_up_anew(plan: &Plan, head: &Head) -> bool {
    let spec = accounts_spec(plan);
    let mut sources = plan.project.sources.keys();
    sources.any(|source| moved(&head.state.accounts, &spec, source).is_err())
}

/// Files that counted and cannot be read again.
fn lost(plan: &Plan, head: &Head, listing: &Listing) -> Option<String> {
    if !plan.from_scratch {
        return None;
    }
    let found = listing.iter().flat_map(|(source, files)| {
        let locations = files.iter().map(|file| file.location.as_str());
        locations.map(|location| (source.as_str(), location))
    });
    let found: BTreeSet<(&str, &str)> = found.collect();
    let inputs = head.state.inputs.iter().filter(|input| {
        let file = (input.source.as_str(), input.location.as_str());
        plan.project.sources.contains_key(&input.source) && !found.contains(&file)
    });
    let gone: BTreeSet<String> = inputs.map(|input| input.location.clone()).collect();
    (!gone.is_empty()).then(|| {
        format!(
            "of {} that counted in snapshot {} nothing is left to read ({}): what they held will \
             not count any more",
            counted(gone.len()),
            head.manifest.number,
            some_of(&gone)
        )
    })
}
