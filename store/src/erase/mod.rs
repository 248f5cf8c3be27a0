//! Erasure of people from a snapshot: every object that names them is written anew without them.
//!
//! Nothing is changed in place. Rewritten parts have names of their own, since content decides
//! names, and [`supersede`] lets a manifest that names them stand for the old one, with one write.
//! Rows of others keep their bytes; figures that name nobody stay as they were published.

mod cuts;
mod deliveries;
mod ingested;
mod parquet;
mod quarantine;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{BooleanArray, RecordBatch};
use bytes::Bytes;
use tenfold_core::failure::Failure;
use tenfold_core::project::{CustomerType, Project};
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::state::StateIndex;
use tenfold_core::snapshot::{
    Erased, Gone, Manifest, ObjectRef, Suppression, TableEntry, TableFile, content_hash, erasures,
    snapshot_hash,
};

use crate::delta::{Replacement, Replacements};
use crate::marks::decode;
use crate::object::Store;
use crate::part::{STATE, get_part, named};
use crate::publish::{commit_table, get_object, put_object, read_manifest, revisions, stamp};
use crate::settle::Settled;

pub use self::deliveries::{DELIVERIES, deliveries, gone, revision_path};
pub use self::ingested::{ingested, ingested_of};
use self::parquet::File;
use self::state::CheckedRun;

/// Takes people out of snapshots.
pub struct Eraser<'a> {
    store: &'a Store,
    gone: Gone,
    /// The newest declarations.
    declared: Option<Project>,
    /// Whether anything is written, or only counted.
    write: bool,
    /// Runs of state that were looked at, by path: nights share them.
    runs: BTreeMap<String, CheckedRun>,
    /// What was taken out of the snapshot at hand.
    taken: Erased,
}

/// A snapshot without them.
pub struct Rewritten {
    /// Its manifest, which lacks the place of its index and the versions of its tables.
    pub manifest: Manifest,
    /// The index of its state.
    pub index: StateIndex,
    /// The tables that changed.
    pub tables: BTreeSet<String>,
}

impl<'a> Eraser<'a> {
    /// Takes these people out; without `write` it only counts. `declared` says whose rows of declared
    /// tables are where a snapshot itself does not.
    pub fn new(store: &'a Store, gone: Gone, declared: Option<Project>, write: bool) -> Self {
        Self {
            store,
            gone,
            declared,
            write,
            runs: BTreeMap::new(),
            taken: Erased::default(),
        }
    }

    /// Writes anew what names them in a snapshot; none when nothing does.
    ///
    /// # Errors
    /// When an object is absent or damaged, or the store refuses.
    pub async fn snapshot(
        &mut self,
        manifest: &Manifest,
        index: &StateIndex,
        erasure: u64,
    ) -> Result<Option<Rewritten>, Failure> {
        self.taken = Erased {
            erasure,
            ..Erased::default()
        };
        let (mut manifest, mut index) = (manifest.clone(), index.clone());
        let key_type = manifest.declarations.customer.key_type;
        let shards = self.gone.shards(key_type, index.shards);
        let mut tables = BTreeSet::new();
        for (name, table) in &mut manifest.tables {
            let columns = manifest
                .declarations
                .increments_of(name, self.declared.as_ref());
            let changed = match columns {
                Some(columns) => self.increments(table, (&columns, key_type)).await,
                None => self.table(table, &shards).await,
            };
            if changed.map_err(|failure| failure.within(format!("table {name}")))? {
                tables.insert(name.clone());
            }
        }
        self.state(&manifest, &mut index, &shards).await?;
        self.quarantine(&manifest, &mut index).await?;
        if let Some(cuts) = &mut manifest.cuts {
            self.cuts(cuts).await?;
        }
        if self.taken.is_none() {
            return Ok(None);
        }
        manifest.customers = manifest.customers.saturating_sub(self.taken.customers);
        manifest.rows = index.totals.clone();
        manifest.snapshot_hash = snapshot_hash(
            &manifest.tables,
            manifest.fits.as_ref(),
            &manifest.declarations,
            manifest.as_of,
            manifest.code_version,
        )
        .map_err(|error| Failure::bug(error.to_string()))?;
        manifest.erased = Some(self.taken.clone());
        Ok(Some(Rewritten {
            manifest,
            index,
            tables,
        }))
    }

