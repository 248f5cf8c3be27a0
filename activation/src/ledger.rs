//! The ledger of deliveries: what was planned, who sends it, what was accepted.
//!
//! ```text
//! _deliveries/<name>/<number>/plan.json          created once; pins snapshot, rows and batches
//! _deliveries/<name>/<number>/claims/<epoch>.json    who sends; the highest epoch counts
//! _deliveries/<name>/<number>/results/<batch>.json   what became of a batch, by places of rows
//! _deliveries/<name>/<number>/done.json          how it ended, and who is acknowledged since
//! _deliveries/<name>/<number>/<sha256>.parquet   rows of the plan; those acknowledged
//! ```
//!
//! Every record is created if absent and never changed. A number is planned once the one before it is
//! done. Rows stand in parts alone: records name them by their place. When somebody is erased, the
//! parts that name them are written anew, and `plan.r<k>.json` or `done.r<k>.json` with the highest k
//! stands for the record.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tenfold_core::activation::{Acknowledged, DeliverySpec, PlanCounts};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::format;
use tenfold_core::refresh::part::PartRef;
use tenfold_store::erase::{DELIVERIES, revision_path};
use tenfold_store::object::Store;
use tenfold_store::settle::Settled;

use crate::driver::{DeliveryInfo, FieldKind};
use crate::rows;

/// Version of the records' form.
const FORMAT: u32 = 1;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// Version of this record's form.
    pub format: u32,
    /// Its number, from 1.
    pub number: u64,
    /// What tells this delivery from every other one of the store.
    pub id: String,
    /// When it was planned, in milliseconds since 1970.
    pub planned_ms: i64,
    /// The snapshot that the rows are of.
    pub snapshot: u64,
    /// The delivery as it was declared.
    pub spec: DeliverySpec,
    /// Kind of the destination.
    pub kind: String,
    /// What tells its place from others, as a hash; none in records of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the destination calls the identity.
    pub identity: String,
    /// Names and kinds of the fields.
    pub fields: Vec<(String, FieldKind)>,
    /// How many rows of each sort.
    pub counts: PlanCounts,
    /// Everybody whom it is about; none when that is nobody.
    pub work: Option<PartRef>,
    /// Those whom the destination had acknowledged before.
    pub before: Option<PartRef>,
    /// Places in `work` where the batches end.
    pub ends: Vec<u64>,
}

impl PlanRecord {
    /// The delivery as its destination gets to know it.
    pub fn info(&self) -> DeliveryInfo {
        DeliveryInfo {
            delivery: self.spec.delivery.clone(),
            number: self.number,
            id: self.id.clone(),
            list: self.spec.list().to_owned(),
            audience: self.spec.from.name().to_owned(),
            campaign: self.spec.campaign.clone(),
            status: self.spec.status.clone(),
            snapshot: self.snapshot,
            planned_ms: self.planned_ms,
            identity: self.identity.clone(),
            fields: self.fields.clone(),
            rows: self.counts.rows,
            batches: self.ends.len() as u64,
        }
    }

    /// The places in `work` of a batch.
    pub fn places(&self, batch: usize) -> std::ops::Range<usize> {
        let end = |batch: usize| self.ends.get(batch).copied().unwrap_or(0) as usize;
        let begin = batch.checked_sub(1).map_or(0, end);
        begin..end(batch)
    }
}

/// Who sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// Version of this record's form.
    pub format: u32,
    /// A name that nobody else has.
    pub holder: String,
    /// Since when, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What became of a batch. Rows that are not named were accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRecord {
    /// Version of this record's form.
    pub format: u32,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Rows that were not.
    pub rejected: Vec<Rejection>,
    /// Places in the plan's work of rows that were not sent, since their people were erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<u64>,
}

/// A row that the destination does not want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Its place in the plan's work.
    pub row: u64,
    /// The destination's code, or one of ours.
    pub code: String,
    /// Why, without values of the row.
    pub message: String,
    /// Whether the same row may be taken another time.
    pub retryable: bool,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every row was accepted.
    Succeeded,
    /// Some rows were rejected.
    Partial,
    /// It was cancelled.
    Cancelled,
}

