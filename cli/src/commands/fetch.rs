//! `tenfold ingest fetch`: what a vendor of mail knows of its mails becomes a batch of responses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tenfold_activation::connect::activities;
use tenfold_activation::vendors::Pace;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::intake::{self, Activity};
use tenfold_core::project::{Mail, Project, SourceKind};
use tenfold_ingest::{Fetched, Intake, Shown};

use super::ingest::{Done, allowed, chosen, show_one_as};
use crate::args::{Fetch, Global};
use crate::deliveries;
use crate::project;
use crate::terminal::say;

/// What was fetched, as programs read it.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    batch: Shown,
    /// Where the fetch begins, but for activities that appeared late.
    from: String,
    /// Where it ends, and the next one goes on.
    to: String,
    /// Activities by their type.
    activities: BTreeMap<&'static str, u64>,
    /// What the vendor warned of: its codes.
    warnings: Vec<String>,
}

pub async fn run(asked: &Fetch, global: &Global) -> Done {
    let opened = project::open_project(global).await?;
    let files = deliveries::files(global).await?;
    let declared = deliveries::checked(&files, &opened.project, &opened.base)?;
    let spec = declared.destination(&asked.destination)?;
    let source = chosen(&asked.of, &opened.project)?;
    let (mail, identity) = responses(&opened.project, source)?;
    let account = activities(spec, Pace::default())?;
    let intake = Intake::open(&opened.store, &opened.project, source).await?;
    let now = Timestamp::now();
    let fetch = intake::Fetch::next(&intake.state().await?, account.company(), asked.since, now);
    let fetch = fetch.map_err(|failure| failure.within(format!("source {source}")))?;

    let (mut counts, mut warnings) = (BTreeMap::new(), Vec::new());
    let mut rows = Fetched::new(&intake, identity)?;
    for activity in Activity::ALL {
        let begins = fetch.begins(activity);
        let mut take = async |items| {
            let told = intake::activities(items);
            let lines = told.rows.into_iter();
            rows.add(lines.map(|row| row.message(&mail.campaigns)))
                .await
        };
        let done = account
            .fetch(activity, begins, fetch.to(), &mut take)
            .await?;
        say!("{}: {} since {begins}", activity.word(), done.activities);
        counts.insert(activity.word(), done.activities);
        warnings.extend(done.warnings);
    }
    let name = fetch.batch();
    let batch = rows.complete(&name).await?;
    warnings.sort();
    warnings.dedup();
    let told = Told {
        batch: Shown::of(source, &name, &batch),
        from: fetch.from().to_string(),
        to: fetch.to().to_string(),
        activities: counts,
        warnings,
    };
    if !told.warnings.is_empty() {
        say!("the vendor warns of {}", told.warnings.join(", "));
    }
    show_one_as(&told.batch, &told, global)?;
    Ok(allowed(&told.batch, asked.allowing))
}

/// What a source of responses declares about mail, and the identity by which customers are found.
fn responses<'a>(project: &'a Project, source: &str) -> Result<(&'a Mail, &'a str), Failure> {
    let wrong = |message: String, remedy: &str| {
        Err(Failure::config(message)
            .code(ErrorCode::WrongFetch)
            .remedy(remedy))
    };
    let Some(declared) = project.sources.get(source) else {
        return wrong(
            format!("there is no source {source}"),
            "name a source of responses with --source",
        );
    };
    if declared.kind != SourceKind::Responses {
        return wrong(
            format!("source {source} takes no responses"),
            "name one with `kind: responses` with --source",
        );
    }
    let ingest = declared.ingest.as_ref();
    let mail = ingest.and_then(|ingest| ingest.mail.as_ref());
    match mail.and_then(|mail| Some((mail, mail.identity.as_deref()?))) {
        Some(found) => Ok(found),
        None => wrong(
            format!(
                "activities have addresses, and source {source} does not say how customers are found by them"
            ),
            "declare `mail: {identity: email}` under its `ingest:`, see docs/streaming.md",
        ),
    }
}
