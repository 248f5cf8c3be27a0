//! `tenfold config …`: looks at settings and changes the configuration file.

use std::path::PathBuf;

use clap::Arg;
use serde::Serialize;
use tenfold_core::failure::{Failure, FailureClass};
use toml_edit::{DocumentMut, Item, Table, value};

use super::print;
use crate::args::{Config, FileSection, Global};
use crate::config::file::{CONTEXTS, CURRENT, Section, Settings, is_secret, refused};
use crate::config::{Place, commands};
use crate::output::TextTable;
use crate::terminal::say;

/// Runs a verb.
pub fn run(verb: &Config, global: &Global) -> Result<(), Failure> {
    let place = Place::named(global.config.as_deref());
    match verb {
        Config::View { show_origin } => view(&place, *show_origin, global),
        Config::GetContexts => contexts(&place, global),
        Config::UseContext { context } => {
            read(&place)?.context(Some(context))?;
            change(&place, |document| {
                document[CURRENT] = value(context.as_str());
            })?;
            say!("context {context} is the current one");
            Ok(())
        }
        Config::Set {
            key,
            value: text,
            section,
        } => set(&place, key, text, *section, global.context.as_deref()),
    }
}

fn read(place: &Place) -> Result<Settings, Failure> {
    Settings::read(place.file.as_deref(), false, &commands())
}

/// A setting, its value, and what said so.
#[derive(Serialize)]
struct Shown {
    section: String,
    key: String,
    value: Option<String>,
    origin: String,
}

fn view(place: &Place, show_origin: bool, global: &Global) -> Result<(), Failure> {
    let settings = read(place)?;
    let commands = commands();
    let context = settings.context(global.context.as_deref())?;
    // Without a context its settings come from the environment or are defaults.
    let context = context.unwrap_or_else(|| Section::Context("-".to_owned()));
    let mut shown = Vec::new();
    let sections = [
        Section::Top,
        context,
        Section::Coordinator,
        Section::Serve,
        Section::Worker,
    ];
    for section in sections {
        for arg in section.settings(&commands) {
            let key = arg.get_long().unwrap_or_default();
            // What holds everywhere is shown once, unless a section says otherwise.
            let own = section == Section::Top || !arg.is_global_set();
            if own || settings.get(&section, key).is_some() {
                shown.push(setting(&settings, &section, &arg));
            }
        }
    }
    let mut headers = vec!["section", "key", "value"];
    headers.extend(show_origin.then_some("origin"));
    let row = |shown: &Shown| {
        let value = shown.value.clone().unwrap_or_else(|| "-".to_owned());
        let mut row = vec![shown.section.clone(), shown.key.clone(), value];
        row.extend(show_origin.then(|| shown.origin.clone()));
        row
    };
    let table = TextTable {
        headers: headers.into_iter().map(str::to_owned).collect(),
        rows: shown.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    print(global.output, &table, &shown)
}

fn setting(settings: &Settings, section: &Section, arg: &Arg) -> Shown {
    let key = arg.get_long().unwrap_or_default();
    let variable = arg
        .get_env()
        .map(|name| name.to_string_lossy().into_owned());
    let said = variable.as_ref().and_then(std::env::var_os);
    let (value, origin) = match (said, variable, settings.get(section, key)) {
        (Some(_), Some(variable), _) if is_secret(arg) => (Some("(set)".to_owned()), variable),
        (Some(value), Some(variable), _) => (Some(value.to_string_lossy().into_owned()), variable),
        (_, _, Some(set)) => {
            let origin = format!("{}:{}", settings.shown_place(), set.line);
            (Some(set.value.clone()), origin)
        }
        _ => {
            let default: Vec<_> = arg.get_default_values().iter().collect();
            let default = default
                .first()
                .map(|value| value.to_string_lossy().into_owned());
            (default, "default".to_owned())
        }
    };
    Shown {
        section: section.name(),
        key: key.to_owned(),
        value,
        origin,
    }
}

#[derive(Serialize)]
struct ShownContext {
    name: String,
    current: bool,
    address: Option<String>,
}

fn contexts(place: &Place, global: &Global) -> Result<(), Failure> {
    let settings = read(place)?;
    let current = global.context.clone().or_else(|| settings.current.clone());
    let shown: Vec<ShownContext> = settings
        .contexts()
        .map(|name| ShownContext {
            name: name.to_owned(),
            current: current.as_deref() == Some(name),
            address: settings
                .get(&Section::Context(name.to_owned()), "address")
                .map(|set| set.value.clone()),
        })
        .collect();
    let row = |context: &ShownContext| {
        let current = if context.current { "*" } else { "" };
        let address = context.address.clone().unwrap_or_else(|| "-".to_owned());
        vec![context.name.clone(), current.to_owned(), address]
    };
    let table = TextTable {
        headers: ["name", "current", "address"].map(str::to_owned).to_vec(),
        rows: shown.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    print(global.output, &table, &shown)
}

fn set(
    place: &Place,
    key: &str,
    text: &str,
    section: Option<FileSection>,
    context: Option<&str>,
) -> Result<(), Failure> {
    let path: Vec<&str> = match (section, context) {
        (Some(FileSection::Coordinator), _) => vec!["coordinator"],
        (Some(FileSection::Serve), _) => vec!["serve"],
        (Some(FileSection::Worker), _) => vec!["worker"],
        (None, Some(context)) => vec![CONTEXTS, context],
        (None, None) => Vec::new(),
    };
    change(place, |document| {
        let mut table: &mut Table = document.as_table_mut();
        for name in path {
            let below = table.entry(name).or_insert_with(|| {
                let mut new = Table::new();
                // The table of contexts needs no header of its own.
                new.set_implicit(name == CONTEXTS);
                Item::Table(new)
            });
            match below.as_table_mut() {
                Some(below) => table = below,
                None => return,
            }
        }
        table[key] = match (text.parse::<i64>(), text.parse::<bool>()) {
            (Ok(number), _) => value(number),
            (_, Ok(flag)) => value(flag),
            _ => value(text),
        };
    })
}

/// Changes the file, unless what comes out could not be read.
fn change(place: &Place, change: impl FnOnce(&mut DocumentMut)) -> Result<(), Failure> {
    let file: &PathBuf = place.file.as_ref().ok_or_else(|| {
        refused("there is no configuration file to change".to_owned())
            .remedy("name one with --config or TENFOLD_CONFIG")
    })?;
    let before = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    };
    let written = before.map_err(|error| error.to_string()).and_then(|text| {
        let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
        change(&mut document);
        Ok(document.to_string())
    });
    let text = written.map_err(|error| refused(format!("{}: {error}", file.display())))?;
    Settings::parse(file, &text, &commands())?;
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder.and_then(|()| replace(file, &text)).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        Failure::new(FailureClass::Infra, message)
    })
}

/// Puts a whole file in the place of another: nobody reads a half of it.
fn replace(file: &PathBuf, text: &str) -> std::io::Result<()> {
    let mut new = file.clone().into_os_string();
    new.push(".new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, file)
}
