//! Files that were sent to Tenfold, without people who were erased: those that the log of a source
//! names are written anew, and one record exchanges them.

use bytes::Bytes;
use serde_json::Value;
use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_hex;
use tenfold_core::ingest::{Event, Exchange, Place, State, StoredFile};
use tenfold_core::project::CustomerType;
use tenfold_core::snapshot::Gone;

use super::parquet::{File, without};
use crate::ingest::{Log, NotDone, sources};
use crate::marks::Writer;
use crate::object::Store;

/// Takes people out of the files of every source, with keys of a type; gives how many files named one
/// of them.
///
/// # Errors
/// When a file cannot be read, or the store fails; what was done is kept.
pub async fn ingested(
    store: &Store,
    writer: Writer<'_>,
    gone: &Gone,
    keys: CustomerType,
) -> Result<u64, Failure> {
    let mut exchanged = 0;
    for source in sources(store).await? {
        exchanged += ingested_of(store, &source, writer, gone, keys).await?;
    }
    Ok(exchanged)
}

/// The same for one source.
///
/// # Errors
/// As [`ingested`].
pub async fn ingested_of(
    store: &Store,
    source: &str,
    writer: Writer<'_>,
    gone: &Gone,
    keys: CustomerType,
) -> Result<u64, Failure> {
    let mut log = Log::read(store, source).await?;
    take_out(&mut log, store, writer, gone, keys).await
}

/// The same by a log as it was read. Whoever exchanged a file meanwhile may have taken out others: what
/// stands for it is looked at again.
pub(super) async fn take_out(
    log: &mut Log,
    store: &Store,
    writer: Writer<'_>,
    gone: &Gone,
    keys: CustomerType,
) -> Result<u64, Failure> {
    loop {
        let files = exchanges(store, log, gone, keys).await?;
        if files.is_empty() {
            return Ok(0);
        }
        let decide = |state: &State| {
            Ok(state.names_all(&files).then(|| Event::Erased {
                files: files.clone(),
            }))
        };
        if log.append(writer, decide).await.map_err(NotDone::failure)? {
            return Ok(files.len() as u64);
        }
    }
}

/// What has to stand for the files that name one of them.
async fn exchanges(
    store: &Store,
    log: &Log,
    gone: &Gone,
    keys: CustomerType,
) -> Result<Vec<Exchange>, Failure> {
    let mut files = Vec::new();
    for known in log.state().batches.values() {
        for file in &known.outcome.files {
            files.extend(rows(store, file, gone).await?);
        }
        for file in &known.outcome.errors {
            files.extend(errors(store, file, gone, keys).await?);
        }
    }
    Ok(files)
}

/// A file of rows without theirs; none when nothing in it is.
async fn rows(store: &Store, file: &StoredFile, gone: &Gone) -> Result<Option<Exchange>, Failure> {
    let bytes = store.get(&file.path).await?;
    let within = |failure: Failure| failure.within(store.locate(&file.path));
    let opened = File::open(bytes).map_err(within)?;
    let Some(theirs) = opened.theirs_in(&file.customer, gone).map_err(within)? else {
        return Ok(None);
    };
    let left = without(&opened.batch, &theirs)?;
    let by = match left.num_rows() {
        0 => None,
        rows => {
            let bytes = opened.encode(&left)?;
            Some(put(store, file, rows as u64, bytes).await?)
        }
    };
    let path = file.path.clone();
    Ok(Some(Exchange { path, by }))
}

/// A file of refused rows without theirs; none when no line names them.
async fn errors(
    store: &Store,
    file: &StoredFile,
    gone: &Gone,
    keys: CustomerType,
) -> Result<Option<Exchange>, Failure> {
    // It is kept for a while only.
    let Some(bytes) = store.get_if_present(&file.path).await? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let left: Vec<&str> = text
        .lines()
        .filter(|line| !is_theirs(line, &file.customer, gone, keys))
        .collect();
    if left.len() == text.lines().count() {
        return Ok(None);
    }
    let by = match left.is_empty() {
        true => None,
        false => {
            let bytes = (left.join("\n") + "\n").into_bytes();
            Some(put(store, file, left.len() as u64, bytes).await?)
        }
    };
    let path = file.path.clone();
    Ok(Some(Exchange { path, by }))
}

/// A refused row is of whom its column of the customer names. One that could not be taken apart is of
/// everybody whom it names anywhere.
fn is_theirs(line: &str, customer: &str, gone: &Gone, keys: CustomerType) -> bool {
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(fields)) if !fields.contains_key("_corrupt_record") => {
            let named = fields.get(customer).and_then(Value::as_str);
            named.is_some_and(|value| gone.is_key(value, keys))
        }
        _ => gone.is_named_in(line),
    }
}

async fn put(
    store: &Store,
    file: &StoredFile,
    rows: u64,
    bytes: Vec<u8>,
) -> Result<StoredFile, Failure> {
    let sha256 = sha256_hex(&bytes);
    let by = StoredFile {
        path: Place::instead(&file.path, &sha256),
        bytes: bytes.len() as u64,
        rows,
        sha256,
        customer: file.customer.clone(),
    };
    store.put(&by.path, Bytes::from(bytes)).await?;
    Ok(by)
}
