//! What is known of runs beyond the ledger: steps, tasks and what happened. It is kept in memory
//! while a coordinator serves, and told to whoever watches; [`super::story`] keeps it in the store,
//! chapter by chapter.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tenfold_core::failure::Failure;
use tenfold_core::lease::TaskView;

use super::lock;
use super::story::{self, Story};

/// Runs whose story is kept.
const RUNS_KEPT: usize = 200;
/// Stories from the store that are kept at hand.
const STORIES_KEPT: usize = 50;
/// Things that happened to one run and are kept.
const EVENTS_KEPT: usize = 10_000;

/// What is known of runs beyond the ledger.
#[derive(Default)]
pub(crate) struct LiveRuns {
    runs: Mutex<BTreeMap<String, LiveRun>>,
    /// Stories from the store, each before a try.
    told: Mutex<BTreeMap<String, (u32, Arc<Story>)>>,
}

/// One run.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveRun {
    pub steps: Vec<LiveStep>,
    pub events: Vec<Event>,
    /// Things that happened before those that are kept.
    pub forgotten: usize,
    /// The first try that this coordinator served.
    first_try: Option<u32>,
    /// The try that is served.
    try_number: u32,
    /// What the store has been told.
    kept: Kept,
}

/// How much of what is known of a run is in the store.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    steps: usize,
    events: usize,
    chapters: u32,
}

/// What is known of a run since the chapter before.
#[derive(Debug, Default)]
pub(crate) struct Chapter {
    pub number: u32,
    pub steps: Vec<LiveStep>,
    pub events: Vec<Event>,
}

/// A step of a run.
#[derive(Debug, Clone)]
pub(crate) struct LiveStep {
    pub step: &'static str,
    pub try_number: u32,
    pub tasks: usize,
    pub reused: usize,
    pub started_ms: i64,
    pub ended_ms: Option<i64>,
    /// The batch that it was leased as, when tasks had to run.
    pub batch: Option<u64>,
    /// Its tasks once they are over.
    pub over: Vec<TaskView>,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub at_ms: i64,
    pub level: Level,
    pub message: String,
    /// The message as the store may keep it.
    pub kept: String,
    pub step: String,
    pub worker: String,
    pub try_number: u32,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

impl Event {
    /// Something that concerns the run as a whole.
    pub fn of_run(at_ms: i64, level: Level, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            at_ms,
            level,
            kept: message.clone(),
            message,
            step: String::new(),
            worker: String::new(),
            try_number: 0,
        }
    }

    /// Something did not succeed.
    pub fn failure(at_ms: i64, level: Level, failure: &Failure) -> Self {
        Self {
            kept: story::kept(failure),
            ..Self::of_run(at_ms, level, failure.to_string())
        }
    }
}

impl LiveRuns {
    /// What is known of a run.
    pub fn get(&self, run: &str) -> LiveRun {
        lock(&self.runs).get(run).cloned().unwrap_or_default()
    }

    /// The events of a run from a place on, counted from its first event.
    pub fn events_from(&self, run: &str, from: usize) -> (usize, Vec<Event>) {
        let runs = lock(&self.runs);
        let Some(live) = runs.get(run) else {
            return (from, Vec::new());
        };
        let skip = from.saturating_sub(live.forgotten).min(live.events.len());
        let next = live.forgotten + live.events.len();
        (next, live.events[skip..].to_vec())
    }

    /// Notes that something happened.
    pub fn happened(&self, run: &str, mut event: Event) {
        self.change(run, |live| {
            event.try_number = live.try_number;
            live.events.push(event);
            if live.events.len() > EVENTS_KEPT {
                let over = live.events.len() - EVENTS_KEPT;
                live.events.drain(..over);
                live.forgotten += over;
            }
        });
    }

    /// Notes why something did not succeed.
    pub fn failed(&self, run: &str, at_ms: i64, failure: &Failure) {
        self.happened(run, Event::failure(at_ms, Level::Error, failure));
    }

    /// Notes that a try of a run is served.
    pub fn begins(&self, run: &str, number: u32) {
        self.change(run, |live| {
            live.first_try.get_or_insert(number);
            live.try_number = number;
        });
    }

    /// What is known of a run since this was asked before; nothing when there is nothing new. A step
    /// belongs to it once it has ended, or all of the try is over.
    pub fn chapter(&self, run: &str, over: bool) -> Option<Chapter> {
        let mut chapter = Chapter::default();
        self.change(run, |live| {
            let steps = live.steps.iter().skip(live.kept.steps);
            let ended = steps.take_while(|step| over || step.ended_ms.is_some());
            chapter.steps = ended.cloned().collect();
            let known = live.kept.events.saturating_sub(live.forgotten);
            chapter.events = live.events.iter().skip(known).cloned().collect();
            if !chapter.steps.is_empty() || !chapter.events.is_empty() {
                live.kept.steps += chapter.steps.len();
                live.kept.events = live.forgotten + live.events.len();
                live.kept.chapters += 1;
                chapter.number = live.kept.chapters;
            }
        });
        (chapter.number > 0).then_some(chapter)
    }

    /// The first try of a run that this coordinator served.
    pub fn first_try(&self, run: &str) -> Option<u32> {
        lock(&self.runs).get(run)?.first_try
    }

    /// The story of a run before a try, when it was read before.
    pub fn told(&self, run: &str, before: u32) -> Option<Arc<Story>> {
        let told = lock(&self.told);
        let (known, story) = told.get(run)?;
        (*known == before).then(|| story.clone())
    }

    /// Keeps the story of a run before a try at hand.
    pub fn tell(&self, run: &str, before: u32, story: Arc<Story>) {
        let mut told = lock(&self.told);
        told.insert(run.to_owned(), (before, story));
        while told.len() > STORIES_KEPT {
            told.pop_first();
        }
    }

    /// Changes what is known of a run.
    pub fn change(&self, run: &str, change: impl FnOnce(&mut LiveRun)) {
        let mut runs = lock(&self.runs);
        change(runs.entry(run.to_owned()).or_default());
        while runs.len() > RUNS_KEPT {
            runs.pop_first();
        }
    }

    /// Changes the step at work.
    pub fn change_step(&self, run: &str, change: impl FnOnce(&mut LiveStep)) {
        self.change(run, |live| {
            if let Some(step) = live.steps.last_mut() {
                change(step);
            }
        });
    }
}
