//! Deliveries without people who were erased: parts that name them are written anew, and a revision
//! of the record that names such a part stands for it.
//!
//! Records name rows by their place. So of the rows of a plan only the contents go, and whoever reads
//! the plan passes over what is empty; those whom a destination has are taken out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use bytes::Bytes;
use serde_json::Value;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::snapshot::{Gone, SuppressionList};

use super::parquet::{File, without};
use crate::marks::marks;
use crate::object::Store;
use crate::part::{get_part, put_part};

/// Where deliveries lie.
pub const DELIVERIES: &str = "_deliveries";

/// Columns of a plan's rows that may name somebody, and what stands there afterwards.
const NAMING: [(&str, &str); 4] = [
    ("identity", ""),
    ("customer", ""),
    ("fields", "[]"),
    ("hash", ""),
];

/// Parts that no record names are left alone for so long: a plan may be about to name them.
const ABOUT_TO_BE_NAMED_MS: i64 = 60 * 60 * 1000;

/// Everybody who was ever erased; none when nobody was.
///
/// # Errors
/// When the store does not answer.
pub async fn gone(store: &Store) -> Result<Option<Gone>, Failure> {
    let Some(known) = marks(store).await?.suppression else {
        return Ok(None);
    };
    let bytes = get_part(store, &known.list).await?;
    let list = format::read(&bytes, SuppressionList::FORMAT, &known.list.path)?;
    Ok(Some(Gone::since(&list, 0)))
}

/// Takes people out of all deliveries. `now_ms` is the time, in milliseconds since 1970.
///
/// # Errors
/// When something cannot be read or written; what was done is kept, and the next call goes on.
pub async fn deliveries(store: &Store, gone: &Gone, now_ms: i64) -> Result<(), Failure> {
    let listed = store.list(DELIVERIES).await?;
    let mut names = BTreeSet::new();
    for meta in &listed {
        let path = store.relative(&meta.location);
        names.extend(path.split('/').nth(1).map(str::to_owned));
    }
    let mut eraser = Eraser {
        store,
        gone,
        written: BTreeMap::new(),
        named: BTreeSet::new(),
        superseded: BTreeSet::new(),
    };
    for name in &names {
        for number in 1.. {
            let folder = format!("{DELIVERIES}/{name}/{number:08}");
            if !eraser
                .record(&format!("{folder}/plan"), &["work", "before"])
                .await?
            {
                break;
            }
            eraser
                .record(&format!("{folder}/done"), &["acknowledged"])
                .await?;
        }
    }
    let Eraser {
        written,
        named,
        superseded,
        ..
    } = eraser;
    for meta in listed {
        let path = store.relative(&meta.location);
        let replaced = written.get(&path).is_some_and(Option::is_some);
        // Of an erasure that was stopped before it deleted it.
        let replaced = replaced || superseded.contains(&path);
        let age_ms = now_ms - meta.last_modified.timestamp_millis();
        let forgotten = replaced || age_ms > ABOUT_TO_BE_NAMED_MS;
        if path.ends_with(".parquet") && forgotten && !named.contains(&path) {
            store.delete(&path).await?;
        }
    }
    Ok(())
}

/// What stands for a part that named somebody; no part at all for one without rows.
type Replacement = Option<PartRef>;

struct Eraser<'a> {
    store: &'a Store,
    gone: &'a Gone,
    /// By the path of a part what stands for it; none where it names nobody.
    written: BTreeMap<String, Option<Replacement>>,
    /// Parts that records name as they are now.
    named: BTreeSet<String>,
    /// Parts that records named before they were revised.
    superseded: BTreeSet<String>,
}

