//! One file per verb.

mod audience;
mod audit;
mod between;
mod campaign;
mod config;
mod customer;
mod dashboard;
mod decile;
mod delivery;
mod destination;
mod diff;
mod doctor;
mod erase;
mod explain;
mod fetch;
mod gather;
mod ingest;
mod init;
mod marks;
mod params;
mod plan;
mod publish;
mod quarantine;
mod refresh;
mod remote;
mod retain;
mod sample;
mod shell;
mod snapshot;
mod sql;
mod token;
mod verify;

use std::time::Duration;

use serde::Serialize;
use tenfold_core::activation::{delivery_schema_text, destination_schema_text};
use tenfold_core::audience::audience_json_schema_text;
use tenfold_core::dashboard::dashboard_schema_text;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::project::{
    Retention, json_schema_text, schedule_json_schema_text, table_json_schema_text,
};
use tenfold_core::snapshot::{At, Manifest};
use tenfold_store::object::Store;
use tenfold_store::resolve::{Unresolved, resolve};

use crate::args::{
    Arguments, AuditVerb, Cluster, Command, Customer, Decile, Global, NotifyVerb, Params, Publish,
    Quarantine, SchemaOf, Snapshot, Token,
};
use crate::machine::Machine;
use crate::output::{Format, TextTable, to_stdout, write_value};
use crate::terminal::say;
use crate::{dashboards, deliveries, demo, project, service};

pub use between::{Between, Chosen};
pub use plan::refresh_of;
pub use refresh::{executor, executor_of, summary_lines};
pub use sql::{answer, with_session};

/// Why a command did not succeed, and its exit code.
pub struct Stopped {
    /// The reason.
    pub failure: Failure,
    /// 1 failed, 3 not found, 4 conflict, 5 not allowed, 6 not reachable, 7 timeout, 8 partial,
    /// 9 cancelled, 130 detached.
    pub code: u8,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self { failure, code: 1 }
    }
}

impl Stopped {
    /// Something that was asked for does not exist.
    pub fn not_found(failure: Failure) -> Self {
        Self { failure, code: 3 }
    }
}

/// Runs a command.
pub fn run(arguments: Arguments) -> Result<(), Stopped> {
    let global = arguments.global;
    let machine = Machine::new(&global)?;
    match arguments.command {
        Command::Demo { directory, serve } => {
            demo::run(&directory, serve, &global, &machine)?;
            if serve {
                return run(crate::config::arguments(demo::serving(&directory))?);
            }
        }
        Command::Init {
            directory,
            from,
            attributes,
        } => {
            init::run(&directory, from.as_deref(), attributes.as_deref(), &machine)?;
        }
        Command::Doctor(examined) => doctor::run(&examined, &global, &machine)?,
        Command::Lint => lint(&global, &machine)?,
        Command::Schema { of } => print_schema(of)?,
        Command::Plan(as_of) => plan::run(&as_of, &global, &machine)?,
        Command::Refresh(as_of) => refresh::run(&as_of, false, &global, &machine)?,
        Command::Snapshot(verb) => snapshots(verb, &global, &machine)?,
        Command::Scrub { at, all } => verify::scrub(&at.at, all, &global, &machine)?,
        Command::Audience(verb) => audience::run(&verb, &global, &machine)?,
        Command::Params(Params::Get { at }) => params::get(at, &global, &machine)?,
        Command::Decile(Decile::Show {
            measure,
            lookback,
            by,
            at,
        }) => {
            decile::show(measure, lookback, by, at, &global, &machine)?;
        }
        Command::Decile(Decile::Migrate {
            before,
            after,
            decile,
        }) => diff::migrate((&before, &after), &decile.into(), &global, &machine)?,
        Command::Customer(Customer::Get { who, at }) => customer::get(&who, at, &global, &machine)?,
        Command::Campaign(verb) => campaign::run(&verb, &global, &machine)?,
        Command::Dashboard(verb) => dashboard::run(&verb, &global, &machine)?,
        Command::Erase(erase) => erase::run(&erase, &global, &machine)?,
        Command::Ingest(asked) => ingest::run(&asked, &global, &machine)?,
        Command::Quarantine(Quarantine::Ls) => quarantine::ls(&global, &machine)?,
        Command::Quarantine(Quarantine::Retry(as_of)) => {
            quarantine::retry(&as_of, &global, &machine)?;
        }
        Command::Coordinator(listen) => service::coordinator::run(&listen, &global, &machine)?,
        Command::Worker(worker) => match worker.verb {
            Some(verb) => remote::worker(&verb, &global, &machine)?,
            None => {
                let name = worker.name.as_deref();
                let (remote, http) = (&worker.remote, &worker.http);
                service::worker::run(name, remote, http, &worker.wide, &global, &machine)?;
            }
        },
        Command::Serve(serve) => service::sql::run(&serve, &global, &machine)?,
        Command::Destination(verb) => destination::run(&verb, &global, &machine)?,
        Command::Delivery(verb) => delivery::run(&verb, &global, &machine)?,
        Command::DevEsp(told) => service::dev_esp::run(&told, &machine)?,
        Command::Publish(Publish::Postgres(told)) => {
            publish::postgres(&told, &global, &machine)?;
        }
        Command::Up {
            workers,
            listen,
            sql,
        } => service::up::run(workers as usize, &listen, &sql, &global, &machine)?,
        Command::Submit(submit) => remote::submit(&submit, &global, &machine)?,
        Command::Run(verb) => remote::run(&verb, &global, &machine)?,
        Command::Schedule(verb) => remote::schedule(&verb, &global, &machine)?,
        Command::Backfill(verb) => remote::backfill(&verb, &global, &machine)?,
        Command::Cluster(Cluster::Status { remote: to }) => {
            remote::status(&to, &global, &machine)?;
        }
        Command::Notify(NotifyVerb::Test { target, file }) => {
            let store = project::open_store(&global)?;
            let notifier = file.notifier(store.location())?;
            let (_, now_ms) = crate::machine::now();
            machine.runtime.block_on(notifier.test(&target, now_ms))?;
            say!("{target} took the message");
        }
        Command::Top { once, remote: to } => remote::top(once, &to, &global, &machine)?,
        Command::Audit(AuditVerb::Ls { refused, limit }) => {
            audit::ls(refused, limit as usize, &global, &machine)?;
        }
        Command::Audit(AuditVerb::Verify { noted }) => {
            audit::verify(noted.as_deref(), &global, &machine)?;
        }
        Command::Token(Token::New {
            name,
            role,
            file,
            pg_passwords,
        }) => {
            let files = token::Files {
                tokens: file.as_deref(),
                passwords: pg_passwords.as_deref(),
            };
            token::new(&name, role, &files, &global)?;
        }
        Command::Config(verb) => config::run(&verb, &global)?,
        Command::Explain { code } => explain::run(&code)?,
        Command::Completion { shell } => shell::completion(shell)?,
        Command::Man { folder } => shell::man(folder.as_deref())?,
        Command::Sql {
            query,
            template,
            parameters,
            at,
            timeout,
        } => {
            let asked = sql::Asked::new(query, template.as_deref(), parameters)?;
            let limit = timeout.map(Duration::from_secs);
            sql::run(&asked, at, limit, &global, &machine)?;
        }
    }
    Ok(())
}

