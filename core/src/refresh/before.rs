//! What a refresh compares its deciles with: the snapshot that it builds on.

use super::plan::{Head, Plan};
use super::steps::decile_specs;
use super::task::{BeforeModel, BeforeShard, Compared, DecileSpec, Fits, RankedValue};
use crate::hash::shards_with;
use crate::project::{DecileDeclaration, Project};
use crate::snapshot::{Manifest, ObjectRef, TableEntry, TableFile};

/// The snapshot before, as far as today's can be compared with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Before<'a> {
    manifest: Option<&'a Manifest>,
    /// Number of shards now, and in that snapshot.
    shards: (u32, u32),
    deciles: Vec<Compared>,
    held: Option<&'a Fits>,
    /// What cannot be compared, and why.
    pub notes: Vec<String>,
}

impl<'a> Before<'a> {
    /// Compares a plan that came to `fits` with the snapshot that it builds on, if there is one.
    pub fn new(plan: &Plan, head: Option<&'a Head>, fits: Option<&Fits>) -> Self {
        let mut before = Self {
            manifest: head.map(|head| &head.manifest),
            shards: (plan.shards, plan.shards_before.unwrap_or(plan.shards)),
            deciles: vec![Compared::New; plan.project.deciles.len()],
            held: None,
            notes: Vec::new(),
        };
        let Some(head) = head else {
            return before;
        };
        let number = head.manifest.number;
        if plan.from_scratch {
            before.deciles.fill(Compared::Changed);
            before.notes.push(format!(
                "the sources were declared otherwise in snapshot {number}: moves since then are not counted"
            ));
            return before;
        }
        before.deciles = compared(&plan.project, &head.manifest.declarations);
        let declared = plan.project.deciles.iter().zip(&before.deciles);
        let changed = declared.filter(|(_, compared)| **compared == Compared::Changed);
        before.notes.extend(changed.map(|(decile, _)| {
            format!(
                "decile {} was declared otherwise in snapshot {number}: its moves since then are not counted",
                decile.name
            )
        }));
        let fits_before = head.manifest.fits.as_ref();
        before.held =
            fits_before.filter(|held| fits.is_some_and(|fits| score_otherwise(held, fits)));
        before
    }

    /// The deciles to rank: the published ones, then CLV by the parameters held as they were, once
    /// for every decile that it is needed for.
    pub fn ranked(&self, project: &Project) -> Vec<DecileSpec> {
        let mut specs = decile_specs(project);
        if self.held.is_some() {
            let published = specs.iter().zip(&self.deciles);
            let held = published.filter(|(spec, compared)| {
                spec.value == RankedValue::Clv && matches!(compared, Compared::Same { .. })
            });
            let held = held.map(|(spec, _)| DecileSpec {
                value: RankedValue::ClvHeld,
                ..spec.clone()
            });
            let held: Vec<_> = held.collect();
            specs.extend(held);
        }
        specs
    }

    /// The fits to hold, where they would score otherwise than today's.
    pub fn held_fits(&self) -> Option<&'a Fits> {
        self.held
    }

    /// What it says of one shard; none without a snapshot before.
    pub fn shard(&self, shard: u32) -> Option<BeforeShard> {
        let manifest = self.manifest?;
        let same = |compared: &Compared| matches!(compared, Compared::Same { .. });
        let needed = self.deciles.iter().any(same);
        let (now, then) = self.shards;
        let held = shards_with(shard, now, then);
        let files = |table: &str| -> Vec<(ObjectRef, u64)> {
            let entry = manifest.tables.get(table).filter(|_| needed);
            let files = entry.into_iter().flat_map(|entry| {
                let files = entry.files.iter();
                let theirs = files.filter(|file| file.shard.is_some_and(|at| held.contains(&at)));
                theirs.map(|file| (object(entry, file), file.rows))
            });
            files.collect()
        };
        let (value, decile) = (files("customer_value"), files("customer_decile"));
        let objects = |files: &[(ObjectRef, u64)]| {
            let objects = files.iter().map(|(object, _)| object.clone());
            objects.collect()
        };
        Some(BeforeShard {
            deciles: self.deciles.clone(),
            customer_value: objects(&value),
            customer_decile: objects(&decile),
            among: (now > then).then_some((shard, now)),
            rows: value.iter().chain(&decile).map(|(_, rows)| rows).sum(),
            cuts: manifest.cuts.clone().filter(|_| needed),
        })
    }

    /// What facts say of it; none without a snapshot before.
    pub fn model(&self) -> Option<BeforeModel> {
        self.manifest.map(|manifest| BeforeModel {
            as_of: manifest.as_of,
            fits: manifest.fits.clone(),
        })
    }
}

fn object(entry: &TableEntry, file: &TableFile) -> ObjectRef {
    ObjectRef {
        path: format!("{}/{}", entry.root, file.path),
        sha256: file.sha256.clone(),
        bytes: file.bytes,
    }
}

/// How each decile of `now` stood in `then`: it is the same when only look-backs differ.
fn compared(now: &Project, then: &Project) -> Vec<Compared> {
    let (specs, specs_then) = (decile_specs(now), decile_specs(then));
    let one = |(declared, spec): (&DecileDeclaration, &DecileSpec)| {
        let place = then
            .deciles
            .iter()
            .position(|other| other.name == declared.name);
        let Some(place) = place else {
            return Compared::New;
        };
        let other = DecileDeclaration {
            lookbacks: declared.lookbacks.clone(),
            ..then.deciles[place].clone()
        };
        if other != *declared {
            return Compared::Changed;
        }
        let known = &specs_then[place].lookbacks;
        let lookback = |suffix: &String| known.iter().position(|other| other == suffix);
        Compared::Same {
            place,
            lookbacks: spec.lookbacks.iter().map(lookback).collect(),
        }
    };
    now.deciles.iter().zip(&specs).map(one).collect()
}

/// Whether two fits give different scores on the same data.
fn score_otherwise(one: &Fits, other: &Fits) -> bool {
    let parameters = |fits: &Fits| fits.transactions.first().map(|fit| fit.parameters);
    parameters(one) != parameters(other)
        || one.spend.parameters != other.spend.parameters
        || one.unit != other.unit
        || one.score != other.score
}