    /// Takes them out of a table; tells whether it changed.
    async fn table(
        &mut self,
        table: &mut TableEntry,
        shards: &BTreeSet<u32>,
    ) -> Result<bool, Failure> {
        let mut changed = false;
        let theirs = |file: &&mut TableFile| file.shard.is_some_and(|at| shards.contains(&at));
        for file in table.files.iter_mut().filter(theirs) {
            let opened = self.open_file(&table.root, file).await?;
            if let Some(theirs) = opened.theirs(&self.gone)? {
                self.file(&table.root, file, (&opened, &theirs)).await?;
                changed = true;
            }
        }
        add_up(table)?;
        Ok(changed)
    }

    /// Takes them out of a declared table that has keys of customers of a type in these columns, and no
    /// shards; tells whether it changed.
    async fn increments(
        &mut self,
        table: &mut TableEntry,
        (columns, customer): (&[String], CustomerType),
    ) -> Result<bool, Failure> {
        let mut changed = false;
        for file in &mut table.files {
            let opened = self.open_file(&table.root, file).await?;
            if let Some(theirs) = opened.named_in(columns, customer, &self.gone)? {
                self.file(&table.root, file, (&opened, &theirs)).await?;
                changed = true;
            }
        }
        if changed {
            // Files without rows are all the same file; one has to say which columns there are.
            match table.files.iter().any(|file| file.rows > 0) {
                true => table.files.retain(|file| file.rows > 0),
                false => table.files.truncate(1),
            }
        }
        add_up(table)?;
        Ok(changed)
    }

    async fn open_file(&self, root: &str, file: &TableFile) -> Result<File, Failure> {
        let object = ObjectRef {
            path: format!("{root}/{}", file.path),
            sha256: file.sha256.clone(),
            bytes: file.bytes,
        };
        self.open(get_object(self.store, &object).await?, &object.path)
    }

    /// Writes a file of a table anew, without rows that are theirs.
    async fn file(
        &mut self,
        root: &str,
        file: &mut TableFile,
        (opened, theirs): (&File, &BooleanArray),
    ) -> Result<(), Failure> {
        self.taken.table_rows += theirs.true_count() as u64;
        let beside = format!("{root}/{}", file.path);
        let part = self.put_rows(&beside, opened, theirs).await?;
        let below = part.path.strip_prefix(root).unwrap_or_default();
        file.path = below.trim_start_matches('/').to_owned();
        (file.sha256, file.bytes, file.rows) = (part.sha256, part.bytes, part.rows);
        Ok(())
    }

    async fn cuts(&mut self, cuts: &mut ObjectRef) -> Result<(), Failure> {
        let bytes = get_object(self.store, cuts).await?;
        if let Some((without, count)) = cuts::without(&bytes, &self.gone, &cuts.path)? {
            self.taken.cuts += count;
            let part = self.put(&cuts.path, "json", 0, without).await?;
            *cuts = (&part).into();
        }
        Ok(())
    }

    /// Reads a Parquet part.
    async fn read(&self, part: &PartRef) -> Result<File, Failure> {
        self.open(get_part(self.store, part).await?, &part.path)
    }

    fn open(&self, bytes: Bytes, path: &str) -> Result<File, Failure> {
        File::open(bytes).map_err(|failure| failure.within(self.store.locate(path)))
    }

    /// Writes the rows of a file that are not theirs, beside it.
    async fn put_rows(
        &mut self,
        beside: &str,
        file: &File,
        theirs: &BooleanArray,
    ) -> Result<PartRef, Failure> {
        let rows = parquet::without(&file.batch, theirs)?;
        self.put_batch(beside, file, &rows).await
    }

    async fn put_batch(
        &mut self,
        beside: &str,
        file: &File,
        rows: &RecordBatch,
    ) -> Result<PartRef, Failure> {
        let bytes = file.encode(rows)?;
        let count = rows.num_rows() as u64;
        self.put(beside, "parquet", count, bytes).await
    }

    /// Writes a part into the folder of another one.
    async fn put(
        &mut self,
        beside: &str,
        extension: &str,
        rows: u64,
        bytes: Vec<u8>,
    ) -> Result<PartRef, Failure> {
        let directory = beside.rsplit_once('/').map_or("", |(folder, _)| folder);
        let part = named(directory, extension, rows, &bytes);
        self.taken.objects += 1;
        self.taken.bytes += part.bytes;
        if self.write {
            self.store.put(&part.path, Bytes::from(bytes)).await?;
        }
        Ok(part)
    }
}

/// Says of a table what its files come to.
fn add_up(table: &mut TableEntry) -> Result<(), Failure> {
    table.rows = table.files.iter().map(|file| file.rows).sum();
    table.bytes = table.files.iter().map(|file| file.bytes).sum();
    table.content_hash =
        content_hash(&table.files).map_err(|error| Failure::bug(error.to_string()))?;
    Ok(())
}

