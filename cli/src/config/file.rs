//! The configuration file: what it may hold, and what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::near::did_you_mean;
use toml_edit::{Document, Item, Table, Value};

/// Says which context operators' commands use when none is named.
pub const CURRENT: &str = "current-context";
/// The table of contexts.
pub const CONTEXTS: &str = "contexts";

/// A part of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What every command listens to: the keys before the first table.
    Top,
    /// `[coordinator]`: for `tenfold coordinator` and `tenfold up`.
    Coordinator,
    /// `[serve]`: for `tenfold serve` and `tenfold up`.
    Serve,
    /// `[worker]`: for `tenfold worker`.
    Worker,
    /// `[contexts.NAME]`: for the commands of operators.
    Context(String),
}

impl Section {
    /// How its table is called in the file.
    pub fn name(&self) -> String {
        match self {
            Self::Top => "-".to_owned(),
            Self::Coordinator => "coordinator".to_owned(),
            Self::Serve => "serve".to_owned(),
            Self::Worker => "worker".to_owned(),
            Self::Context(name) => format!("{CONTEXTS}.{name}"),
        }
    }

    /// The settings that it may hold: what its commands read from the environment, except secrets.
    pub fn settings(&self, commands: &Command) -> Vec<Arg> {
        let command = match self {
            Self::Top => Some(commands),
            Self::Coordinator => commands.find_subcommand("coordinator"),
            Self::Serve => commands.find_subcommand("serve"),
            Self::Worker => commands.find_subcommand("worker"),
            Self::Context(_) => commands
                .find_subcommand("run")
                .and_then(|run| run.find_subcommand("ls")),
        };
        let own = command.into_iter().flat_map(settings_of);
        let mut found: Vec<Arg> = own.chain(settings_of(commands)).collect();
        let mut seen = BTreeSet::new();
        found.retain(|arg| seen.insert(arg.get_id().clone()));
        found
    }
}

/// Options that a file may set.
pub fn settings_of(command: &Command) -> impl Iterator<Item = Arg> {
    let about_the_file = |arg: &Arg| matches!(arg.get_id().as_str(), "config" | "context");
    let arguments = command.get_arguments().filter(move |arg| {
        arg.get_env().is_some() && arg.get_long().is_some() && !about_the_file(arg)
    });
    arguments.cloned()
}

/// Whether a setting is secret: files hold the place of a secret, never the secret.
pub fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}

/// A setting of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// As it would stand on the command line.
    pub value: String,
    /// Where it stands.
    pub line: usize,
}

/// What a file says.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where it lies; none when there is none.
    pub place: Option<PathBuf>,
    /// The context to use when none is named.
    pub current: Option<String>,
    sections: BTreeMap<Section, BTreeMap<String, Set>>,
}

impl Settings {
    /// The value of a key in a section.
    pub fn get(&self, section: &Section, key: &str) -> Option<&Set> {
        self.sections.get(section)?.get(key)
    }

    /// The names of the contexts.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().filter_map(|section| match section {
            Section::Context(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The section of the context that is asked for, or else of the current one, if any.
    ///
    /// # Errors
    /// When the file has no such context.
    pub fn context(&self, asked: Option<&str>) -> Result<Option<Section>, Failure> {
        let Some(name) = asked.or(self.current.as_deref()) else {
            return Ok(None);
        };
        let section = Section::Context(name.to_owned());
        match self.sections.contains_key(&section) {
            true => Ok(Some(section)),
            false => Err(Failure::config(format!("there is no context {name}"))
                .code(ErrorCode::UnknownContext)
                .remedy(did_you_mean(name, self.contexts().collect::<Vec<_>>()))),
        }
    }

    /// Reads a file; one that is absent says nothing unless it was `asked` for.
    ///
    /// # Errors
    /// When it cannot be read, or has something that is no setting.
    pub fn read(place: Option<&Path>, asked: bool, commands: &Command) -> Result<Self, Failure> {
        let Some(place) = place else {
            return Ok(Self::default());
        };
        match std::fs::read_to_string(place) {
            Ok(text) => Self::parse(place, &text, commands),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !asked => Ok(Self {
                place: Some(place.to_owned()),
                ..Self::default()
            }),
            Err(error) => Err(refused(format!("cannot read {}: {error}", place.display()))
                .remedy("name the file with --config or TENFOLD_CONFIG; empty for none")),
        }
    }

    /// What a text says that is to be the file.
    ///
    /// # Errors
    /// When it has something that is no setting.
    pub fn parse(place: &Path, text: &str, commands: &Command) -> Result<Self, Failure> {
        let reading = Reading {
            place,
            text,
            commands,
        };
        reading.settings()
    }
}

/// A configuration that cannot be used.
pub fn refused(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::ConfigFile)
}

