//! `tenfold audience live` and `watch`: who comes and goes between two refreshes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure};

use super::super::delivery::send_live;
use super::super::{Stopped, print};
use crate::args::Global;
use crate::deliveries::{self, Opened};
use crate::live::{Arrivals, Change, Found, Now, changes};
use crate::machine::{Machine, now};
use crate::output::{Format, TextTable, counted, reader_is_gone, text_to_stdout};
use crate::service::signals::{stop_requested, stopped};
use crate::terminal::say;

/// Pauses after failures grow up to so many times `--every`.
const PAUSES: u32 = 30;

/// An audience now, against what the newest snapshot has.
#[derive(Serialize)]
struct Shown {
    audience: String,
    members: u64,
    control: u64,
    entered: u64,
    exited: u64,
}

/// What is shown, and what it is made from.
#[derive(Serialize)]
struct All {
    snapshot: u64,
    as_of: String,
    files: u64,
    rows: u64,
    refused: u64,
    audiences: Vec<Shown>,
}

/// The members that an audience has now.
pub fn found(
    name: &str,
    as_of: Option<&str>,
    global: &Global,
    machine: &Machine,
) -> Result<Found, Stopped> {
    let mut arrivals = Arrivals::of(global, machine)?;
    let now = arrivals.look(as_of)?;
    say!("{}", told(&now));
    arrivals.members(&now, name).map_err(unknown)
}

/// The audiences that are asked for, or all that are `live`.
fn chosen(names: &[String], now: &Now) -> Result<Vec<String>, Stopped> {
    if !names.is_empty() {
        return Ok(names.to_vec());
    }
    let live = now.live();
    if live.is_empty() {
        let failure = Failure::config(format!(
            "snapshot {} has no audience that is declared `live`",
            now.manifest().number
        ));
        let remedy = "name audiences, or write `live: true` into the file of one and refresh";
        let failure = failure.code(ErrorCode::UnknownAudience).remedy(remedy);
        return Err(Stopped::not_found(failure));
    }
    Ok(live.into_iter().map(str::to_owned).collect())
}

fn unknown(failure: Failure) -> Stopped {
    match failure.code {
        Some(ErrorCode::UnknownAudience) => Stopped::not_found(failure),
        _ => failure.into(),
    }
}

/// What members are found by, in words.
fn told(now: &Now) -> String {
    let came = match now.files {
        0 => "nothing came since".to_owned(),
        files => format!(
            "{} with {} came since",
            counted(files, "file"),
            counted(now.rows, "event")
        ),
    };
    let refused = match now.refused {
        0 => String::new(),
        refused => format!(
            ", and {} that the next refresh will refuse",
            counted(refused, "row")
        ),
    };
    let number = now.manifest().number;
    format!("snapshot {number}; {came}{refused}; as of {}", now.as_of)
}

/// `tenfold audience live`.
pub fn show(
    names: &[String],
    as_of: Option<&str>,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let mut arrivals = Arrivals::of(global, machine)?;
    let now = arrivals.look(as_of)?;
    say!("{}", told(&now));
    let mut audiences = Vec::new();
    for name in chosen(names, &now)? {
        let found = arrivals.members(&now, &name).map_err(unknown)?;
        let changes = changes(&found.published, &found.members)?;
        let many = |what: &str| {
            let of = changes.iter().filter(|one| one.change == what);
            of.count() as u64
        };
        audiences.push(Shown {
            members: found.members.num_rows() as u64,
            control: control(&found.members),
            entered: many("entered"),
            exited: many("exited"),
            audience: name,
        });
    }
    let row = |one: &Shown| {
        let mut row = vec![one.audience.clone()];
        row.extend([one.members, one.control, one.entered, one.exited].map(|n| n.to_string()));
        row
    };
    let table = TextTable {
        headers: ["audience", "members", "control", "entered", "exited"]
            .map(str::to_owned)
            .to_vec(),
        rows: audiences.iter().map(row).collect(),
        right_aligned: vec![false, true, true, true, true],
    };
    let all = All {
        snapshot: now.manifest().number,
        as_of: now.as_of.to_string(),
        files: now.files,
        rows: now.rows,
        refused: now.refused,
        audiences,
    };
    Ok(print(global.output, &table, &all)?)
}

fn control(members: &RecordBatch) -> u64 {
    let groups = members.column_by_name("holdout");
    let groups = groups.and_then(|groups| groups.as_string_opt::<i32>());
    let groups = groups
        .into_iter()
        .flat_map(|groups| groups.iter().flatten());
    groups.filter(|group| *group == "control").count() as u64
}

/// A line of `watch`.
#[derive(Serialize)]
struct Line<'a> {
    at: &'a str,
    audience: &'a str,
    #[serde(flatten)]
    change: &'a Change,
}

/// Audiences that are looked at again and again.
struct Watch<'a> {
    arrivals: Arrivals<'a>,
    names: &'a [String],
    every: Duration,
    /// The deliveries that are sent, as they were declared when it began.
    deliveries: Option<Opened>,
    global: &'a Global,
    machine: &'a Machine,
    audiences: BTreeMap<String, Watched>,
}

