//! Which snapshot and which day, and the verbs of `snapshot`, `params`, `decile`, `customer`, `quarantine` and
//! `erase`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tenfold_core::failure::Failure;
use tenfold_core::snapshot;

use crate::commands::Chosen;

/// Who is to be erased, and how.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Erase {
    /// Key of a customer; may be repeated
    #[arg(long = "customer", value_name = "ID")]
    pub customers: Vec<String>,
    /// File with the key of a customer on each line; may be repeated
    #[arg(long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Show what would be taken out of which snapshot, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Delete old files at once, without the hour in which queries that have begun may end
    #[arg(long)]
    pub now: bool,
    #[command(subcommand)]
    pub verb: Option<EraseVerb>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum EraseVerb {
    /// List erasures and how far they are
    Ls,
    /// Show the receipt of an erasure
    Get {
        /// Its number
        erasure: u64,
    },
    /// Go on with erasures that were stopped, and delete old files whose hour is over
    Resume {
        /// Delete old files at once
        #[arg(long)]
        now: bool,
    },
}

/// From when to look back, and where to keep the result.
#[derive(Debug, Clone, Args)]
pub struct AsOf {
    /// Look back from the midnight that begins this day (ISO date or RFC 3339 instant); today's
    /// when left out
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Number of shards, a power of two: when left out as many as the newest snapshot has, 64 in a
    /// new store
    #[arg(long, env = "TENFOLD_SHARDS")]
    pub shards: Option<u32>,
}

/// Which snapshot.
#[derive(Debug, Clone, Args)]
pub struct At {
    /// Snapshot: number, tag, instant of publication, as-of:DATE or latest
    #[arg(long, value_name = "SNAPSHOT", default_value_t)]
    pub at: snapshot::At,
}

#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// List snapshots
    Ls {
        /// List expired ones too
        #[arg(long)]
        all: bool,
    },
    /// Describe a snapshot
    Get {
        /// Number, tag, instant of publication, as-of:DATE or latest
        #[arg(default_value_t)]
        snapshot: snapshot::At,
    },
    /// List the files of a snapshot
    Files {
        /// Number, tag, instant of publication, as-of:DATE or latest
        #[arg(default_value_t)]
        snapshot: snapshot::At,
    },
    /// Give a snapshot a name; while it has one, it does not expire
    Tag {
        /// Number, tag, instant of publication, as-of:DATE or latest
        snapshot: snapshot::At,
        /// The name: lower-case letters, digits, `-`, `_` and `.`, a letter first
        #[arg(value_parser = tag)]
        name: String,
        /// Take the name from the snapshot that has it
        #[arg(long = "move")]
        moved: bool,
    },
    /// Take a name away
    Untag {
        /// The name
        name: String,
    },
    /// Keep a snapshot: it does not expire
    Pin {
        /// Number, tag, instant of publication, as-of:DATE or latest
        snapshot: snapshot::At,
        /// Why, for those who look later
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let a pinned snapshot expire again
    Unpin {
        /// Number, tag, instant of publication, as-of:DATE or latest
        snapshot: snapshot::At,
    },
    /// Publish the content of an old snapshot again, as a new one; the next refresh builds on it
    Rollback {
        /// Number, tag, instant of publication or as-of:DATE
        snapshot: snapshot::At,
    },
    /// Let old snapshots expire and delete what nothing names any more
    Expire {
        /// Newest snapshots to keep; pinned and tagged ones are kept anyway
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        keep_last: u64,
        /// Keep also those that were published in so many days, such as 90d
        #[arg(long, value_name = "DAYS", value_parser = days)]
        older_than: Option<u32>,
        /// Show what would expire and be deleted, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Compute a snapshot again from its inputs and compare every file of every table
    Verify {
        /// Number, tag, instant of publication, as-of:DATE or latest
        #[arg(default_value_t)]
        snapshot: snapshot::At,
    },
    /// Show what changed between two snapshots: customers, value, deciles, parameters, inputs
    Diff {
        /// The older snapshot: number, tag, instant of publication or as-of:DATE
        before: snapshot::At,
        /// The newer one
        #[arg(default_value_t)]
        after: snapshot::At,
        #[command(flatten)]
        decile: OneDecile,
    },
}

/// Which decile.
#[derive(Debug, Clone, Args)]
pub struct OneDecile {
    /// Name of the decile, such as clv_12m or a measure; that of CLV when left out
    #[arg(long)]
    pub measure: Option<String>,
    /// Look-back: 1m, 3m, …, lifetime; 12m, or else the longest, when left out
    #[arg(long)]
    pub lookback: Option<String>,
    /// Dimension that partitions the decile
    #[arg(long, value_name = "DIM")]
    pub by: Option<String>,
}

impl From<OneDecile> for Chosen {
    fn from(decile: OneDecile) -> Self {
        Self {
            measure: decile.measure,
            lookback: decile.lookback,
            by: decile.by,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Params {
    /// Show the fitted parameters with unit, standard errors and diagnostics
    Get {
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Subcommand)]
pub enum Decile {
    /// Show customers and value by decile
    Show {
        /// Name of the decile, such as clv_12m or a measure
        #[arg(long)]
        measure: Option<String>,
        /// Look-back: 1m, 3m, …, lifetime
        #[arg(long)]
        lookback: Option<String>,
        /// Dimension that partitions the decile
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Show who moved between the deciles of two snapshots
    Migrate {
        /// The older snapshot: number, tag, instant of publication or as-of:DATE
        before: snapshot::At,
        /// The newer one
        #[arg(default_value_t)]
        after: snapshot::At,
        #[command(flatten)]
        decile: OneDecile,
    },
}

#[derive(Debug, Subcommand)]
pub enum Customer {
    /// Show everything about a customer
    Get {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        at: At,
    },
}

/// A customer, by key or by another identity.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// Key of the customer
    pub id: Option<String>,
    /// Who has this e-mail address now, by the declared identity `email`
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// Who has this value of another declared identity now
    #[arg(long, value_name = "NAMESPACE=VALUE")]
    pub identity: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// List refused rows with file, row, column, value and reason
    Ls,
    /// Read the refused rows again, after their files or the mapping were mended, and publish
    Retry(AsOf),
}

/// Reads a number of days such as `90d` or `90`.
fn days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse().ok();
    days.filter(|days| (1..=36_500).contains(days))
        .ok_or_else(|| "write a number of days such as 90d".to_owned())
}

fn tag(text: &str) -> Result<String, Failure> {
    snapshot::check_tag(text).map(|()| text.to_owned())
}
