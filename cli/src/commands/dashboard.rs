//! `tenfold dashboard`: the dashboards of a project.

use serde::Serialize;
use tenfold_core::dashboard::lint_dashboard;
use tenfold_serve::dashboards::{Found, Origin, unknown};

use super::{Stopped, print};
use crate::args::{Dashboard, Global};
use crate::dashboards;
use crate::machine::Machine;
use crate::output::{TextTable, text_to_stdout};
use crate::project;
use crate::terminal::say;

/// Runs a verb.
pub fn run(verb: &Dashboard, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    match verb {
        Dashboard::Ls => ls(global, machine),
        Dashboard::Get { name, draft } => get(name, *draft, global, machine),
        Dashboard::Lint => {
            for file in dashboards::linted(global, machine)? {
                say!("{}/{file} is fine", project::base(global));
            }
            Ok(())
        }
    }
}

#[derive(Serialize)]
struct Listed {
    name: String,
    title: String,
    origin: Origin,
    widgets: usize,
    draft: bool,
    hash: String,
}

impl Listed {
    fn of(found: Found) -> Option<Self> {
        let draft = found.draft.is_some();
        let kept = found.published.or(found.draft)?;
        let document = lint_dashboard(&kept.text).document;
        Some(Self {
            title: document
                .as_ref()
                .map_or_else(|| "(has errors)".to_owned(), |read| read.title.clone()),
            widgets: document.map_or(0, |read| read.widgets.len()),
            name: found.name,
            origin: kept.origin,
            draft,
            hash: kept.hash,
        })
    }
}

fn ls(global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let all = machine.runtime.block_on(async {
        let folder = dashboards::folder(global)?;
        folder.all().await
    })?;
    let listed: Vec<Listed> = all.into_iter().filter_map(Listed::of).collect();
    let row = |one: &Listed| {
        let origin = match one.origin {
            Origin::Tenfold => "tenfold",
            Origin::Project => "project",
        };
        vec![
            one.name.clone(),
            one.title.clone(),
            origin.to_owned(),
            one.widgets.to_string(),
            one.draft.to_string(),
        ]
    };
    let table = TextTable {
        headers: ["dashboard", "title", "origin", "widgets", "draft"]
            .map(str::to_owned)
            .to_vec(),
        rows: listed.iter().map(row).collect(),
        right_aligned: vec![false, false, false, true, false],
    };
    Ok(print(global.output, &table, &listed)?)
}

fn get(name: &str, draft: bool, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let folder = dashboards::folder(global)?;
    let found = machine.runtime.block_on(folder.named(name))?;
    let kept = match draft {
        true => found.draft,
        false => found.published,
    };
    let Some(kept) = kept else {
        let all = machine.runtime.block_on(folder.all())?;
        let with = |one: &&Found| match draft {
            true => one.draft.is_some(),
            false => one.published.is_some(),
        };
        let names = all.iter().filter(with).map(|one| one.name.as_str());
        return Err(Stopped::not_found(unknown(
            name,
            &names.collect::<Vec<_>>(),
        )));
    };
    match kept.unread {
        Some(failure) => Err(failure.into()),
        None => Ok(text_to_stdout(&kept.text)?),
    }
}
