//! Names of files and batches, where nobody gives them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::Sha256Stream;
use tenfold_core::ingest::{Refused, State};
use tenfold_core::project::Format;

/// The format that the ending of a name tells.
pub fn format_of(name: &str) -> Option<Format> {
    let (_, ending) = name.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        "parquet" | "parq" | "pq" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        _ => None,
    }
}

/// The name that a file of this machine has in a batch: characters that names cannot have become `_`.
///
/// # Errors
/// When the path names no file.
pub fn file_name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.ok_or_else(|| {
        Failure::config(format!("{} names no file", path.display()))
            .code(ErrorCode::BatchTakesNot)
            .remedy("give files one by one")
    })?;
    let plain = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '_',
    };
    let name: String = name.chars().map(plain).collect();
    Ok(name.trim_start_matches(['-', '_', '.']).to_owned())
}

/// A name for a batch of files that says what is in it: the same files are the same batch, so that
/// sending them again after a crash takes them in once.
///
/// # Errors
/// When a file cannot be read.
pub fn content_name(
    files: &[(PathBuf, String, Format)],
    replaces: &[String],
) -> Result<String, Failure> {
    let mut hash = Sha256Stream::default();
    let mut buffer = vec![0; 1 << 20];
    for name in replaces {
        hash.update(format!("replaces {name}\n").as_bytes());
    }
    for (path, name, format) in files {
        let unreadable = |error: std::io::Error| {
            Failure::data(format!("cannot read {}: {error}", path.display()))
                .code(ErrorCode::UnreadableFile)
                .remedy("check that the file is there and may be read")
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        hash.update(format!("file {name} {format:?} {length}\n").as_bytes());
        loop {
            match file.read(&mut buffer).map_err(unreadable)? {
                0 => break,
                read => hash.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
    let mut name = hash.finish();
    name.truncate(32);
    Ok(name)
}

/// The batch that is meant: by its name, the beginning of it, or `@latest`.
///
/// # Errors
/// When there is none, or several.
pub fn found(state: &State, meant: &str) -> Result<String, Failure> {
    if state.batches.contains_key(meant) {
        return Ok(meant.to_owned());
    }
    if meant == "@latest" {
        let newest = state.batches.iter();
        let newest = newest.max_by_key(|(name, batch)| (batch.opened_ms, *name));
        let newest = newest.map(|(name, _)| name.clone());
        return newest.ok_or_else(|| Refused::Unknown(meant.to_owned()).failure());
    }
    let fits = |name: &&String| !meant.is_empty() && name.starts_with(meant);
    let fitting: Vec<&String> = state.batches.keys().filter(fits).collect();
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Refused::Unknown(meant.to_owned()).failure()),
        several => Err(Failure::config(format!(
            "{meant} is the beginning of {} batches",
            several.len()
        ))
        .code(ErrorCode::Ambiguous)
        .remedy("give more of the name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_made_plain() {
        for (path, name) in [
            ("/a/b c.csv", "b_c.csv"),
            ("é.csv", "csv"),
            ("_x.csv", "x.csv"),
        ] {
            assert_eq!(file_name(Path::new(path)).unwrap(), name);
        }
        assert!(file_name(Path::new("/")).is_err());
    }

    #[test]
    fn endings_tell_formats() {
        assert_eq!(format_of("a.CSV"), Some(Format::Csv));
        assert_eq!(format_of("a.b.ndjson"), Some(Format::Jsonl));
        assert_eq!(format_of("csv"), None);
        assert_eq!(format_of("a.csv.gz"), None);
    }

    #[test]
    fn the_same_files_have_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            (path, "x.csv".to_owned(), Format::Csv)
        };
        let (one, same, other) = (file("a", "1"), file("b", "1"), file("c", "2"));
        let name = |file: &(PathBuf, String, Format), replaces: &[String]| {
            content_name(std::slice::from_ref(file), replaces).unwrap()
        };
        assert_eq!(name(&one, &[]), name(&same, &[]));
        assert_ne!(name(&one, &[]), name(&other, &[]));
        assert_ne!(name(&one, &[]), name(&one, &["b".to_owned()]));
    }
}
