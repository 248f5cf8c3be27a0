//! Gathering: messages that are kept become rows that refreshes read.

use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_ingest::Intake;
use tenfold_ingest::stream::{Gathered, gather};

use super::print;
use crate::args::Global;
use crate::machine::Machine;
use crate::output::{TextTable, counted};
use crate::project::{self, Opened};
use crate::terminal::say;

/// What was gathered of a source.
#[derive(Debug, Serialize)]
struct Of {
    source: String,
    #[serde(flatten)]
    gathered: Gathered,
}

/// `tenfold ingest gather`.
pub async fn run(source: Option<&str>, global: &Global) -> Result<(), Failure> {
    let opened = project::open_project(global).await?;
    let taking = taking(&opened);
    if let Some(source) = source
        && !taking.iter().any(|known| known == source)
    {
        let remedy = match taking.is_empty() {
            true => "declare `ingest: {stream: {}}` for it".to_owned(),
            false => format!("sources that take them: {}", taking.join(", ")),
        };
        let failure = Failure::config(format!("source {source} takes no messages"));
        return Err(failure.code(ErrorCode::WrongMessage).remedy(remedy));
    }
    let wanted = taking.into_iter();
    let wanted = wanted.filter(|known| source.is_none_or(|source| known == source));
    let all = gather_each(&opened, wanted.collect()).await?;
    print(global.output, &table(&all), &all)
}

/// Gathers what every source of a project keeps, and says so: a refresh sees what was accepted before
/// it began.
pub fn gather_all(opened: &Opened, machine: &Machine) -> Result<(), Failure> {
    let gathering = gather_each(opened, taking(opened));
    for of in machine.runtime.block_on(gathering)? {
        if of.gathered.messages > 0 {
            say!(
                "source {}: {} gathered, {} refused",
                of.source,
                counted(of.gathered.messages, "message"),
                of.gathered.refused
            );
        }
    }
    Ok(())
}

/// The sources that take messages.
fn taking(opened: &Opened) -> Vec<String> {
    let sources = opened.project.sources.iter();
    let taking = sources.filter(|(_, source)| {
        let ingest = source.ingest.as_ref();
        ingest.is_some_and(|ingest| ingest.stream.is_some())
    });
    taking.map(|(name, _)| name.clone()).collect()
}

async fn gather_each(opened: &Opened, sources: Vec<String>) -> Result<Vec<Of>, Failure> {
    let Opened { store, project, .. } = opened;
    let mut all = Vec::new();
    for source in sources {
        let ingest = project.sources[&source].ingest.as_ref();
        let Some((ingest, stream)) = ingest.and_then(|i| Some((i, i.stream.as_ref()?))) else {
            continue;
        };
        let intake = Intake::open(store, project, &source).await?;
        let gathered = gather(&intake, stream, ingest.mail.as_ref()).await;
        let gathered = gathered.map_err(|failure| failure.within(format!("source {source}")))?;
        all.push(Of { source, gathered });
    }
    Ok(all)
}

fn table(all: &[Of]) -> TextTable {
    let headers = ["source", "batches", "messages", "rows", "refused"];
    let row = |of: &Of| {
        let figures = [
            of.gathered.batches.len() as u64,
            of.gathered.messages,
            of.gathered.rows,
            of.gathered.refused,
        ];
        let mut row = vec![of.source.clone()];
        row.extend(figures.map(|figure| figure.to_string()));
        row
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: all.iter().map(row).collect(),
        right_aligned: vec![false, true, true, true, true],
    }
}
