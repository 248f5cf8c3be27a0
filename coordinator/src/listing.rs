//! Finds the files of the sources.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ingest;
use tenfold_core::project::{Changed, Format, Layout, Project, Source, expand};
use tenfold_core::refresh::plan::{ListedFile, Listing, mappings};
use tenfold_core::refresh::state::TakenInput;
use tenfold_core::refresh::task::{Keys, SourceMapping};
use tenfold_store::delta::read_files_at;
use tenfold_store::ingest::Log;
use tenfold_store::locations::Locations;
use tenfold_store::object::failure;
use tenfold_store::parquet_file::ParquetFile;

/// Footers that are read at a time.
const FOOTERS_AT_ONCE: usize = 16;

/// Checks a mapping against the columns of a file and the hive keys of its path.
pub type Check = dyn Fn(&SourceMapping, &SchemaRef, &Keys) -> Result<(), Failure> + Sync;

/// Whether the hive keys of a path alone rule out every row of the file.
pub type RulesOut = dyn Fn(&SourceMapping, &Keys) -> Result<bool, Failure> + Sync;

/// Understands mappings, which the coordinator itself does not.
#[derive(Clone, Copy)]
pub struct Understanding<'a> {
    /// Checks mappings.
    pub check: &'a Check,
    /// Prunes files.
    pub rules_out: &'a RulesOut,
}

/// Where the declared paths of a project lead.
pub struct Places<'a> {
    /// Folder or prefix that relative paths start from.
    pub base: &'a str,
    /// Opens stores.
    pub locations: &'a Locations,
    /// Values of `${NAME}` in paths.
    pub lookup: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// What a listing found, with remarks for people.
#[derive(Debug, Default)]
pub struct Found {
    /// The files.
    pub listing: Listing,
    /// Remarks: other columns in some files, files that were passed over.
    pub notes: Vec<String>,
}

/// Files by (source, location).
pub type Files = BTreeSet<(String, String)>;

/// Files that were taken in, by (source, location).
pub type Known<'a> = BTreeMap<(&'a str, &'a str), &'a TakenInput>;

/// Lists all sources. Footers are read of Parquet files that are not `known`, or changed and are to
/// be restated; their columns have to fit the mapping.
///
/// # Errors
/// When a path leads nowhere, a file cannot be read, or its columns do not fit.
pub async fn list(
    project: &Project,
    places: &Places<'_>,
    known: &Known<'_>,
    understanding: Understanding<'_>,
) -> Result<Found, Failure> {
    list_some(project, places, known, None, understanding).await
}

/// Lists those of some files that are there; nothing is asked of others.
///
/// # Errors
/// As [`list`].
pub async fn list_only(
    project: &Project,
    places: &Places<'_>,
    only: &Files,
    understanding: Understanding<'_>,
) -> Result<Found, Failure> {
    list_some(project, places, &Known::new(), Some(only), understanding).await
}

async fn list_some(
    project: &Project,
    places: &Places<'_>,
    known: &Known<'_>,
    only: Option<&Files>,
    understanding: Understanding<'_>,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    for mapping in mappings(project) {
        let source = &project.sources[&mapping.source];
        let within = |failure: Failure| failure.within(format!("source {}", mapping.source));
        let listed = match &source.ingest {
            Some(_) => list_taken_in(&mapping.source, places).await,
            None => list_source(source, places, &mut found.notes).await,
        };
        let mut files = listed.map_err(within)?;
        if let Some(only) = only {
            let of = |file: &ListedFile| (mapping.source.clone(), file.location.clone());
            files.retain(|file| only.contains(&of(file)));
        }
        prune(&mapping, &mut files, understanding, &mut found.notes).map_err(within)?;
        if source.format == Format::Parquet {
            let is_known = |file: &ListedFile| {
                let before = known.get(&(mapping.source.as_str(), file.location.as_str()));
                before.is_some_and(|before| {
                    source.changed == Changed::Refuse || before.is_still(file)
                })
            };
            let notes = &mut found.notes;
            read_footers(
                &mapping,
                &mut files,
                places,
                &is_known,
                understanding,
                notes,
            )
            .await
            .map_err(within)?;
        }
        found.listing.insert(mapping.source.clone(), files);
    }
    Ok(found)
}

