//! Erasure: the one file that says in which order people are taken out of a store.
//!
//! 1. A record of the marks names a list of hashes with the people added (`_erasures/lists`). From
//!    here on nothing is published that does not leave them out: an announcement says how many
//!    erasures it honours. What is confirmed from here on is never lost: everything that follows
//!    is done from the list, by whoever finds the erasure unfinished. Before there is a snapshot an
//!    erasure begins only while nobody has announced one: nothing could take its number in step 2.
//! 2. Every snapshot that has not expired is written anew without them, the oldest first, its user
//!    tables computed from what is left, and a manifest with the next revision stands for it. A publication that was announced before the
//!    record may still take its number: it is rewritten too; or, if it has not come by then, its
//!    number is taken with the content of the newest snapshot, and it finds that out.
//!    What deliveries keep of their rows is written anew too, here and in step 4.
//! 3. A record says that no snapshot shows them any more. Refreshes go on.
//! 4. When queries that had begun before have ended, the logs of Delta tables name new files instead of
//!    old ones in all versions, and everything goes that was written by then and is not in use any
//!    more: old parts, the work of runs, refused rows of runs that failed.
//! 5. A receipt, and a record that it is done.
//!
//! Each step can be done again: content decides names, and a snapshot that honours the erasure is
//! left alone. A crash anywhere leaves every snapshot readable.

mod receipt;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::project::{CustomerType, Project};
use tenfold_core::refresh::state::OLDEST_STATE;
use tenfold_core::snapshot::{
    Erasing, Event, Gone, Manifest, Marks, Suppression, SuppressionList, erasures,
};
use tenfold_store::cleanup::{self, Cleaned, clean_up_erased};
use tenfold_store::delta::replace_files;
use tenfold_store::erase::{Eraser, deliveries, gone, ingested, replaced, supersede};
use tenfold_store::marks::{NotMarked, Writer, mark, marks};
use tenfold_store::object::{Store, failure};
use tenfold_store::part::{get_part, put_part};
use tenfold_store::publish::{highest, newest, read_manifest};

pub(crate) use receipt::shown;
pub use receipt::{Finished, Known, Receipt, RewrittenSnapshot, known};

use crate::rollback::again;
use crate::store::bytes_of::json;
use crate::{Executor, Stopped, store};

/// After no snapshot shows people any more, old parts stay for so long: queries end meanwhile.
pub const READERS_MS: i64 = 60 * 60 * 1000;

/// For so long a publication that was announced before is waited for.
const ANNOUNCED_FOR: Duration = Duration::from_secs(3);

/// Who carries out an erasure.
pub struct Errand<'a> {
    /// The store.
    pub store: &'a Store,
    /// A name that nobody else uses.
    pub name: &'a str,
    /// The current time, RFC 3339 in UTC and in milliseconds since 1970.
    pub now: &'a (dyn Fn() -> (String, i64) + Sync),
}

impl Errand<'_> {
    fn writer(&self) -> Writer<'_> {
        Writer {
            name: self.name,
            at_ms: (self.now)().1,
        }
    }
}

/// Begins an erasure: when this returns, it is kept. None when all of these people were erased
/// before. The salt counts for the first erasure of a store.
///
/// # Errors
/// When it could not be carried out, or the store fails: it is unknown then whether the erasure began.
pub async fn begin(
    errand: &Errand<'_>,
    keys: &BTreeSet<String>,
    salt: &str,
) -> Result<Option<u64>, NotMarked> {
    let kept = errand.store;
    readable(kept).await?;
    loop {
        let now = marks(kept).await?;
        // The marks are read first: what they announce may have been published since.
        let published = highest(kept).await? > 0;
        if !published && !now.announced.is_empty() {
            return Err(first_announced().into());
        }
        let known = now.suppression;
        let list = match &known {
            Some(known) => list_of(kept, known).await?,
            None => SuppressionList::new(salt.to_owned()),
        };
        let gone = Gone::since(&list, 0);
        let is_new = |key: &&String| !gone.has_text(key);
        let new: BTreeSet<String> = keys.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Ok(None);
        }
        let honoured = erasures(known.as_ref());
        let list = list.with(honoured + 1, &new);
        let (rows, bytes) = (list.people.len() as u64, json(&list)?);
        let list = put_part(kept, SuppressionList::FOLDER, "json", rows, bytes).await?;
        kept.secure(vec![list.path.clone()]).await?;
        let event = Event::ErasureBegan {
            suppression: Suppression {
                erasures: honoured + 1,
                list,
            },
            erasing: Erasing {
                people: new.len() as u64,
                at_ms: (errand.now)().1,
                rewritten_ms: None,
            },
        };
        // Whoever was first in the meantime, theirs is added to; a first snapshot that somebody is
        // about to publish by now is looked at anew.
        let decide = |now: &Marks| {
            let as_before = erasures(now.suppression.as_ref()) == honoured
                && (published || now.announced.is_empty());
            as_before.then(|| event.clone())
        };
        if let (_, Some(_)) = mark(kept, errand.writer(), decide).await? {
            return Ok(Some(honoured + 1));
        }
    }
}

