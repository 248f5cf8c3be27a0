//! The stories of runs that have ended, in the store: steps, tasks and what happened, for those who
//! ask after this coordinator, or another one, has begun anew.
//!
//! A story is for looking at; nothing depends on it. So one that cannot be written or read costs
//! the answer to a question and never a run. It names no customer: messages about rows are kept as
//! code and title alone.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::ledger::Run;
use tenfold_proto as proto;

use super::Cluster;

/// Where they lie.
const STORIES: &str = "_coordinator/stories";
/// Tries of one run whose stories are read: nobody looks at more.
const TRIES: u32 = 20;

/// What is known of one try of a run.
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

fn path(run: &str, number: u32) -> String {
    format!("{STORIES}/{run}/{number}.json")
}

impl Cluster {
    /// Keeps the story of the try of a run that ends.
    pub(crate) async fn keep_story(&self, run: &Run) {
        let live = self.live.get(&run.run);
        let of_try = live
            .steps
            .iter()
            .filter(|step| step.try_number == run.tries);
        let mut tasks = self.shown_tasks_of(&run.run, of_try.clone(), false);
        for attempt in tasks.iter_mut().flat_map(|task| &mut task.attempts) {
            attempt.problem = attempt.problem.take().map(kept_problem);
        }
        let told = live
            .events
            .iter()
            .filter(|event| event.try_number == run.tries);
        let story = Story {
            format: Story::FORMAT,
            steps: of_try.map(|step| self.shown_step(step)).collect(),
            tasks,
            events: told
                .map(|event| super::render::event(&run.run, event, &event.kept))
                .collect(),
        };
        let place = path(&run.run, run.tries);
        let kept = async {
            let bytes = serde_json::to_vec(&story).map_err(|e| Failure::bug(e.to_string()))?;
            self.store.create(&place, Bytes::from(bytes)).await
        };
        if let Err(failure) = kept.await {
            tracing::warn!(run = run.run, "its story is not kept: {failure}");
        }
    }

    /// What is kept of the tries of a run that this coordinator did not see.
    ///
    /// # Errors
    /// When the store does not answer, or what is there cannot be read.
    pub(crate) async fn story(&self, run: &Run) -> Result<Arc<Story>, Failure> {
        let here = self.live.first_try(&run.run);
        let last = match here {
            Some(first) => first.saturating_sub(1),
            None => run.tries,
        };
        if let Some(story) = self.live.told(&run.run, last) {
            return Ok(story);
        }
        let mut whole = Story::default();
        for number in last.saturating_sub(TRIES).max(1)..=last {
            let place = path(&run.run, number);
            if let Some(bytes) = self.store.get_if_present(&place).await? {
                let story = Story::from_json(&bytes, &place)?;
                // The steps that are shown are those of the last try.
                whole.steps = story.steps;
                whole.tasks.extend(story.tasks);
                whole.events.extend(story.events);
            }
        }
        let whole = Arc::new(whole);
        self.live.tell(&run.run, last, whole.clone());
        Ok(whole)
    }
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
    fn a_story_of_a_newer_form_is_refused_by_name() {
        let refused = Story::from_json(br#"{"format": 2}"#, "a/1.json").unwrap_err();
        assert_eq!(refused.number(), "E2111");
        assert!(refused.message.contains("a/1.json has format 2"));
        let damaged = Story::from_json(b"{", "a/1.json").unwrap_err();
        assert_eq!(damaged.number(), "E3103");
        assert!(Story::from_json(br#"{"format": 1}"#, "a/1.json").is_ok());
    }
}
