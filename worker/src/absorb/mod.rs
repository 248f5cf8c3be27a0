//! Absorb: read input files, check every row, and spread the good ones over the shards.
//!
//! Every row ends up in exactly one place: kept, filtered by a declared rule, or quarantined with
//! the first reason that was found. A file that cannot be read at all fails the task.

mod convert;
mod derive;
mod quarantine;
mod read;
mod spread;
mod suppressed;
mod time;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::state::TakenInput;
use tenfold_core::refresh::task::{AbsorbOutput, AbsorbTask, Again, InputUnit, SourceMapping};
use tenfold_core::snapshot::ERASED;

use crate::TaskContext;
use derive::Derivation;
use quarantine::Quarantine;
pub use quarantine::schema as quarantine_schema;
use read::UnitReader;

pub use read::key_columns;
use spread::{Spreader, checksum_of};
use suppressed::Suppressed;

/// Runs an absorb task.
pub fn run(task: &AbsorbTask, context: &TaskContext) -> Result<AbsorbOutput, Failure> {
    let mut spreader = Spreader::new(&task.mapping, task.shards, context);
    let mut quarantine = Quarantine::new(&task.mapping.source);
    let suppressed = Suppressed::read(task.suppressed.as_ref(), context)?;
    let mut output = AbsorbOutput::default();
    for unit in &task.units {
        let within = |failure: Failure| failure.within(&unit.location);
        let taken = absorb_unit(
            task,
            unit,
            context,
            &suppressed,
            &mut spreader,
            &mut quarantine,
            &mut output.counts,
        );
        output.files.push(taken.map_err(within)?);
    }
    output.pieces = spreader.finish()?;
    output.quarantine = quarantine.write(context)?;
    Ok(output)
}

fn absorb_unit(
    task: &AbsorbTask,
    unit: &InputUnit,
    context: &TaskContext,
    suppressed: &Suppressed,
    spreader: &mut Spreader<'_>,
    quarantine: &mut Quarantine,
    counts: &mut Counts,
) -> Result<TakenInput, Failure> {
    let mut taken = TakenInput {
        source: task.mapping.source.clone(),
        location: unit.location.clone(),
        size: unit.file_size,
        etag: unit.etag.clone(),
        rows: 0,
        checksum: 0,
        quarantined: 0,
    };
    let mut kept = 0_u64;
    let mut reader = UnitReader::open(&task.mapping, unit, context)?;
    let mut derivation = None;
    while let Some(rows) = reader.next(context)? {
        taken.rows += rows.read();
        let derivation = match &mut derivation {
            Some(ready) => ready,
            None => derivation.insert(Derivation::new(&task.mapping, &rows.batch.schema())?),
        };
        let mut sorted = derivation.sort(&rows)?;
        if let Some(again) = &unit.again {
            let (wanted, others) = sorted.only(|row| again.wants(rows.number(row as usize)))?;
            sorted = wanted;
            taken.checksum = taken.checksum.wrapping_add(checksum_of(&others)?);
        }
        let malformed = rows.malformed.iter();
        let malformed = malformed.filter(|row| {
            unit.again
                .as_ref()
                .is_none_or(|again| again.wants(row.number))
        });
        for row in malformed {
            counts.read += 1;
            if suppressed.is_named_in(&row.text) {
                *counts.filtered.entry(ERASED.to_owned()).or_default() += 1;
                continue;
            }
            *counts.quarantined.entry(row.reason.clone()).or_default() += 1;
            taken.quarantined += 1;
            quarantine.add_malformed(&unit.location, row.number, &row.reason, &row.text);
        }
        if let Some(gone) = suppressed.rows(&sorted.customers) {
            let (others, theirs) = sorted.without(&gone)?;
            sorted = others;
            // The checksum of a file is that of its rows, whoever is erased later.
            kept = kept.wrapping_add(checksum_of(&theirs)?);
        }
        account(counts, &sorted);
        taken.quarantined += sorted.bad.len() as u64;
        quarantine.add(&unit.location, &rows, &sorted.bad);
        kept = kept.wrapping_add(spreader.add(&sorted.kept)?);
    }
    if let Some(again) = &unit.again {
        refuse_other_changes(again, &taken)?;
    }
    taken.checksum = taken.checksum.wrapping_add(kept);
    Ok(taken)
}

/// A file is read again for its rows in quarantine alone: all others must be what they were.
fn refuse_other_changes(again: &Again, taken: &TakenInput) -> Result<(), Failure> {
    if (again.rows_before, again.checksum) == (taken.rows, taken.checksum) {
        return Ok(());
    }
    Err(
        Failure::data("the file has changed in rows that were not in quarantine")
            .code(ErrorCode::InputChanged)
            .remedy(
                "mend only the rows that `tenfold quarantine ls` shows, in place; deliver other \
         corrections as a new file",
            ),
    )
}

/// Adds what became of a batch to the account.
fn account(counts: &mut Counts, sorted: &derive::Sorted) {
    let bad = sorted.bad.len() as i64;
    let kept = sorted.kept_rows() as i64;
    counts.counted += kept;
    counts.read += kept + bad;
    for (rule, rows) in &sorted.filtered {
        let rows = rows.len() as i64;
        counts.read += rows;
        *counts.filtered.entry((*rule).to_owned()).or_default() += rows;
    }
    for row in &sorted.bad {
        *counts.quarantined.entry(row.reason.clone()).or_default() += 1;
    }
}

/// Checks a mapping against the columns of a file and the hive keys of its path, before any run:
/// that every column is there and every expression can be understood.
///
/// # Errors
/// With the first thing that does not fit.
pub fn check_mapping(
    mapping: &SourceMapping,
    schema: &SchemaRef,
    keys: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let keys: Vec<Field> = key_columns(mapping, keys)?
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    let schema = read::with_fields(&read::typed_schema(mapping, schema), &keys);
    let columns = derive::columns_needed(mapping, &schema)?;
    let projected = derive::project(&schema, &columns)?;
    let mut derivation = Derivation::new(mapping, &projected)?;
    let nothing = RecordBatch::new_empty(projected);
    derivation.sort(&read::Rows::whole(nothing, 1)).map(|_| ())
}
