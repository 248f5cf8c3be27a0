//! Records of calls that changed something or were refused: who, what, when, and how it ended.
//!
//! Each record is an object of its own, `_audit/<epoch>/<number>.json`, created once, and names the
//! hash of the one before (`core/src/audit.rs`). So they are written one after the other. That of a
//! call that changed something is written before the call is answered. Of refused calls that are alike (caller,
//! method, reason) the first is recorded at once; the others of the next minute are counted, and
//! recorded as one with their number. So whoever calls however often makes only so many records.
//! Records hold names and addresses of callers, never tokens, nor data of customers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tenfold_core::audit::{AUDIT, Call, Link, Record, record_path};
use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_hex;
use tenfold_store::object::{Created, Store};
use tonic::Code;

use crate::cluster::{lock, time};
use crate::seams::WallClock;

/// So long refused calls that are alike are counted into one record.
const COUNTED_MS: i64 = 60_000;
/// Records that are read at a time.
const AT_ONCE: usize = 32;
/// How often it is looked whether that time is over.
const LOOK: Duration = Duration::from_secs(10);

/// Keeps records of calls.
pub struct Audit {
    store: Store,
    clock: Arc<dyn WallClock>,
    epoch: u64,
    /// The newest record, once it is known.
    newest: tokio::sync::Mutex<Option<Newest>>,
    refused: Mutex<BTreeMap<Refused, Repeats>>,
    kept: AtomicU64,
    lost: AtomicU64,
}

/// A call that was turned away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// Who called; empty when unknown.
    pub caller: String,
    /// What was called: one of the server's methods, or a word for all others.
    pub method: String,
    /// Why it was refused.
    pub code: i32,
}

/// Calls alike, after the first one.
struct Repeats {
    first_ms: i64,
    last_ms: i64,
    more: u64,
}

/// Where the next record goes.
#[derive(Clone)]
struct Newest {
    /// How many records this office has written.
    number: u64,
    link: Option<Link>,
}

impl Audit {
    /// Keeps the records of an office in a store.
    pub fn new(store: Store, clock: Arc<dyn WallClock>, epoch: u64) -> Self {
        Self {
            store,
            clock,
            epoch,
            newest: tokio::sync::Mutex::default(),
            refused: Mutex::default(),
            kept: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Keeps a record of a call that reached its service.
    pub async fn answered(&self, caller: &str, from: Option<IpAddr>, method: &str, code: Code) {
        self.keep(Call {
            at: time(self.clock.now_ms()),
            caller: caller.to_owned(),
            from,
            method: method.to_owned(),
            decision: "allowed".to_owned(),
            code: format!("{code:?}"),
            times: 1,
            until: None,
        })
        .await;
    }

    /// Keeps a record of a call that was turned away, or counts it.
    pub async fn refused(&self, refused: Refused, from: Option<IpAddr>) {
        let now_ms = self.clock.now_ms();
        {
            let mut counted = lock(&self.refused);
            if let Some(repeats) = counted.get_mut(&refused) {
                repeats.more += 1;
                repeats.last_ms = now_ms;
                return;
            }
            let repeats = Repeats {
                first_ms: now_ms,
                last_ms: now_ms,
                more: 0,
            };
            counted.insert(refused.clone(), repeats);
        }
        self.keep(turned_away(&refused, from, now_ms, 1, None))
            .await;
    }

    /// Records what was counted for long enough, for as long as the future is polled.
    pub async fn keep_counting(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let until = self.clock.now_ms() - COUNTED_MS;
            self.keep_counted(|repeats| repeats.first_ms <= until).await;
        }
    }

    /// Records what was counted: the server ends.
    pub async fn finish(&self) {
        self.keep_counted(|_| true).await;
    }

    async fn keep_counted(&self, over: impl Fn(&Repeats) -> bool) {
        let counted: Vec<_> = lock(&self.refused)
            .extract_if(.., |_, repeats| over(repeats))
            .collect();
        for (refused, repeats) in counted.iter().filter(|(_, repeats)| repeats.more > 0) {
            let until = Some(time(repeats.last_ms));
            let call = turned_away(refused, None, repeats.first_ms, repeats.more, until);
            self.keep(call).await;
        }
    }

    /// Records that were kept, and that could not be.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.kept), count(&self.lost))
    }

