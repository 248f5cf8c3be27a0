//! Files of a table replaced in its log by others, so that every version names the new ones.
//!
//! Only an erasure does that: who reads an old version finds the table as it was, without the people
//! who were erased, instead of files that are gone. It is a service to other programs, since ours
//! go by manifests. One file of the log is overwritten at a time, in an order in which every version
//! is right all along:
//!
//! 1. wherever an old file is removed, the new one is removed as well;
//! 2. wherever an old file is added, the new one is added instead;
//! 3. checkpoints that may know of old files as files of the table are deleted: readers replay the
//!    log from its beginning, which is never cleaned.
//!
//! Done once more after a crash it goes on where it was.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};
use tenfold_core::failure::{ErrorCode, Failure};

use crate::object::Store;

/// A file that stands for another one in the same folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Its name, without folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// By the name of the file that is replaced, without folders: those that stand for it, which may be none.
pub type Replacements = BTreeMap<String, Vec<Replacement>>;

/// Replaces files in the log of the table at `root`.
///
/// # Errors
/// When the log cannot be read or written.
pub async fn replace_files(
    store: &Store,
    root: &str,
    replaced: &Replacements,
) -> Result<(), Failure> {
    let log = format!("{root}/_delta_log");
    let mut concerned: BTreeMap<u64, String> = BTreeMap::new();
    let mut checkpoints = Vec::new();
    for meta in store.list(&log).await? {
        let path = store.relative(&meta.location);
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let version = name.split('.').next().and_then(|text| text.parse().ok());
        match version {
            Some(version) if name.ends_with(".json") && !name.contains(".checkpoint.") => {
                let lines = read(store, &path).await?;
                if lines.iter().any(|line| is_concerned(line, replaced)) {
                    concerned.insert(version, path);
                }
            }
            Some(version) if name.contains(".checkpoint.") => checkpoints.push((version, path)),
            _ => {}
        }
    }
    for path in concerned.values() {
        let lines = read(store, path).await?;
        write(store, path, removing_both(lines.clone(), replaced), &lines).await?;
    }
    for path in concerned.values() {
        let lines = read(store, path).await?;
        let adding = lines
            .iter()
            .flat_map(|line| adding(line, replaced))
            .collect();
        write(store, path, adding, &lines).await?;
    }
    let Some(last) = concerned.last_key_value().map(|(version, _)| *version) else {
        return Ok(());
    };
    forget(store, &log, &checkpoints, last).await
}

/// Deletes checkpoints of versions before one, and first what points to one of them.
async fn forget(
    store: &Store,
    log: &str,
    checkpoints: &[(u64, String)],
    before: u64,
) -> Result<(), Failure> {
    let hint = format!("{log}/_last_checkpoint");
    if let Some(bytes) = store.get_if_present(&hint).await? {
        let hinted = serde_json::from_slice::<Value>(&bytes).ok();
        let version = hinted.and_then(|hinted| hinted.get("version")?.as_u64());
        if version.is_none_or(|version| version < before) {
            store.delete(&hint).await?;
        }
    }
    for (_, path) in checkpoints.iter().filter(|(version, _)| *version < before) {
        store.delete(path).await?;
    }
    Ok(())
}

async fn read(store: &Store, path: &str) -> Result<Vec<Value>, Failure> {
    let bytes = store.get(path).await?;
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let lines: Result<Vec<Value>, _> = lines.map(serde_json::from_slice).collect();
    lines.map_err(|error| {
        Failure::dependency(format!("cannot read {}: {error}", store.locate(path)))
            .code(ErrorCode::Damaged)
            .remedy("restore it from a backup of the store")
    })
}

async fn write(store: &Store, path: &str, new: Vec<Value>, old: &[Value]) -> Result<(), Failure> {
    if new == old {
        return Ok(());
    }
    let lines: Vec<String> = new.iter().map(Value::to_string).collect();
    store.put(path, Bytes::from(lines.join("\n"))).await
}

/// The file that an action of a kind is about: its folder with a `/`, and its name.
fn file_of<'a>(line: &'a Value, action: &str) -> Option<(&'a str, &'a str)> {
    let path = line.get(action)?.get("path")?.as_str()?;
    Some(path.split_at(path.rfind('/').map_or(0, |slash| slash + 1)))
}

