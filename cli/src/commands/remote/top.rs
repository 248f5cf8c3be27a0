//! `tenfold top`: runs, steps, tasks and workers, drawn again and again in place.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use console::{Key, Term};
use serde::Serialize;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_proto::{
    ClusterStatusRequest, ClusterStatusResponse, ListRunsRequest, ListTasksRequest,
    ListWorkersRequest, Run, Step, Task, Worker,
};
use tokio::sync::oneshot;

use super::ask::{Asking, within};
use super::shown::{self, took};
use crate::args::Global;
use crate::commands::Stopped;
use crate::machine::Machine;
use crate::output::{Format, TextTable, counted, text_to_stdout};
use crate::service::client::Remote;
use crate::service::signals::{stop_requested, stopped};

/// How often it is drawn.
const AGAIN: Duration = Duration::from_secs(1);
/// Runs that are shown.
const RUNS: u32 = 8;
/// Tasks at work that are shown.
const TASKS: usize = 10;

/// Everything that is shown at one moment.
#[derive(Serialize)]
struct Frame {
    cluster: ClusterStatusResponse,
    runs: Vec<Run>,
    tasks: Vec<Task>,
    workers: Vec<Worker>,
}

/// Draws until a key ends it; once when asked so, or when nobody sits at a terminal.
pub fn top(once: bool, remote: &Remote, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let format = global.output;
    machine.runtime.block_on(async {
        let asking = Asking::new(remote)?;
        let first = frame(&asking).await?;
        if !matches!(format, Format::Table | Format::Wide) {
            let table = shown::runs(&first.runs, format);
            return Ok(shown::one(format, &table, "Top", &first)?);
        }
        if once || !std::io::stdout().is_terminal() {
            return Ok(text_to_stdout(&first.text(format)?)?);
        }
        Ok(redraw(&asking, first.text(format)?, format).await?)
    })
}

async fn redraw(asking: &Asking, first: String, format: Format) -> Result<(), Failure> {
    let stop = stop_requested()?;
    let _modes = Modes::kept();
    let screen = Screen::open()?;
    let mut text = first;
    let mut ended = quit_pressed();
    loop {
        screen.draw(&text)?;
        tokio::select! {
            _ = &mut ended => return Ok(()),
            () = stopped(stop.clone()) => return Ok(()),
            () = tokio::time::sleep(AGAIN) => {}
        }
        text = match frame(asking).await {
            Ok(frame) => frame.text(format)?,
            // It is shown until somebody answers again.
            Err(stopped) => format!("{}\n", stopped.failure),
        };
    }
}

/// Tells when q is pressed. The thread that reads keys has the terminal in raw mode while it waits
/// for one, also when a signal ends the process meanwhile.
fn quit_pressed() -> oneshot::Receiver<()> {
    let (tell, pressed) = oneshot::channel();
    std::thread::spawn(move || {
        let term = Term::stdout();
        while !matches!(
            term.read_key(),
            Ok(Key::Char('q' | 'Q') | Key::Escape | Key::CtrlC) | Err(_)
        ) {}
        // Nobody listens any more when Ctrl-C was quicker.
        let _ = tell.send(());
    });
    pressed
}

/// The modes that the terminal had, and has again in the end.
#[cfg(unix)]
struct Modes(Option<(std::fs::File, rustix::termios::Termios)>);

#[cfg(unix)]
impl Modes {
    fn kept() -> Self {
        let terminal = std::fs::File::open("/dev/tty").ok();
        Self(terminal.and_then(|terminal| {
            let modes = rustix::termios::tcgetattr(&terminal).ok()?;
            Some((terminal, modes))
        }))
    }
}

#[cfg(unix)]
impl Drop for Modes {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some((terminal, modes)) = &self.0 {
            // A terminal that is gone needs nothing back.
            let _ = tcsetattr(terminal, OptionalActions::Now, modes);
        }
    }
}

/// Nothing is kept where only keys end the process.
#[cfg(not(unix))]
struct Modes;

