//! Plans a delivery: members against those whom the destination has acknowledged.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tenfold_core::activation::{
    Acknowledged, DeliverySpec, DestinationSpec, Identify, Mapping, Plan, PlanCounts, guarded,
    masked, plan,
};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::part::PartRef;
use tenfold_store::object::Store;

use crate::driver::{FieldKind, Limits};
use crate::ledger::{Ledger, PlanRecord};
use crate::run::Outcomes;
use crate::{made, members, rows};

/// Samples that a plan shows.
const SAMPLES: usize = 20;

/// What is planned, and nothing kept of it yet.
pub struct Planned {
    /// The number that it would have.
    pub number: u64,
    /// How many rows of each sort.
    pub counts: PlanCounts,
    plan: Plan,
    before: Option<PartRef>,
    identity: String,
    fields: Vec<(String, FieldKind)>,
}

/// A row that would be sent, without what identifies anybody.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sample {
    /// `upsert` or `remove`.
    pub act: &'static str,
    /// The identity, masked.
    pub identity: String,
    /// The fields, masked.
    pub fields: Vec<(String, String)>,
}

/// What a plan is made from.
pub struct Wanted<'a> {
    /// The delivery.
    pub spec: &'a DeliverySpec,
    /// How its destination knows people.
    pub identify: &'a Identify,
    /// Columns of the members.
    pub schema: &'a Schema,
    /// The members.
    pub members: &'a [RecordBatch],
    /// Whether somebody was erased since the snapshot, by their key.
    pub is_erased: &'a (dyn Fn(&str) -> bool + Sync),
}

impl Wanted<'_> {
    /// Plans the next number of the delivery.
    ///
    /// # Errors
    /// When the number before is not done, a column is missing or cannot be sent, several customers
    /// have one identity, or the store does not answer.
    pub async fn planned(&self, ledger: &Ledger<'_>) -> Result<Planned, Failure> {
        let newest = ledger.newest().await?;
        let before = before((self.spec, &self.identify.place), ledger, newest).await?;
        let acknowledged = rows::acknowledged(ledger.store(), before.as_ref()).await?;
        let (plan, fields) = self.compared(&acknowledged)?;
        Ok(Planned {
            number: newest + 1,
            counts: plan.counts,
            plan,
            before,
            identity: self.identify.field.clone(),
            fields,
        })
    }

    fn compared(
        &self,
        acknowledged: &[Acknowledged],
    ) -> Result<(Plan, Vec<(String, FieldKind)>), Failure> {
        let kinds = members::kinds(self.schema)?;
        let columns: Vec<String> = kinds.iter().map(|(name, _)| name.clone()).collect();
        let mapping = Mapping::new(self.spec, self.identify, &columns)?;
        let mut candidates = Vec::new();
        let mut suppressed = 0;
        for batch in self.members {
            for member in members::values(batch)? {
                let candidate = mapping.candidate(&member);
                match (self.is_erased)(&candidate.customer) {
                    true => suppressed += 1,
                    false => candidates.push(candidate),
                }
            }
        }
        let mut plan = plan(
            &self.spec.delivery,
            self.spec.mode,
            &self.spec.duplicates,
            self.spec.status.is_some(),
            candidates,
            acknowledged,
        )?;
        plan.counts.suppressed = suppressed;
        plan.counts.members += suppressed;
        let fields = self.spec.fields.iter().map(|field| {
            let field = field.detail();
            let kind = field.column.and_then(|column| {
                let found = kinds.iter().find(|(name, _)| *name == column);
                found.map(|(_, kind)| *kind)
            });
            let kind = kind.filter(|_| field.format.is_none());
            (field.field, kind.unwrap_or(FieldKind::Text))
        });
        Ok((plan, fields.collect()))
    }
}

/// Those whom the destination has, before a number that is yet to be planned.
async fn before(
    (spec, place): (&DeliverySpec, &str),
    ledger: &Ledger<'_>,
    newest: u64,
) -> Result<Option<PartRef>, Failure> {
    if newest == 0 {
        return Ok(None);
    }
    let done = ledger.done(newest).await?.ok_or_else(|| {
        Failure::config(format!(
            "delivery {} {newest} is not finished",
            spec.delivery
        ))
        .code(ErrorCode::DeliveryTaken)
        .remedy(format!(
            "`tenfold delivery resume {name}` goes on with it, `tenfold delivery cancel {name}` gives \
             the rest up",
            name = spec.delivery
        ))
    })?;
    match same_place(spec, place, &ledger.plan(newest).await?) {
        Ok(()) => Ok(done.acknowledged),
        // Of the new place nothing is known, and it is told everything.
        Err(_) if spec.mode.sends_all() => Ok(None),
        Err(moved) => Err(moved),
    }
}