/// How a delivery ended, and who is acknowledged since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneRecord {
    /// Version of this record's form.
    pub format: u32,
    /// How it ended.
    pub state: Ending,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Rows whose outcome nobody waited for.
    pub unsent: u64,
    /// Those whom the destination has; none when that is nobody.
    pub acknowledged: Option<PartRef>,
}

/// The ledger of one delivery.
#[derive(Clone)]
pub struct Ledger<'a> {
    store: &'a Store,
    name: &'a str,
}

impl<'a> Ledger<'a> {
    /// The ledger of the delivery of a name.
    pub fn new(store: &'a Store, name: &'a str) -> Self {
        Self { store, name }
    }

    /// The store.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The folder of a number.
    pub fn folder(&self, number: u64) -> String {
        format!("{DELIVERIES}/{}/{number:08}", self.name)
    }

    fn plan_path(&self, number: u64) -> String {
        format!("{}/plan", self.folder(number))
    }

    fn done_path(&self, number: u64) -> String {
        format!("{}/done", self.folder(number))
    }

    fn result_path(&self, number: u64, batch: usize) -> String {
        format!("{}/results/{batch:08}.json", self.folder(number))
    }

    fn claim_path(&self, number: u64, epoch: u64) -> String {
        format!("{}/claims/{epoch:08}.json", self.folder(number))
    }

    /// The highest number that was planned; 0 when none was. Numbers have no gaps, so that it is
    /// found by doubling and halving.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn newest(&self) -> Result<u64, Failure> {
        let mut high = 1;
        while self.is_planned(high).await? {
            high *= 2;
        }
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.is_planned(middle).await? {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(low)
    }

    async fn is_planned(&self, number: u64) -> Result<bool, Failure> {
        let path = format!("{}.json", self.plan_path(number));
        Ok(self.store.size(&path).await?.is_some())
    }

    /// The plan of a number.
    ///
    /// # Errors
    /// When the store does not answer, or there is none of this number.
    pub async fn plan(&self, number: u64) -> Result<PlanRecord, Failure> {
        let found = self.revised(&self.plan_path(number)).await?;
        found.ok_or_else(|| {
            Failure::config(format!("delivery {} has no number {number}", self.name))
                .code(ErrorCode::UnknownDelivery)
                .remedy("`tenfold delivery ls` says which there are")
        })
    }

