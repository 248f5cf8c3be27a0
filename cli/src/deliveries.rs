//! Destinations and deliveries of a project: their declarations, and the members that a snapshot has.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tenfold_activation::declared::declared_files;
use tenfold_core::activation::{Declared, DeclaredFile, DeliverySpec, Identify, lint_deliveries};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Project, Severity};
use tenfold_core::snapshot::Manifest;
use tenfold_query::delivery_members;
use tenfold_store::object::Store;

use crate::args::Global;
use crate::commands::with_session;
use crate::machine::Machine;
use crate::project;

/// What the files of the project at `base` declare; findings go to standard error.
pub fn checked(files: &[DeclaredFile], project: &Project, base: &str) -> Result<Declared, Failure> {
    let (declared, findings) = lint_deliveries(files, project);
    for (file, finding) in &findings {
        eprintln!("{}", finding.render(&format!("{base}/{file}")));
    }
    let mut findings = findings.iter();
    let error = findings.find(|(_, finding)| finding.severity == Severity::Error);
    match error {
        None => Ok(declared),
        Some((file, _)) => Err(Failure::config(format!("{base}/{file} has errors"))
            .code(ErrorCode::Lint)
            .remedy("see the lines above")),
    }
}

/// A project with its destinations and deliveries, whose declarations have no errors.
pub struct Opened {
    /// The project.
    pub project: Project,
    /// Its folder or prefix.
    pub base: String,
    /// Its store.
    pub store: Store,
    /// What it declares.
    pub declared: Declared,
}

/// Opens a project with its destinations and deliveries; findings go to standard error.
pub fn open(global: &Global, machine: &Machine) -> Result<Opened, Failure> {
    let opened = project::open(global, machine)?;
    let files = machine.runtime.block_on(files(global))?;
    let base = opened.base;
    let declared = checked(&files, &opened.project, &base)?;
    Ok(Opened {
        project: opened.project,
        base,
        store: opened.store,
        declared,
    })
}

/// The files that declare destinations and deliveries.
pub async fn files(global: &Global) -> Result<Vec<DeclaredFile>, Failure> {
    declared_files(&Store::open(&project::base(global))?).await
}

/// The members of a delivery as of a snapshot, with the columns that it needs.
pub fn members(
    spec: &DeliverySpec,
    identify: &Identify,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    let (spec, identify, of) = (spec.clone(), identify.clone(), manifest.clone());
    with_session(None, store, manifest, machine, async move |session| {
        delivery_members(&session, &of, &spec, &identify).await
    })
}
