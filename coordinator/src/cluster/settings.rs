//! What a coordinator is told by its process.

use std::sync::Arc;

use futures::future::BoxFuture;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::lease::Rules;
use tenfold_core::project::Project;
use tenfold_store::locations::Locations;

use crate::listing::{Places, Understanding};

/// What a coordinator is told by its process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Identity of the process.
    pub coordinator: String,
    /// Where it listens, as workers and a standby reach it.
    pub address: String,
    /// Version of the program; workers have to be of the same.
    pub version: String,
    /// Where the project is, for people.
    pub project: String,
    /// Number of shards: without one as many as the newest snapshot has.
    pub shards: Option<u32>,
    /// How tasks are leased.
    pub rules: Rules,
}

/// The project of a coordinator. It is read anew for each run, so that a changed declaration counts
/// from the next run on.
pub trait Projects: Send + Sync {
    /// Reads and checks the declarations.
    fn open(&self) -> BoxFuture<'_, Result<OpenProject, Failure>>;
    /// Understands mappings, which the coordinator itself does not.
    fn understanding(&self) -> Understanding<'_>;
}

/// A project that lints clean.
pub struct OpenProject {
    /// The declarations.
    pub project: Project,
    /// Folder or prefix that relative paths start from.
    pub base: String,
    /// Opens input files.
    pub inputs: Arc<Locations>,
    /// Values of `${NAME}` in paths.
    pub lookup: fn(&str) -> Option<String>,
}

impl OpenProject {
    /// Where the declared paths lead.
    pub(crate) fn places(&self) -> Places<'_> {
        Places {
            base: &self.base,
            locations: &self.inputs,
            lookup: &self.lookup,
        }
    }

    /// The day to look back from: as given, or the day of an instant in the project's time zone.
    ///
    /// # Errors
    /// When it is no date.
    pub fn as_of(&self, given: &str, now_ms: i64) -> Result<Day, Failure> {
        let zone = &self.project.time_zone;
        let day = match given {
            "" => tenfold_core::calendar::today(now_ms.div_euclid(1000), zone),
            text => tenfold_core::calendar::parse_as_of(text, zone),
        };
        day.map_err(|error| {
            Failure::config(error.to_string()).remedy("give a day, or nothing for today")
        })
    }
}