#[cfg(not(unix))]
impl Modes {
    fn kept() -> Self {
        Self
    }
}

/// The terminal's second screen; the first one comes back with the end.
struct Screen(Term);

impl Screen {
    fn open() -> Result<Self, Failure> {
        let screen = Self(Term::buffered_stdout());
        screen.write("\x1b[?1049h\x1b[?25l")?;
        Ok(screen)
    }

    fn draw(&self, text: &str) -> Result<(), Failure> {
        let (height, width) = self.0.size();
        let lines = text.lines().take(usize::from(height.max(2)) - 1);
        let mut drawn = String::from("\x1b[H");
        for line in lines {
            drawn.extend(line.chars().take(usize::from(width)));
            drawn.push_str("\x1b[K\r\n");
        }
        drawn.push_str("\x1b[J");
        self.write(&drawn)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let mut term = &self.0;
        let written = term.write_all(text.as_bytes()).and_then(|()| term.flush());
        written.map_err(|error| Failure::new(FailureClass::Infra, format!("cannot draw: {error}")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.write("\x1b[?25h\x1b[?1049l");
    }
}

async fn frame(asking: &Asking) -> Result<Frame, Stopped> {
    let cluster = asking
        .ask(async |mut operator| {
            operator
                .cluster_status(within(ClusterStatusRequest {}))
                .await
        })
        .await?;
    let request = ListRunsRequest {
        limit: RUNS,
        ..ListRunsRequest::default()
    };
    let runs = asking
        .ask(async |mut operator| operator.list_runs(within(request.clone())).await)
        .await?
        .runs;
    let workers = asking
        .ask(async |mut operator| operator.list_workers(within(ListWorkersRequest {})).await)
        .await?
        .workers;
    let tasks = match cluster.running.as_str() {
        "" => Vec::new(),
        run => {
            let request = ListTasksRequest {
                run: run.to_owned(),
                failed_only: false,
            };
            let listed = asking
                .ask(async |mut operator| operator.list_tasks(within(request.clone())).await)
                .await?;
            let at_work = listed
                .tasks
                .into_iter()
                .filter(|task| task.state == "running");
            at_work.take(TASKS).collect()
        }
    };
    Ok(Frame {
        cluster,
        runs,
        tasks,
        workers,
    })
}

impl Frame {
    fn text(&self, format: Format) -> Result<String, Failure> {
        let cluster = &self.cluster;
        let snapshot = cluster.snapshot.as_ref().map_or_else(
            || "no snapshot yet".to_owned(),
            |snapshot| format!("snapshot {} as of {}", snapshot.number, snapshot.as_of),
        );
        let mut text = format!(
            "{}  {}, {}  {} running, {} queued  {} queued  {snapshot}\n",
            cluster.coordinator,
            counted(cluster.workers.into(), "worker"),
            counted(cluster.slots.into(), "slot"),
            counted(cluster.tasks_running.into(), "task"),
            cluster.tasks_queued,
            counted(cluster.runs_queued.into(), "run"),
        );
        let running = self.runs.iter().find(|run| run.run == cluster.running);
        let tables = [
            shown::runs(&self.runs, format),
            steps(running.map_or(&[], |run| &run.steps)),
            shown::tasks(&self.tasks),
            shown::workers(&self.workers, format),
        ];
        for table in tables.iter().filter(|table| !table.rows.is_empty()) {
            let mut lines = Vec::new();
            table.write(&mut lines, Format::Table)?;
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(&lines));
        }
        Ok(text)
    }
}

fn steps(steps: &[Step]) -> TextTable {
    let row = |step: &Step| {
        vec![
            step.step.clone(),
            step.tasks.to_string(),
            step.reused.to_string(),
            step.done.to_string(),
            step.running.to_string(),
            step.failed_attempts.to_string(),
            took(&step.started_at, &step.ended_at),
        ]
    };
    TextTable {
        headers: [
            "step", "tasks", "reused", "done", "running", "failed", "took",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: steps.iter().map(row).collect(),
        right_aligned: vec![false, true, true, true, true, true, true],
    }
}
