//! Other snapshots than the one that a session reads.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;
use tenfold_core::failure::Failure;
use tenfold_core::project::UserTable;
use tenfold_core::snapshot::{At, Manifest, Meaning, TableEntry, expired_failure};
use tenfold_store::marks::marks;
use tenfold_store::object::Store;
use tenfold_store::publish;
use tenfold_store::resolve::{Unresolved, resolve};

use crate::calls::{Bound, Call};
use crate::changes::{Step, Subject, changes};
use crate::table;

/// The snapshots of a store up to the one that a session reads.
#[derive(Clone)]
pub(crate) struct History {
    store: Store,
    latest: u64,
}

impl History {
    pub(crate) fn new(store: &Store, latest: u64) -> Self {
        Self {
            store: store.clone(),
            latest,
        }
    }

    /// The table of a call, and a text that names its content: the same text, the same rows.
    pub(crate) async fn open(
        &self,
        call: &Call,
        context: &SessionContext,
        objects: &ObjectStoreUrl,
    ) -> Result<(Arc<dyn TableProvider>, String), Failure> {
        match call {
            Call::Snapshot { table, at } => {
                let manifest = self.manifest(at).await?;
                let entry = entry_of(&manifest, table)?;
                let state = context.state();
                let opened = table::open(&state, &self.store, objects, table, entry).await?;
                Ok((opened, content(Some(entry))))
            }
            Call::Changes {
                table,
                from,
                to,
                fallback,
            } => {
                let (declared, steps) = self.steps(table, from, to, *fallback).await?;
                let key = Meaning::of(table, &declared).map_or_else(Vec::new, |table| table.key());
                let subject = Subject { name: table, key };
                let opened = changes(&subject, &steps, &self.store, context, objects).await?;
                let step = |Step {
                                number,
                                before,
                                after,
                            }: &Step| {
                    format!(
                        "{number}: {} {}",
                        content(before.as_ref()),
                        content(after.as_ref())
                    )
                };
                let contents: Vec<String> = steps.iter().map(step).collect();
                Ok((opened, format!("{:?} {}", subject.key, contents.join(", "))))
            }
        }
    }

    /// From snapshot to snapshot: after `from`, up to and with `to`; and what tables are declared there.
    async fn steps(
        &self,
        table: &str,
        from: &Bound,
        to: &Bound,
        fallback: bool,
    ) -> Result<(Vec<UserTable>, Vec<Step>), Failure> {
        let last = night(self.manifest(to).await?)?;
        entry_of(&last, table)?;
        let to = last.number;
        let first = self.start(from, to, fallback).await?;
        let begin = first.as_ref().map_or(0, |first| first.number);
        let mut entry = first.and_then(|mut first| first.tables.remove(table));
        let mut steps = Vec::new();
        for number in self.readable(begin + 1, to).await? {
            let mut manifest = self.numbered(number).await?;
            if manifest.backfill.is_some() {
                continue;
            }
            let after = manifest.tables.remove(table);
            steps.push(Step {
                number,
                before: entry,
                after: after.clone(),
            });
            entry = after;
        }
        if steps.is_empty() {
            // Nothing happened: the columns are still wanted.
            steps.push(Step {
                number: to,
                before: entry.clone(),
                after: entry,
            });
        }
        Ok((last.declarations.tables, steps))
    }

    /// The snapshot to begin after; none for before the first.
    async fn start(
        &self,
        from: &Bound,
        to: u64,
        fallback: bool,
    ) -> Result<Option<Manifest>, Failure> {
        if *from == Bound::Earliest {
            return Ok(None);
        }
        let gone = self.has_expired(from).await?;
        if gone.is_some_and(|number| number < to) && fallback {
            return Ok(None);
        }
        if let Some(number) = gone {
            return Err(expired_failure(number).remedy(
                "begin with a snapshot that `tenfold snapshot ls` lists, or give 'earliest' as \
                 fourth argument to begin with the first one that there is",
            ));
        }
        let first = night(self.manifest(from).await?)?;
        match first.number > to {
            false => Ok(Some(first)),
            true => Err(Failure::config(format!(
                "changes from snapshot {} to {to} would go back in time",
                first.number
            ))
            .remedy("name the older snapshot first")),
        }
    }

    /// The number of a snapshot that was there and has expired.
    async fn has_expired(&self, bound: &Bound) -> Result<Option<u64>, Failure> {
        let Bound::Named(name) = bound else {
            return Ok(None);
        };
        let At::Number(number) = name.parse()? else {
            return Ok(None);
        };
        let expired = marks(&self.store).await?.is_expired(number);
        Ok(expired.then_some(number))
    }

    /// The numbers in a range whose snapshots can be read.
    async fn readable(&self, first: u64, last: u64) -> Result<Vec<u64>, Failure> {
        let marks = marks(&self.store).await?;
        let known = publish::snapshots(&self.store).await?.into_iter();
        let within = known.filter(|number| (first..=last).contains(number));
        Ok(within.filter(|number| !marks.is_expired(*number)).collect())
    }

    async fn manifest(&self, bound: &Bound) -> Result<Manifest, Failure> {
        match bound {
            Bound::Latest => self.numbered(self.latest).await,
            Bound::Named(name) => self.resolved(&name.parse()?).await,
            Bound::Earliest => Err(Failure::config("'earliest' is before the first snapshot")
                .remedy("use it as the beginning of changes(); name another one by its number")),
        }
    }

    async fn numbered(&self, number: u64) -> Result<Manifest, Failure> {
        self.resolved(&At::Number(number)).await
    }

    async fn resolved(&self, at: &At) -> Result<Manifest, Failure> {
        let resolved = resolve(&self.store, at).await;
        resolved.map_err(|unresolved| match unresolved {
            Unresolved::Absent(failure) | Unresolved::Failed(failure) => failure,
        })
    }
}

/// Names the rows of a table; whoever is erased from it gives it another root.
fn content(entry: Option<&TableEntry>) -> String {
    entry.map_or_else(String::new, |entry| {
        format!("{}@{}", entry.content_hash, entry.root)
    })
}

/// A snapshot that is no backfill.
fn night(manifest: Manifest) -> Result<Manifest, Failure> {
    match manifest.backfill {
        None => Ok(manifest),
        Some(_) => Err(Failure::config(format!(
            "snapshot {} is a backfill: no snapshot follows from it",
            manifest.number
        ))
        .remedy("join snapshot() with snapshot(), or use `tenfold snapshot diff`")),
    }
}

fn entry_of<'a>(manifest: &'a Manifest, table: &str) -> Result<&'a TableEntry, Failure> {
    manifest.tables.get(table).ok_or_else(|| {
        let names: Vec<&str> = manifest.tables.keys().map(String::as_str).collect();
        Failure::config(format!("snapshot {} has no table {table}", manifest.number))
            .remedy(format!("its tables are {}", names.join(", ")))
    })
}
