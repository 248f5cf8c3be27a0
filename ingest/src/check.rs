//! Checking the files of a batch, and whether it may be taken in.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tempfile::NamedTempFile;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ingest::{self, Outcome, Place, RowCounts, Share, Upload};
use tenfold_core::project::{ColumnType, Format};
use tenfold_core::refresh::task::{InputUnit, SourceMapping};
use tenfold_core::snapshot::{Suppression, erasures};
use tenfold_store::marks::marks;
use tenfold_worker::{Processors, TaskContext, check_rows, unspooled};
use tokio::runtime::Handle;

use crate::batch::Sent;
use crate::intake::Intake;
use crate::write::Writer;

/// Why a batch cannot be taken in, and what is known of it.
pub type Refusal = Box<(Failure, Outcome)>;

/// Everything that checking needs, on a thread of its own.
struct Checking {
    mapping: SourceMapping,
    context: TaskContext,
    suppression: Option<Suppression>,
    writer: Writer,
}

/// Reads the files of a batch and writes what comes of it. Equal files give equal names, so it does
/// not matter how often or by how many processes.
pub async fn examine(intake: &Intake, batch: &str, uploads: &[Upload]) -> Result<Outcome, Refusal> {
    let sent = RowCounts {
        files: uploads.len() as u64,
        bytes: uploads.iter().map(|upload| upload.bytes).sum(),
        ..RowCounts::default()
    };
    let (source, batch_name) = (intake.source.clone(), batch.to_owned());
    let uploads = uploads.to_vec();
    let examined = on_thread(intake, batch, move |checking| {
        for upload in &uploads {
            checking.upload(&source, &batch_name, upload)?;
        }
        Ok(())
    });
    examined.await.map_err(|failure| {
        let outcome = Outcome {
            counts: sent,
            ..Outcome::default()
        };
        Box::new((failure, outcome))
    })
}

/// The same of files whose bytes are at hand.
pub async fn examine_sent(
    intake: &Intake,
    batch: &str,
    files: Vec<Sent>,
) -> Result<Outcome, Failure> {
    on_thread(intake, batch, move |checking| {
        for file in &files {
            let mut spool = spool()?;
            spool.write_all(&file.bytes).map_err(|e| unspooled(&e))?;
            checking.local(
                spool.path(),
                &file.name,
                file.format,
                file.bytes.len() as u64,
            )?;
        }
        Ok(())
    })
    .await
}

/// The same of one file of JSON lines on this machine; none of no bytes.
pub async fn examine_spooled(
    intake: &Intake,
    batch: &str,
    spool: NamedTempFile,
    bytes: u64,
) -> Result<Outcome, Failure> {
    let name = format!("{batch}.jsonl");
    on_thread(intake, batch, move |checking| match bytes {
        0 => Ok(()),
        bytes => checking.local(spool.path(), &name, Format::Jsonl, bytes),
    })
    .await
}

/// Whether a batch may be taken in.
pub fn judge(outcome: Outcome, max_bad_rows: Share) -> Result<Outcome, Refusal> {
    let counts = &outcome.counts;
    if max_bad_rows.bears(counts.rows_failed, counts.rows_in) {
        return Ok(outcome);
    }
    let most = counts.reasons.iter().max_by_key(|(_, rows)| **rows);
    let most = most.map_or(String::new(), |(reason, rows)| {
        format!("; most often, {rows} times: {reason}")
    });
    let failure = Failure::data(format!(
        "{} of {} rows were refused, more than {max_bad_rows}{most}",
        counts.rows_failed, counts.rows_in
    ))
    .code(ErrorCode::TooManyRefused)
    .remedy(
        "nothing of the batch was taken in: `tenfold ingest errors` gives the refused rows with their \
         reasons; mend the files and send them in another batch, or raise `max_bad_rows`",
    );
    Err(Box::new((failure, outcome)))
}

