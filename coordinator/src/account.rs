//! The accounts of a run: where its rows went, the state that it leaves, and what people should know.

use std::collections::BTreeMap;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::{CountsBySource, add_by_source};
use tenfold_core::refresh::plan::{Head, Plan};
use tenfold_core::refresh::state::{
    QuarantinePart, STATE_FORMAT, StateIndex, TakenInput, Unsettled,
};
use tenfold_core::refresh::steps::accounts_spec;
use tenfold_core::refresh::task::{AbsorbOutput, Fits, MergeOutput};
use tenfold_core::snapshot::ERASED;

/// Where the absorbed rows went, as far as absorbing tells. Rows that were released from
/// quarantine or are restated had been counted before: they are taken back.
pub fn absorbed_rows(plan: &Plan, absorbed: &[(String, AbsorbOutput)]) -> CountsBySource {
    let mut rows = CountsBySource::new();
    for (source, output) in absorbed {
        rows.entry(source.clone()).or_default().add(&output.counts);
    }
    let restated = plan.restated.iter();
    let restated = restated.map(|(source, restated)| (source, &restated.released));
    for (source, released) in plan.released.iter().chain(restated) {
        rows.entry(source.clone()).or_default().take_back(released);
    }
    rows
}

/// Kept rows are counted, pending or duplicate: the merge knows which.
pub fn count_merged(
    plan: &Plan,
    head: Option<&Head>,
    absorbed: &[(String, AbsorbOutput)],
    rows: &mut CountsBySource,
    merged: &[MergeOutput],
) {
    rows.values_mut().for_each(|counts| counts.counted = 0);
    merged
        .iter()
        .for_each(|output| add_by_source(rows, &output.change));
    for (source, restated) in &plan.restated {
        let of_source = absorbed.iter().filter(|(name, _)| name == source);
        let again: u64 = of_source.map(|(_, output)| output.again).sum();
        let taken_out = merged
            .iter()
            .filter_map(|output| output.withdrawn.get(source));
        let taken_out: u64 = taken_out.sum();
        // The rows that these days were made of, and that did not count, were duplicates, or of
        // people who were erased since.
        let others = restated.released.counted + again as i64 - taken_out as i64;
        let totals = head.and_then(|head| head.state.totals.get(source));
        let duplicates = others.min(totals.map_or(0, |totals| totals.duplicate));
        let counts = rows.entry(source.clone()).or_default();
        counts.duplicate -= duplicates;
        if others > duplicates {
            *counts.filtered.entry(ERASED.to_owned()).or_default() -= others - duplicates;
        }
    }
}

/// A run that lost a row publishes nothing.
pub fn check_balance(rows: &CountsBySource) -> Result<(), Failure> {
    match rows.iter().find(|(_, counts)| !counts.is_balanced()) {
        None => Ok(()),
        Some((source, counts)) => Err(Failure::bug(format!(
            "source {source}: {} rows were read but {} are accounted for",
            counts.read,
            counts.accounted()
        ))
        .remedy("report this; nothing was published")),
    }
}

/// The index that the next night starts from.
pub fn next_state(
    plan: &Plan,
    head: Option<&Head>,
    absorbed: &[(String, AbsorbOutput)],
    merged: &[MergeOutput],
    rows: &CountsBySource,
) -> StateIndex {
    let mut totals = head.map_or_else(CountsBySource::new, |head| head.state.totals.clone());
    add_by_source(&mut totals, rows);
    for counts in totals.values_mut() {
        (counts.counted, counts.pending, counts.refunds) = (0, 0, 0);
        counts.quarantined.retain(|_, rows| *rows != 0);
        counts.filtered.retain(|_, rows| *rows != 0);
    }
    merged
        .iter()
        .for_each(|output| add_by_source(&mut totals, &output.standing));
    StateIndex {
        format: STATE_FORMAT,
        fingerprint: plan.fingerprint.clone(),
        shards: plan.shards,
        inputs: inputs(plan, head, absorbed),
        accounts: accounts_spec(plan),
        state: merged.iter().map(|output| output.state.clone()).collect(),
        totals,
        quarantine: quarantine(plan, head, absorbed),
        unsettled: Unsettled::None,
    }
}

