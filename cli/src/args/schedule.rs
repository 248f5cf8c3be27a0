//! `tenfold schedule …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Waiting, seconds};
use crate::service::client::Remote;

#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// Check the file of a schedule against the project
    Lint {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Make a schedule, or change it
    Apply {
        #[command(flatten)]
        file: ScheduleFile,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show what applying a file would change
    Diff {
        #[command(flatten)]
        file: ScheduleFile,
        /// End with 10 when there is a difference
        #[arg(long)]
        detailed_exitcode: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// List schedules
    Ls {
        #[command(flatten)]
        remote: Remote,
    },
    /// Show a schedule: its state, what it waits for, its next firing
    Get(OneSchedule),
    /// Show the next firings, of a schedule or of a file that is not applied yet
    Next {
        /// Schedule, or the beginning of its name
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        schedule: Option<String>,
        /// The file of a schedule
        #[arg(short, long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// So many
        #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        remote: Remote,
    },
    /// Start no runs until it is resumed
    Pause {
        #[command(flatten)]
        schedule: OneSchedule,
        /// Why, for those who look later
        #[arg(long, default_value = "")]
        reason: String,
        /// Go on by itself at this instant, such as 2030-01-31T06:00:00Z
        #[arg(
            long,
            value_name = "TIME",
            default_value = "",
            conflicts_with = "for_seconds"
        )]
        until: String,
        /// Go on by itself after so long, such as 90s, 30m or 2h
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        for_seconds: Option<u64>,
    },
    /// Go on with a paused schedule; what it missed is not made up for
    Resume(OneSchedule),
    /// Run now, out of turn
    Trigger {
        #[command(flatten)]
        schedule: OneSchedule,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// List the runs of a schedule, newest first
    History {
        #[command(flatten)]
        schedule: OneSchedule,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Take a schedule away; its runs stay
    Delete(OneSchedule),
}

/// Which schedule.
#[derive(Debug, Args)]
pub struct OneSchedule {
    /// Schedule, or the beginning of its name
    pub schedule: String,
    #[command(flatten)]
    pub remote: Remote,
}

/// The declaration of a schedule.
#[derive(Debug, Args)]
pub struct ScheduleFile {
    /// The file of the schedule
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
}

/// Whose JSON Schema.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum SchemaOf {
    /// tenfold.yaml
    Project,
    /// The file of a schedule
    Schedule,
    /// The head of a table that is declared by SQL
    Table,
    /// A file of audiences/
    Audience,
    /// The file of a destination
    Destination,
    /// The file of a delivery
    Delivery,
    /// A file of dashboards/
    Dashboard,
}
