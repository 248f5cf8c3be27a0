//! `tenfold init`: a new project.

use std::path::Path;

use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::project::init::{ProposeError, propose, propose_attributes, template};
use tenfold_core::project::lint;

use super::sample::sample;
use crate::machine::Machine;
use crate::project::FILE;
use crate::terminal::say;

/// What a project looks like when there is no data to propose a mapping from.
const BLANK: &str = include_str!("blank.yaml");

pub fn run(
    directory: &Path,
    from: Option<&str>,
    attributes: Option<&str>,
    machine: &Machine,
) -> Result<(), Failure> {
    let path = directory.join(FILE);
    if path.exists() {
        return Err(
            Failure::config(format!("{} is already there", path.display()))
                .remedy("choose another folder, or edit the file"),
        );
    }
    let text = match from {
        None => BLANK.to_owned(),
        Some(from) => {
            let sample = sample(&project_name(directory), from, machine)?;
            let data = |error: ProposeError| Failure::data(error.to_string());
            let mut proposal = propose(&sample).map_err(data)?;
            if let Some(from) = attributes {
                let sample = self::sample(&proposal.project, from, machine)?;
                proposal.attributes = Some(propose_attributes(&sample).map_err(data)?);
            }
            template(&proposal)
        }
    };
    if let Some(finding) = lint(&text).findings.first() {
        return Err(Failure::bug(format!(
            "the proposal does not lint clean: {finding}"
        )));
    }
    write(directory, &path, &text)?;
    say!("wrote {}", path.display());
    say!("next: look it over, then");
    say!("  tenfold lint    -p {}", directory.display());
    say!("  tenfold plan    -p {}", directory.display());
    say!("  tenfold refresh -p {}", directory.display());
    Ok(())
}

fn write(directory: &Path, path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| {
            Failure::new(
                FailureClass::Infra,
                format!("cannot write {}: {error}", path.display()),
            )
        })
}

/// A name for the project, from its folder.
fn project_name(directory: &Path) -> String {
    let name = directory
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase());
    let name: String = name
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name,
        _ => format!("project_{name}"),
    }
}