    /// How a number ended; none when it has not.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn done(&self, number: u64) -> Result<Option<DoneRecord>, Failure> {
        self.revised(&self.done_path(number)).await
    }

    /// Those whom the destination had before a number was planned, by the record of the number before:
    /// an erasure may have replaced the part that the plan names.
    ///
    /// # Errors
    /// When the number before has not ended, or the store does not answer.
    pub async fn acknowledged_before(&self, number: u64) -> Result<Vec<Acknowledged>, Failure> {
        if number <= 1 {
            return Ok(Vec::new());
        }
        let before = number - 1;
        let done = self.done(before).await?.ok_or_else(|| {
            let path = self.done_path(before);
            Failure::dependency(format!("the store has no {path}.json, but a plan after it"))
                .remedy("restore it from a copy of the store")
        })?;
        rows::acknowledged(self.store, done.acknowledged.as_ref()).await
    }

    /// What became of a batch; none when that is not known.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn result(&self, number: u64, batch: usize) -> Result<Option<ResultRecord>, Failure> {
        let path = self.result_path(number, batch);
        let bytes = self.store.get_if_present(&path).await?;
        let read = |bytes: Bytes| format::read(&bytes, FORMAT, &path);
        bytes.map(read).transpose()
    }

    /// A record, by its highest revision.
    async fn revised<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let mut found = None;
        for revision in 0.. {
            let place = revision_path(path, revision);
            match self.store.get_if_present(&place).await? {
                None => break,
                Some(bytes) => found = Some((bytes, place)),
            }
        }
        let read = |(bytes, place): (Bytes, String)| format::read(&bytes, FORMAT, &place);
        found.map(read).transpose()
    }

    /// Creates the plan of a number. False when somebody else was first.
    ///
    /// # Errors
    /// When the store fails: it is unknown then whether it is planned.
    pub async fn create_plan(&self, plan: &PlanRecord) -> Result<bool, Failure> {
        let path = format!("{}.json", self.plan_path(plan.number));
        self.create(&path, plan).await
    }

    /// Keeps what became of a batch. Whoever was first, theirs counts.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_result(
        &self,
        number: u64,
        batch: usize,
        result: &ResultRecord,
    ) -> Result<(), Failure> {
        let path = self.result_path(number, batch);
        self.create(&path, result).await.map(drop)
    }

    /// Ends a number. False when somebody else was first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end(&self, number: u64, done: &DoneRecord) -> Result<bool, Failure> {
        let path = format!("{}.json", self.done_path(number));
        self.create(&path, done).await
    }

    /// Takes a number over from whoever sends it: from here on nobody with a lower epoch goes on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn claim(&self, number: u64, holder: &str, at_ms: i64) -> Result<u64, Failure> {
        let claim = ClaimRecord {
            format: FORMAT,
            holder: holder.to_owned(),
            at_ms,
        };
        let mut epoch = 1;
        loop {
            if self.create(&self.claim_path(number, epoch), &claim).await? {
                return Ok(epoch);
            }
            epoch += 1;
        }
    }

    /// Says that nobody sends a number any more who had this epoch of it, unless somebody took it over.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn give_back(&self, number: u64, epoch: u64, holder: &str) -> Result<(), Failure> {
        let claim = ClaimRecord {
            format: FORMAT,
            holder: holder.to_owned(),
            at_ms: 0,
        };
        let path = self.claim_path(number, epoch + 1);
        self.create(&path, &claim).await.map(drop)
    }

    /// When a number was last taken over, in milliseconds since 1970: 0 when whoever had it gave it
    /// back, none when nobody ever sent it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn claimed_ms(&self, number: u64) -> Result<Option<i64>, Failure> {
        let mut newest = None;
        for epoch in 1.. {
            let path = self.claim_path(number, epoch);
            let Some(bytes) = self.store.get_if_present(&path).await? else {
                break;
            };
            let claim: ClaimRecord = format::read(&bytes, FORMAT, &path)?;
            newest = Some(claim.at_ms);
        }
        Ok(newest)
    }

    /// Whether nobody took the number over, or ended it.
    ///
    /// # Errors
    /// When somebody did, or the store does not answer.
    pub async fn still_held(&self, number: u64, epoch: u64) -> Result<(), Failure> {
        let next = self.store.size(&self.claim_path(number, epoch + 1)).await?;
        match next {
            None => Ok(()),
            Some(_) => Err(Failure::config(format!(
                "another process goes on with delivery {} {number}",
                self.name
            ))
            .code(ErrorCode::DeliveryTaken)
            .remedy("`tenfold delivery get` says how far it is")),
        }
    }

    async fn create<T: Serialize>(&self, path: &str, record: &T) -> Result<bool, Failure> {
        let bytes = serde_json::to_vec(record).map_err(|error| Failure::bug(error.to_string()))?;
        let settled = self.store.settle(path, Bytes::from(bytes)).await?;
        Ok(settled == Settled::Ours)
    }
}

impl ResultRecord {
    /// A record of the newest form.
    pub fn new(accepted: u64, rejected: Vec<Rejection>, suppressed: Vec<u64>) -> Self {
        Self {
            format: FORMAT,
            accepted,
            rejected,
            suppressed,
        }
    }
}

impl DoneRecord {
    /// Version of the form that this program writes.
    pub const FORMAT: u32 = FORMAT;
}

impl PlanRecord {
    /// Version of the form that this program writes.
    pub const FORMAT: u32 = FORMAT;
}
