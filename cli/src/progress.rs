//! How a refresh goes on: one line per finished step, and on a terminal a bar for the step at work.
//! Always on standard error.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use tenfold_coordinator::Progress;

use crate::output::counted;
use crate::terminal;

/// Shows the steps of a refresh.
pub struct Shown {
    bars: bool,
    step: Mutex<Option<Step>>,
}

struct Step {
    name: &'static str,
    tasks: usize,
    adopted: usize,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Shown {
    /// Bars when standard error is a terminal that can draw.
    pub fn new() -> Self {
        Self {
            bars: terminal::draws(),
            step: Mutex::new(None),
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Step>> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self, name: &'static str, tasks: usize, adopted: usize) -> Option<ProgressBar> {
        if !self.bars {
            return None;
        }
        let style =
            ProgressStyle::with_template("{prefix:>8} {bar:30} {pos}/{len} {elapsed}").ok()?;
        let bar = ProgressBar::new(tasks as u64)
            .with_style(style)
            .with_prefix(name);
        bar.set_position(adopted as u64);
        Some(bar)
    }
}

impl Progress for Shown {
    fn step(&self, name: &'static str, tasks: usize, adopted: usize) {
        let bar = self.bar(name, tasks, adopted);
        *self.current() = Some(Step {
            name,
            tasks,
            adopted,
            started: Instant::now(),
            bar,
        });
    }

    fn task_done(&self) {
        if let Some(bar) = self.current().as_ref().and_then(|step| step.bar.as_ref()) {
            bar.inc(1);
        }
    }

    fn step_done(&self) {
        let Some(step) = self.current().take() else {
            return;
        };
        if let Some(bar) = step.bar {
            bar.finish_and_clear();
        }
        if terminal::view().quiet {
            return;
        }
        let reused = match step.adopted {
            0 => String::new(),
            adopted => format!(", {adopted} done before"),
        };
        let elapsed = step.started.elapsed().as_secs_f64();
        eprintln!(
            "{:>8}  {}{reused}  {elapsed:.2} s",
            step.name,
            counted(step.tasks as u64, "task")
        );
    }
}
