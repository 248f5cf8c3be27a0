//! Writes the table of the built pages and of the dashboards that come with Tenfold. It builds nothing: the pages
//! are in `dist/` as they were committed.

#![allow(clippy::print_stdout, reason = "so cargo is told")]

use std::fmt::Write;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=dist");
    println!("cargo:rerun-if-changed=boards");
    let root = variable("CARGO_MANIFEST_DIR")?;
    let (dist, boards) = (root.join("dist"), root.join("boards"));
    if !dist.join("index.html").is_file() {
        eprintln!("dashboard/dist has no index.html: run `npm ci && npm run build` in dashboard/");
        std::process::exit(1);
    }
    let mut table =
        String::from("/// The built pages, by their paths.\npub static PAGES: &[Page] = &[\n");
    for file in files(&dist)? {
        page(&mut table, (&root, &dist), &file).map_err(Error::other)?;
    }
    table.push_str("];\n\n/// The dashboards that come with Tenfold, by name.\npub static BOARDS: &[Board] = &[\n");
    for file in files(&boards)? {
        board(&mut table, &root, &file).map_err(Error::other)?;
    }
    table.push_str("];\n");
    fs::write(variable("OUT_DIR")?.join("embedded.rs"), table)
}

fn variable(name: &str) -> Result<PathBuf> {
    let value = env::var_os(name).ok_or_else(|| Error::other(format!("cargo sets no {name}")))?;
    Ok(PathBuf::from(value))
}

/// The files below a folder, by path; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// A row for a page. One with a copy by gzip is embedded as that alone.
fn page(table: &mut String, (root, dist): (&Path, &Path), file: &Path) -> std::fmt::Result {
    let compressed = PathBuf::from(format!("{}.gz", file.display()));
    let is_copy = file.extension().is_some_and(|end| end == "gz");
    if is_copy && file.with_extension("").is_file() {
        return Ok(());
    }
    let path = file.strip_prefix(dist).unwrap_or(file);
    let path = path.display().to_string().replace('\\', "/");
    let (held, gzip) = match compressed.is_file() {
        true => (compressed.as_path(), true),
        false => (file, false),
    };
    writeln!(
        table,
        "    Page {{ path: {:?}, bytes: include_bytes!({}), gzip: {gzip} }},",
        format!("/{path}"),
        place(root, held)
    )
}

/// A row for a dashboard.
fn board(table: &mut String, root: &Path, file: &Path) -> std::fmt::Result {
    if file.extension().is_none_or(|end| end != "yaml") {
        return Ok(());
    }
    let name = file.file_stem().unwrap_or_default().display().to_string();
    writeln!(
        table,
        "    Board {{ name: {name:?}, yaml: include_str!({}) }},",
        place(root, file)
    )
}

/// Where a file is, as an expression: a build that is kept may be gone on with from another folder.
fn place(root: &Path, file: &Path) -> String {
    let within = file.strip_prefix(root).unwrap_or(file);
    let within = format!("/{}", within.display().to_string().replace('\\', "/"));
    format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), {within:?})")
}
