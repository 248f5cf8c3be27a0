//! A batch: what can be done with it, each of which may be done again after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::ingest::{
    self, Chunk, Event, Outcome, Place, Refused, Stage, State, StoredFile, Upload, check_name,
    whole,
};
use tenfold_core::intake::is_fetched;
use tenfold_core::project::Format;
use tenfold_store::ingest::NotDone;
use tenfold_store::settle::Settled;

use crate::check::{Refusal, examine, judge};
use crate::intake::Intake;
use crate::shown::{Arriving, Shown};
use crate::stream::GATHERED;

/// A batch of a source.
pub struct Batch<'a> {
    pub(crate) intake: &'a Intake,
    pub(crate) id: String,
}

/// A file whose bytes are at hand.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its name, for whoever reads what was refused.
    pub name: String,
    /// How it is encoded.
    pub format: Format,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Batch<'_> {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Opens it: files may be sent then. Its rows will take the place of those of other batches.
    ///
    /// # Errors
    /// When a batch of this name was there before and is not just opened, another one cannot be replaced, or
    /// the name is one of those that batches of messages have.
    pub async fn open(&self, replaces: Vec<String>) -> Result<(), Failure> {
        if self.id.starts_with(GATHERED) {
            return Err(takes_not(
                format!("batches of messages have names that begin with {GATHERED}"),
                "open it under another name",
            ));
        }
        if is_fetched(&self.id) {
            return Err(takes_not(
                "such names are those of fetched activities: they say how far fetching is"
                    .to_owned(),
                "open it under another name",
            ));
        }
        self.happens(Event::Opened {
            batch: self.id.clone(),
            max_bad_rows: self.intake.max_bad_rows(),
            replaces,
        })
        .await
        .map(|_| ())
    }

    /// The batch as it is now.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn get(&self) -> Result<ingest::Batch, Failure> {
        let batch = self.intake.look(|state| state.batch(&self.id).cloned());
        batch.await?.map_err(Refused::failure)
    }

    /// How far it is.
    async fn stage(&self) -> Result<Stage, Failure> {
        let look = |state: &State| state.batch(&self.id).map(|batch| batch.stage);
        self.intake.look(look).await?.map_err(Refused::failure)
    }

    /// Keeps a piece of a file. One that came before is kept once.
    ///
    /// # Errors
    /// When no files may be sent, or other bytes came for the same place.
    pub async fn put_piece(&self, file: &str, chunk: Chunk, bytes: Bytes) -> Result<(), Failure> {
        check_name(file).map_err(Refused::failure)?;
        if bytes.len() as u64 != chunk.bytes() {
            return Err(takes_not(
                format!(
                    "a piece of {} bytes of file {file} came with {} bytes",
                    chunk.bytes(),
                    bytes.len()
                ),
                "send exactly the bytes that its range names",
            ));
        }
        self.takes_files().await?;
        let path = Place::piece(&self.intake.source, &self.id, file, chunk);
        match self.intake.store.settle(&path, bytes).await? {
            Settled::Ours => Ok(()),
            Settled::Theirs(_) => Err(other_bytes(file, chunk)),
        }
    }

    /// Whether a piece is there with these bytes. Its range alone does not tell: a file may have been
    /// changed since.
    async fn has_piece(&self, file: &str, chunk: Chunk, bytes: &Bytes) -> Result<bool, Failure> {
        let path = Place::piece(&self.intake.source, &self.id, file, chunk);
        match self.intake.store.get_if_present(&path).await? {
            None => Ok(false),
            Some(there) if there == *bytes => Ok(true),
            Some(_) => Err(other_bytes(file, chunk)),
        }
    }

    /// The pieces of a file that came so far.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pieces(&self, file: &str) -> Result<Vec<Chunk>, Failure> {
        check_name(file).map_err(Refused::failure)?;
        let store = &self.intake.store;
        let folder = Place::pieces(&self.intake.source, &self.id, file);
        let listed = store.list(&folder).await?;
        let names = listed.iter().map(|meta| store.relative(&meta.location));
        let chunk = |path: String| Chunk::named(path.rsplit('/').next()?);
        Ok(names.filter_map(chunk).collect())
    }

    /// The batch as programs see it, with the files of which pieces are missing.
    ///
    /// # Errors
    /// When there is none of this name, or the store fails.
    pub async fn shown(&self) -> Result<Shown, Failure> {
        let now = self.get().await?;
        let mut shown = Shown::of(&self.intake.source, &self.id, &now);
        if now.stage == Stage::Loading {
            shown.arriving = self.arriving(&shown.uploads).await?;
        }
        Ok(shown)
    }

    /// The same, with what is missing of one file alone: others are not looked for.
    ///
    /// # Errors
    /// As [`Batch::shown`].
    pub async fn shown_with(&self, file: &str) -> Result<Shown, Failure> {
        let now = self.get().await?;
        let mut shown = Shown::of(&self.intake.source, &self.id, &now);
        if now.stage == Stage::Loading && !shown.uploads.iter().any(|known| known == file) {
            let pieces = self.pieces(file).await?;
            let arriving = (!pieces.is_empty()).then(|| Arriving::of(file, &pieces));
            shown.arriving.extend(arriving);
        }
        Ok(shown)
    }

    async fn arriving(&self, whole: &[String]) -> Result<Vec<Arriving>, Failure> {
        let store = &self.intake.store;
        let folder = Place::uploads(&self.intake.source, &self.id);
        let mut files: BTreeMap<String, Vec<Chunk>> = BTreeMap::new();
        for meta in store.list(&folder).await? {
            let path = store.relative(&meta.location);
            let below = path.strip_prefix(&folder).unwrap_or_default();
            let Some((file, piece)) = below.trim_start_matches('/').split_once('/') else {
                continue;
            };
            if let Some(chunk) = Chunk::named(piece)
                && !whole.iter().any(|known| known == file)
            {
                files.entry(file.to_owned()).or_default().push(chunk);
            }
        }
        let arriving = files
            .iter()
            .map(|(file, chunks)| Arriving::of(file, chunks));
        Ok(arriving.collect())
    }

    /// Takes a file in whose pieces have come. A listing tells which; should it lag, a piece counts
    /// as missing, and is sent again.
    ///
    /// # Errors
    /// When a piece is missing, two overlap, or the batch takes no such file.
    pub async fn finish_file(&self, file: &str, format: Format) -> Result<Upload, Failure> {
        let chunks = whole(file, &self.pieces(file).await?)?;
        self.uploaded(file, format, chunks).await
    }

    async fn uploaded(
        &self,
        file: &str,
        format: Format,
        chunks: Vec<Chunk>,
    ) -> Result<Upload, Failure> {
        let upload = Upload {
            name: file.to_owned(),
            format,
            bytes: chunks.iter().map(|chunk| chunk.bytes()).sum(),
            chunks,
        };
        let batch = self.id.clone();
        let event = upload.clone();
        self.happens(Event::Uploaded {
            batch,
            upload: event,
        })
        .await?;
        Ok(upload)
    }

    /// Takes a file in whose bytes are at hand.
    ///
    /// # Errors
    /// When it is empty, or the batch takes no such file.
    pub async fn put(&self, file: Sent) -> Result<Upload, Failure> {
        let mut rest = file.bytes;
        let chunks: Vec<Chunk> = Chunk::cut(rest.len() as u64).collect();
        whole(&file.name, &chunks)?;
        for chunk in &chunks {
            let length = usize::try_from(chunk.bytes()).unwrap_or(usize::MAX);
            let bytes = rest.split_to(length.min(rest.len()));
            self.put_piece(&file.name, *chunk, bytes).await?;
        }
        self.uploaded(&file.name, file.format, chunks).await
    }

    /// Takes a file of this machine in, by pieces. Those that came before a crash are not sent again.
    ///
    /// # Errors
    /// When it cannot be read, is empty, was changed since pieces of it came, or the batch takes no such
    /// file.
    pub async fn put_file(
        &self,
        path: &Path,
        name: &str,
        format: Format,
    ) -> Result<Upload, Failure> {
        check_name(name).map_err(Refused::failure)?;
        let unreadable = |error: std::io::Error| {
            Failure::data(format!("cannot read {}: {error}", path.display()))
                .code(ErrorCode::UnreadableFile)
                .remedy("check that the file is there and may be read")
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let chunks: Vec<Chunk> = Chunk::cut(length).collect();
        whole(name, &chunks)?;
        let there = self.pieces(name).await?;
        for chunk in &chunks {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(chunk.from)).map_err(unreadable)?;
            let mut part = file.by_ref().take(chunk.bytes());
            part.read_to_end(&mut bytes).map_err(unreadable)?;
            let bytes = Bytes::from(bytes);
            if !there.contains(chunk) || !self.has_piece(name, *chunk, &bytes).await? {
                self.put_piece(name, *chunk, bytes).await?;
            }
        }
        self.uploaded(name, format, chunks).await
    }

    /// Checks its files, and makes its rows visible, all at once. Completing it again is one
    /// completion, by whichever process.
    ///
    /// # Errors
    /// When too many rows are refused or a file cannot be read: the batch has failed then, and
    /// nothing of it is visible. When something else fails: call again.
    pub async fn complete(&self) -> Result<ingest::Batch, Failure> {
        if self.stage().await?.is_over() {
            return self.ended().await;
        }
        let batch = self.id.clone();
        self.happens(Event::Sealed { batch }).await?;
        let now = self.get().await?;
        if now.stage == Stage::Completing {
            let examined = examine(self.intake, &self.id, &now.uploads).await;
            let judged = examined.and_then(|outcome| judge(outcome, now.max_bad_rows));
            // What was sent is gone once another process has ended it: only then that is no failure.
            if let Err(failure) = self.end(judged, now.replaces).await
                && self.is_completing().await?
            {
                return Err(failure);
            }
            self.forget(&now.uploads).await;
        }
        self.ended().await
    }

    /// Takes files in at once: they are checked and visible when this returns, with one record. A
    /// batch of this name that is complete stays as it is.
    ///
    /// # Errors
    /// As [`Batch::complete`]; but a batch that was refused leaves nothing, not even its name.
    pub async fn take(
        &self,
        files: Vec<Sent>,
        replaces: Vec<String>,
    ) -> Result<ingest::Batch, Failure> {
        let known = |state: &State| state.batches.contains_key(&self.id);
        if !self.intake.look(known).await? {
            let outcome = crate::check::examine_sent(self.intake, &self.id, files).await?;
            let outcome = judge(outcome, self.intake.max_bad_rows());
            let outcome = outcome.map_err(|refusal| refusal.0)?;
            self.visible(outcome, replaces).await?;
        }
        self.ended().await
    }

    /// Makes rows visible that were checked, with one record: of this name once.
    pub(crate) async fn visible(
        &self,
        outcome: Outcome,
        replaces: Vec<String>,
    ) -> Result<(), Failure> {
        let batch = self.id.clone();
        let event = Event::Completed {
            batch,
            outcome,
            replaces,
        };
        self.happens(event).await.map(|_| ())
    }

    /// Keeps what came of it. Another process may have ended it meanwhile: then that counts.
    async fn end(
        &self,
        judged: Result<Outcome, Refusal>,
        replaces: Vec<String>,
    ) -> Result<(), Failure> {
        let (failure, outcome) = match judged {
            Ok(outcome) => {
                let event = Event::Completed {
                    batch: self.id.clone(),
                    outcome: outcome.clone(),
                    replaces,
                };
                match self.intake.append(event).await {
                    // A batch that it was to replace is gone: it never can be completed.
                    Err(NotDone::Refused(refused)) => (refused.failure(), outcome),
                    done => return done.map(|_| ()).map_err(NotDone::failure),
                }
            }
            Err(refusal) => match *refusal {
                (failure, outcome) if failure.class == FailureClass::UserData => (failure, outcome),
                (failure, _) => return Err(failure),
            },
        };
        let event = Event::Failed {
            batch: self.id.clone(),
            outcome: outcome.without_rows(),
            failure,
        };
        match self.intake.append(event).await {
            Err(NotDone::Refused(_)) => Ok(()),
            done => done.map(|_| ()).map_err(NotDone::failure),
        }
    }

    async fn is_completing(&self) -> Result<bool, Failure> {
        Ok(self.stage().await? == Stage::Completing)
    }

    /// The batch, if its rows are visible, or why they are not. People who were erased while they were
    /// checked are taken out.
    pub(crate) async fn ended(&self) -> Result<ingest::Batch, Failure> {
        let now = self.get().await?;
        match (&now.failure, now.stage) {
            (_, Stage::Active) => {
                self.intake.honour(now.outcome.erasures).await?;
                Ok(now)
            }
            (Some(failure), _) => Err(failure.clone()),
            (None, stage) => Err(Failure::config(format!(
                "the batch {} was not completed: it is {stage}",
                self.id
            ))
            .code(ErrorCode::BatchConflict)
            .remedy("another process ended it: open another batch")),
        }
    }

    /// Gives it up, with all files that were sent.
    ///
    /// # Errors
    /// When its rows are visible, or it is over.
    pub async fn abort(&self) -> Result<(), Failure> {
        let uploads = self.get().await?.uploads;
        let batch = self.id.clone();
        self.happens(Event::Aborted { batch }).await?;
        self.forget(&uploads).await;
        Ok(())
    }

    /// Takes its rows back: the next refresh takes them out.
    ///
    /// # Errors
    /// When they are not visible.
    pub async fn revert(&self) -> Result<(), Failure> {
        let batch = self.id.clone();
        self.happens(Event::Reverted { batch }).await.map(|_| ())
    }

    /// Reads one of the files of refused rows, whose names [`Batch::get`] tells: JSON lines.
    ///
    /// # Errors
    /// When it is not kept any more, or the store fails.
    pub async fn errors(&self, file: &StoredFile) -> Result<Bytes, Failure> {
        let there = self.intake.store.get_if_present(&file.path).await?;
        there.ok_or_else(|| {
            Failure::config(format!(
                "the refused rows of batch {} are not kept any more",
                self.id
            ))
            .code(ErrorCode::UnknownBatch)
            .remedy("they are kept for 30 days: complete a batch of the same files again")
        })
    }

    async fn takes_files(&self) -> Result<(), Failure> {
        match self.stage().await? {
            Stage::Loading => Ok(()),
            stage => Err(Failure::config(format!(
                "the batch {} takes no files: it is {stage}",
                self.id
            ))
            .code(ErrorCode::BatchConflict)
            .remedy("open another batch for them")),
        }
    }

    async fn happens(&self, event: Event) -> Result<bool, Failure> {
        self.intake.append(event).await.map_err(NotDone::failure)
    }

    /// Deletes files as they were sent, once they are not needed. What is left behind by a crash
    /// goes with the next clean-up.
    async fn forget(&self, uploads: &[Upload]) {
        let source = &self.intake.source;
        for upload in uploads {
            for chunk in &upload.chunks {
                let path = Place::piece(source, &self.id, &upload.name, *chunk);
                if let Err(failure) = self.intake.store.delete(&path).await {
                    tracing::warn!(batch = %self.id, "a file that was sent is still there: {failure}");
                    return;
                }
            }
        }
    }
}

fn other_bytes(file: &str, chunk: Chunk) -> Failure {
    Failure::config(format!(
        "other bytes came before for bytes {} to {} of file {file}",
        chunk.from, chunk.to
    ))
    .code(ErrorCode::BatchConflict)
    .remedy("send the file under another name, or in another batch")
}

pub(crate) fn takes_not(message: String, remedy: &str) -> Failure {
    Failure::config(message)
        .code(ErrorCode::BatchTakesNot)
        .remedy(remedy)
}
