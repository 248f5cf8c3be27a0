//! The fold of a source's log: every batch with its stage, and which moves are possible.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::record::{CHECKPOINT_EVERY, Event, Exchange, Outcome, StoredFile, Upload};
use super::refused::{Refused, check_id, check_name};
use super::share::Share;
use crate::failure::Failure;

/// Files that a batch may have.
pub const BATCH_FILES: usize = 25_000;

/// Bytes that the files of a batch may have together.
pub const BATCH_BYTES: u64 = 1 << 40;

/// Batches that one batch may replace.
const REPLACES: usize = 10_000;

/// A batch that nobody went on with for so long counts as abandoned, in milliseconds.
pub const OPEN_MS: i64 = 7 * DAY_MS;

/// Refused rows are kept for so long, and the names of batches that have ended, in milliseconds.
pub const ERRORS_KEPT_MS: i64 = 30 * DAY_MS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Files may be sent.
    Loading,
    /// The files are checked.
    Completing,
    /// Its rows are visible.
    Active,
    /// It could not be taken in.
    Failed,
    /// It was given up by whoever opened it.
    Aborted,
    /// Nobody went on with it.
    Abandoned,
    /// Its rows were taken back.
    Reverted,
    /// Another batch stands for it.
    Replaced,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Loading,
        Self::Completing,
        Self::Active,
        Self::Failed,
        Self::Aborted,
        Self::Abandoned,
        Self::Reverted,
        Self::Replaced,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Completing => "completing",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Abandoned => "abandoned",
            Self::Reverted => "reverted",
            Self::Replaced => "replaced",
        }
    }

    /// Whether files may still come, or are being checked.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Loading | Self::Completing)
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        !self.is_open() && self != Self::Active
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// How far it is.
    pub stage: Stage,
    /// When it was first heard of, in milliseconds since 1970.
    pub opened_ms: i64,
    /// When something happened to it last.
    pub changed_ms: i64,
    /// The share of its rows that may be refused.
    pub max_bad_rows: Share,
    /// Batches whose rows go when its own come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// The batch that stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// The files that were sent, while they are needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<Upload>,
    /// What came of it.
    #[serde(default)]
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The fold of a log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Number of the last record in it.
    pub sequence: u64,
    /// The batches by their names. Those that are over are forgotten after a while.
    pub batches: BTreeMap<String, Batch>,
    /// The last segment of the stream whose messages are in a batch.
    #[serde(default)]
    pub gathered: u64,
}

impl State {
    /// Whether an event would change anything.
    ///
    /// # Errors
    /// When it cannot happen.
    pub fn allows(&self, event: &Event) -> Result<bool, Refused> {
        match event {
            Event::Opened {
                batch, replaces, ..
            } => self.may_open(batch, replaces),
            Event::Uploaded { batch, upload } => self.may_upload(batch, upload),
            Event::Sealed { batch } => self.may_seal(batch),
            Event::Completed {
                batch, replaces, ..
            } => self.may_complete(batch, replaces),
            Event::Gathered {
                batch, from, to, ..
            } => self.may_gather(batch, *from, *to),
            Event::Failed { batch, .. } => {
                self.may_move(batch, "fail", &[Stage::Completing], Stage::Failed)
            }
            Event::Aborted { batch } => self.may_move(batch, "be aborted", OPEN, Stage::Aborted),
            Event::Abandoned { batch } => {
                self.may_move(batch, "be abandoned", OPEN, Stage::Abandoned)
            }
            Event::Reverted { batch } => {
                self.may_move(batch, "be reverted", &[Stage::Active], Stage::Reverted)
            }
            Event::Erased { files } => {
                let mut known = self.paths();
                let exchanged: BTreeSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
                Ok(known.any(|path| exchanged.contains(path)))
            }
        }
    }