/// That the number of the first snapshot is announced: it could be published after the erasure, and
/// there is no other one whose content could take the number.
fn first_announced() -> Failure {
    Failure::config("a run is about to publish the first snapshot, or was when it ended")
        .remedy("refresh, and erase once the first snapshot is published")
}

/// Refuses what could not be carried out, before it is promised.
async fn readable(kept: &Store) -> Result<(), Failure> {
    let marks = marks(kept).await?;
    let declared = declared(kept).await?;
    for number in 1..=highest(kept).await? {
        if !marks.is_expired(number)
            && let Some(manifest) = read_manifest(kept, number).await?
        {
            understood(kept, &manifest).await?;
            user::refuse_increments(&manifest, declared.as_ref())?;
        }
    }
    Ok(())
}

/// The newest declarations.
async fn declared(kept: &Store) -> Result<Option<Project>, Failure> {
    let head = newest(kept).await?.head;
    Ok(head.map(|head| head.declarations))
}

/// The type of the customers. Before the first snapshot nothing in the store says it: keys count in
/// every form then.
async fn key_type(kept: &Store) -> Result<CustomerType, Failure> {
    let declared = declared(kept).await?;
    Ok(declared.map_or(CustomerType::Int64, |project| project.customer.key_type))
}

async fn list_of(kept: &Store, known: &Suppression) -> Result<SuppressionList, Failure> {
    let bytes = get_part(kept, &known.list).await?;
    format::read(&bytes, SuppressionList::FORMAT, &known.list.path)
}

/// Steps 2 and 3 of every erasure that has not come so far. `executor` computes user tables anew, and
/// `rewritten` is told each number.
///
/// # Errors
/// When something cannot be read or written; what was done is kept, and the next call goes on.
pub async fn carry_out(
    errand: &Errand<'_>,
    executor: &dyn Executor,
    rewritten: &(dyn Fn(u64) + Sync),
) -> Result<(), Failure> {
    let kept = errand.store;
    let now = marks(kept).await?;
    let (Some(first), Some(suppression)) = (now.unfinished_erasure(), now.suppression) else {
        return Ok(());
    };
    let list = list_of(kept, &suppression).await?;
    let mut rewriting = Rewriting {
        errand,
        executor,
        suppression: &suppression,
        list: &list,
        declared: declared(kept).await?,
        erasers: BTreeMap::new(),
        done: BTreeMap::new(),
    };
    rewriting.all(rewritten).await?;
    let gone = Gone::since(&list, 0);
    ingested(kept, errand.writer(), &gone, key_type(kept).await?).await?;
    deliveries(kept, &gone, (errand.now)().1).await?;
    let snapshots: Vec<RewrittenSnapshot> = rewriting.done.into_values().collect();
    for (erasure, erasing) in now.erasing.range(first..=suppression.erasures) {
        let receipt = Receipt {
            format: Receipt::FORMAT,
            erasure: *erasure,
            people: erasing.people,
            began_at: shown(erasing.at_ms),
            rewritten_at: (errand.now)().0,
            snapshots: snapshots.clone(),
        };
        kept.create(&Receipt::path(*erasure), json(&receipt)?)
            .await?;
    }
    let event = Event::ErasureRewritten {
        erasure: suppression.erasures,
        at_ms: (errand.now)().1,
    };
    let marked = mark(kept, errand.writer(), |_| Some(event.clone())).await;
    marked.map(|_| ()).map_err(NotMarked::failure)
}

