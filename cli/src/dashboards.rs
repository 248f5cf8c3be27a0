//! The dashboards of a project: their files, and what is wrong with them.

use tenfold_core::dashboard::{between, lint_dashboard};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Finding, Severity};
use tenfold_serve::dashboards::{Folder, Found, Origin, place};
use tenfold_store::object::Store;

use crate::args::Global;
use crate::machine::Machine;
use crate::project;

/// The dashboards of the project that the command line names.
pub fn folder(global: &Global) -> Result<Folder, Failure> {
    Ok(Folder::new(Store::open(&project::base(global))?))
}

/// Checks the dashboards of the project, and gives the places of their files; findings go to standard error.
pub fn linted(global: &Global, machine: &Machine) -> Result<Vec<String>, Failure> {
    let base = project::base(global);
    let (all, stray) = machine.runtime.block_on(async {
        let folder = folder(global)?;
        Ok::<_, Failure>((folder.all().await?, folder.stray().await?))
    })?;
    let (files, findings) = looked_at(&all);
    for (file, finding) in &findings {
        eprintln!("{}", finding.render(&format!("{base}/{file}")));
    }
    let mut findings = findings.iter();
    let error = findings.find(|(_, finding)| finding.severity == Severity::Error);
    if let Some((file, _)) = error {
        return Err(Failure::config(format!("{base}/{file} has errors"))
            .code(ErrorCode::WrongDashboard)
            .remedy("see the lines above"));
    }
    match stray.first() {
        None => Ok(files),
        Some(file) => Err(
            Failure::config(format!("{base}/{file} has no name of a dashboard"))
                .code(ErrorCode::WrongDashboard)
                .remedy("call it by lower-case letters, digits and `_`, such as value.yaml"),
        ),
    }
}

/// The files of the project among all dashboards, and what is wrong or odd with them.
fn looked_at(all: &[Found]) -> (Vec<String>, Vec<(String, Finding)>) {
    let (mut files, mut findings, mut published) = (Vec::new(), Vec::new(), Vec::new());
    for found in all {
        let name = &found.name;
        for (kept, draft) in [(&found.published, false), (&found.draft, true)] {
            let Some(kept) = kept else { continue };
            let file = place(name, draft);
            let read = lint_dashboard(&kept.text);
            if kept.origin == Origin::Project {
                let found = match &kept.unread {
                    Some(failure) => vec![unread(failure)],
                    None => read.findings,
                };
                findings.extend(found.into_iter().map(|one| (file.clone(), one)));
                files.push(file.clone());
            }
            // Clicks lead to what everybody sees.
            let document = read.document.filter(|_| !draft);
            published.extend(document.map(|document| (name.clone(), file, document)));
        }
    }
    let between = between(&published).into_iter();
    findings.extend(between.filter(|(file, _)| files.contains(file)));
    (files, findings)
}

/// What is told of a file that cannot be read.
fn unread(failure: &Failure) -> Finding {
    Finding {
        severity: Severity::Error,
        line: 1,
        column: 1,
        path: String::new(),
        message: failure.message.clone(),
        remedy: failure.remedy.clone(),
    }
}
