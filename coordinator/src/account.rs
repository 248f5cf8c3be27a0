//! The accounts of a run: where its rows went, the state that it leaves, and what people should know.

use std::collections::BTreeMap;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::{CountsBySource, add_by_source};
use tenfold_core::refresh::plan::{Head, Plan};
use tenfold_core::refresh::state::{STATE_FORMAT, StateIndex, TakenInput};
use tenfold_core::refresh::steps::accounts_spec;
use tenfold_core::refresh::task::{AbsorbOutput, Fits, MergeOutput};

/// Where the absorbed rows went, as far as absorbing tells. Rows that were released from
/// quarantine had been counted before: they are taken back.
pub fn absorbed_rows(plan: &Plan, absorbed: &[(String, AbsorbOutput)]) -> CountsBySource {
    let mut rows = CountsBySource::new();
    for (source, output) in absorbed {
        rows.entry(source.clone()).or_default().add(&output.counts);
    }
    for (source, released) in &plan.released {
        let counts = rows.entry(source.clone()).or_default();
        counts.read -= released.read;
        for (reason, count) in &released.quarantined {
            *counts.quarantined.entry(reason.clone()).or_default() -= count;
        }
    }
    rows
}

/// Kept rows are counted, pending or duplicate: the merge knows which.
pub fn count_merged(rows: &mut CountsBySource, merged: &[MergeOutput]) {
    rows.values_mut().for_each(|counts| counts.counted = 0);
    merged
        .iter()
        .for_each(|output| add_by_source(rows, &output.change));
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
    }
    merged
        .iter()
        .for_each(|output| add_by_source(&mut totals, &output.standing));
    let retried = !plan.released.is_empty();
    let before = head
        .filter(|_| !retried)
        .map(|head| head.state.quarantine.clone());
    let mut quarantine = before.unwrap_or_default();
    quarantine.extend(
        absorbed
            .iter()
            .filter_map(|(_, output)| output.quarantine.clone()),
    );
    StateIndex {
        format: STATE_FORMAT,
        fingerprint: plan.fingerprint.clone(),
        shards: plan.shards,
        inputs: inputs(head, absorbed),
        accounts: accounts_spec(plan),
        state: merged.iter().map(|output| output.state.clone()).collect(),
        totals,
        quarantine,
    }
}

/// All files taken in so far; what this run read replaces what an earlier one said.
fn inputs(head: Option<&Head>, absorbed: &[(String, AbsorbOutput)]) -> Vec<TakenInput> {
    let mut read: BTreeMap<(String, String), TakenInput> = BTreeMap::new();
    for file in absorbed.iter().flat_map(|(_, output)| &output.files) {
        let key = (file.source.clone(), file.location.clone());
        match read.get_mut(&key) {
            None => drop(read.insert(key, file.clone())),
            // Another range of the same file.
            Some(known) => {
                known.rows += file.rows;
                known.checksum = known.checksum.wrapping_add(file.checksum);
                known.quarantined += file.quarantined;
            }
        }
    }
    let mut all: BTreeMap<(String, String), TakenInput> = BTreeMap::new();
    for input in head.map_or(&[][..], |head| head.state.inputs.as_slice()) {
        all.insert(
            (input.source.clone(), input.location.clone()),
            input.clone(),
        );
    }
    all.extend(read);
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
