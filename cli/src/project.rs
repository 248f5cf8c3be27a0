//! Opens a project and its store.

use std::sync::Arc;

use tenfold_core::calendar::{Day, parse_as_of, today};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Lint, Project, Severity, lint};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;

use crate::args::Global;
use crate::machine::Machine;
use crate::output::counted;

/// Name of the file of declarations.
pub const FILE: &str = "tenfold.yaml";

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

/// Reads the declarations of a project.
pub async fn read(global: &Global) -> Result<String, Failure> {
    let base = base(global);
    let remedy = format!("make a project with `tenfold init`, or say with -p where {FILE} is");
    if base.contains("://") {
        let bytes = Store::open(&base)?.get(FILE).await;
        let bytes = bytes.map_err(|failure| failure.remedy(remedy))?;
        return String::from_utf8(bytes.to_vec()).map_err(|_| {
            Failure::config(format!("{base}/{FILE} is not UTF-8")).code(ErrorCode::NoProject)
        });
    }
    let path = format!("{base}/{FILE}");
    std::fs::read_to_string(&path).map_err(|error| {
        Failure::config(format!("cannot read {path}: {error}"))
            .code(ErrorCode::NoProject)
            .remedy(remedy)
    })
}

/// Folder or prefix of the project.
pub fn base(global: &Global) -> String {
    global.project.trim_end_matches('/').to_owned()
}

/// Checks declarations; findings go to standard error.
pub fn checked(text: &str, file: &str) -> Result<Project, Failure> {
    let Lint { project, findings } = lint(text);
    for finding in &findings {
        eprintln!("{}", finding.render(file));
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    let project = project.ok_or_else(|| {
        Failure::config(format!("{file} has {}", counted(errors as u64, "error")))
            .code(ErrorCode::Lint)
            .remedy("see the lines above")
    })?;
    tenfold_worker::check_populations(&project).map_err(|failure| failure.within(file))?;
    Ok(project)
}

/// Opens a project and its store.
pub fn open(global: &Global, machine: &Machine) -> Result<Opened, Failure> {
    machine.runtime.block_on(open_project(global))
}

/// Opens a project and its store.
pub async fn open_project(global: &Global) -> Result<Opened, Failure> {
    let text = read(global).await?;
    let base = base(global);
    let project = checked(&text, &format!("{base}/{FILE}"))?;
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
