//! The stories of runs in the store: steps, tasks and what happened, for those who ask after this
//! coordinator, or another one, has begun anew. A chapter is written after each step and when a try
//! is over.
//!
//! A story is for looking at; nothing depends on it. So one that cannot be written or read costs
//! the answer to a question and never a run. It names no customer: messages about rows are kept as
//! code and title alone.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::ledger::Run;
use tenfold_proto as proto;

use super::Cluster;

/// Where they lie.
const STORIES: &str = "_coordinator/stories";
/// Tries of one run whose stories are read: nobody looks at more.
const TRIES: u32 = 20;

/// Chapters that are read at a time.
const AT_ONCE: usize = 16;

/// What is known of a try of a run, or a chapter of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Story {
    format: u32,
    #[serde(default)]
    pub steps: Vec<proto::Step>,
    #[serde(default)]
    pub tasks: Vec<proto::Task>,
    #[serde(default)]
    pub events: Vec<proto::RunEvent>,
}

impl Story {
    /// The newest form, which this program writes.
    const FORMAT: u32 = 1;

    fn from_json(bytes: &[u8], place: &str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let damaged = |error: serde_json::Error| {
            Failure::dependency(format!("cannot read {place}: {error}"))
                .code(ErrorCode::Damaged)
                .remedy("remove it: no run depends on it")
        };
        let form: Form = serde_json::from_slice(bytes).map_err(damaged)?;
        if form.format > Self::FORMAT {
            return Err(Failure::config(format!(
                "{place} has format {}, newer than {}, the newest that this program knows",
                form.format,
                Self::FORMAT
            ))
            .code(ErrorCode::NewerRecord)
            .remedy("use the version of Tenfold that wrote it, or a later one"));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }
}

/// Where a chapter lies: each coordinator that serves a try numbers its own.
fn path(run: &str, place: &Place) -> String {
    let Place {
        try_number,
        epoch,
        chapter,
    } = place;
    format!("{STORIES}/{run}/{try_number}/{epoch:020}-{chapter:06}.json")
}

/// Which chapter, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    try_number: u32,
    /// The office of the coordinator; 0 for stories of one chapter, which earlier versions wrote.
    epoch: u64,
    chapter: u32,
}

impl Place {
    /// Reads the end of a path: `<try>/<epoch>-<chapter>.json`, or `<try>.json`.
    fn of(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".json")?;
        let Some((number, rest)) = name.split_once('/') else {
            return Some(Self {
                try_number: name.parse().ok()?,
                epoch: 0,
                chapter: 0,
            });
        };
        let (epoch, chapter) = rest.split_once('-')?;
        Some(Self {
            try_number: number.parse().ok()?,
            epoch: epoch.parse().ok()?,
            chapter: chapter.parse().ok()?,
        })
    }
}

impl Cluster {
    /// Keeps what happened to a try of a run since this was done before; all of it when the try is
    /// over. So a coordinator that takes over knows what happened until then.
    pub(crate) async fn keep_story(&self, run: &str, try_number: u32, over: bool) {
        // Whoever sees the end of a run finds every chapter that began before it.
        let _one_at_a_time = self.stories.lock().await;
        let Some(chapter) = self.live.chapter(run, over) else {
            return;
        };
        let of_try = |number: u32| number == try_number;
        let steps = chapter.steps.iter().filter(|step| of_try(step.try_number));
        let mut tasks = self.shown_tasks_of(run, steps.clone(), false);
        for attempt in tasks.iter_mut().flat_map(|task| &mut task.attempts) {
            attempt.problem = attempt.problem.take().map(kept_problem);
        }
        let events = chapter
            .events
            .iter()
            .filter(|event| of_try(event.try_number));
        let story = Story {
            format: Story::FORMAT,
            steps: steps.map(|step| self.shown_step(step)).collect(),
            tasks,
            events: events
                .map(|event| super::render::event(run, event, &event.kept))
                .collect(),
        };
        let place = Place {
            try_number,
            epoch: self.epoch(),
            chapter: chapter.number,
        };
        let kept = async {
            let bytes = serde_json::to_vec(&story).map_err(|e| Failure::bug(e.to_string()))?;
            self.store
                .create(&path(run, &place), Bytes::from(bytes))
                .await
        };
        if let Err(failure) = kept.await {
            tracing::warn!(run, "a part of its story is not kept: {failure}");
        }
    }

    /// What is kept of a run that this coordinator did not see.
    ///
    /// # Errors
    /// When the store does not answer, or what is there cannot be read.
    pub(crate) async fn story(&self, run: &Run) -> Result<Arc<Story>, Failure> {
        let here = self.live.first_try(&run.run);
        let before = here.unwrap_or(run.tries + 1);
        if let Some(story) = self.live.told(&run.run, before) {
            return Ok(story);
        }
        let unseen = |place: &Place| match here {
            Some(first) if place.try_number == first => place.epoch < self.epoch(),
            _ => place.try_number < before,
        };
        let mut places = self.chapters(&run.run).await?;
        places.retain(|(place, _)| unseen(place) && place.try_number + TRIES > run.tries);
        let read = futures::stream::iter(places).map(|(place, path)| async move {
            let bytes = self.store.get(&path).await?;
            Ok::<_, Failure>((place, Story::from_json(&bytes, &path)?))
        });
        let read: Vec<(Place, Story)> = read.buffered(AT_ONCE).try_collect().await?;
        let whole = Arc::new(joined(read));
        self.live.tell(&run.run, before, whole.clone());
        Ok(whole)
    }