    /// Keeps a record. One that cannot be kept is said on standard error: what it tells of has
    /// happened already.
    async fn keep(&self, call: Call) {
        let (method, caller) = (call.method.clone(), call.caller.clone());
        let Err(failure) = self.linked(call).await else {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.lost.fetch_add(1, Ordering::Relaxed);
        tracing::error!(method, caller, %failure, "an audit record was not kept");
    }

    /// Writes a record behind the newest one. A record whose writing failed may be there all the
    /// same: then it is the newest, and the next one comes after it.
    async fn linked(&self, call: Call) -> Result<(), Failure> {
        let mut newest = self.newest.lock().await;
        let mut last = match newest.take() {
            Some(newest) => newest,
            None => Newest {
                number: 0,
                link: last_before(&self.store, self.epoch).await?,
            },
        };
        loop {
            let record = Record {
                format: Record::FORMAT,
                epoch: self.epoch,
                number: last.number + 1,
                before: last.link.clone(),
                call: call.clone(),
            };
            let bytes = serde_json::to_vec(&record).map_err(|e| Failure::bug(e.to_string()))?;
            let path = record_path(record.epoch, record.number);
            *newest = Some(last);
            let there = match self.store.create(&path, Bytes::from(bytes.clone())).await? {
                Created::Ours => bytes.clone(),
                Created::Exists => self.store.get(&path).await?.to_vec(),
            };
            last = Newest {
                number: record.number,
                link: Some(Link {
                    epoch: record.epoch,
                    number: record.number,
                    sha256: sha256_hex(&there),
                }),
            };
            if there == bytes {
                *newest = Some(last);
                return Ok(());
            }
        }
    }
}

fn turned_away(
    refused: &Refused,
    from: Option<IpAddr>,
    at_ms: i64,
    times: u64,
    until: Option<String>,
) -> Call {
    Call {
        at: time(at_ms),
        caller: refused.caller.clone(),
        from,
        method: refused.method.clone(),
        decision: "refused".to_owned(),
        code: format!("{:?}", Code::from_i32(refused.code)),
        times,
        until,
    }
}

/// The newest record of the offices before one.
async fn last_before(store: &Store, epoch: u64) -> Result<Option<Link>, Failure> {
    let listed = store.list(AUDIT).await?;
    let places = listed
        .iter()
        .filter_map(|meta| place(&store.relative(&meta.location)));
    let Some((epoch, number)) = places.filter(|(of, _)| *of < epoch).max() else {
        return Ok(None);
    };
    let bytes = store.get(&record_path(epoch, number)).await?;
    Ok(Some(Link {
        epoch,
        number,
        sha256: sha256_hex(&bytes),
    }))
}

/// Office and number in the path of a record; none for those of earlier forms.
fn place(path: &str) -> Option<(u64, u64)> {
    let name = path.strip_prefix(AUDIT)?.strip_prefix('/')?;
    let (epoch, number) = name.strip_suffix(".json")?.split_once('/')?;
    Some((epoch.parse().ok()?, number.parse().ok()?))
}

/// Reads all records of a store: where each lies, and its bytes.
///
/// # Errors
/// When the store does not answer.
pub async fn records(store: &Store) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let listed = store.list(AUDIT).await?;
    let paths = listed.iter().map(|meta| store.relative(&meta.location));
    let mut records: Vec<_> = futures::stream::iter(paths.collect::<Vec<_>>())
        .map(|path| async move {
            let bytes = store.get(&path).await?;
            Ok::<_, Failure>((path, bytes.to_vec()))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    records.sort();
    Ok(records)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tenfold_core::audit::verify;

    use super::*;
    use crate::seams::System;

    async fn all(store: &Store) -> Vec<Value> {
        let records = records(store).await.unwrap();
        let parsed = records
            .iter()
            .map(|(_, bytes)| serde_json::from_slice(bytes));
        parsed.map(Result::unwrap).collect()
    }

    fn audit(store: &Store, epoch: u64) -> Audit {
        Audit::new(store.clone(), Arc::new(System), epoch)
    }

    fn refused() -> Refused {
        Refused {
            caller: String::new(),
            method: "/tenfold.v1.Operator/GetRun".to_owned(),
            code: Code::Unauthenticated as i32,
        }
    }

    #[tokio::test]
    async fn a_flood_of_refused_calls_is_two_records() {
        let store = Store::in_memory();
        let audit = audit(&store, 1);
        let from = Some(IpAddr::from([10, 0, 0, 1]));
        for _ in 0..10_000 {
            audit.refused(refused(), from).await;
        }
        let first = all(&store).await;
        assert_eq!(first.len(), 1);
        assert_eq!(first[0]["from"], "10.0.0.1");
        assert_eq!(first[0]["code"], "Unauthenticated");
        audit.finish().await;
        let times = all(&store).await;
        let times: u64 = times.iter().map(|r| r["times"].as_u64().unwrap()).sum();
        assert_eq!(times, 10_000);
        assert_eq!(audit.counts(), (2, 0));
        // What comes later is recorded at once again.
        audit.refused(refused(), from).await;
        assert_eq!(all(&store).await.len(), 3);
    }

    #[tokio::test]
    async fn records_of_all_offices_are_one_chain() {
        let store = Store::in_memory();
        for (epoch, calls) in [(2, 3), (5, 1), (9, 2)] {
            let audit = audit(&store, epoch);
            let calls = (0..calls).map(|_| audit.answered("jane", None, "m", Code::Ok));
            futures::future::join_all(calls).await;
        }
        let found = records(&store).await.unwrap();
        let verified = verify(&found, None).unwrap();
        assert_eq!(verified.findings, []);
        assert_eq!((verified.records, verified.offices), (6, 3));
    }

    #[tokio::test]
    async fn a_record_that_was_written_without_an_answer_is_followed_by_the_next() {
        let store = Store::in_memory();
        let audit = audit(&store, 4);
        audit.answered("jane", None, "first", Code::Ok).await;
        let lost = audit.newest.lock().await.clone();
        audit.answered("jane", None, "second", Code::Ok).await;
        // As if the answer to the second had been lost.
        *audit.newest.lock().await = lost;
        audit.answered("jane", None, "third", Code::Ok).await;
        let methods: Vec<Value> = all(&store)
            .await
            .iter()
            .map(|r| r["method"].clone())
            .collect();
        assert_eq!(methods, ["first", "second", "third"]);
        let found = records(&store).await.unwrap();
        assert_eq!(verify(&found, None).unwrap().findings, []);
    }
}