async fn on_thread(
    intake: &Intake,
    batch: &str,
    read: impl FnOnce(&mut Checking) -> Result<(), Failure> + Send + 'static,
) -> Result<Outcome, Failure> {
    let suppression = marks(&intake.store).await?.suppression;
    let mapping = intake.mapping.clone();
    let mut checking = Checking {
        writer: Writer::new(
            &intake.store,
            &intake.source,
            batch,
            &mapping.customer,
            mapping.event_id.as_deref(),
        ),
        mapping,
        context: context(intake),
        suppression,
    };
    let checked = tokio::task::spawn_blocking(move || {
        read(&mut checking)?;
        let erasures = erasures(checking.suppression.as_ref());
        let outcome = checking.writer.finish()?;
        Ok(Outcome {
            erasures,
            ..outcome
        })
    });
    match checked.await {
        Ok(checked) => checked,
        Err(error) => Err(Failure::bug(format!("files are not checked: {error}"))),
    }
}

impl Checking {
    /// Reads a file as it was sent. One that came in several pieces is put together first.
    fn upload(&mut self, source: &str, batch: &str, upload: &Upload) -> Result<(), Failure> {
        let piece = |chunk| Place::piece(source, batch, &upload.name, chunk);
        if let [only] = upload.chunks.as_slice() {
            let location = ingest::location(&piece(*only));
            return self.read(location, &upload.name, upload.format, upload.bytes);
        }
        let mut spool = spool()?;
        for chunk in &upload.chunks {
            let path = piece(*chunk);
            let bytes = self.context.store.get(&path);
            let bytes = self.context.runtime.block_on(bytes)?;
            spool.write_all(&bytes).map_err(|e| unspooled(&e))?;
        }
        self.local(spool.path(), &upload.name, upload.format, upload.bytes)
    }

    fn local(
        &mut self,
        path: &Path,
        name: &str,
        format: Format,
        bytes: u64,
    ) -> Result<(), Failure> {
        self.read(location(path)?, name, format, bytes)
    }

    fn read(
        &mut self,
        location: String,
        name: &str,
        format: Format,
        bytes: u64,
    ) -> Result<(), Failure> {
        self.writer.file(bytes);
        let mapping = in_format(&self.mapping, format);
        let unit = unit(location, bytes);
        let list = self.suppression.as_ref().map(|known| &known.list);
        let (context, writer) = (&self.context, &mut self.writer);
        let mut take = |checked| writer.add(name, checked);
        check_rows(&mapping, &unit, list, context, &mut take).map_err(|failure| {
            let failure = failure.within(format!("file {name}"));
            let failure = match failure.code {
                Some(ErrorCode::MissingColumn | ErrorCode::UnreadableFile) => failure.remedy(
                    "mend the file, or the declarations of the source, and send it in another batch",
                ),
                _ => failure,
            };
            match format {
                Format::Parquet => failure.told(),
                // A text file without a header names its columns by the values of a row.
                Format::Csv | Format::Jsonl => failure,
            }
        })
    }
}

/// The mapping of files of a format. Times of text files are read as texts where no zone is declared: each
/// then has to say its offset, which a type would take from it.
pub fn in_format(mapping: &SourceMapping, format: Format) -> SourceMapping {
    let mut mapping = SourceMapping {
        format,
        ..mapping.clone()
    };
    let time = &mapping.time;
    if format != Format::Parquet
        && time.zone.is_none()
        && let Some(declared @ ColumnType::Timestamp) = mapping.types.get_mut(&time.column)
    {
        *declared = ColumnType::String;
    }
    mapping
}

/// What reading files of a source needs, on one thread.
pub fn context(intake: &Intake) -> TaskContext {
    TaskContext {
        store: intake.store.clone(),
        inputs: intake.inputs.clone(),
        runtime: Handle::current(),
        threads: 1,
        memory: u64::MAX,
        processors: Arc::new(Processors::new(1)),
        progress: Arc::default(),
        wide: None,
    }
}

/// A whole file of so many bytes.
pub fn unit(location: String, bytes: u64) -> InputUnit {
    InputUnit {
        location,
        file_size: bytes,
        size: bytes,
        etag: None,
        keys: BTreeMap::new(),
        row_groups: None,
        first_row: 1,
        again: None,
    }
}

/// A temporary file as files are opened.
pub fn location(path: &Path) -> Result<String, Failure> {
    let location = path.to_str().ok_or_else(|| {
        Failure::config("the folder for temporary files has a name that is no text")
            .remedy("set TMPDIR to another one")
    })?;
    Ok(location.to_owned())
}

/// A temporary file, which goes when it is dropped.
pub fn spool() -> Result<NamedTempFile, Failure> {
    NamedTempFile::new().map_err(|error| unspooled(&error))
}