    /// Takes the next record in. One that [`State::allows`] not changes nothing.
    pub fn apply(&mut self, event: &Event, at_ms: i64) {
        self.sequence += 1;
        if self.allows(event) == Ok(true) {
            self.change(event, at_ms);
        }
        if self.sequence.is_multiple_of(CHECKPOINT_EVERY) {
            self.batches.retain(|_, batch| {
                !batch.stage.is_over() || batch.changed_ms > at_ms.saturating_sub(ERRORS_KEPT_MS)
            });
        }
    }

    fn change(&mut self, event: &Event, at_ms: i64) {
        if let Event::Erased { files } = event {
            return self.exchange(files);
        }
        if let Event::Gathered { to, .. } = event {
            self.gathered = *to;
        }
        let Some(name) = event.batch() else { return };
        let batch = self
            .batches
            .entry(name.to_owned())
            .or_insert_with(|| Batch {
                stage: Stage::Loading,
                opened_ms: at_ms,
                changed_ms: at_ms,
                max_bad_rows: Share::DEFAULT,
                replaces: Vec::new(),
                replaced_by: None,
                uploads: Vec::new(),
                outcome: Outcome::default(),
                failure: None,
            });
        batch.changed_ms = at_ms;
        match event {
            Event::Opened {
                max_bad_rows,
                replaces,
                ..
            } => {
                batch.max_bad_rows = *max_bad_rows;
                batch.replaces.clone_from(replaces);
            }
            Event::Uploaded { upload, .. } => batch.uploads.push(upload.clone()),
            Event::Sealed { .. } => batch.stage = Stage::Completing,
            Event::Completed {
                outcome, replaces, ..
            } => {
                batch.end(Stage::Active);
                batch.outcome = outcome.clone();
                batch.replaces.clone_from(replaces);
                self.replace(name, replaces, at_ms);
            }
            Event::Gathered { outcome, .. } => {
                batch.end(Stage::Active);
                batch.outcome = outcome.clone();
            }
            Event::Failed {
                outcome, failure, ..
            } => {
                batch.end(Stage::Failed);
                batch.outcome = outcome.clone();
                batch.failure = Some(failure.clone());
            }
            Event::Aborted { .. } => batch.end(Stage::Aborted),
            Event::Abandoned { .. } => batch.end(Stage::Abandoned),
            Event::Reverted { .. } => batch.end(Stage::Reverted),
            Event::Erased { .. } => {}
        }
    }

    fn replace(&mut self, by: &str, replaced: &[String], at_ms: i64) {
        for name in replaced {
            if let Some(batch) = self.batches.get_mut(name) {
                batch.end(Stage::Replaced);
                batch.changed_ms = at_ms;
                batch.replaced_by = Some(by.to_owned());
            }
        }
    }

    fn exchange(&mut self, files: &[Exchange]) {
        let by: BTreeMap<&str, &Exchange> = files
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect();
        let stands_for = |file: StoredFile| match by.get(file.path.as_str()) {
            Some(exchange) => exchange.by.clone(),
            None => Some(file),
        };
        for batch in self.batches.values_mut() {
            for kept in [&mut batch.outcome.files, &mut batch.outcome.errors] {
                let before = std::mem::take(kept);
                *kept = before.into_iter().filter_map(stands_for).collect();
            }
        }
    }