/// Whether a delivery goes where its last number went: what that place acknowledged says nothing of
/// another one.
fn same_place(spec: &DeliverySpec, place: &str, last: &PlanRecord) -> Result<(), Failure> {
    let has_lists = !matches!(last.kind.as_str(), "files" | "sftp" | "webhook");
    let has_moved = last.place.as_deref().is_some_and(|before| before != place);
    let (was, is) = match last.spec.destination == spec.destination {
        true if has_moved => (
            format!("destination {} at another address", spec.destination),
            format!("destination {} at this address", spec.destination),
        ),
        true if has_lists && last.spec.list() != spec.list() => (
            format!("list {}", last.spec.list()),
            format!("list {}", spec.list()),
        ),
        true => return Ok(()),
        false => (
            format!("destination {}", last.spec.destination),
            format!("destination {}", spec.destination),
        ),
    };
    Err(Failure::config(format!(
        "delivery {} went to {was} until now: what {is} has is not known",
        spec.delivery
    ))
    .code(ErrorCode::WrongDelivery)
    .remedy(
        "send every row once, by `mode: full` (for files, `mode: file_full`), or declare a delivery of \
         another name",
    ))
}

impl Planned {
    /// Rows that would be sent, masked.
    pub fn samples(&self) -> Vec<Sample> {
        let rows = self.plan.work.iter().filter_map(made::row).take(SAMPLES);
        let sample = |row: tenfold_core::activation::Row| Sample {
            act: match row.verb {
                tenfold_core::activation::Verb::Upsert => "upsert",
                tenfold_core::activation::Verb::Remove => "remove",
            },
            identity: masked(&tenfold_core::activation::Value::Text(row.identity)),
            fields: row
                .fields
                .iter()
                .map(|(name, value)| (name.clone(), masked(value)))
                .collect(),
        };
        rows.map(sample).collect()
    }

    /// Whether the number before was refused, for good, all that this one would send.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn was_refused(&self, ledger: &Ledger<'_>) -> Result<bool, Failure> {
        let last = self.number - 1;
        if last == 0 || self.counts.rows == 0 {
            return Ok(false);
        }
        let plan = ledger.plan(last).await?;
        let outcomes = Outcomes::read(ledger, &plan).await?;
        let work = rows::work(ledger.store(), plan.work.as_ref()).await?;
        let refused = outcomes.rejections.values();
        let refused = refused.filter(|rejection| !rejection.retryable);
        let refused: BTreeSet<(&str, &str)> = refused
            .filter_map(|rejection| work.get(usize::try_from(rejection.row).ok()?))
            .map(|row| (row.identity.as_str(), row.hash.as_str()))
            .collect();
        let sent = usize::try_from(self.counts.rows).unwrap_or(usize::MAX);
        let mut sent = self.plan.work.iter().take(sent);
        Ok(sent.all(|row| refused.contains(&(&*row.identity, &*row.hash))))
    }

    /// Whether it would change more than the delivery lets it.
    ///
    /// # Errors
    /// When it would: with the share, and how to go on.
    pub fn guarded(&self, spec: &DeliverySpec) -> Result<(), Failure> {
        guarded(&spec.delivery, &self.counts, &spec.guard)
    }

    /// Keeps the plan under its number. None when somebody else planned it first.
    ///
    /// # Errors
    /// When it would change too much and that is not forced, or the store fails.
    pub async fn keep(
        self,
        ledger: &Ledger<'_>,
        about: &About<'_>,
        force: bool,
    ) -> Result<Option<PlanRecord>, Failure> {
        let spec = about.spec;
        if !force {
            self.guarded(spec)?;
        }
        let store: &Store = ledger.store();
        let work = rows::encode_work(&self.plan.work)?;
        let sent = usize::try_from(self.counts.rows).unwrap_or(usize::MAX);
        let sent = self.plan.work.get(..sent).unwrap_or_default();
        let record = PlanRecord {
            format: PlanRecord::FORMAT,
            number: self.number,
            id: format!("{}-{}", spec.delivery, self.number),
            planned_ms: about.now_ms,
            snapshot: about.snapshot,
            spec: spec.clone(),
            kind: about.destination.to.kind().to_owned(),
            place: Some(about.destination.to.place()),
            identity: self.identity,
            fields: self.fields,
            counts: self.counts,
            work: rows::put(store, &ledger.folder(self.number), &work).await?,
            before: self.before,
            ends: made::ends(sent, &about.limits),
        };
        let kept = ledger.create_plan(&record).await?;
        Ok(kept.then_some(record))
    }
}

/// What a plan is kept with.
pub struct About<'a> {
    /// The delivery.
    pub spec: &'a DeliverySpec,
    /// Its destination.
    pub destination: &'a DestinationSpec,
    /// What the destination takes.
    pub limits: Limits,
    /// The snapshot.
    pub snapshot: u64,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
}
