//! What an entry of the ledger can say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::run::RunState;
use crate::calendar::Day;
use crate::failure::Failure;
use crate::format;
use crate::snapshot::{ObjectRef, RunSummary};

/// Where the entry of a number lies.
pub fn entry_path(seq: u64) -> String {
    format!("_coordinator/ledger/{seq:020}.json")
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the entry's form.
    pub format: u32,
    /// Its number: 1, 2, 3, …
    pub seq: u64,
    /// The office under which it was written: the number of that office's own entry.
    pub epoch: u64,
    /// Tells the writer's own entry from an equal one of another writer.
    pub nonce: String,
    /// When it was written, milliseconds since 1970 UTC by the writer's clock.
    pub at_ms: i64,
    /// What it says.
    #[serde(flatten)]
    pub record: Record,
}

impl Entry {
    /// Version of the entry's form that this program writes.
    pub const FORMAT: u32 = 1;

    /// Reads an entry.
    ///
    /// # Errors
    /// When it is damaged, or written by a newer version of Tenfold.
    pub fn from_json(bytes: &[u8], place: &str) -> Result<Self, Failure> {
        format::read(bytes, Self::FORMAT, place)
    }
}

/// What was acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A coordinator takes office; those before it are deposed.
    Office {
        /// Identity of the process.
        coordinator: String,
        /// Where it listens.
        address: String,
        /// Version of the program.
        version: String,
    },
    /// A run was asked for.
    Submitted {
        /// Identity of the run: a ULID.
        run: String,
        /// The idempotency key, as given or made.
        key: String,
        /// Hash of the request as it was sent.
        payload: String,
        /// What to do.
        request: RunRequest,
        /// Who asked.
        origin: Origin,
    },
    /// A run began, or began again after its coordinator was lost.
    Started {
        /// The run.
        run: String,
        /// What is missing now of what it was to wait for, when that was looked for again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<Vec<String>>,
    },
    /// A run is to be stopped.
    CancelRequested {
        /// The run.
        run: String,
        /// Why, in the words of who asked.
        reason: String,
        /// Who asked.
        by: String,
    },
    /// A run is about to publish: from here on it can no longer be cancelled, and whoever holds
    /// office brings the very same manifest to its slot.
    Publishing {
        /// The run.
        run: String,
        /// Number of the snapshot.
        number: u64,
        /// Body of the manifest.
        manifest: ObjectRef,
    },
    /// A run is over.
    Ended {
        /// The run.
        run: String,
        /// How.
        ending: Box<Ending>,
    },
    /// A failed run is tried again, in place.
    Retried {
        /// The run.
        run: String,
        /// Who asked.
        by: String,
    },
    /// A schedule was made or changed.
    ScheduleApplied {
        /// Its name.
        schedule: String,
        /// Its specification in YAML.
        spec: String,
    },
    /// A schedule starts nothing until it is resumed.
    SchedulePaused {
        /// Its name.
        schedule: String,
        /// Why.
        reason: String,
        /// When it goes on by itself, milliseconds since 1970 UTC.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
    },
    /// A paused schedule goes on; what it missed meanwhile is not made up for.
    ScheduleResumed {
        /// Its name.
        schedule: String,
    },
    /// A schedule is gone.
    ScheduleDeleted {
        /// Its name.
        schedule: String,
    },
    /// A firing has no finished run though it should.
    ScheduleLate {
        /// Name of the schedule.
        schedule: String,
        /// The firing.
        nominal: String,
    },
    /// A schedule looked at its firings up to `nominal` without starting a run for each.
    ScheduleAdvanced {
        /// Its name.
        schedule: String,
        /// The last firing that was considered.
        nominal: String,
        /// How many were skipped.
        skipped: u64,
        /// Firings that wait for the running one, in order.
        buffered: Vec<String>,
    },
    /// Snapshots of earlier days are asked for.
    BackfillCreated {
        /// Identity of the backfill: a ULID.
        backfill: String,
        /// The days, in the order in which they are made.
        days: Vec<Day>,
        /// Hash of the plan that was agreed to.
        plan_hash: String,
        /// Who asked.
        by: String,
    },
    /// A backfill makes no further days.
    BackfillCancelled {
        /// The backfill.
        backfill: String,
        /// Why, in the words of who asked.
        reason: String,
        /// Who asked.
        by: String,
    },
    /// A target was told of the notices up to an entry, or told of none before it.
    Notified {
        /// The target.
        target: String,
        /// The entry.
        through: u64,
        /// Tries that it took; 0 when there was nothing to tell.
        tries: u32,
        /// Why it was given up, if it was.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        given_up: String,
    },
    /// A worker gets no new tasks.
    WorkerCordoned {
        /// The worker.
        worker: String,
    },
    /// A worker gets tasks again.
    WorkerUncordoned {
        /// The worker.
        worker: String,
    },
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// First day that does not count, decided at submission.
    pub as_of: Day,
    /// Refuse unless the plan has this hash.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan_hash: String,
    /// Read the rows in quarantine again.
    #[serde(default)]
    pub retry_quarantine: bool,
    /// Give up after this many seconds; 0 is never.
    #[serde(default)]
    pub timeout_seconds: u64,
    /// Words of the submitter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What was waited for and was not there when the run was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Incomplete>,
}

/// Data that a run was to wait for and that did not come in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// What is missing, in words.
    pub missing: Vec<String>,
    /// Whether the run fails for it; else it publishes without, and ends as partial.
    pub fail: bool,
}

impl RunRequest {
    /// A refresh as of a day, and nothing else.
    pub fn of(as_of: Day) -> Self {
        Self {
            as_of,
            plan_hash: String::new(),
            retry_quarantine: false,
            timeout_seconds: 0,
            labels: BTreeMap::new(),
            incomplete: None,
        }
    }

    /// What was missing was looked for again, and this is what still is.
    pub(super) fn look_again(&mut self, missing: &[String]) {
        let incomplete = self.incomplete.take();
        self.incomplete = incomplete
            .filter(|_| !missing.is_empty())
            .map(|incomplete| Incomplete {
                missing: missing.to_vec(),
                ..incomplete
            });
    }
}

/// Who asked for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody with a client.
    Operator {
        /// Their name, from their token or certificate.
        name: String,
    },
    /// A schedule.
    Schedule {
        /// Its name.
        schedule: String,
        /// The firing that the run stands for: its instant, RFC 3339 in UTC.
        nominal: String,
        /// Who asked for it out of turn, if somebody did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        triggered_by: Option<String>,
    },
    /// A backfill.
    Backfill {
        /// Its identity.
        backfill: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// One of the states that are final.
    pub state: RunState,
    /// The snapshot that it published, or that said everything already.
    #[serde(default)]
    pub snapshot: Option<u64>,
    /// Hash of that snapshot.
    #[serde(default)]
    pub snapshot_hash: Option<String>,
    /// Hash of the plan.
    #[serde(default)]
    pub plan_hash: String,
    /// Nothing was new.
    #[serde(default)]
    pub nothing_new: bool,
    /// What it did.
    #[serde(default)]
    pub summary: RunSummary,
    /// Things that a person should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it did not succeed.
    #[serde(default)]
    pub failure: Option<Failure>,
}

impl Ending {
    /// An ending without a snapshot.
    pub fn without(state: RunState, failure: Option<Failure>) -> Self {
        Self {
            state,
            snapshot: None,
            snapshot_hash: None,
            plan_hash: String::new(),
            nothing_new: false,
            summary: RunSummary::default(),
            warnings: Vec::new(),
            failure,
        }
    }
}