    /// Where the files of all batches lie, those of rows and of refused ones.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let outcomes = self.batches.values().map(|batch| &batch.outcome);
        let files = outcomes.flat_map(|outcome| outcome.files.iter().chain(&outcome.errors));
        files.map(|file| file.path.as_str())
    }

    /// Whether all of these files are there to be exchanged.
    pub fn names_all(&self, files: &[Exchange]) -> bool {
        let known: BTreeSet<&str> = self.paths().collect();
        files.iter().all(|file| known.contains(file.path.as_str()))
    }

    /// A batch.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn batch(&self, name: &str) -> Result<&Batch, Refused> {
        let known = self.batches.get(name);
        known.ok_or_else(|| Refused::Unknown(name.to_owned()))
    }

    fn may_open(&self, name: &str, replaces: &[String]) -> Result<bool, Refused> {
        check_id(name)?;
        match self.batches.get(name) {
            Some(batch) if batch.stage == Stage::Loading && batch.replaces == replaces => Ok(false),
            Some(batch) => Err(Refused::Conflict(
                format!("the batch {name} is there already, and {}", batch.stage),
                "open one under another name: `--batch NAME` gives it one".to_owned(),
            )),
            None => self.may_replace(name, replaces).map(|()| true),
        }
    }

    fn may_replace(&self, by: &str, replaced: &[String]) -> Result<(), Refused> {
        if replaced.len() > REPLACES {
            return Err(Refused::Takes(
                format!(
                    "the batch {by} replaces {} batches, and may replace {REPLACES}",
                    replaced.len()
                ),
                "replace them by several batches".to_owned(),
            ));
        }
        for name in replaced {
            let batch = self.batch(name)?;
            if batch.stage != Stage::Active {
                return Err(Refused::Conflict(
                    format!("the batch {name} cannot be replaced: it is {}", batch.stage),
                    "only a batch whose rows are visible can be replaced".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn may_upload(&self, name: &str, upload: &Upload) -> Result<bool, Refused> {
        check_name(&upload.name)?;
        let batch = self.batch(name)?;
        if let Some(known) = batch.uploads.iter().find(|known| known.name == upload.name)
            && known == upload
        {
            return Ok(false);
        }
        batch.takes_files(name)?;
        if batch.uploads.iter().any(|known| known.name == upload.name) {
            return Err(Refused::Conflict(
                format!("the batch {name} has a file {} already", upload.name),
                "send this one under another name".to_owned(),
            ));
        }
        if batch.uploads.len() >= BATCH_FILES {
            return Err(Refused::Takes(
                format!("the batch {name} has {BATCH_FILES} files, and takes no more"),
                "complete it, and send the others in another batch".to_owned(),
            ));
        }
        let bytes = batch.bytes().saturating_add(upload.bytes);
        if bytes > BATCH_BYTES {
            return Err(Refused::Takes(
                format!(
                    "the files of the batch {name} would have {bytes} bytes, and may have {BATCH_BYTES}"
                ),
                "complete it, and send the others in another batch".to_owned(),
            ));
        }
        Ok(true)
    }

    fn may_seal(&self, name: &str) -> Result<bool, Refused> {
        let batch = self.batch(name)?;
        match batch.stage {
            Stage::Completing | Stage::Active => return Ok(false),
            Stage::Loading => {}
            stage => return Err(cannot(name, "be completed", stage)),
        }
        if batch.uploads.is_empty() {
            return Err(Refused::Takes(
                format!("the batch {name} has no files"),
                "send one, or abort the batch".to_owned(),
            ));
        }
        Ok(true)
    }

    fn may_complete(&self, name: &str, replaces: &[String]) -> Result<bool, Refused> {
        match self.batches.get(name).map(|batch| batch.stage) {
            None => check_id(name)?,
            Some(Stage::Completing) => {}
            Some(Stage::Active) => return Ok(false),
            Some(stage) => return Err(cannot(name, "be completed", stage)),
        }
        self.may_replace(name, replaces).map(|()| true)
    }

    /// Each segment is in one batch: of several that begin at the same one the first counts.
    fn may_gather(&self, name: &str, from: u64, to: u64) -> Result<bool, Refused> {
        if from <= self.gathered {
            return Ok(false);
        }
        if from != self.gathered + 1 || to < from {
            return Err(Refused::Conflict(
                format!(
                    "the batch {name} has the segments {from} to {to}, and {} come next",
                    self.gathered + 1
                ),
                "gather again".to_owned(),
            ));
        }
        self.may_complete(name, &[])
    }

    fn may_move(&self, name: &str, what: &str, from: &[Stage], to: Stage) -> Result<bool, Refused> {
        match self.batch(name)?.stage {
            stage if stage == to => Ok(false),
            stage if from.contains(&stage) => Ok(true),
            stage => Err(cannot(name, what, stage)),
        }
    }

    /// The files whose rows are visible, by batch.
    pub fn visible(&self) -> impl Iterator<Item = &StoredFile> {
        let active = self.batches.values();
        let active = active.filter(|batch| batch.stage == Stage::Active);
        active.flat_map(|batch| &batch.outcome.files)
    }

    /// Open batches that nobody went on with.
    pub fn left_open(&self, now_ms: i64) -> impl Iterator<Item = &str> {
        let since = now_ms.saturating_sub(OPEN_MS);
        let open = self
            .batches
            .iter()
            .filter(move |(_, batch)| batch.stage.is_open() && batch.changed_ms < since);
        open.map(|(name, _)| name.as_str())
    }

    /// Whether an object belongs to a batch that no record names, or not yet.
    pub fn is_unnamed(&self, place: &Place<'_>) -> bool {
        match place {
            Place::Piece(batch) | Place::Rows(batch) | Place::Errors(batch) => {
                !self.batches.contains_key(*batch)
            }
            Place::Record | Place::Checkpoint(_) | Place::Segment(_) => false,
        }
    }

    /// Whether an object of this source may not be deleted. What is left of a batch that is over, or
    /// that nothing names, stays for `grace_ms` after that: somebody may be reading it.
    pub fn needs(&self, path: &str, place: &Place<'_>, now_ms: i64, grace_ms: i64) -> bool {
        let recent = |batch: &Batch, for_ms: i64| batch.changed_ms > now_ms.saturating_sub(for_ms);
        let named = |files: &[StoredFile]| files.iter().any(|file| file.path == path);
        let (name, place) = match place {
            Place::Record => return true,
            Place::Checkpoint(sequence) => {
                return sequence.saturating_add(2 * CHECKPOINT_EVERY) > self.sequence;
            }
            Place::Segment(number) => return *number > self.gathered,
            Place::Piece(batch) | Place::Rows(batch) | Place::Errors(batch) => (*batch, place),
        };
        let Some(batch) = self.batches.get(name) else {
            return false;
        };
        if batch.stage.is_open() || recent(batch, grace_ms) {
            return true;
        }
        match place {
            Place::Rows(_) => batch.stage == Stage::Active && named(&batch.outcome.files),
            Place::Errors(_) => recent(batch, ERRORS_KEPT_MS) && named(&batch.outcome.errors),
            _ => false,
        }
    }
}

/// Stages in which a batch may still be given up.
const OPEN: &[Stage] = &[Stage::Loading, Stage::Completing];

impl Batch {
    fn end(&mut self, stage: Stage) {
        self.stage = stage;
        self.uploads = Vec::new();
        if stage.is_over() {
            self.outcome.files = Vec::new();
        }
    }

    /// Bytes of the files that were sent.
    pub fn bytes(&self) -> u64 {
        let bytes = self.uploads.iter().map(|upload| upload.bytes);
        bytes.fold(0, u64::saturating_add)
    }

    fn takes_files(&self, name: &str) -> Result<(), Refused> {
        match self.stage {
            Stage::Loading => Ok(()),
            stage => Err(cannot(name, "take files", stage)),
        }
    }
}

fn cannot(name: &str, what: &str, stage: Stage) -> Refused {
    let remedy = match stage {
        Stage::Loading => "send its files and complete it first",
        Stage::Completing => "wait until its files are checked, or abort it",
        Stage::Active => "its rows are visible: revert it, or replace it by another batch",
        _ => "it is over: open another batch",
    };
    Refused::Conflict(
        format!("the batch {name} cannot {what}: it is {stage}"),
        remedy.to_owned(),
    )
}