/// Every snapshot, one after the other.
struct Rewriting<'a> {
    errand: &'a Errand<'a>,
    executor: &'a dyn Executor,
    suppression: &'a Suppression,
    list: &'a SuppressionList,
    declared: Option<Project>,
    /// By how many erasures a snapshot honours: who is taken out of it.
    erasers: BTreeMap<u64, Eraser<'a>>,
    done: BTreeMap<u64, RewrittenSnapshot>,
}

impl<'a> Rewriting<'a> {
    async fn all(&mut self, rewritten: &(dyn Fn(u64) + Sync)) -> Result<(), Failure> {
        let kept = self.errand.store;
        let mut next = 1;
        let began = tokio::time::Instant::now();
        loop {
            let last = highest(kept).await?;
            for number in next..=last {
                self.one(number).await?;
                rewritten(number);
            }
            next = last + 1;
            let now = marks(kept).await?;
            let honours = |number: u64, honoured: u64| number > last && honoured < self.honoured();
            let mut announced = now.announced.values();
            if !announced.any(|open| honours(open.number, open.erasures)) {
                return Ok(());
            }
            if began.elapsed() > ANNOUNCED_FOR {
                self.take_number(last).await?;
            } else {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn honoured(&self) -> u64 {
        self.suppression.erasures
    }

    /// Publishes the newest snapshot again, so that nobody else takes the number after `last`, up to
    /// which all are rewritten.
    async fn take_number(&self, last: u64) -> Result<(), Failure> {
        let kept = self.errand.store;
        let newest = newest(kept).await?;
        // One that came meanwhile still shows them: it is rewritten, never copied.
        if newest.last != last {
            return Ok(());
        }
        let Some(head) = &newest.head else {
            return Err(Failure::dependency(
                "a run was about to publish the first snapshot when the erasure began",
            )
            .remedy("when it has ended, go on with `tenfold erase resume`"));
        };
        let run = ulid::Ulid::new().to_string();
        let suppression = Some(self.suppression.clone());
        match again(kept, head, &newest, suppression, run, (self.errand.now)()).await {
            // Another snapshot is there: it is looked at next.
            Ok(_) | Err(Stopped::LostRace(_)) => Ok(()),
            Err(Stopped::Failed(failure)) => Err(failure),
        }
    }

    async fn one(&mut self, number: u64) -> Result<(), Failure> {
        let kept = self.errand.store;
        if marks(kept).await?.is_expired(number) {
            return Ok(());
        }
        match self.rewrite(number).await {
            // It expired meanwhile, and its objects went.
            Err(_) if marks(kept).await?.is_deleted(number) => Ok(()),
            done => done.map_err(|failure| failure.within(format!("snapshot {number}"))),
        }
    }

    async fn rewrite(&mut self, number: u64) -> Result<(), Failure> {
        let kept = self.errand.store;
        let Some(manifest) = read_manifest(kept, number).await? else {
            return Ok(());
        };
        let honoured = erasures(manifest.suppression.as_ref());
        if honoured >= self.honoured() {
            // Rewritten before this was gone on with.
            self.note(&manifest);
            return Ok(());
        }
        let index = understood(kept, &manifest).await?;
        let list = self.list;
        let declared = &self.declared;
        let eraser = self.erasers.entry(honoured).or_insert_with(|| {
            Eraser::new(kept, Gone::since(list, honoured), declared.clone(), true)
        });
        let without = eraser.snapshot(&manifest, &index, self.suppression.erasures);
        let Some(mut without) = without.await? else {
            return Ok(());
        };
        user::compute_anew(&mut without, self.executor).await?;
        let head = newest(kept).await?.head;
        let at_head = manifest.backfill.is_some() || head.is_some_and(|head| head.number == number);
        let at_ms = (self.errand.now)().1;
        let manifest = supersede(kept, without, self.suppression, at_head, at_ms).await?;
        self.note(&manifest);
        Ok(())
    }

    fn note(&mut self, manifest: &Manifest) {
        if let Some(erased) = manifest.erased.clone()
            && erased.erasure == self.honoured()
        {
            let snapshot = RewrittenSnapshot {
                number: manifest.number,
                snapshot_hash: manifest.snapshot_hash.clone(),
                erased,
            };
            self.done.insert(manifest.number, snapshot);
        }
    }
}

async fn understood(
    kept: &Store,
    manifest: &Manifest,
) -> Result<tenfold_core::refresh::state::StateIndex, Failure> {
    let index = store::state(kept, manifest).await?;
    match index.format {
        OLDEST_STATE.. => Ok(index),
        older => Err(Failure::config(format!(
            "snapshot {} keeps its state in form {older}, which cannot be written anew",
            manifest.number
        ))
        .remedy("refresh, let that snapshot expire, and erase then")),
    }
}

/// What an erasure of these people would take out, by snapshot. Writes nothing.
///
/// # Errors
/// When something cannot be read.
pub async fn preview(
    kept: &Store,
    keys: &BTreeSet<String>,
) -> Result<Vec<RewrittenSnapshot>, Failure> {
    let list = SuppressionList::new(String::new()).with(1, keys);
    let declared = declared(kept).await?;
    let mut eraser = Eraser::new(kept, Gone::since(&list, 0), declared, false);
    let marks = marks(kept).await?;
    let mut found = Vec::new();
    for number in 1..=highest(kept).await? {
        if marks.is_expired(number) {
            continue;
        }
        let Some(manifest) = read_manifest(kept, number).await? else {
            continue;
        };
        let index = understood(kept, &manifest).await?;
        if let Some(without) = eraser.snapshot(&manifest, &index, 0).await? {
            found.push(RewrittenSnapshot {
                number,
                snapshot_hash: manifest.snapshot_hash,
                erased: without.manifest.erased.unwrap_or_default(),
            });
        }
    }
    Ok(found)
}

/// Steps 4 and 5 of every erasure whose snapshots were rewritten so long ago.
///
/// # Errors
/// When somebody else cleans up, or the store fails; the next call goes on.
pub async fn finish(errand: &Errand<'_>, readers_ms: i64) -> Result<(), NotMarked> {
    let kept = errand.store;
    for (erasure, erasing) in marks(kept).await?.erasing {
        let Some(rewritten_ms) = erasing.rewritten_ms else {
            continue;
        };
        if rewritten_ms + readers_ms > (errand.now)().1 {
            continue;
        }
        // By the store's own clock, as everything that it lists.
        let path = kept.path(&Receipt::path(erasure));
        let meta = kept.objects().head(&path).await;
        let meta =
            meta.map_err(|e| failure("look up", &kept.locate(&Receipt::path(erasure)), &e))?;
        let old = cleanup::Erasure {
            expired_ms: rewritten_ms,
            written_ms: meta.last_modified.timestamp_millis(),
        };
        // Files that were sent while the erasure began may have been checked without it, and a delivery
        // may have named them once more.
        if let Some(gone) = gone(kept).await? {
            ingested(kept, errand.writer(), &gone, key_type(kept).await?).await?;
            deliveries(kept, &gone, (errand.now)().1).await?;
        }
        mend_logs(kept).await?;
        let (cleaned, all) = clean_up_erased(kept, errand.writer(), old).await?;
        if all {
            end(errand, erasure, &cleaned).await?;
        }
    }
    Ok(())
}

/// Lets all versions of the tables' logs name the files that there will be.
async fn mend_logs(kept: &Store) -> Result<(), Failure> {
    let marks = marks(kept).await?;
    let mut by_root = BTreeMap::new();
    for number in 1..=highest(kept).await? {
        if !marks.is_expired(number) {
            replaced(kept, number, &mut by_root).await?;
        }
    }
    for (root, files) in &by_root {
        replace_files(kept, root, files).await?;
    }
    Ok(())
}

async fn end(errand: &Errand<'_>, erasure: u64, cleaned: &Cleaned) -> Result<(), NotMarked> {
    let finished = Finished {
        format: Receipt::FORMAT,
        erasure,
        finished_at: (errand.now)().0,
        objects: cleaned.objects,
        bytes: cleaned.bytes,
    };
    let bytes: Bytes = json(&finished)?;
    errand.store.create(&Finished::path(erasure), bytes).await?;
    let event = Event::ErasureEnded { erasure };
    mark(errand.store, errand.writer(), |_| Some(event.clone())).await?;
    Ok(())
}