fn is_concerned(line: &Value, replaced: &Replacements) -> bool {
    let file = file_of(line, "add").or_else(|| file_of(line, "remove"));
    file.is_some_and(|(_, name)| replaced.contains_key(name))
}

/// Beside each removal of an old file, one of the new file; unless it is added by the same commit,
/// or removed already.
fn removing_both(lines: Vec<Value>, replaced: &Replacements) -> Vec<Value> {
    let mut known: BTreeSet<String> = lines.iter().flat_map(|l| named(l, replaced)).collect();
    let mut all = Vec::with_capacity(lines.len());
    for line in lines {
        let mut both = Vec::new();
        if let Some((folder, name)) = file_of(&line, "remove") {
            for new in replaced.get(name).into_iter().flatten() {
                let path = format!("{folder}{}", new.name);
                if known.insert(path.clone()) {
                    both.push(with_path(&line, "remove", &path, new));
                }
            }
        }
        all.push(line);
        all.append(&mut both);
    }
    all
}

/// The paths that an action names, or will name.
fn named(line: &Value, replaced: &Replacements) -> Vec<String> {
    if let Some((folder, name)) = file_of(line, "add") {
        return match replaced.get(name) {
            Some(new) => new
                .iter()
                .map(|new| format!("{folder}{}", new.name))
                .collect(),
            None => vec![format!("{folder}{name}")],
        };
    }
    let removed = file_of(line, "remove");
    removed
        .map(|(folder, name)| format!("{folder}{name}"))
        .into_iter()
        .collect()
}

fn adding(line: &Value, replaced: &Replacements) -> Vec<Value> {
    let old = file_of(line, "add").and_then(|(folder, name)| Some((folder, replaced.get(name)?)));
    let Some((folder, all)) = old else {
        return vec![line.clone()];
    };
    let adding = |new: &Replacement| {
        let mut line = with_path(line, "add", &format!("{folder}{}", new.name), new);
        line["add"]["stats"] = json!(json!({"numRecords": new.rows}).to_string());
        line
    };
    all.iter().map(adding).collect()
}

