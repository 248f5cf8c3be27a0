//! Quarantine without the rows of people who were erased.

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use serde_json::Value;
use tenfold_core::failure::Failure;
use tenfold_core::project::Project;
use tenfold_core::refresh::state::{QuarantinePart, StateIndex};
use tenfold_core::snapshot::{ERASED, Gone, Manifest};

use super::Eraser;
use super::parquet::{File, without};

impl Eraser<'_> {
    /// Takes their rows out of quarantine, and counts them as erased.
    pub(super) async fn quarantine(
        &mut self,
        manifest: &Manifest,
        index: &mut StateIndex,
    ) -> Result<(), Failure> {
        for kept in std::mem::take(&mut index.quarantine) {
            let QuarantinePart { part, files, .. } = &kept;
            let file = self.read(part).await?;
            let rows = Refused::of(&file)?;
            let theirs: BooleanArray = (0..file.batch.num_rows())
                .map(|row| Some(rows.is_theirs(row, &manifest.declarations, &self.gone)))
                .collect();
            if theirs.true_count() == 0 {
                index.quarantine.push(kept);
                continue;
            }
            for row in (0..theirs.len()).filter(|row| theirs.value(*row)) {
                self.taken.quarantine_rows += 1;
                // Others have left quarantine, and only their bytes are still there.
                if files.contains(rows.file.value(row)) {
                    rows.count_erased(row, index);
                }
            }
            let others = without(&file.batch, &theirs)?;
            match others.num_rows() {
                0 => self.taken.objects += 1,
                _ => {
                    let part = self.put_batch(&part.path, &file, &others).await?;
                    index.quarantine.push(QuarantinePart { part, ..kept });
                }
            }
        }
        Ok(())
    }
}

/// The columns of a part of quarantine that tell whose a row is.
struct Refused<'a> {
    source: &'a StringArray,
    file: &'a StringArray,
    column: &'a StringArray,
    value: &'a StringArray,
    reason: &'a StringArray,
    record: &'a StringArray,
}

impl<'a> Refused<'a> {
    fn of(file: &'a File) -> Result<Self, Failure> {
        let text = |name: &str| {
            let column = file.batch.column_by_name(name);
            let column = column.and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| Failure::bug(format!("quarantine lacks {name}")))
        };
        Ok(Self {
            source: text("source")?,
            file: text("file")?,
            column: text("column")?,
            value: text("value")?,
            reason: text("reason")?,
            record: text("record")?,
        })
    }

    /// A row is of whom its column of the customer names. One that could not be taken apart is of
    /// everybody whom it names anywhere.
    fn is_theirs(&self, row: usize, declarations: &Project, gone: &Gone) -> bool {
        let record = self.record.value(row);
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(record) else {
            return gone.is_named_in(record);
        };
        let Some(source) = declarations.sources.get(self.source.value(row)) else {
            return gone.is_named_in(record);
        };
        let of_customer = self.column.is_valid(row) && self.column.value(row) == source.customer;
        let refused = (of_customer && self.value.is_valid(row)).then(|| self.value.value(row));
        let named = fields.get(&source.customer).and_then(Value::as_str);
        named
            .into_iter()
            .chain(refused)
            .any(|key| gone.is_key(key, declarations.customer.key_type))
    }

    fn count_erased(&self, row: usize, index: &mut StateIndex) {
        let (source, file) = (self.source.value(row), self.file.value(row));
        let totals = index.totals.entry(source.to_owned()).or_default();
        let inputs = index.inputs.iter_mut();
        let input = inputs.filter(|input| (&*input.source, &*input.location) == (source, file));
        for counts in input.map(|input| &mut input.counts).chain([totals]) {
            if let Some(refused) = counts.quarantined.get_mut(self.reason.value(row)) {
                *refused -= 1;
            }
            counts.quarantined.retain(|_, rows| *rows != 0);
            *counts.filtered.entry(ERASED.to_owned()).or_default() += 1;
        }
    }
}
