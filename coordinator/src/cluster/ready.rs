//! Looks whether the data is there that a scheduled run waits for.

use std::time::Duration;

use object_store::ObjectStoreExt;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::ReadyWhen;
use tenfold_core::refresh::plan::{ListedFile, Listing};
use tenfold_core::schedule::Readiness;
use tenfold_store::object::failure;
use tokio::time::timeout;

use super::Cluster;
use super::settings::OpenProject;
use crate::listing::{list, under_base};
use crate::refresh::known_inputs;
use crate::store;

/// A look that takes longer is given up, and repeated later.
const LOOK: Duration = Duration::from_secs(120);

/// Looks for everything that is waited for. What cannot be looked at is missing, with the reason.
pub(super) async fn look(
    cluster: &Cluster,
    opened: &OpenProject,
    wanted: &ReadyWhen,
    as_of: Day,
) -> Readiness {
    let missing = match timeout(LOOK, missing(cluster, opened, wanted, as_of)).await {
        Ok(Ok(missing)) => missing,
        Ok(Err(failure)) => vec![failure.message],
        Err(_) => vec![format!(
            "an answer of the stores within {} s",
            LOOK.as_secs()
        )],
    };
    match missing.is_empty() {
        true => Readiness::Ready,
        false => Readiness::Missing(missing),
    }
}

async fn missing(
    cluster: &Cluster,
    opened: &OpenProject,
    wanted: &ReadyWhen,
    as_of: Day,
) -> Result<Vec<String>, Failure> {
    // The last day that the run observes.
    let date = Day(as_of.0.saturating_sub(1)).to_string();
    let mut missing = Vec::new();
    if let Some(marker) = &wanted.marker {
        let path = under_base(&marker.replace("{date}", &date), &opened.places())?;
        if !exists(opened, &path).await? {
            missing.push(format!("file {path}"));
        }
    }
    if wanted.partition.is_none() && wanted.rows.is_none() {
        return Ok(missing);
    }
    let (head, _) = store::newest(&cluster.store).await?;
    let known = known_inputs(head.as_ref());
    let understanding = cluster.projects.understanding();
    let found = list(&opened.project, &opened.places(), &known, understanding).await?;
    if let Some(partition) = &wanted.partition {
        let key = |file: &ListedFile| file.keys.get(&partition.key).cloned().flatten();
        let of_day = |file: &ListedFile| key(file).as_ref() == Some(&date);
        if !files(&found.listing, &partition.source).any(of_day) {
            let (key, source) = (&partition.key, &partition.source);
            missing.push(format!("{key}={date} of source {source}"));
        }
    }
    if let Some(rows) = &wanted.rows {
        let new = |file: &&ListedFile| {
            !known.contains_key(&(rows.source.as_str(), file.location.as_str()))
        };
        let there: u64 = files(&found.listing, &rows.source)
            .filter(new)
            .flat_map(|file| &file.row_groups)
            .sum();
        if there < rows.at_least {
            missing.push(format!(
                "{} new rows of source {} ({there} there)",
                rows.at_least, rows.source
            ));
        }
    }
    Ok(missing)
}

fn files<'a>(listing: &'a Listing, source: &str) -> impl Iterator<Item = &'a ListedFile> + use<'a> {
    listing.get(source).into_iter().flatten()
}

async fn exists(opened: &OpenProject, path: &str) -> Result<bool, Failure> {
    let (objects, below) = opened.inputs.resolve(path)?;
    match objects.head(&below).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(failure("look up", path, &error)),
    }
}