impl Eraser<'_> {
    /// Writes a revision of a record where one of its parts names somebody. False when there is no
    /// such record.
    async fn record(&mut self, path: &str, parts: &[&str]) -> Result<bool, Failure> {
        let mut newest: Option<(u64, String, Value)> = None;
        for revision in 0.. {
            let place = revision_path(path, revision);
            let Some(bytes) = self.store.get_if_present(&place).await? else {
                break;
            };
            let record: Value = format::read(&bytes, 1, &place)?;
            if let Some((_, place, older)) = newest.replace((revision, place, record)) {
                for part in parts {
                    let named = part_of(&older, part, &place)?;
                    self.superseded.extend(named.map(|named| named.path));
                }
            }
        }
        let Some((revision, place, mut record)) = newest else {
            return Ok(false);
        };
        let mut changed = false;
        for part in parts {
            let Some(named) = part_of(&record, part, &place)? else {
                continue;
            };
            let replacement = match *part == "before" && self.is_lost(&named).await? {
                true => Some(None),
                false => self.replacement(&named, *part == "work").await?,
            };
            match replacement {
                None => drop(self.named.insert(named.path)),
                Some(replacement) => {
                    self.named
                        .extend(replacement.iter().map(|part| part.path.clone()));
                    let value = serde_json::to_value(&replacement);
                    record[*part] = value.map_err(|error| Failure::bug(error.to_string()))?;
                    changed = true;
                }
            }
        }
        if changed {
            let text = serde_json::to_vec(&record);
            let text = text.map_err(|error| Failure::bug(error.to_string()))?;
            let place = revision_path(path, revision + 1);
            // Whoever else erases at this moment writes the same.
            self.store.settle(&place, Bytes::from(text)).await?;
        }
        Ok(true)
    }

    /// Whether an erasure replaced a part while a plan was made that names it. The record of the number
    /// before names what stands for it, and that is what is read.
    async fn is_lost(&self, part: &PartRef) -> Result<bool, Failure> {
        let is_known = self.written.contains_key(&part.path);
        Ok(!is_known && self.store.size(&part.path).await?.is_none())
    }

    async fn replacement(
        &mut self,
        part: &PartRef,
        keeps_places: bool,
    ) -> Result<Option<Replacement>, Failure> {
        if let Some(known) = self.written.get(&part.path) {
            return Ok(known.clone());
        }
        let file = File::open(get_part(self.store, part).await?)?;
        let replacement = match file.theirs(self.gone)? {
            None => None,
            Some(theirs) => {
                let rows = match keeps_places {
                    true => blanked(&file.batch, &theirs)?,
                    false => without(&file.batch, &theirs)?,
                };
                Some(self.put(part, &file, &rows).await?)
            }
        };
        self.written.insert(part.path.clone(), replacement.clone());
        Ok(replacement)
    }

    async fn put(
        &self,
        old: &PartRef,
        file: &File,
        rows: &RecordBatch,
    ) -> Result<Replacement, Failure> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let folder = old.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let bytes = file.encode(rows)?;
        let part = put_part(self.store, folder, "parquet", rows.num_rows() as u64, bytes).await?;
        self.store.secure(vec![part.path.clone()]).await?;
        Ok(Some(part))
    }
}

/// A part that a record names.
fn part_of(record: &Value, part: &str, place: &str) -> Result<Option<PartRef>, Failure> {
    let named = record.get(part).cloned().unwrap_or(Value::Null);
    serde_json::from_value(named).map_err(|error| Failure::bug(format!("{place}: {error}")))
}

/// Where a revision of a record lies; `path` is that of the record, without its ending.
pub fn revision_path(path: &str, revision: u64) -> String {
    match revision {
        0 => format!("{path}.json"),
        _ => format!("{path}.r{revision}.json"),
    }
}

/// The rows, with nothing in those that are theirs.
fn blanked(batch: &RecordBatch, theirs: &BooleanArray) -> Result<RecordBatch, Failure> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| -> Result<ArrayRef, Failure> {
        let Some((_, empty)) = NAMING.iter().find(|(name, _)| name == field.name()) else {
            return Ok(column.clone());
        };
        let texts = column
            .as_string_opt::<i32>()
            .ok_or_else(|| Failure::bug(format!("{} is no text", field.name())))?;
        let cell = |row: usize| match theirs.value(row) {
            true => *empty,
            false => texts.value(row),
        };
        let cells = (0..texts.len()).map(cell);
        Ok(Arc::new(StringArray::from_iter_values(cells)))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns).map_err(|error| Failure::bug(format!("arrow: {error}")))
}