fn snapshots(verb: Snapshot, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    match verb {
        Snapshot::Ls { all } => snapshot::ls(all, global, machine),
        Snapshot::Get { snapshot: at } => snapshot::get(at, global, machine),
        Snapshot::Files { snapshot: at } => snapshot::files(at, global, machine),
        Snapshot::Tag {
            snapshot: at,
            name,
            moved,
        } => marks::tag(&at, &name, moved, global, machine),
        Snapshot::Untag { name } => marks::untag(&name, global, machine),
        Snapshot::Pin {
            snapshot: at,
            reason,
        } => marks::pin(&at, &reason, global, machine),
        Snapshot::Unpin { snapshot: at } => marks::unpin(&at, global, machine),
        Snapshot::Rollback { snapshot: at } => retain::rollback(&at, global, machine),
        Snapshot::Expire {
            keep_last,
            older_than: keep_days,
            dry_run,
        } => {
            let retention = Retention {
                keep_last,
                keep_days,
            };
            retain::expire(retention, dry_run, global, machine)
        }
        Snapshot::Verify { snapshot: at } => verify::verify(&at, global, machine),
        Snapshot::Diff {
            before,
            after,
            decile,
        } => diff::diff((&before, &after), &decile.into(), global, machine),
    }
}

fn lint(global: &Global, machine: &Machine) -> Result<(), Failure> {
    let written = machine.runtime.block_on(project::read(global))?;
    let base = project::base(global);
    let project = project::checked(&written, &base)?;
    let files = machine.runtime.block_on(deliveries::files(global))?;
    deliveries::checked(&files, &project, &base)?;
    let boards = dashboards::linted(global, machine)?;
    say!("{base}/{} is fine", project::FILE);
    for (file, _) in written.tables.iter().chain(&written.audiences) {
        say!("{base}/{file} is fine");
    }
    for file in files.iter().map(|file| &file.file).chain(&boards) {
        say!("{base}/{file} is fine");
    }
    Ok(())
}

fn print_schema(of: SchemaOf) -> Result<(), Failure> {
    to_stdout(|out| {
        let text = match of {
            SchemaOf::Project => json_schema_text(),
            SchemaOf::Schedule => schedule_json_schema_text(),
            SchemaOf::Table => table_json_schema_text(),
            SchemaOf::Audience => audience_json_schema_text(),
            SchemaOf::Destination => destination_schema_text(),
            SchemaOf::Delivery => delivery_schema_text(),
            SchemaOf::Dashboard => dashboard_schema_text(),
        };
        out.write_all(text.as_bytes())
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(Failure::new(
                    FailureClass::Infra,
                    format!("cannot write: {error}"),
                )),
            })
    })
}

/// Prints records: as a table for people, or whole for programs.
pub fn print(format: Format, table: &TextTable, value: &impl Serialize) -> Result<(), Failure> {
    to_stdout(|out| match format {
        Format::Json | Format::Jsonl | Format::Yaml => write_value(out, format, value),
        Format::Parquet => Err(Failure::config("this is no table of rows")
            .remedy("use -o table, csv, json, jsonl or yaml; `tenfold sql` writes Parquet")),
        _ => table.write(out, format),
    })
}

/// The snapshot that a name means.
fn manifest(store: &Store, at: &At, machine: &Machine) -> Result<Manifest, Stopped> {
    let resolved = machine.runtime.block_on(resolve(store, at));
    resolved.map_err(|unresolved| match unresolved {
        Unresolved::Absent(failure) => Stopped::not_found(failure),
        Unresolved::Failed(failure) => Stopped::from(failure),
    })
}

/// The snapshot that was asked for, of the store that the command line names.
fn asked_for(at: &At, global: &Global, machine: &Machine) -> Result<(Store, Manifest), Stopped> {
    let store = project::open_store(global)?;
    let manifest = manifest(&store, at, machine)?;
    Ok((store, manifest))
}
