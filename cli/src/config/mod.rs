//! Where settings come from: the command line, then the environment, then the configuration file,
//! then defaults.
//!
//! There is no second list of settings: what a command reads from a `TENFOLD_*` variable, it reads
//! from the file under the name of its option. What the file says is put on the command line where
//! neither that nor the environment has spoken, so one parser judges all of it.

pub mod file;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use tenfold_core::failure::Failure;

use self::file::{Section, Settings, refused, settings_of};
use crate::args::Arguments;
use crate::examples;

/// Commands that work however broken the file is.
const WITHOUT_FILE: [&str; 4] = ["completion", "config", "explain", "man"];

/// Reads the command line, the environment and the file.
///
/// # Errors
/// When the file cannot be used. What is wrong with the command line ends the process as it
/// always does, with exit code 2.
pub fn arguments(line: Vec<OsString>) -> Result<Arguments, Failure> {
    let commands = commands();
    let matches = commands.clone().get_matches_from(line.clone());
    if matches
        .subcommand_name()
        .is_none_or(|name| WITHOUT_FILE.contains(&name))
    {
        return parsed(&matches);
    }
    let place = Place::of(&matches);
    let settings = Settings::read(place.file.as_deref(), place.asked, &commands)?;
    let line = with_file(line, &matches, &commands, &settings)?;
    let again = commands.try_get_matches_from(line).map_err(|error| {
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default();
        let what = what.trim_start_matches("error: ");
        refused(format!("{}: {what}", settings.shown_place()))
            .remedy("`tenfold config view --show-origin` shows where each setting comes from")
    })?;
    parsed(&again)
}

/// The whole command line, with what every command understands in each of them.
pub fn commands() -> Command {
    let mut commands = examples::command();
    commands.build();
    commands
}

fn parsed(matches: &ArgMatches) -> Result<Arguments, Failure> {
    Arguments::from_arg_matches(matches).map_err(|error| error.exit())
}

/// Which file to read.
pub struct Place {
    /// None when there shall be none.
    pub file: Option<PathBuf>,
    /// Whether somebody named it, so that it has to be there.
    pub asked: bool,
}

impl Place {
    fn of(matches: &ArgMatches) -> Self {
        Self::named(matches.get_one::<String>("config").map(String::as_str))
    }

    /// The file that is named, or the one in the user's folder. An empty name means none.
    pub fn named(name: Option<&str>) -> Self {
        let file = match name {
            Some("") => None,
            Some(name) => Some(PathBuf::from(name)),
            None => configuration_home().map(|home| home.join("tenfold").join("config.toml")),
        };
        let asked = name.is_some();
        Self { file, asked }
    }
}

fn configuration_home() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CONFIG_HOME").filter(|home| !home.is_empty());
    let named = named.map(PathBuf::from);
    named.or_else(|| std::env::home_dir().map(|home| home.join(".config")))
}

impl Settings {
    /// The file's name, for messages.
    pub fn shown_place(&self) -> String {
        match &self.place {
            Some(place) => place.display().to_string(),
            None => "no file".to_owned(),
        }
    }

    /// The sections that a command listens to, the first one first.
    fn sections(&self, path: &[&str], context: Option<&str>) -> Result<Vec<Section>, Failure> {
        Ok(match path {
            ["coordinator"] => vec![Section::Coordinator, Section::Top],
            ["up"] => vec![Section::Coordinator, Section::Serve, Section::Top],
            ["serve"] => vec![Section::Serve, Section::Top],
            ["worker"] => vec![Section::Worker, Section::Top],
            // It looks at what the coordinator of this file needs, and asks as an operator.
            ["doctor"] => {
                let context = self.context(context)?;
                let own = [Section::Coordinator, Section::Top];
                context.into_iter().chain(own).collect()
            }
            _ => {
                let context = self.context(context)?;
                context.into_iter().chain([Section::Top]).collect()
            }
        })
    }
}

/// The command line with what the file says where neither it nor the environment says anything.
fn with_file(
    mut line: Vec<OsString>,
    matches: &ArgMatches,
    commands: &Command,
    settings: &Settings,
) -> Result<Vec<OsString>, Failure> {
    let mut path = Vec::new();
    let (mut command, mut matches) = (commands, matches);
    while let Some((name, below)) = matches.subcommand() {
        let Some(next) = command.find_subcommand(name) else {
            break;
        };
        path.push(name);
        (command, matches) = (next, below);
    }
    let context = matches.get_one::<String>("context").map(String::as_str);
    let sections = settings.sections(&path, context)?;
    let mut added = Vec::new();
    for arg in settings_of(command) {
        let source = matches.value_source(arg.get_id().as_str());
        let said = matches!(
            source,
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        );
        let key = arg.get_long().unwrap_or_default();
        let set = sections
            .iter()
            .find_map(|section| settings.get(section, key));
        if let Some(set) = set.filter(|_| !said) {
            added.extend(as_option(&arg, key, &set.value));
        }
    }
    // Behind a lone `--` nothing is an option any more.
    let end = line.iter().position(|word| word == "--");
    let end = end.unwrap_or(line.len());
    line.splice(end..end, added);
    Ok(line)
}

fn as_option(arg: &Arg, key: &str, value: &str) -> Option<OsString> {
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, "true") => Some(format!("--{key}").into()),
        (ArgAction::SetTrue, "false") => None,
        _ => Some(format!("--{key}={value}").into()),
    }
}