struct Reading<'a> {
    place: &'a Path,
    text: &'a str,
    commands: &'a Command,
}

impl Reading<'_> {
    fn settings(&self) -> Result<Settings, Failure> {
        let document = Document::parse(self.text).map_err(|error| {
            refused(format!(
                "{}: {}",
                self.place.display(),
                error.to_string().trim_end()
            ))
            .remedy("the file is TOML: `key = \"value\"`")
        })?;
        let mut settings = Settings {
            place: Some(self.place.to_owned()),
            ..Settings::default()
        };
        let root = document.as_table();
        for (key, item) in root {
            match (key, item.as_table()) {
                (CURRENT, _) => settings.current = Some(self.value(root, key, item)?.value),
                (CONTEXTS, Some(contexts)) => {
                    for (name, item) in contexts {
                        let section = Section::Context(name.to_owned());
                        let table = item.as_table().ok_or_else(|| {
                            self.at(contexts, name, "a context is a table: [contexts.NAME]")
                        })?;
                        let held = self.section(&section, table)?;
                        settings.sections.insert(section, held);
                    }
                }
                ("coordinator", Some(table)) => {
                    let held = self.section(&Section::Coordinator, table)?;
                    settings.sections.insert(Section::Coordinator, held);
                }
                ("serve", Some(table)) => {
                    let held = self.section(&Section::Serve, table)?;
                    settings.sections.insert(Section::Serve, held);
                }
                ("worker", Some(table)) => {
                    let held = self.section(&Section::Worker, table)?;
                    settings.sections.insert(Section::Worker, held);
                }
                _ => {
                    let others = [CURRENT, CONTEXTS, "coordinator", "serve", "worker"];
                    let set = self.setting(&Section::Top, root, key, item, &others)?;
                    let top = settings.sections.entry(Section::Top).or_default();
                    top.insert(key.to_owned(), set);
                }
            }
        }
        Ok(settings)
    }

    fn section(&self, section: &Section, table: &Table) -> Result<BTreeMap<String, Set>, Failure> {
        let set = |(key, item)| {
            let set = self.setting(section, table, key, item, &[])?;
            Ok((key.to_owned(), set))
        };
        table.iter().map(set).collect()
    }

    fn setting(
        &self,
        section: &Section,
        table: &Table,
        key: &str,
        item: &Item,
        others: &[&str],
    ) -> Result<Set, Failure> {
        let settings = section.settings(self.commands);
        let known: Vec<&str> = settings
            .iter()
            .filter(|arg| !is_secret(arg))
            .filter_map(Arg::get_long)
            .chain(others.iter().copied())
            .collect();
        match known.contains(&key) {
            true => self.value(table, key, item),
            false => Err(self
                .at(table, key, &format!("there is no setting `{key}` here"))
                .remedy(did_you_mean(key, known))),
        }
    }

    fn value(&self, table: &Table, key: &str, item: &Item) -> Result<Set, Failure> {
        let one = |value: &Value| match value {
            Value::String(text) => Some(text.value().clone()),
            Value::Integer(number) => Some(number.value().to_string()),
            Value::Boolean(flag) => Some(flag.value().to_string()),
            _ => None,
        };
        let value = match item.as_value() {
            Some(Value::Array(values)) => {
                let all: Option<Vec<String>> = values.iter().map(one).collect();
                all.map(|all| all.join(","))
            }
            Some(value) => one(value),
            None => None,
        };
        let wrong = || self.at(table, key, &format!("`{key}` is no text, number or list"));
        let line = self.line(table, key);
        value.map(|value| Set { value, line }).ok_or_else(wrong)
    }

    fn at(&self, table: &Table, key: &str, what: &str) -> Failure {
        let line = self.line(table, key);
        refused(format!("{}, line {line}: {what}", self.place.display()))
    }

    fn line(&self, table: &Table, key: &str) -> usize {
        let span = table.key(key).and_then(toml_edit::Key::span);
        let before = span.and_then(|span| self.text.get(..span.start));
        1 + before.map_or(0, |before| before.matches('\n').count())
    }
}
