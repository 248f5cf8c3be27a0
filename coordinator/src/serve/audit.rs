//! Records of calls that changed something or were refused: who, what, when, and how it ended.
//!
//! Each record is an object of its own, `_audit/<time>-<nonce>.json`, written before the call is
//! answered. Records hold names of callers, never data of customers.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tenfold_store::object::Store;
use tonic::Code;

use crate::cluster::time;
use crate::seams::{Ids, WallClock};

/// Where records lie.
pub const AUDIT: &str = "_audit";

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It reached its service, which answered so.
    Answered(Code),
    /// It was turned away.
    Refused(Code),
}

/// Keeps records of calls.
pub struct Audit {
    store: Store,
    clock: Arc<dyn WallClock>,
    ids: Arc<dyn Ids>,
}

#[derive(Serialize)]
struct Record<'a> {
    format: u32,
    at: String,
    caller: &'a str,
    method: &'a str,
    decision: &'static str,
    code: String,
}

impl Audit {
    /// Keeps records in a store.
    pub fn new(store: Store, clock: Arc<dyn WallClock>, ids: Arc<dyn Ids>) -> Self {
        Self { store, clock, ids }
    }

    /// Keeps a record of a call. One that cannot be kept is said on standard error: the call was
    /// answered already.
    pub async fn note(&self, caller: &str, method: &str, outcome: Outcome) {
        let (decision, code) = match outcome {
            Outcome::Answered(code) => ("allowed", code),
            Outcome::Refused(code) => ("refused", code),
        };
        let at = time(self.clock.now_ms());
        let record = Record {
            format: 1,
            at: at.clone(),
            caller,
            method,
            decision,
            code: format!("{code:?}"),
        };
        let Ok(bytes) = serde_json::to_vec(&record) else {
            return;
        };
        let day = at.get(..10).unwrap_or("unknown");
        let path = format!("{AUDIT}/{day}/{at}-{}.json", self.ids.nonce());
        if let Err(failure) = self.store.put(&path, Bytes::from(bytes)).await {
            tracing::error!(%method, %caller, %failure, "an audit record was not kept");
        }
    }
}