/// What replaces files of tables since a snapshot was published, by the root of the table: from all
/// manifests that it had.
///
/// # Errors
/// When a manifest cannot be read.
pub async fn replaced(
    store: &Store,
    number: u64,
    into: &mut BTreeMap<String, Replacements>,
) -> Result<(), Failure> {
    let mut earlier = revisions(store, number).await?;
    let Some(latest) = earlier.pop() else {
        return Ok(());
    };
    for (name, table) in &latest.tables {
        let then = earlier
            .iter()
            .filter_map(|manifest| manifest.tables.get(name));
        for (old, new) in then.flat_map(|then| stand_for(&then.files, &table.files)) {
            let replacement = |new: &TableFile| Replacement {
                name: file_name(&new.path).to_owned(),
                bytes: new.bytes,
                rows: new.rows,
            };
            let replaced = into.entry(table.root.clone()).or_default();
            let new = new.into_iter().map(replacement).collect();
            replaced.insert(file_name(&old.path).to_owned(), new);
        }
    }
    Ok(())
}

/// Which new files stand for old ones that are not among them. By shard where there are shards; otherwise
/// one for one, or where their number is another all new ones for the first.
fn stand_for<'a>(
    old: &'a [TableFile],
    new: &'a [TableFile],
) -> Vec<(&'a TableFile, Vec<&'a TableFile>)> {
    let without = |files: &'a [TableFile], others: &[TableFile]| -> Vec<&'a TableFile> {
        let kept = |file: &&TableFile| others.iter().any(|other| other.path == file.path);
        files.iter().filter(|file| !kept(file)).collect()
    };
    let (gone, come) = (without(old, new), without(new, old));
    let count = gone.len();
    let stands = |(place, old): (usize, &'a TableFile)| {
        let stands = match old.shard {
            Some(_) => come
                .iter()
                .filter(|new| new.shard == old.shard)
                .copied()
                .collect(),
            None if count == come.len() => vec![come[place]],
            None if place == 0 => come.clone(),
            None => Vec::new(),
        };
        (old, stands)
    };
    gone.into_iter().enumerate().map(stands).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Lets a rewritten manifest stand for the old one. `newest` says that its tables are at the head
/// of their logs: these get a version with the new files then.
///
/// # Errors
/// When the store refuses, or somebody else rewrote the snapshot otherwise.
pub async fn supersede(
    store: &Store,
    rewritten: Rewritten,
    suppression: &Suppression,
    newest: bool,
    at_ms: i64,
) -> Result<Manifest, Failure> {
    let json = |value: serde_json::Result<Vec<u8>>| value.map_err(|e| Failure::bug(e.to_string()));
    let index = json(serde_json::to_vec_pretty(&rewritten.index))?;
    let mut manifest = Manifest {
        state: put_object(store, &format!("{STATE}/index"), index).await?,
        revision: rewritten.manifest.revision + 1,
        suppression: Some(suppression.clone()),
        ..rewritten.manifest
    };
    secure_new(store, &manifest).await?;
    let stamp = stamp(&manifest, at_ms);
    for (name, table) in &mut manifest.tables {
        if newest && rewritten.tables.contains(name) {
            table.delta_version = commit_table(store, name, table, &stamp).await?;
        }
    }
    let path = Manifest::revised_path(manifest.number, manifest.revision);
    let bytes = json(serde_json::to_vec_pretty(&manifest))?;
    let there = match store.settle(&path, Bytes::from(bytes)).await? {
        Settled::Ours => return Ok(manifest),
        Settled::Theirs(there) => there,
    };
    let there: Manifest = decode(store, &path, &there, Manifest::FORMAT)?;
    match erasures(there.suppression.as_ref()) == suppression.erasures {
        // The same erasure, by another process.
        true => Ok(there),
        false => Err(Failure::config(format!(
            "another process rewrites snapshot {}",
            manifest.number
        ))
        .remedy("wait for it to end, then `tenfold erase resume`")),
    }
}

/// Waits until all that a rewritten manifest names beside what the one before it did is on the disk:
/// the tasks that computed user tables anew did not wait for that.
async fn secure_new(store: &Store, manifest: &Manifest) -> Result<(), Failure> {
    let before = read_manifest(store, manifest.number).await?;
    let before = before.iter().flat_map(Manifest::objects);
    let before: BTreeSet<String> = before.map(|object| object.path).collect();
    let named = manifest.objects().into_iter().map(|object| object.path);
    let new = named.filter(|path| !before.contains(path)).collect();
    store.secure(new).await
}

#[cfg(test)]
mod tests;
