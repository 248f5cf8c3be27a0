//! The command line.

mod audience;
mod campaign;
mod dashboard;
mod delivery;
mod examine;
mod ingest;
mod schedule;
mod service;
mod snapshots;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::output::Format;
use crate::service::client::Remote;
use crate::service::coordinator::Listen;
use crate::service::dev_esp::DevEsp;
use crate::service::sql::{Serve, SqlListen};
use crate::terminal::View;
pub use audience::{Audience, AudienceOf, MembersOf, Rule};
pub use campaign::Campaign;
pub use dashboard::Dashboard;
pub use delivery::{Delivery, Destination};
pub use examine::{AuditVerb, Examined};
pub use ingest::{Allowing, Fetch, Ingest, IngestVerb, OfSource, Sending};
pub use schedule::{OneSchedule, Schedule, SchemaOf};
pub use service::{
    Backfill, BackfillDays, Cluster, Level, NotifyVerb, OneRun, Publish, PublishPostgres, Run,
    Submit, Token, TokenRole, Waiting, Wanted, Worker, WorkerProcess,
};
pub use snapshots::{
    AsOf, At, Customer, Decile, Erase, EraseVerb, Params, Quarantine, Snapshot, Who,
};

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
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, env = "TENFOLD_OUTPUT")]
    pub output: Format,
    /// Configuration file; ~/.config/tenfold/config.toml when left out, none when empty
    #[arg(long, global = true, env = "TENFOLD_CONFIG", value_name = "FILE")]
    pub config: Option<String>,
    /// Context of the configuration file: which coordinator to ask, and how
    #[arg(long, global = true, env = "TENFOLD_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// Memory that may be used, such as 512MiB or 4GiB
    #[arg(long, global = true, env = "TENFOLD_MEMORY", default_value = "1GiB")]
    pub memory: String,
    /// Threads that may be used; as many as there are processors when left out
    #[arg(long, global = true, env = "TENFOLD_THREADS")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub view: View,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate an airline loyalty programme and run several nights over it
    Demo {
        /// Folder to make; it must be empty or absent
        #[arg(default_value = "tenfold-demo")]
        directory: PathBuf,
        /// Show the dashboards afterwards, and answer SQL, as `tenfold serve` does
        #[arg(long)]
        serve: bool,
    },
    /// Make a project
    Init {
        /// Folder of the new project
        directory: PathBuf,
        /// Data to read a sample of, to propose a mapping from: a file or a prefix
        #[arg(long)]
        from: Option<String>,
        /// Data about customers to read a sample of, to propose a source of attributes from
        #[arg(long, requires = "from", value_name = "FROM")]
        attributes: Option<String>,
    },
    /// Try out whether the store does what Tenfold relies on, and whether coordinator and machine do
    Doctor(Examined),
    /// Check tenfold.yaml
    Lint,
    /// Print the JSON Schema of tenfold.yaml, or of another file of declarations
    Schema {
        /// Of what
        #[arg(value_enum, default_value_t = SchemaOf::Project)]
        of: SchemaOf,
    },
    /// Show what a refresh would read, reuse and write
    Plan(AsOf),
    /// Take in new events, compute everything and publish a snapshot
    Refresh(AsOf),
    /// Published snapshots
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Read stored objects that snapshots need, and check them against recorded lengths and hashes
    Scrub {
        #[command(flatten)]
        at: At,
        /// All snapshots that have not expired
        #[arg(long, conflicts_with = "at")]
        all: bool,
    },
    /// Parameters of the fitted models
    #[command(subcommand)]
    Params(Params),
    /// Deciles
    #[command(subcommand)]
    Decile(Decile),
    /// Who is chosen by which rules
    #[command(subcommand)]
    Audience(Audience),
    /// Single customers
    #[command(subcommand)]
    Customer(Customer),
    /// Send files to a source that takes them in: they are checked, kept, and read by the next refresh
    Ingest(Ingest),
    /// Campaigns, and what they came to
    #[command(subcommand)]
    Campaign(Campaign),
    /// What people look at in a browser
    #[command(subcommand)]
    Dashboard(Dashboard),
    /// Rows that were refused
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Take people out of every snapshot, for good, and leave out what is delivered of them later
    Erase(Erase),
    /// Coordinate refreshes: keep runs and schedules, lease tasks to workers, answer operators
    Coordinator(Listen),
    /// Run tasks of a coordinator
    Worker(WorkerProcess),
    /// Answer SQL over HTTP and for clients of PostgreSQL, read only, and show dashboards
    Serve(Serve),
    /// Where rows of audiences are sent
    #[command(subcommand)]
    Destination(Destination),
    /// Audiences sent to destinations, with a record of every row
    #[command(subcommand)]
    Delivery(Delivery),
    /// Load snapshots into databases of others
    #[command(subcommand)]
    Publish(Publish),
    /// Answer on this machine as vendors of e-mail do, to try deliveries without an account
    DevEsp(DevEsp),
    /// Run a coordinator and workers in one process
    Up {
        /// Workers
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
        workers: u32,
        #[command(flatten)]
        listen: Listen,
        #[command(flatten)]
        sql: SqlListen,
    },
    /// Ask a coordinator for a refresh
    Submit(Submit),
    /// Runs of a coordinator
    #[command(subcommand)]
    Run(Run),
    /// Snapshots of earlier days, made with the events that are known today
    #[command(subcommand)]
    Backfill(Backfill),
    /// When refreshes run by themselves
    #[command(subcommand)]
    Schedule(Schedule),
    /// The coordinator and what it has to work with
    #[command(subcommand)]
    Cluster(Cluster),
    /// Watch runs, steps, tasks and workers in place; q leaves
    Top {
        /// Print one frame; so it is, too, when standard output is no terminal
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Records of calls that changed something or were refused
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Tokens that coordinators know their callers by
    #[command(subcommand)]
    Token(Token),
    /// Targets that a coordinator tells what happened
    #[command(subcommand)]
    Notify(NotifyVerb),
    /// The configuration file and its contexts
    #[command(subcommand)]
    Config(Config),
    /// Say what an error code means and what to do
    Explain {
        /// The code, such as E1101
        code: String,
    },
    /// Print the script that completes commands in a shell
    Completion { shell: Shell },
    /// Write the manual pages
    Man {
        /// Folder to write a page for each command to; the main page goes to standard output when
        /// left out
        folder: Option<PathBuf>,
    },
    /// Query a snapshot
    Sql {
        /// The query, such as "SELECT * FROM customer_value LIMIT 10"
        #[arg(required_unless_present = "template", conflicts_with = "template")]
        query: Option<String>,
        /// Ask the template of this name instead; docs/reference/templates.md lists them
        #[arg(long, value_name = "NAME")]
        template: Option<String>,
        /// Value of a parameter: $NAME of a query, or one of the template
        #[arg(short = 'P', long = "parameter", value_name = "NAME=VALUE", value_parser = label)]
        parameters: Vec<(String, String)>,
        #[command(flatten)]
        at: At,
        /// Stop the query after so long, such as 90s, 30m or 2h
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        timeout: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show the settings
    View {
        /// Also show where each value comes from
        #[arg(long)]
        show_origin: bool,
    },
    /// List the contexts
    GetContexts,
    /// Choose the context that commands use when none is named
    UseContext { context: String },
    /// Change a setting in the configuration file
    Set {
        /// Name of the setting: that of its option, without dashes before it
        key: String,
        value: String,
        /// Part of the file; that of the context that --context names, or else what every command
        /// listens to, when left out
        #[arg(long, value_enum)]
        section: Option<FileSection>,
    },
}

/// A part of the configuration file.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum FileSection {
    /// For `tenfold coordinator` and `tenfold up`
    Coordinator,
    /// For `tenfold serve` and `tenfold up`
    Serve,
    /// For `tenfold worker`
    Worker,
}

/// Reads a length of time such as `90s`, `30m`, `2h` or a number of seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let units = [("h", 3600), ("m", 60), ("s", 1), ("", 1)];
    let parsed = units.iter().find_map(|(unit, factor)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*factor)
    });
    parsed
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "write a length of time such as 90s, 30m or 2h".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
