//! From the parts of a run to its manifest.

use tenfold_core::failure::Failure;
use tenfold_core::refresh::CODE_VERSION;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::state::StateIndex;
use tenfold_core::refresh::task::{Fits, GroupSummary, TablePart};
use tenfold_core::snapshot::{Manifest, ObjectRef, RunSummary, snapshot_hash};
use tenfold_store::object::Store;
use tenfold_store::part::STATE;
use tenfold_store::publish::{Publication, publish, put_object, table_entries};

use crate::refresh::{Prepared, lost_race};
use crate::store::bytes_of::json;
use crate::{Gate, Stopped};

/// Everything that a snapshot will say.
pub struct Draft<'a> {
    /// The plan and what it builds on.
    pub prepared: &'a Prepared,
    /// The run.
    pub run: &'a str,
    /// The backfill that it is part of.
    pub backfill: Option<String>,
    /// When: RFC 3339 in UTC, and milliseconds since 1970.
    pub published: (String, i64),
    /// What the run did.
    pub summary: RunSummary,
    /// Things that a person should know.
    pub warnings: Vec<String>,
    /// The state for the next night.
    pub state: StateIndex,
    /// Files of the tables.
    pub parts: Vec<TablePart>,
    /// The fitted models.
    pub fits: Option<Fits>,
    /// Sizes and ties of every ranked group.
    pub groups: Vec<GroupSummary>,
    /// The cuts.
    pub cuts: Option<PartRef>,
    /// Customers with an event before `as_of`.
    pub customers: u64,
}

impl Draft<'_> {
    /// Publishes the snapshot.
    pub async fn publish(self, store: &Store, gate: &dyn Gate) -> Result<Manifest, Stopped> {
        let at_ms = self.published.1;
        let directory = format!("{STATE}/index");
        let state = put_object(store, &directory, json(&self.state)?).await?;
        let mut manifest = self.manifest(state)?;
        gate.publishing(&manifest).await?;
        match publish(store, &mut manifest, at_ms).await? {
            Publication::Committed => Ok(manifest),
            Publication::LostRace { run } => {
                Err(Stopped::LostRace(lost_race(&run, manifest.number)))
            }
        }
    }

    fn manifest(self, state: ObjectRef) -> Result<Manifest, Failure> {
        let bug = |error: serde_json::Error| Failure::bug(error.to_string());
        let plan = &self.prepared.planned.plan;
        let parent = plan.parent.as_ref().map(|parent| parent.number);
        let tables = table_entries(self.parts, |table| format!("{}/{table}", plan.tables))?;
        let hash = snapshot_hash(
            &tables,
            self.fits.as_ref(),
            &plan.project,
            plan.as_of,
            CODE_VERSION,
        )
        .map_err(bug)?;
        Ok(Manifest {
            format: Manifest::FORMAT,
            number: self.prepared.number,
            parent,
            backfill: self.backfill,
            run: self.run.to_owned(),
            plan_hash: self.prepared.plan_hash.clone(),
            code_version: CODE_VERSION,
            as_of: plan.as_of,
            published_at: self.published.0,
            snapshot_hash: hash,
            declarations: plan.project.clone(),
            tables,
            fits: self.fits,
            groups: self.groups,
            customers: self.customers,
            rows: self.state.totals,
            summary: self.summary,
            warnings: self.warnings,
            state,
            cuts: self.cuts.map(|part| ObjectRef {
                path: part.path,
                sha256: part.sha256,
                bytes: part.bytes,
            }),
            rollback_of: None,
            revision: 0,
            suppression: plan.suppression.clone(),
            erased: None,
        })
    }
}