/// Drops the files whose hive keys rule out all of their rows.
fn prune(
    mapping: &SourceMapping,
    files: &mut Vec<ListedFile>,
    understanding: Understanding<'_>,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let before = files.len();
    let mut kept = Vec::with_capacity(before);
    for file in files.drain(..) {
        if !(understanding.rules_out)(mapping, &file.keys)
            .map_err(|failure| failure.within(&file.location))?
        {
            kept.push(file);
        }
    }
    *files = kept;
    if files.len() < before {
        let pruned = before - files.len();
        notes.push(format!(
            "source {}: the filter rules out {pruned} files by the keys in their paths",
            mapping.source
        ));
    }
    Ok(())
}

/// The place that the declared path of a source leads to.
///
/// # Errors
/// When a `${NAME}` in it has no value.
pub fn locate(source: &Source, places: &Places<'_>) -> Result<String, Failure> {
    under_base(&source.path, places)
}

/// The place that a declared path leads to: it may be relative to the project.
///
/// # Errors
/// When a `${NAME}` in it has no value.
pub(crate) fn under_base(path: &str, places: &Places<'_>) -> Result<String, Failure> {
    let path = expand(path, places.lookup).map_err(|error| {
        Failure::config(format!("path {path}: {error}"))
            .code(ErrorCode::WrongLocation)
            .remedy("set the variable in the environment")
    })?;
    if path.contains("://") || path.starts_with('/') {
        return Ok(path);
    }
    Ok(format!("{}/{path}", places.base.trim_end_matches('/')))
}

