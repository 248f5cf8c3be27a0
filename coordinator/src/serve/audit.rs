//! Records of calls that changed something or were refused: who, what, when, and how it ended.
//!
//! Each record is an object of its own, `_audit/<day>/<time>-<nonce>.json`. That of a call that
//! changed something is written before the call is answered. Of refused calls that are alike (caller,
//! method, reason) the first is recorded at once; the others of the next minute are counted, and
//! recorded as one with their number. So whoever calls however often makes only so many records.
//! Records hold names and addresses of callers, never tokens, nor data of customers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_store::object::Store;
use tonic::Code;

use crate::cluster::{lock, time};
use crate::seams::{Ids, WallClock};

/// Where records lie.
pub const AUDIT: &str = "_audit";
/// So long refused calls that are alike are counted into one record.
const COUNTED_MS: i64 = 60_000;
/// How often it is looked whether that time is over.
const LOOK: Duration = Duration::from_secs(10);

/// Keeps records of calls.
pub struct Audit {
    store: Store,
    clock: Arc<dyn WallClock>,
    ids: Arc<dyn Ids>,
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

#[derive(Serialize)]
struct Record<'a> {
    format: u32,
    at: String,
    caller: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    method: &'a str,
    decision: &'static str,
    code: String,
    /// How many calls it stands for.
    times: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl Audit {
    /// Keeps records in a store.
    pub fn new(store: Store, clock: Arc<dyn WallClock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            store,
            clock,
            ids,
            refused: Mutex::default(),
            kept: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Keeps a record of a call that reached its service.
    pub async fn answered(&self, caller: &str, from: Option<IpAddr>, method: &str, code: Code) {
        self.keep(&Record {
            format: 1,
            at: time(self.clock.now_ms()),
            caller,
            from,
            method,
            decision: "allowed",
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
        self.keep(&record(&refused, from, now_ms, 1, None)).await;
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
            let record = record(refused, None, repeats.first_ms, repeats.more, until);
            self.keep(&record).await;
        }
    }

    /// Records that were kept, and that could not be.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.kept), count(&self.lost))
    }

    /// Keeps a record. One that cannot be kept is said on standard error: what it tells of has
    /// happened already.
    async fn keep(&self, record: &Record<'_>) {
        let day = record.at.get(..10).unwrap_or("unknown");
        let path = format!("{AUDIT}/{day}/{}-{}.json", record.at, self.ids.nonce());
        let written = match serde_json::to_vec(record) {
            Ok(bytes) => self.store.put(&path, Bytes::from(bytes)).await,
            Err(error) => Err(Failure::bug(error.to_string())),
        };
        let Err(failure) = written else {
            self.kept.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.lost.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            method = record.method, caller = record.caller, %failure,
            "an audit record was not kept"
        );
    }
}

fn record(
    refused: &Refused,
    from: Option<IpAddr>,
    at_ms: i64,
    times: u64,
    until: Option<String>,
) -> Record<'_> {
    Record {
        format: 1,
        at: time(at_ms),
        caller: &refused.caller,
        from,
        method: &refused.method,
        decision: "refused",
        code: format!("{:?}", Code::from_i32(refused.code)),
        times,
        until,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::seams::System;

    async fn records(store: &Store) -> Vec<Value> {
        let mut records = Vec::new();
        for meta in store.list(AUDIT).await.unwrap() {
            let bytes = store.get(&store.relative(&meta.location)).await.unwrap();
            records.push(serde_json::from_slice(&bytes).unwrap());
        }
        records
    }

    #[tokio::test]
    async fn a_flood_of_refused_calls_is_two_records() {
        let store = Store::in_memory();
        let audit = Audit::new(store.clone(), Arc::new(System), Arc::new(System));
        let refused = Refused {
            caller: String::new(),
            method: "/tenfold.v1.Operator/GetRun".to_owned(),
            code: Code::Unauthenticated as i32,
        };
        let from = Some(IpAddr::from([10, 0, 0, 1]));
        for _ in 0..10_000 {
            audit.refused(refused.clone(), from).await;
        }
        let first = records(&store).await;
        assert_eq!(first.len(), 1);
        assert_eq!(first[0]["from"], "10.0.0.1");
        assert_eq!(first[0]["code"], "Unauthenticated");
        audit.finish().await;
        let times = records(&store).await;
        let times: u64 = times.iter().map(|r| r["times"].as_u64().unwrap()).sum();
        assert_eq!(times, 10_000);
        assert_eq!(audit.counts(), (2, 0));
        // What comes later is recorded at once again.
        audit.refused(refused, from).await;
        assert_eq!(records(&store).await.len(), 3);
    }
}
