//! The command line.

mod examine;
mod schedule;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot;

use crate::commands::Chosen;
use crate::output::Format;
use crate::service::client::Remote;
use crate::service::coordinator::Listen;
use crate::service::http::HttpListen;
use crate::service::notify::Notify;
use crate::service::sql::{Serve, SqlListen};

use crate::terminal::View;
pub use examine::{AuditVerb, Examined};
pub use schedule::{OneSchedule, Schedule, SchemaOf};

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
    },
    /// Make a project
    Init {
        /// Folder of the new project
        directory: PathBuf,
        /// Data to read a sample of, to propose a mapping from: a file or a prefix
        #[arg(long)]
        from: Option<String>,
    },
    /// Try out whether the store does what Tenfold relies on, and whether coordinator and machine do
    Doctor(Examined),
    /// Check tenfold.yaml
    Lint,
    /// Print the JSON Schema of tenfold.yaml, or of the file of a schedule
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
    /// Single customers
    #[command(subcommand)]
    Customer(Customer),
    /// Rows that were refused
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Take people out of every snapshot, for good, and leave out what is delivered of them later
    Erase(Erase),
    /// Coordinate refreshes: keep runs and schedules, lease tasks to workers, answer operators
    Coordinator(Listen),
    /// Run tasks of a coordinator
    Worker(WorkerProcess),
    /// Answer SQL over HTTP, read only
    Serve(Serve),
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

/// Reads a number of days such as `90d` or `90`.
fn days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse().ok();
    days.filter(|days| (1..=36_500).contains(days))
        .ok_or_else(|| "write a number of days such as 90d".to_owned())
}

fn tag(text: &str) -> Result<String, Failure> {
    snapshot::check_tag(text).map(|()| text.to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