fn with_path(line: &Value, action: &str, path: &str, new: &Replacement) -> Value {
    let mut line = line.clone();
    line[action]["path"] = json!(path);
    line[action]["size"] = json!(new.bytes);
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail there")]

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::delta::{CommitStamp, TableFile, TableSpec, commit_exact, read_files_at};

    fn file(name: &str, rows: u64) -> TableFile {
        TableFile {
            path: format!("{name}.parquet"),
            size: 10 * rows,
            rows: Some(rows),
            partition: BTreeMap::new(),
        }
    }

    fn replacing(pairs: &[(&str, &str)]) -> Replacements {
        let pair = |(old, new): &(&str, &str)| {
            let new = Replacement {
                name: format!("{new}.parquet"),
                bytes: 40,
                rows: 4,
            };
            (format!("{old}.parquet"), vec![new])
        };
        pairs.iter().map(pair).collect()
    }

    async fn commit(store: &Store, files: &[TableFile], number: usize) -> u64 {
        let (root, partition_columns) = (store.path("t"), []);
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let spec = TableSpec {
            root: &root,
            name: "t",
            schema: &schema,
            partition_columns: &partition_columns,
        };
        let stamp = CommitStamp {
            app_id: "shop".to_owned(),
            snapshot: number as i64,
            plan_hash: String::new(),
            run: "01JD".to_owned(),
            committed_at_ms: 1_700_000_000_000,
        };
        let committed = commit_exact(store.objects().clone(), &spec, files, &stamp).await;
        committed.unwrap().version
    }

    async fn files_at(store: &Store, version: Option<u64>) -> Vec<TableFile> {
        let root = store.path("t");
        let read = read_files_at(store.objects().clone(), &root, version);
        read.await.unwrap().files
    }

    /// The same files, with others in the place of old ones.
    fn with(files: &[TableFile], replaced: &Replacements) -> Vec<TableFile> {
        let file = |new: &Replacement| file(new.name.trim_end_matches(".parquet"), new.rows);
        let new = |old: &TableFile| match replaced.get(&old.path) {
            Some(new) => new.iter().map(file).collect(),
            None => vec![old.clone()],
        };
        let mut files: Vec<TableFile> = files.iter().flat_map(new).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_version_names_the_files_that_stand_for_others() {
        let store = Store::in_memory();
        // `old` comes, goes, comes again past checkpoints, and is replaced at the head, twice.
        let mut versions: Vec<Vec<TableFile>> = Vec::new();
        for version in 0..14 {
            let mut files = vec![file(&format!("v{version}"), 7)];
            if (2..5).contains(&version) || version >= 7 {
                files.push(file("old", 5));
            }
            versions.push(files);
        }
        let steps = [
            ("new", replacing(&[("old", "new")])),
            ("newer", replacing(&[("old", "newer"), ("new", "newer")])),
        ];
        for (name, replaced) in steps {
            versions.push(vec![file(name, 4), file("other", 1)]);
            let there = commit_all(&store, &versions).await;
            assert_eq!(there + 1, versions.len());
            // Once more after a crash.
            for _ in 0..2 {
                replace_files(&store, "t", &replaced).await.unwrap();
                for (version, files) in versions.iter().enumerate() {
                    let found = files_at(&store, Some(version as u64)).await;
                    assert_eq!(found, with(files, &replaced), "version {version}");
                }
            }
        }
        // The log goes on.
        assert_eq!(commit(&store, &[file("next", 1)], 99).await, 16);
        assert_eq!(files_at(&store, None).await, [file("next", 1)]);
    }

    /// Commits the versions that are not there yet; gives the last one.
    async fn commit_all(store: &Store, versions: &[Vec<TableFile>]) -> usize {
        let there = store.list("t/_delta_log").await.unwrap();
        let is_commit = |path: String| path.ends_with(".json");
        let there = there.iter().map(|meta| store.relative(&meta.location));
        let there = there.filter(|path| is_commit(path.clone())).count();
        for (number, files) in versions.iter().enumerate().skip(there) {
            assert_eq!(commit(store, files, number).await, number as u64);
        }
        versions.len() - 1
    }

    #[test]
    fn each_file_of_a_log_leaves_every_version_right() {
        let replaced = replacing(&[("old", "new")]);
        let add = |name: &str| json!({"add": {"path": format!("s/{name}.parquet"), "size": 1}});
        let gone = |name: &str| json!({"remove": {"path": format!("s/{name}.parquet"), "size": 1}});
        let both = removing_both(vec![gone("old"), add("x")], &replaced);
        assert_eq!(both[0], gone("old"));
        assert_eq!(both[1]["remove"]["path"], "s/new.parquet");
        assert_eq!(both[1]["remove"]["size"], 40);
        assert_eq!(removing_both(both.clone(), &replaced), both);
        let head = vec![gone("old"), add("new")];
        assert_eq!(removing_both(head.clone(), &replaced), head);
        let added = adding(&add("old"), &replaced);
        assert_eq!(added.len(), 1);
        assert_eq!(added[0]["add"]["path"], "s/new.parquet");
        assert_eq!(added[0]["add"]["stats"], "{\"numRecords\":4}");
        assert_eq!(adding(&gone("old"), &replaced), [gone("old")]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn several_files_stand_for_others_and_some_have_none() {
        let store = Store::in_memory();
        let old = [file("a", 9), file("b", 9), file("c", 2)];
        commit_all(
            &store,
            &[old.to_vec(), vec![file("new", 4), file("more", 4)]],
        )
        .await;
        let mut replaced = replacing(&[("a", "new"), ("b", "more")]);
        let both = replaced.values().flatten().cloned().collect();
        replaced.insert("a.parquet".to_owned(), both);
        replaced.insert("b.parquet".to_owned(), Vec::new());
        for _ in 0..2 {
            replace_files(&store, "t", &replaced).await.unwrap();
            let then = files_at(&store, Some(0)).await;
            let names: Vec<&str> = then.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(names, ["c.parquet", "more.parquet", "new.parquet"]);
            assert_eq!(files_at(&store, None).await.len(), 2);
        }
    }
}
