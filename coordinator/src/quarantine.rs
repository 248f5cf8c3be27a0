//! The rows in quarantine, and what has to be known to take them in again.

use std::collections::BTreeMap;

use arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::plan::QuarantineRetry;
use tenfold_core::refresh::state::QuarantinePart;
use tenfold_store::object::Store;
use tenfold_store::part::get_parquet;

/// Reads parts of quarantine: columns `source`, `file`, `row`, `column`, `value`, `reason`,
/// `record`.
///
/// # Errors
/// When a part is absent or damaged.
pub async fn read(store: &Store, parts: &[PartRef]) -> Result<Vec<RecordBatch>, Failure> {
    let mut batches = Vec::with_capacity(parts.len());
    for part in parts {
        batches.push(get_parquet(store, part).await?);
    }
    Ok(batches)
}

/// Reads the rows that are in quarantine.
///
/// # Errors
/// When a part is absent or damaged.
pub async fn read_kept(
    store: &Store,
    parts: &[QuarantinePart],
) -> Result<Vec<RecordBatch>, Failure> {
    let mut batches = Vec::with_capacity(parts.len());
    for QuarantinePart { part, files, .. } in parts {
        let rows = get_parquet(store, part).await?;
        let kept: BooleanArray = texts(&rows, "file")?
            .iter()
            .map(|file| Some(file.is_some_and(|file| files.contains(file))))
            .collect();
        let rows = filter_record_batch(&rows, &kept).map_err(|e| Failure::bug(e.to_string()))?;
        batches.push(rows);
    }
    Ok(batches)
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Failure> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| Failure::bug(format!("quarantine lacks {name}")))
}

/// All rows in quarantine, as rows to be tried again.
///
/// # Errors
/// When a part is not one of quarantine.
pub fn retry(batches: &[RecordBatch]) -> Result<QuarantineRetry, Failure> {
    let mut retry = QuarantineRetry::default();
    for batch in batches {
        let text = |name| texts(batch, name);
        let (sources, files, reasons) = (text("source")?, text("file")?, text("reason")?);
        let rows = batch
            .column_by_name("row")
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .ok_or_else(|| Failure::bug("quarantine lacks row"))?;
        for row in 0..batch.num_rows() {
            let file = (sources.value(row).to_owned(), files.value(row).to_owned());
            let retried = retry.files.entry(file).or_default();
            retried.rows.push(rows.value(row).unsigned_abs());
            retried.counts.read += 1;
            let reason = reasons.value(row).to_owned();
            *retried.counts.quarantined.entry(reason).or_default() += 1;
        }
    }
    retry
        .files
        .values_mut()
        .for_each(|retried| retried.rows.sort_unstable());
    Ok(retry)
}

/// Refused rows by reason, most frequent first, for messages.
pub fn by_reason(quarantined: &BTreeMap<String, i64>) -> String {
    let mut reasons: Vec<(&String, &i64)> = quarantined.iter().collect();
    reasons.sort_by_key(|(reason, rows)| (-**rows, (*reason).clone()));
    let shown: Vec<String> = reasons
        .iter()
        .take(5)
        .map(|(reason, rows)| format!("{rows} × {reason}"))
        .collect();
    shown.join(", ")
}
