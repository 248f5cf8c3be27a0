//! Opens a project and its store.

use std::sync::Arc;

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
pub struct Written {
    /// The text of its main file.
    pub text: String,
    /// The files of its folder for tables: place in the project, and text.
    pub tables: Vec<(String, String)>,
}

/// Reads the declarations of a project.
pub async fn read(global: &Global) -> Result<Written, Failure> {
    let base = base(global);
    let remedy = format!("make a project with `tenfold init`, or say with -p where {FILE} is");
    if base.contains("://") {
        let store = Store::open(&base)?;
        let bytes = store.get(FILE).await;
        let bytes = bytes.map_err(|failure| failure.remedy(remedy))?;
        let mut tables = Vec::new();
        for place in listed(&store).await? {
            let bytes = store.get(&place).await?;
            tables.push((
                place.clone(),
                utf8(bytes.to_vec(), &format!("{base}/{place}"))?,
            ));
        }
        return Ok(Written {
            text: utf8(bytes.to_vec(), &format!("{base}/{FILE}"))?,
            tables,
        });
    }
    let path = format!("{base}/{FILE}");
    let text = std::fs::read(&path).map_err(|error| unreadable(&path, &error).remedy(remedy))?;
    Ok(Written {
        text: utf8(text, &path)?,
        tables: tables_in(&base)?,
    })
}

/// The files of a local project's folder for tables, by name.
fn tables_in(base: &str) -> Result<Vec<(String, String)>, Failure> {
    let folder = format!("{base}/{TABLES}");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&folder, &error)),
    };
    let mut tables = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|error| unreadable(&folder, &error))?
            .file_name();
        let name = name.to_string_lossy();
        if !name.ends_with(SQL) {
            continue;
        }
        let path = format!("{folder}/{name}");
        let text = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        tables.push((format!("{TABLES}/{name}"), utf8(text, &path)?));
    }
    tables.sort();
    Ok(tables)
}

/// The places of a project's files for tables, below a prefix of a bucket.
async fn listed(store: &Store) -> Result<Vec<String>, Failure> {
    let found = store.list(TABLES).await?;
    let places = found.iter().map(|meta| store.relative(&meta.location));
    let direct = |place: &String| place.ends_with(SQL) && place.matches('/').count() == 1;
    let mut places: Vec<String> = places.filter(direct).collect();
    places.sort();
    Ok(places)
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
    tenfold_worker::check_populations(&project).map_err(|failure| failure.within(file))?;
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
    Ok(Opened {
        project,
        base,
        store,
        inputs: Arc::new(Locations::default()),
    })
}

/// Opens the store alone, for commands that only look at what was published.
pub fn open_store(global: &Global) -> Result<Store, Failure> {
    match &global.store {
        Some(store) => Store::open(store),
        None => Store::open(&format!("{}/store", base(global))),
    }
}

/// The day to look back from: as given, or today's in the project's time zone.
pub fn as_of(given: Option<&str>, zone: &str) -> Result<Day, Failure> {
    let day = match given {
        Some(text) => parse_as_of(text, zone),
        None => today(jiff::Timestamp::now().as_second(), zone),
    };
    day.map_err(|error| Failure::config(error.to_string()))
}

/// The value of a variable of the environment, for `${NAME}` in paths.
pub fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
