//! Absorb: read input files, check every row, and spread the good ones over the shards.
//!
//! Every row ends up in exactly one place: kept, filtered by a declared rule, or quarantined with
//! the first reason that was found. A file that cannot be read at all fails the task.

mod convert;
mod derive;
mod intake;
mod quarantine;
mod read;
mod spread;
mod suppressed;
mod time;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Format;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::restate::Span;
use tenfold_core::refresh::state::TakenInput;
use tenfold_core::refresh::task::{
    AbsorbOutput, AbsorbTask, Again, InputUnit, Keys, SourceMapping,
};
use tenfold_core::snapshot::ERASED;

use crate::TaskContext;
use crate::arrays::{days, on_days};
use derive::{Derivation, Sorted};
use quarantine::Quarantine;
pub use quarantine::schema as quarantine_schema;
use read::{Columns, Malformed, UnitReader};

pub use intake::{Checked, Refused, check_declared, check_rows};
pub use read::{RECORD_BYTES, arrow_type, key_columns};
use spread::{Spreader, checksum_of};
use suppressed::Suppressed;

/// Runs an absorb task.
pub fn run(task: &AbsorbTask, context: &TaskContext) -> Result<AbsorbOutput, Failure> {
    let mut spreader = Spreader::new(&task.mapping, task.shards, context);
    let mut quarantine = Quarantine::new(&task.mapping.source);
    let suppressed = Suppressed::read(task.suppressed.as_ref(), context)?;
    let mut output = AbsorbOutput::default();
    for unit in &task.units {
        let within = |failure: Failure| {
            let failure = failure.within(&unit.location);
            match task.mapping.format {
                Format::Parquet => failure.told(),
                // A text file without a header names its columns by the values of a row.
                Format::Csv | Format::Jsonl => failure,
            }
        };
        let taken = absorb_unit(
            task,
            unit,
            context,
            &suppressed,
            &mut spreader,
            &mut quarantine,
            &mut output,
        );
        let taken = taken.map_err(within)?;
        output.files.push(taken);
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
    output: &mut AbsorbOutput,
) -> Result<TakenInput, Failure> {
    let mut taken = TakenInput {
        source: task.mapping.source.clone(),
        location: unit.location.clone(),
        size: unit.file_size,
        etag: unit.etag.clone(),
        checksum: 0,
        days: None,
        counts: Counts::default(),
    };
    let mut kept = 0_u64;
    let mut reader = UnitReader::open(&task.mapping, unit, context, Columns::Needed)?;
    let mut derivation = None;
    while let Some(rows) = reader.next(context)? {
        let derivation = match &mut derivation {
            Some(ready) => ready,
            None => derivation.insert(Derivation::new(&task.mapping, &rows.batch.schema())?),
        };
        let (mut sorted, mut theirs) = suppressed.part(derivation.sort(&rows)?)?;
        let named = |row: &&Malformed| suppressed.is_named_in(&row.text);
        let (mut erased, mut malformed): (Vec<&Malformed>, Vec<&Malformed>) =
            rows.malformed.iter().partition(named);
        account(&mut taken.counts, &sorted, &malformed, erased.len());
        let days = taken.days.into_iter().chain(days_of(&sorted.kept)?);
        taken.days = days.reduce(Span::across);
        if let Some(again) = &unit.again {
            let wants = |row: u32| again.wants(rows.number(row as usize));
            let (wanted, others) = sorted.only(wants)?;
            let (wanted_of_theirs, others_of_theirs) = theirs.only(wants)?;
            (sorted, theirs) = (wanted, wanted_of_theirs);
            malformed.retain(|row| again.wants(row.number));
            erased.retain(|row| again.wants(row.number));
            for before in [&others, &others_of_theirs] {
                taken.checksum = taken.checksum.wrapping_add(checksum_of(before)?);
            }
            let others = on_days(&others, &again.days)?;
            output.again += others.num_rows() as u64;
            spreader.add(&others)?;
        }
        // The checksum of a file is that of its rows, whoever is erased later.
        kept = kept.wrapping_add(checksum_of(&theirs.kept)?);
        account(&mut output.counts, &sorted, &malformed, erased.len());
        for row in &malformed {
            quarantine.add_malformed(&unit.location, row.number, &row.reason, &row.text);
        }
        quarantine.add(&unit.location, &rows, &sorted.bad);
        kept = kept.wrapping_add(spreader.add(&sorted.kept)?);
    }
    if let Some(again) = &unit.again {
        refuse_other_changes(again, &taken)?;
    }
    taken.checksum = taken.checksum.wrapping_add(kept);
    Ok(taken)
}

/// The days that events lie on; none without events.
fn days_of(events: &RecordBatch) -> Result<Option<Span>, Failure> {
    let days = days(events)?.iter().map(|day| Span::of(Day(*day)));
    Ok(days.reduce(Span::across))
}

/// A file is read again for some rows alone: all others must be what they were.
fn refuse_other_changes(again: &Again, taken: &TakenInput) -> Result<(), Failure> {
    if (again.rows_before, again.checksum) == (taken.counts.read.unsigned_abs(), taken.checksum) {
        return Ok(());
    }
    if again.rows.is_empty() {
        let what =
            "the file has changed since it was taken in, though neither its size nor its tag has";
        return Err(Failure::data(what)
            .code(ErrorCode::InputChanged)
            .remedy("write it again as it is now, so that it can be told from what it was"));
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
fn account(counts: &mut Counts, sorted: &Sorted, malformed: &[&Malformed], erased: usize) {
    let bad = sorted.bad.len() as i64;
    let kept = sorted.kept_rows() as i64;
    counts.counted += kept;
    counts.read += kept + bad + (malformed.len() + erased) as i64;
    if erased > 0 {
        *counts.filtered.entry(ERASED.to_owned()).or_default() += erased as i64;
    }
    for (rule, rows) in &sorted.filtered {
        let rows = rows.len() as i64;
        counts.read += rows;
        *counts.filtered.entry((*rule).to_owned()).or_default() += rows;
    }
    let bad = sorted.bad.iter().map(|row| &row.reason);
    for reason in bad.chain(malformed.iter().map(|row| &row.reason)) {
        *counts.quarantined.entry(reason.clone()).or_default() += 1;
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
    keys: &Keys,
) -> Result<(), Failure> {
    let keys: Vec<Field> = key_columns(mapping, keys)?
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    let schema = read::with_fields(&read::typed_schema(mapping, schema), &keys);
    let check = || {
        let columns = derive::columns_needed(mapping, &schema)?;
        let projected = derive::project(&schema, &columns)?;
        let mut derivation = Derivation::new(mapping, &projected)?;
        let nothing = RecordBatch::new_empty(projected);
        derivation.sort(&read::Rows::whole(nothing, 1)).map(|_| ())
    };
    check().map_err(Failure::told)
}
