//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::Format;

/// Customer lifetime value and exact deciles, every night, as one published snapshot.
#[derive(Debug, Parser)]
#[command(name = "tenfold", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder or URL prefix of the project (where tenfold.yaml is)
    #[arg(
        short,
        long,
        global = true,
        default_value = ".",
        env = "TENFOLD_PROJECT"
    )]
    pub project: String,
    /// Directory or URL of the store (s3://, gs://, az://); `store` in the project when left out
    #[arg(long, global = true, env = "TENFOLD_STORE", value_name = "URL")]
    pub store: Option<String>,
    /// How to print
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    /// Memory that may be used, such as 512MiB or 4GiB
    #[arg(long, global = true, env = "TENFOLD_MEMORY", default_value = "1GiB")]
    pub memory: String,
    /// Threads that may be used; as many as there are processors when left out
    #[arg(long, global = true, env = "TENFOLD_THREADS")]
    pub threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate an airline loyalty programme and run several nights over it
    Demo {
        /// Folder to make; it must be empty or absent
        #[arg(default_value = "tenfold-demo")]
        directory: PathBuf,
    },
    /// Make a project
    Init {
        /// Folder of the new project
        directory: PathBuf,
        /// Data to read a sample of, to propose a mapping from: a file or a prefix
        #[arg(long)]
        from: Option<String>,
    },
    /// Check tenfold.yaml
    Lint,
    /// Print the JSON Schema of tenfold.yaml
    Schema,
    /// Show what a refresh would read, reuse and write
    Plan(AsOf),
    /// Take in new events, compute everything and publish a snapshot
    Refresh(AsOf),
    /// Published snapshots
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Parameters of the fitted models
    #[command(subcommand)]
    Params(Params),
    /// Deciles
    #[command(subcommand)]
    Decile(Decile),
    /// Single customers
    #[command(subcommand)]
    Customer(Customer),
    /// Rows that were refused
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Query a snapshot
    Sql {
        /// The query, such as "SELECT * FROM customer_value LIMIT 10"
        query: String,
        #[command(flatten)]
        at: At,
    },
}

/// From when to look back, and where to keep the result.
#[derive(Debug, Clone, Args)]
pub struct AsOf {
    /// Look back from the midnight that begins this day (ISO date or RFC 3339 instant); today's
    /// when left out
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Number of shards of a store that is new: a power of two (64 when left out)
    #[arg(long, env = "TENFOLD_SHARDS")]
    pub shards: Option<u32>,
}

/// Which snapshot.
#[derive(Debug, Clone, Copy, Args)]
pub struct At {
    /// Number of the snapshot; the newest when left out
    #[arg(long, value_name = "N")]
    pub at: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// List snapshots
    Ls,
    /// Describe a snapshot; the newest when no number is given
    Get { number: Option<u64> },
    /// List the files of a snapshot; the newest when no number is given
    Files { number: Option<u64> },
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
}

#[derive(Debug, Subcommand)]
pub enum Customer {
    /// Show everything about a customer
    Get {
        id: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// List refused rows with file, row, column, value and reason
    Ls,
    /// Read the refused rows again, after their files or the mapping were mended, and publish
    Retry(AsOf),
}