/// The rows in quarantine: those that stay there, and those that this run refused.
fn quarantine(
    plan: &Plan,
    head: Option<&Head>,
    absorbed: &[(String, AbsorbOutput)],
) -> Vec<QuarantinePart> {
    let leave = plan.leave_quarantine();
    let before = head.map_or(&[][..], |head| head.state.quarantine.as_slice());
    let mut parts = before.to_vec();
    for part in &mut parts {
        let source = part.source.as_str();
        part.files
            .retain(|file| !leave.contains(&(source, file.as_str())));
    }
    parts.retain(|part| !part.files.is_empty());
    let for_days = plan.read_for_days();
    for (source, output) in absorbed {
        let refused = output.files.iter().filter(|file| {
            let alone = for_days.contains(&(source.as_str(), file.location.as_str()));
            !alone && file.counts.quarantined_total() > 0
        });
        parts.extend(output.quarantine.clone().map(|part| QuarantinePart {
            part,
            source: source.clone(),
            files: refused.map(|file| file.location.clone()).collect(),
        }));
    }
    parts
}

/// All files taken in so far; what this run read replaces what an earlier one said. Of files that
/// were read for some days alone nothing else is known than before.
fn inputs(
    plan: &Plan,
    head: Option<&Head>,
    absorbed: &[(String, AbsorbOutput)],
) -> Vec<TakenInput> {
    let mut read: BTreeMap<(String, String), TakenInput> = BTreeMap::new();
    for file in absorbed.iter().flat_map(|(_, output)| &output.files) {
        let key = (file.source.clone(), file.location.clone());
        match read.get_mut(&key) {
            None => drop(read.insert(key, file.clone())),
            // Another range of the same file.
            Some(known) => known.add(file),
        }
    }
    let mut all: BTreeMap<(String, String), TakenInput> = BTreeMap::new();
    for input in head.map_or(&[][..], |head| head.state.inputs.as_slice()) {
        all.insert(
            (input.source.clone(), input.location.clone()),
            input.clone(),
        );
    }
    all.retain(|(source, location), _| {
        let restated = plan.restated.get(source);
        restated.is_none_or(|restated| !restated.vanished.contains(location))
    });
    let for_days = plan.read_for_days();
    all.extend(read.into_iter().filter(|((source, location), _)| {
        !for_days.contains(&(source.as_str(), location.as_str()))
    }));
    all.into_values().collect()
}

/// Share of buyers on the first day above which the history looks cut.
const CUT_SHARE: f64 = 0.02;

/// What the data say that a person should know.
pub fn warnings(merged: &[MergeOutput], fits: Option<&Fits>) -> Vec<String> {
    let mut warnings = Vec::new();
    let buyers: u64 = merged.iter().map(|output| output.buyers).sum();
    let first = merged
        .iter()
        .filter_map(|output| output.first_purchase)
        .map(|first| first.0)
        .min();
    if let Some(first) = first {
        let same = merged.iter().filter_map(|output| output.first_purchase);
        let count: u64 = same
            .filter(|(day, _)| *day == first)
            .map(|(_, count)| count)
            .sum();
        if buyers >= 100 && count as f64 > CUT_SHARE * buyers as f64 {
            warnings.push(format!(
                "{count} of {buyers} customers bought first on {first}, the first day: the history \
                 looks cut there, and their real first purchases may be earlier"
            ));
        }
    }
    for fit in fits.iter().flat_map(|fits| &fits.transactions) {
        if fit.used != fit.requested {
            warnings.push(format!("{}: {}", fit.requested.name(), fit.explanation));
        }
    }
    warnings
}