async fn list_source(
    source: &Source,
    places: &Places<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<ListedFile>, Failure> {
    let location = locate(source, places)?;
    if source.layout == Layout::Delta {
        return list_delta(source, &location, places).await;
    }
    let pattern = Pattern::new(&location);
    let (objects, below) = places.locations.resolve(&pattern.fixed)?;
    if pattern.rest.is_empty()
        && let Ok(meta) = objects.head(&below).await
    {
        let full = places.locations.locate(&location, &meta.location)?;
        return Ok(vec![listed(&full, meta, BTreeMap::new())]);
    }
    let metas: Vec<ObjectMeta> = objects
        .list(Some(&below))
        .try_collect()
        .await
        .map_err(|error| failure("list", &pattern.fixed, &error))?;
    let mut files = Vec::new();
    let mut passed_over = 0;
    for meta in metas {
        let Some(inside) = inside(&meta.location, &below) else {
            continue;
        };
        refuse_table(&inside, &location)?;
        if inside.iter().any(|name| name.starts_with(['_', '.'])) || !pattern.matches(&inside) {
            continue;
        }
        if !has_ending(&inside, source.format) {
            passed_over += 1;
            continue;
        }
        let keys = match source.layout {
            Layout::Hive => hive_keys(&inside),
            _ => BTreeMap::new(),
        };
        let full = places.locations.locate(&pattern.fixed, &meta.location)?;
        files.push(listed(&full, meta, keys));
    }
    if passed_over > 0 {
        notes.push(format!(
            "{location}: {passed_over} files of another ending are passed over"
        ));
    }
    files.sort_by(|left, right| left.location.cmp(&right.location));
    Ok(files)
}

/// The files of a source that files are sent to: those whose rows are visible, by its log.
async fn list_taken_in(source: &str, places: &Places<'_>) -> Result<Vec<ListedFile>, Failure> {
    let log = Log::read(places.locations.kept()?, source).await?;
    let listed = log.state().visible().map(|file| ListedFile {
        location: ingest::location(&file.path),
        size: file.bytes,
        // Its name is its content.
        etag: None,
        keys: BTreeMap::new(),
        row_groups: Vec::new(),
    });
    Ok(listed.collect())
}

fn listed(location: &str, meta: ObjectMeta, keys: Keys) -> ListedFile {
    ListedFile {
        location: location.to_owned(),
        size: meta.size,
        etag: meta.e_tag,
        keys,
        row_groups: Vec::new(),
    }
}

/// A path whose last segments may hold `*`.
struct Pattern {
    fixed: String,
    rest: Vec<String>,
}

impl Pattern {
    fn new(location: &str) -> Self {
        let Some(star) = location.find('*') else {
            return Self {
                fixed: location.to_owned(),
                rest: Vec::new(),
            };
        };
        let end = location[..star].rfind('/').unwrap_or(0);
        let rest = location[end + 1..].split('/').map(str::to_owned).collect();
        Self {
            fixed: location[..end].to_owned(),
            rest,
        }
    }

    /// Whether a path below the fixed part fits. Without a pattern everything does.
    fn matches(&self, inside: &[String]) -> bool {
        if self.rest.is_empty() {
            return true;
        }
        let fits = |(pattern, name): (&String, &String)| wildcard(pattern, name);
        inside.len() == self.rest.len() && self.rest.iter().zip(inside).all(fits)
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn wildcard(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The segments of a path below another one.
fn inside(path: &Path, below: &Path) -> Option<Vec<String>> {
    let segments: Vec<String> = path
        .prefix_match(below)?
        .map(|segment| segment.as_ref().to_owned())
        .collect();
    (!segments.is_empty()).then_some(segments)
}

/// A raw prefix that is really a table holds files that do not count any more.
fn refuse_table(inside: &[String], location: &str) -> Result<(), Failure> {
    if inside.iter().any(|name| name == "_delta_log") {
        return Err(
            Failure::config(format!("{location} is a Delta table, not plain files"))
                .code(ErrorCode::NotPlainFiles)
                .remedy("declare `layout: delta`: only its log says which files count"),
        );
    }
    let metadata = inside.iter().any(|name| name == "metadata");
    if metadata
        && inside
            .last()
            .is_some_and(|name| name.ends_with(".metadata.json"))
    {
        return Err(
            Failure::config(format!("{location} is an Iceberg table, not plain files"))
                .code(ErrorCode::NotPlainFiles)
                .remedy("export it as Parquet files: only its metadata says which files count"),
        );
    }
    Ok(())
}

fn has_ending(inside: &[String], format: Format) -> bool {
    let endings: &[&str] = match format {
        Format::Parquet => &[".parquet", ".parq", ".pq"],
        Format::Csv => &[".csv"],
        Format::Jsonl => &[".jsonl", ".ndjson", ".json"],
    };
    let name = inside
        .last()
        .map(|name| name.to_ascii_lowercase())
        .unwrap_or_default();
    endings.iter().any(|ending| name.ends_with(ending))
}

fn hive_keys(inside: &[String]) -> Keys {
    let folders = &inside[..inside.len() - 1];
    let key = |folder: &String| {
        let (key, value) = folder.split_once('=')?;
        Some((key.to_owned(), Some(percent_decoded(value))))
    };
    folders.iter().filter_map(key).collect()
}

/// Hive writes characters that a path cannot hold as `%` and two hexadecimal digits.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

async fn list_delta(
    source: &Source,
    location: &str,
    places: &Places<'_>,
) -> Result<Vec<ListedFile>, Failure> {
    let (objects, root) = places.locations.resolve(location)?;
    let listing = read_files_at(objects.clone(), &root, source.version)
        .await
        .map_err(|error| {
            Failure::data(format!("{location}: {error}"))
                .remedy("check the path and, if a `version` is pinned, that it still exists")
        })?;
    let mut files = Vec::new();
    for file in listing.files {
        let path: Path = root
            .parts()
            .chain(Path::from(file.path.as_str()).parts())
            .collect();
        files.push(ListedFile {
            location: places.locations.locate(location, &path)?,
            size: file.size,
            etag: None,
            keys: file.partition.into_iter().collect(),
            row_groups: Vec::new(),
        });
    }
    Ok(files)
}

/// Location, columns and hive keys of a file.
type Footer = (String, SchemaRef, Keys);

async fn read_footers(
    mapping: &SourceMapping,
    files: &mut [ListedFile],
    places: &Places<'_>,
    is_known: &(dyn Fn(&ListedFile) -> bool + Sync),
    understanding: Understanding<'_>,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let new = |file: &&mut ListedFile| !is_known(file);
    let reading: Vec<BoxFuture<'_, Result<Footer, Failure>>> = files
        .iter_mut()
        .filter(new)
        .map(|file| footer(file, places).boxed())
        .collect();
    let footers: Vec<Footer> = futures::stream::iter(reading)
        .buffered(FOOTERS_AT_ONCE)
        .try_collect()
        .await?;
    let mut schemas: Vec<(String, SchemaRef, usize)> = Vec::new();
    for (location, schema, keys) in footers {
        match schemas.iter_mut().find(|(_, known, _)| *known == schema) {
            Some((_, _, count)) => *count += 1,
            None => {
                (understanding.check)(mapping, &schema, &keys)
                    .map_err(|failure| failure.within(&location))?;
                schemas.push((location, schema, 1));
            }
        }
    }
    notes.extend(differences(&mapping.source, &schemas));
    Ok(())
}

async fn footer(file: &mut ListedFile, places: &Places<'_>) -> Result<Footer, Failure> {
    let schema = read_footer(file, places).await?;
    Ok((file.location.clone(), schema, file.keys.clone()))
}

async fn read_footer(file: &mut ListedFile, places: &Places<'_>) -> Result<SchemaRef, Failure> {
    let location = file.location.clone();
    if file.size == 0 {
        return Err(
            Failure::data(format!("{location} is empty: it has no bytes"))
                .code(ErrorCode::UnreadableFile)
                .remedy("remove it, or write it again"),
        );
    }
    let (objects, path) = places.locations.resolve(&location)?;
    let mut reader = ParquetFile::new(objects, path, file.size);
    let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new())
        .await
        .map_err(|error| {
            Failure::data(format!("{location} cannot be read as Parquet: {error}"))
                .code(ErrorCode::UnreadableFile)
                .remedy("write it again, or move it out of the source's path")
        })?;
    let groups = metadata.metadata().row_groups();
    file.row_groups = groups
        .iter()
        .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
        .collect();
    Ok(metadata.schema().clone())
}

/// Says how the columns of later files differ from those of the first.
fn differences(source: &str, schemas: &[(String, SchemaRef, usize)]) -> Vec<String> {
    let Some(((first, base, _), others)) = schemas.split_first() else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    for (location, schema, count) in others {
        let mut changes = Vec::new();
        for field in schema.fields() {
            match base.field_with_name(field.name()) {
                Err(_) => changes.push(format!("adds {}", field.name())),
                Ok(known) if known.data_type() != field.data_type() => changes.push(format!(
                    "has {} as {} instead of {}",
                    field.name(),
                    field.data_type(),
                    known.data_type()
                )),
                Ok(_) => {}
            }
        }
        for field in base.fields() {
            if schema.field_with_name(field.name()).is_err() {
                changes.push(format!("lacks {}", field.name()));
            }
        }
        if !changes.is_empty() {
            let like = match count {
                1 => String::new(),
                count => format!(" (and {} more like it)", count - 1),
            };
            let changes = changes.join(", ");
            notes.push(format!(
                "source {source}: {location}{like} {changes}, against {first}"
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        assert!(wildcard("*.csv", "a.csv"));
        assert!(wildcard("a*b*c", "a1b2c"));
        assert!(!wildcard("a*b*c", "a1c2b"));
        assert!(wildcard("*", ""));
        assert!(!wildcard("a", "ab"));
        assert!(wildcard("day=*", "day=2024-01-01"));
    }

    #[test]
    fn hive_keys_are_decoded() {
        let inside = ["dt=2024-01-01", "who=a%20b", "x.parquet"].map(str::to_owned);
        let keys = hive_keys(&inside);
        assert_eq!(keys["dt"].as_deref(), Some("2024-01-01"));
        assert_eq!(keys["who"].as_deref(), Some("a b"));
        assert_eq!(percent_decoded("50%"), "50%");
    }

    #[test]
    fn tables_are_no_plain_files() {
        let delta = ["_delta_log", "0.json"].map(str::to_owned);
        assert!(
            refuse_table(&delta, "x")
                .unwrap_err()
                .remedy
                .contains("layout: delta")
        );
        let iceberg = ["metadata", "v1.metadata.json"].map(str::to_owned);
        assert!(refuse_table(&iceberg, "x").is_err());
    }
}
