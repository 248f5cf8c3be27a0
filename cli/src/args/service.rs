//! What is asked of a coordinator: workers, runs, backfills, notices, tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{At, label, seconds};
use crate::service::client::Remote;
use crate::service::http::HttpListen;
use crate::service::notify::Notify;
use crate::service::wide::WideListen;

/// `tenfold worker`, which runs tasks, and its verbs, which look at workers.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WorkerProcess {
    #[command(subcommand)]
    pub verb: Option<Worker>,
    /// Name for people; that of the host when left out
    #[arg(long, env = "TENFOLD_WORKER_NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub remote: Remote,
    #[command(flatten)]
    pub http: HttpListen,
    #[command(flatten)]
    pub wide: WideListen,
}

#[derive(Debug, Subcommand)]
pub enum Worker {
    /// List workers
    Ls {
        #[command(flatten)]
        remote: Remote,
    },
    /// Describe a worker
    Get {
        /// Worker, or the beginning of its name
        worker: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Give a worker no new tasks; what it runs, it finishes
    Drain {
        /// Worker, or the beginning of its name
        worker: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Give a drained worker tasks again
    Uncordon {
        /// Worker, or the beginning of its name
        worker: String,
        #[command(flatten)]
        remote: Remote,
    },
}

/// A refresh that is asked for.
#[derive(Debug, Args)]
pub struct Submit {
    /// Look back from the midnight that begins this day; today's when left out
    #[arg(long, value_name = "DATE", default_value = "")]
    pub as_of: String,
    /// The same key with the same request is the same run
    #[arg(long, value_name = "KEY", default_value = "")]
    pub idempotency_key: String,
    /// Refuse unless the plan has this hash
    #[arg(long, value_name = "HASH", default_value = "")]
    pub plan: String,
    /// Read refused rows again
    #[arg(long)]
    pub retry_quarantine: bool,
    /// The run itself gives up after so long, such as 90s, 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub run_timeout: Option<u64>,
    /// Words to keep with the run
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub remote: Remote,
}

/// Whether to wait for a run, and how.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Waiting {
    /// Wait until the run has ended
    #[arg(long)]
    pub wait: bool,
    /// Wait, and show how it goes on
    #[arg(long, conflicts_with = "wait")]
    pub watch: bool,
    /// Wait, and print what happens
    #[arg(long, conflicts_with_all = ["wait", "watch"])]
    pub follow: bool,
    /// Stop waiting after so long, such as 90s, 30m or 2h; the run goes on
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub timeout: Option<u64>,
    /// A partial run is a success
    #[arg(long)]
    pub allow_partial: bool,
}

#[derive(Debug, Subcommand)]
pub enum Run {
    /// List runs, newest first
    Ls {
        /// Only runs in this state; may be given several times
        #[arg(long = "state", value_name = "STATE")]
        states: Vec<String>,
        /// Only runs of this schedule
        #[arg(long, default_value = "")]
        schedule: String,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show a run
    Get(OneRun),
    /// Show a run with its steps, what went wrong and what to do
    Describe(OneRun),
    /// Show how a run goes on until it has ended
    Watch {
        #[command(flatten)]
        run: OneRun,
        /// Stop after so long; the run goes on
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        timeout: Option<u64>,
        /// A partial run is a success
        #[arg(long)]
        allow_partial: bool,
    },
    /// Wait until runs have ended, however they end
    Wait {
        /// Runs: identity, its beginning, or @latest
        #[arg(required = true)]
        runs: Vec<String>,
        /// Stop waiting after so long; the runs go on
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        timeout: Option<u64>,
        /// A partial run is a success
        #[arg(long)]
        allow_partial: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Print what happened to a run
    Logs {
        #[command(flatten)]
        run: OneRun,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// List the tasks of a run and the attempts at them
    Tasks {
        #[command(flatten)]
        run: OneRun,
        /// Only tasks with an attempt that failed
        #[arg(long)]
        failed: bool,
    },
    /// Stop a run; it publishes nothing
    Cancel {
        #[command(flatten)]
        run: OneRun,
        /// Why, for those who look later
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Try a failed run again in place; finished tasks are kept
    Retry {
        #[command(flatten)]
        run: OneRun,
        #[command(flatten)]
        waiting: Waiting,
    },
}

/// Which of the things that happened to print.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Go on until it has ended
    #[arg(short, long)]
    pub follow: bool,
    /// Only of this step, such as fit
    #[arg(long)]
    pub step: Option<String>,
    /// Only what matters at least so much
    #[arg(long, value_enum, default_value_t = Level::Info)]
    pub level: Level,
    /// Only what happened in the last so long, such as 90s, 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub since: Option<u64>,
    /// Only the last so many
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub tail: Option<usize>,
}

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// It went on
    Info,
    /// Something went wrong and was tried again
    Warning,
    /// It failed
    Error,
}

/// Which run.
#[derive(Debug, Args)]
pub struct OneRun {
    /// Identity of the run, its beginning, or @latest
    pub run: String,
    #[command(flatten)]
    pub remote: Remote,
}

/// Which days a backfill makes.
#[derive(Debug, Args)]
pub struct BackfillDays {
    /// First day to look back from
    #[arg(long, value_name = "DATE")]
    pub from: String,
    /// Last day to look back from
    #[arg(long, value_name = "DATE")]
    pub to: String,
    /// Which day is made first
    #[arg(long, default_value = "asc", value_parser = ["asc", "desc"])]
    pub order: String,
    /// Also days that have a snapshot already
    #[arg(long)]
    pub again: bool,
}

#[derive(Debug, Subcommand)]
pub enum Backfill {
    /// Show which days would be made
    Plan {
        #[command(flatten)]
        days: BackfillDays,
        #[command(flatten)]
        remote: Remote,
    },
    /// Make a snapshot of each day; none of them becomes the newest
    Create {
        #[command(flatten)]
        days: BackfillDays,
        /// Refuse unless the plan has this hash
        #[arg(long, value_name = "HASH", default_value = "")]
        plan: String,
        /// Show the plan, and make nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        remote: Remote,
    },
    /// List backfills, newest first
    Ls {
        #[command(flatten)]
        remote: Remote,
    },
    /// Show a backfill day by day
    Get {
        /// Identity of the backfill, its beginning, or @latest
        backfill: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Make no further days
    Cancel {
        /// Identity of the backfill, its beginning, or @latest
        backfill: String,
        /// Why, for those who look later
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Show the coordinator in office, the queue and the workers
    Status {
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Debug, Subcommand)]
pub enum NotifyVerb {
    /// Send a target a message that says that it is a test
    Test {
        /// Name of the target
        target: String,
        #[command(flatten)]
        file: Notify,
    },
}

#[derive(Debug, Subcommand)]
pub enum Publish {
    /// Load a snapshot into a PostgreSQL database, in one transaction
    Postgres(PublishPostgres),
}

/// What `tenfold publish postgres` is told.
#[derive(Debug, Clone, Args)]
pub struct PublishPostgres {
    #[command(flatten)]
    pub at: At,
    /// File with the address of the database, such as postgresql://user:password@host/database;
    /// TENFOLD_POSTGRES_URL has it when left out
    #[arg(long, value_name = "FILE")]
    pub url_file: Option<PathBuf>,
    /// Certificates that the one of the database is checked by, PEM; those of this machine when left
    /// out
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Schema that the tables are put into
    #[arg(long, default_value = "insights")]
    pub schema: String,
    /// Load this table; may come several times. All when left out
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Let an older snapshot take the place of a newer one
    #[arg(long)]
    pub older: bool,
    /// Go on, and load every snapshot that is published from now on
    #[arg(long, conflicts_with_all = ["at", "older"])]
    pub follow: bool,
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, once
    New {
        /// Name of its bearer, for audit records
        name: String,
        /// What its bearer may do
        #[arg(long, value_enum)]
        role: TokenRole,
        /// The coordinator's file of tokens, to add a line to; it holds no token, only its hash
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// File of passwords that it is added to as well: the token is then the password of this name for
        /// clients of PostgreSQL
        #[arg(long, value_name = "FILE")]
        pg_passwords: Option<PathBuf>,
    },
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum TokenRole {
    /// Look
    Viewer,
    /// Also submit, cancel and retry runs, and change schedules
    Operator,
    /// Also drain workers
    Admin,
    /// Run tasks, and nothing else
    Worker,
}
