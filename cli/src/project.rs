//! Opens a project and its store.

use std::sync::Arc;

use tenfold_core::audience::{self, Lists};
use tenfold_core::calendar::{Day, parse_as_of, today};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Finding, Lint, Project, Severity, lint};
use tenfold_query::declare_tables;
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;

use crate::args::Global;
use crate::machine::Machine;
use crate::output::counted;

/// Name of the file of declarations.
pub const FILE: &str = "tenfold.yaml";

/// Folder of a project with the tables that it declares by SQL, and how its files end.
const TABLES: &str = "tables";
const SQL: &str = ".sql";
/// Folders of a project with its audiences, and with lists of values that their rules name.
const AUDIENCES: &str = "audiences";
const YAML: &str = ".yaml";
const LISTS: &str = "lists";
const TEXT: &str = ".txt";

/// A project that lints clean, and its store.
pub struct Opened {
    /// The declarations.
    pub project: Project,
    /// Folder or prefix of the project.
    pub base: String,
    /// The store.
    pub store: Store,
    /// Opens input files.
    pub inputs: Arc<Locations>,
}

/// The declarations of a project as they are written.
#[derive(PartialEq, Eq)]
pub struct Written {
    /// The text of its main file.
    pub text: String,
    /// The files of its folder for tables: place in the project, and text.
    pub tables: Vec<(String, String)>,
    /// The files of its folder for audiences, likewise.
    pub audiences: Vec<(String, String)>,
    /// The files of its folder for lists.
    pub lists: Lists,
}

/// Reads the declarations of a project.
pub async fn read(global: &Global) -> Result<Written, Failure> {
    let base = base(global);
    let remedy = format!("make a project with `tenfold init`, or say with -p where {FILE} is");
    if base.contains("://") {
        let store = Store::open(&base)?;
        let bytes = store.get(FILE).await;
        let bytes = bytes.map_err(|failure| failure.remedy(remedy))?;
        let [tables, audiences, lists] = [(TABLES, SQL), (AUDIENCES, YAML), (LISTS, TEXT)]
            .map(|folder| listed(&store, &base, folder));
        return Ok(Written {
            text: utf8(bytes.to_vec(), &format!("{base}/{FILE}"))?,
            tables: tables.await?,
            audiences: audiences.await?,
            lists: lists.await?.into_iter().collect(),
        });
    }
    let path = format!("{base}/{FILE}");
    let text = std::fs::read(&path).map_err(|error| unreadable(&path, &error).remedy(remedy))?;
    Ok(Written {
        text: utf8(text, &path)?,
        tables: files_in(&base, TABLES, SQL)?,
        audiences: files_in(&base, AUDIENCES, YAML)?,
        lists: files_in(&base, LISTS, TEXT)?.into_iter().collect(),
    })
}

/// The files of a folder of a local project that end so, by name.
fn files_in(base: &str, folder: &str, ending: &str) -> Result<Vec<(String, String)>, Failure> {
    let place = format!("{base}/{folder}");
    let entries = match std::fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&place, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|error| unreadable(&place, &error))?
            .file_name();
        let name = name.to_string_lossy();
        if !name.ends_with(ending) {
            continue;
        }
        let path = format!("{place}/{name}");
        let text = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        files.push((format!("{folder}/{name}"), utf8(text, &path)?));
    }
    files.sort();
    Ok(files)
}

/// The same of a project below a prefix of a bucket.
async fn listed(
    store: &Store,
    base: &str,
    (folder, ending): (&str, &str),
) -> Result<Vec<(String, String)>, Failure> {
    let mut files = Vec::new();
    for place in store.files(folder, ending).await? {
        let bytes = store.get(&place).await?;
        let text = utf8(bytes.to_vec(), &format!("{base}/{place}"))?;
        files.push((place, text));
    }
    Ok(files)
}

fn utf8(bytes: Vec<u8>, path: &str) -> Result<String, Failure> {
    String::from_utf8(bytes)
        .map_err(|_| Failure::config(format!("{path} is not UTF-8")).code(ErrorCode::NoProject))
}

fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    Failure::config(format!("cannot read {path}: {error}")).code(ErrorCode::NoProject)
}

/// Folder or prefix of the project.
pub fn base(global: &Global) -> String {
    global.project.trim_end_matches('/').to_owned()
}

/// Checks declarations of the project at `base`; findings go to standard error.
pub fn checked(written: &Written, base: &str) -> Result<Project, Failure> {
    let file = format!("{base}/{FILE}");
    let Lint {
        mut project,
        findings,
    } = lint(&written.text);
    let mut found: Vec<(String, Finding)> = findings
        .into_iter()
        .map(|finding| (file.clone(), finding))
        .collect();
    if let Some(project) = &mut project {
        let of_audiences = audience::declare(project, &written.audiences, &written.lists);
        let of_audiences = of_audiences.into_iter();
        found.extend(of_audiences.map(|(file, finding)| (format!("{base}/{file}"), finding)));
        let of_tables = declare_tables(project, &written.tables)?.into_iter();
        found.extend(of_tables.map(|of| (format!("{base}/{}", of.file), of.finding)));
    }
    for (file, finding) in &found {
        eprintln!("{}", finding.render(file));
    }
    let errors = found.iter();
    let errors = errors.filter(|(_, finding)| finding.severity == Severity::Error);
    let errors: Vec<&str> = errors.map(|(file, _)| file.as_str()).collect();
    if let Some(first) = errors.first() {
        let one = errors.iter().all(|file| file == first);
        let first = if one { first } else { base };
        return Err(Failure::config(format!(
            "{first} has {}",
            counted(errors.len() as u64, "error")
        ))
        .code(ErrorCode::Lint)
        .remedy("see the lines above"));
    }
    let project = project.ok_or_else(|| Failure::bug("a project without errors is none"))?;
    if let Some((table, meant)) = project.unknown_published() {
        let message =
            format!("{file}: publish.postgres names the table `{table}`, which there is not");
        return Err(Failure::config(message).code(ErrorCode::Lint).remedy(meant));
    }
    tenfold_worker::check_populations(&project).map_err(|failure| failure.within(&file))?;
    tenfold_ingest::check_project(&project).map_err(|failure| failure.within(&file))?;
    Ok(project)
}

/// Opens a project and its store.
pub fn open(global: &Global, machine: &Machine) -> Result<Opened, Failure> {
    machine.runtime.block_on(open_project(global))
}

/// Opens a project and its store.
pub async fn open_project(global: &Global) -> Result<Opened, Failure> {
    let base = base(global);
    let project = checked(&read(global).await?, &base)?;
    let store = open_store(global)?;
    let inputs = Arc::new(Locations::beside(&store));
    Ok(Opened {
        project,
        base,
        store,
        inputs,
    })
}

/// Opens the store alone, for commands that only look at what was published.
pub fn open_store(global: &Global) -> Result<Store, Failure> {
    Store::open(&store_place(global))
}

/// Where the store is: as named, or beside the project.
pub fn store_place(global: &Global) -> String {
    let named = global.store.clone();
    named.unwrap_or_else(|| format!("{}/store", base(global)))
}

/// The day to look back from: as given, or today's in the project's time zone.
pub fn as_of(given: Option<&str>, zone: &str) -> Result<Day, Failure> {
    let day = match given {
        Some(text) => parse_as_of(text, zone),
        None => today(jiff::Timestamp::now().as_second(), zone),
    };
    day.map_err(|error| {
        Failure::config(error.to_string()).remedy("give a day, or nothing for today")
    })
}

/// The value of a variable of the environment, for `${NAME}` in paths.
pub fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