    /// Where the chapters of a run lie, in their order.
    async fn chapters(&self, run: &str) -> Result<Vec<(Place, String)>, Failure> {
        let folder = format!("{STORIES}/{run}");
        let listed = self.store.list(&folder).await?;
        let mut places: Vec<(Place, String)> = listed
            .iter()
            .filter_map(|meta| {
                let path = self.store.relative(&meta.location);
                let name = path.strip_prefix(&folder)?.strip_prefix('/')?;
                Some((Place::of(name)?, path))
            })
            .collect();
        places.sort();
        Ok(places)
    }
}

/// The story that chapters tell. The steps that are shown are those of the coordinator that served
/// the last try last: it goes through all of them.
fn joined(chapters: Vec<(Place, Story)>) -> Story {
    let mut whole = Story::default();
    let mut served = None;
    for (place, chapter) in chapters {
        let serves = Some((place.try_number, place.epoch));
        if served != serves {
            whole.steps.clear();
            served = serves;
        }
        whole.steps.extend(chapter.steps);
        whole.tasks.extend(chapter.tasks);
        whole.events.extend(chapter.events);
    }
    whole
}

/// A failure as it may be kept: what concerns rows may name a customer or show a value.
pub(crate) fn kept(failure: &Failure) -> String {
    match failure.class {
        FailureClass::Dependency | FailureClass::RateLimit | FailureClass::Infra => {
            failure.to_string()
        }
        _ => format!(
            "{} {}; `tenfold run describe` tells more",
            failure.number(),
            failure.title()
        ),
    }
}

fn kept_problem(problem: proto::Problem) -> proto::Problem {
    let failure = Failure::from(problem.clone());
    proto::Problem {
        message: kept(&failure),
        remedy: String::new(),
        ..problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_failure_names_no_customer() {
        let about_a_row = Failure::data("row 7: customer jane@example.com has no time");
        assert!(!kept(&about_a_row).contains("jane"));
        assert!(kept(&about_a_row).starts_with("E1000"));
        let about_a_store = Failure::dependency("cannot get s3://b/c");
        assert!(kept(&about_a_store).contains("s3://b/c"));
    }

    #[test]
    fn chapters_are_told_in_their_order_and_those_of_earlier_versions_too() {
        let place = |name: &str| Place::of(name).unwrap();
        let mut places = [
            "2/00000000000000000009-000001.json",
            "1/00000000000000000012-000001.json",
            "1/00000000000000000009-000010.json",
            "1/00000000000000000009-000002.json",
            "1.json",
        ]
        .map(place);
        places.sort();
        let order = places.map(|place| (place.try_number, place.epoch, place.chapter));
        let expected = [(1, 0, 0), (1, 9, 2), (1, 9, 10), (1, 12, 1), (2, 9, 1)];
        assert_eq!(order, expected);
        let whole = path("R", &places[2]);
        assert!(
            whole.ends_with("/R/1/00000000000000000009-000010.json"),
            "{whole}"
        );
        assert_eq!(Place::of("1/x.json"), None);
        assert_eq!(Place::of("notes.txt"), None);
    }

    #[test]
    fn the_steps_are_those_of_who_served_last_and_the_rest_is_everybodys() {
        let chapter = |try_number, epoch, chapter, step: &str| {
            let place = Place {
                try_number,
                epoch,
                chapter,
            };
            let step = proto::Step {
                step: step.to_owned(),
                ..proto::Step::default()
            };
            let event = proto::RunEvent {
                message: format!("{epoch} {}", step.step),
                ..proto::RunEvent::default()
            };
            let story = Story {
                steps: vec![step],
                events: vec![event],
                ..Story::default()
            };
            (place, story)
        };
        let whole = joined(vec![
            chapter(1, 3, 1, "absorb"),
            chapter(1, 5, 1, "absorb"),
            chapter(1, 5, 2, "merge"),
        ]);
        let steps: Vec<&str> = whole.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(steps, ["absorb", "merge"]);
        let events: Vec<&str> = whole.events.iter().map(|e| e.message.as_str()).collect();
        assert_eq!(events, ["3 absorb", "5 absorb", "5 merge"]);
    }

    #[test]
    fn a_story_of_a_newer_form_is_refused_by_name() {
        let refused = Story::from_json(br#"{"format": 2}"#, "a/1.json").unwrap_err();
        assert_eq!(refused.number(), "E2111");
        assert!(refused.message.contains("a/1.json has format 2"));
        let damaged = Story::from_json(b"{", "a/1.json").unwrap_err();
        assert_eq!(damaged.number(), "E3103");
        assert!(Story::from_json(br#"{"format": 1}"#, "a/1.json").is_ok());
    }
}