/// How far an audience is, by the identity of what was looked at.
#[derive(Default)]
struct Watched {
    members: Option<RecordBatch>,
    told: Option<String>,
    sent: Option<String>,
    failures: u32,
    /// What could not be sent is tried again then.
    again: Option<Instant>,
}

/// `tenfold audience watch`.
pub fn watch(
    names: &[String],
    (every, deliver): (u64, bool),
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let stop = machine.runtime.block_on(async { stop_requested() })?;
    let every = Duration::from_secs(every);
    let mut watch = Watch {
        arrivals: Arrivals::of(global, machine)?,
        names,
        every,
        deliveries: match deliver {
            true => Some(deliveries::open(global, machine)?),
            false => None,
        },
        global,
        machine,
        audiences: BTreeMap::new(),
    };
    let mut looked = watch.look();
    // What was asked for is not there; anything else may pass.
    if let Err(stopped) = &looked
        && is_wrong(&stopped.failure)
    {
        return looked;
    }
    let mut failures = 0;
    while !reader_is_gone() {
        failures = match &looked {
            Ok(()) => 0,
            Err(stopped) => {
                let failure = &stopped.failure;
                tracing::warn!(%failure, "members cannot be found; they are looked for again");
                PAUSES.min(failures + 1)
            }
        };
        let told = stopped(stop.clone());
        let waiting = async { tokio::time::timeout(every * failures.max(1), told).await };
        if machine.runtime.block_on(waiting).is_ok() {
            break;
        }
        looked = watch.look();
    }
    Ok(())
}

/// Whether it is the request that has to change.
fn is_wrong(failure: &Failure) -> bool {
    let wrong = [
        ErrorCode::UnknownAudience,
        ErrorCode::UnknownSnapshot,
        ErrorCode::NoProject,
        ErrorCode::Lint,
    ];
    failure.code.is_some_and(|code| wrong.contains(&code))
}

impl Watch<'_> {
    /// Says who came and went since the last look; at first since the snapshot was published.
    fn look(&mut self) -> Result<(), Stopped> {
        let moment = self.arrivals.look(None)?;
        let mut failed = None;
        for name in chosen(self.names, &moment)? {
            failed = failed.or(self.one(&name, &moment).err());
        }
        failed.map_or(Ok(()), Err)
    }

    fn one(&mut self, name: &str, moment: &Now) -> Result<(), Stopped> {
        let mut of = self.audiences.remove(name).unwrap_or_default();
        let outcome = self.looked_at(name, &mut of, moment);
        self.audiences.insert(name.to_owned(), of);
        outcome
    }

    fn looked_at(&self, name: &str, of: &mut Watched, moment: &Now) -> Result<(), Stopped> {
        let is_new = |identity: &Option<String>| identity.as_ref() != Some(&moment.identity);
        let is_time = of.again.is_none_or(|again| again <= Instant::now());
        let sends = self.deliveries.as_ref();
        let sends = sends.filter(|_| is_new(&of.sent) && is_time);
        if !is_new(&of.told) && sends.is_none() {
            return Ok(());
        }
        let found = self.arrivals.members(moment, name).map_err(unknown)?;
        if is_new(&of.told) {
            let before = of.members.as_ref().unwrap_or(&found.published);
            say!("{name}: {}", told(moment));
            self.said(name, &changes(before, &found.members)?)?;
            of.members = Some(found.members.clone());
            of.told = Some(moment.identity.clone());
        }
        if let Some(deliveries) = sends {
            let sending = send_live((name, &found), deliveries, self.global, self.machine);
            self.tried(name, of, sending, moment);
        }
        Ok(())
    }

    /// Notes how sending went; what fails keeps no audience from being looked at.
    fn tried(&self, name: &str, of: &mut Watched, sending: Result<(), Stopped>, moment: &Now) {
        match sending {
            Ok(()) => {
                of.sent = Some(moment.identity.clone());
                (of.failures, of.again) = (0, None);
            }
            Err(stopped) => {
                of.failures = PAUSES.min(of.failures + 1);
                of.again = Some(Instant::now() + self.every * of.failures);
                let failure = &stopped.failure;
                tracing::warn!(%failure, audience = name, "not everything was sent; it is tried again");
            }
        }
    }

    fn said(&self, audience: &str, changes: &[Change]) -> Result<(), Failure> {
        let at = now().0;
        let mut text = String::new();
        for change in changes {
            match self.global.output {
                Format::Json | Format::Jsonl => {
                    let line = Line {
                        at: &at,
                        audience,
                        change,
                    };
                    let line = serde_json::to_string(&line);
                    text += &line.map_err(|error| Failure::bug(error.to_string()))?;
                }
                _ => {
                    let Change {
                        customer,
                        change,
                        holdout,
                    } = change;
                    text += &format!("{at} {audience} {change} {customer} {holdout}");
                }
            }
            text.push('\n');
        }
        text_to_stdout(&text)
    }
}
