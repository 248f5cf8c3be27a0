//! `tenfold run logs`: what happened to a run.

use std::ops::ControlFlow;

use jiff::Timestamp;
use tenfold_core::failure::Failure;
use tenfold_proto::{RunEvent, RunEventsRequest};

use super::ask::Asking;
use super::shown;
use super::wait::{each_event, event_line};
use crate::args::{Level, OneRun, Wanted};
use crate::commands::Stopped;
use crate::output::{Format, TextTable, reader_is_gone, text_to_stdout};

/// Prints what happened, line by line as it comes where the form and `--tail` allow it.
pub async fn logs(run: &OneRun, wanted: &Wanted, format: Format) -> Result<(), Stopped> {
    let asking = Asking::new(&run.remote)?;
    let request = RunEventsRequest {
        run: run.run.clone(),
        follow: wanted.follow,
    };
    let after = wanted.after();
    let by_line = matches!(format, Format::Table | Format::Wide | Format::Jsonl);
    let mut kept = Vec::new();
    let pass = |event: RunEvent| {
        if wanted.has(&event, after) {
            match by_line && wanted.tail.is_none() {
                true => print_one(&event, format)?,
                false => kept.push(event),
            }
        }
        Ok(match reader_is_gone() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    };
    each_event(&asking, &request, pass).await?;
    let first = kept.len().saturating_sub(wanted.tail.unwrap_or(kept.len()));
    let last = &kept[first..];
    match by_line {
        true => Ok(last.iter().try_for_each(|event| print_one(event, format))?),
        false => Ok(print_all(last, format)?),
    }
}

impl Wanted {
    /// The moment from which on events are wanted.
    fn after(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.since?).ok()?;
        Timestamp::from_millisecond(Timestamp::now().as_millisecond() - seconds * 1000).ok()
    }

    fn has(&self, event: &RunEvent, after: Option<Timestamp>) -> bool {
        let at: Option<Timestamp> = event.at.parse().ok();
        self.step.as_ref().is_none_or(|step| *step == event.step)
            && level(event) >= self.level
            && after.is_none_or(|after| at.is_none_or(|at| at >= after))
    }
}

fn level(event: &RunEvent) -> Level {
    match event.level.as_str() {
        "error" => Level::Error,
        "warning" => Level::Warning,
        _ => Level::Info,
    }
}

fn print_one(event: &RunEvent, format: Format) -> Result<(), Failure> {
    match format {
        Format::Jsonl => print_all(std::slice::from_ref(event), format),
        _ => line(&event_line(event)),
    }
}

fn print_all(events: &[RunEvent], format: Format) -> Result<(), Failure> {
    let row = |event: &RunEvent| {
        vec![
            event.at.clone(),
            event.level.clone(),
            event.step.clone(),
            event.worker.clone(),
            event.message.clone(),
        ]
    };
    let table = TextTable {
        headers: ["at", "level", "step", "worker", "message"]
            .map(str::to_owned)
            .to_vec(),
        rows: events.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    shown::list(format, &table, "RunEvent", "RunEventList", events)
}

/// Prints a line.
pub fn line(text: &str) -> Result<(), Failure> {
    text_to_stdout(&format!("{text}\n"))
}
