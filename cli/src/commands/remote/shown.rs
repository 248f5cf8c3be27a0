//! Runs, tasks and workers as rows and as records.

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_proto::{Run, Task, Worker};

use crate::commands::print;
use crate::machine::shown_bytes;
use crate::output::{Format, TextTable};
use crate::terminal::shown_time;

/// Version of the records that programs read.
const API_VERSION: &str = "tenfold/v1";

/// A record with its version and kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kinded<T> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Items<'a, T> {
    items: &'a [T],
}

/// A record of a kind.
pub fn kinded<T>(kind: &'static str, body: T) -> Kinded<T> {
    Kinded {
        api_version: API_VERSION,
        kind,
        body,
    }
}

/// Prints one record.
pub fn one<T: Serialize>(
    format: Format,
    table: &TextTable,
    kind: &'static str,
    body: T,
) -> Result<(), Failure> {
    print(format, table, &kinded(kind, body))
}

/// Prints a list: for JSON lines each item is a record of its own.
pub fn list<T: Serialize>(
    format: Format,
    table: &TextTable,
    kind: &'static str,
    list_kind: &'static str,
    items: &[T],
) -> Result<(), Failure> {
    match format {
        Format::Jsonl => {
            let items: Vec<_> = items.iter().map(|item| kinded(kind, item)).collect();
            print(format, table, &items)
        }
        _ => print(format, table, &kinded(list_kind, Items { items })),
    }
}

/// Runs as rows.
pub fn runs(runs: &[Run], format: Format) -> TextTable {
    let mut headers = vec![
        "run",
        "state",
        "as_of",
        "submitted",
        "took",
        "snapshot",
        "by",
    ];
    if format == Format::Wide {
        headers.extend(["try", "schedule", "key", "plan", "problem"]);
    }
    let row = |run: &Run| {
        let by = match run.schedule.as_str() {
            "" => run.submitted_by.clone(),
            schedule => format!("schedule {schedule}"),
        };
        let snapshot = match run.snapshot {
            0 => "-".to_owned(),
            number => number.to_string(),
        };
        let mut row = vec![
            run.run.clone(),
            run.state.clone(),
            run.as_of.clone(),
            shown_time(format, &run.submitted_at),
            took(&run.started_at, &run.ended_at),
            snapshot,
            by,
        ];
        if format == Format::Wide {
            let problem = run
                .problem
                .as_ref()
                .map(|problem| first_line(&problem.message));
            row.extend([
                run.r#try.to_string(),
                or_dash(&run.schedule),
                or_dash(&run.idempotency_key),
                or_dash(&run.plan_hash),
                problem.unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        row
    };
    TextTable {
        headers: headers.into_iter().map(str::to_owned).collect(),
        rows: runs.iter().map(row).collect(),
        right_aligned: vec![false, false, false, false, true, true, false],
    }
}

/// Attempts of tasks as rows.
pub fn tasks(tasks: &[Task]) -> TextTable {
    let headers = [
        "task", "step", "state", "attempt", "worker", "took", "problem",
    ];
    let mut rows = Vec::new();
    for task in tasks {
        let name = format!("{}/{}", task.step, task.index);
        let mut row = |attempt: &str, worker: &str, took: String, problem: String| {
            rows.push(vec![
                name.clone(),
                task.step.clone(),
                task.state.clone(),
                attempt.to_owned(),
                worker.to_owned(),
                took,
                problem,
            ]);
        };
        if task.attempts.is_empty() {
            row("-", "-", "-".to_owned(), "-".to_owned());
        }
        for attempt in &task.attempts {
            let problem = attempt.problem.as_ref();
            row(
                &attempt.state,
                &attempt.worker,
                took(&attempt.started_at, &attempt.ended_at),
                problem.map_or_else(|| "-".to_owned(), |problem| first_line(&problem.message)),
            );
        }
    }
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows,
        right_aligned: vec![false, false, false, false, false, true],
    }
}

/// Workers as rows.
pub fn workers(workers: &[Worker], format: Format) -> TextTable {
    let headers = [
        "worker", "state", "running", "slots", "memory", "leased", "reported", "version",
    ];
    let row = |worker: &Worker| {
        vec![
            worker.worker.clone(),
            worker.state.clone(),
            worker.running.to_string(),
            worker.slots.to_string(),
            shown_bytes(worker.memory_bytes),
            shown_bytes(worker.leased_bytes),
            shown_time(format, &worker.last_report_at),
            worker.version.clone(),
        ]
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: workers.iter().map(row).collect(),
        right_aligned: vec![false, false, true, true, true, true],
    }
}

fn or_dash(text: &str) -> String {
    match text {
        "" => "-".to_owned(),
        text => text.to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// How long something took, such as `2.4s` or `1h02m`; `-` while it has no end.
pub fn took(from: &str, to: &str) -> String {
    let span = from.parse().ok().zip(to.parse().ok());
    let Some((from, to)): Option<(jiff::Timestamp, jiff::Timestamp)> = span else {
        return "-".to_owned();
    };
    let millis = (to.as_millisecond() - from.as_millisecond()).max(0);
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{}.{}s", seconds, millis % 1000 / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}
