//! From segments to a batch.

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_core::ingest::Event;
use tenfold_core::project::{Format, Mail, Stream};

use tenfold_store::ingest::NotDone;

use super::GATHERED;
use super::people::find_customers;
use super::segments::{read, sweep};
use crate::batch::Sent;
use crate::check::examine_sent;
use crate::intake::Intake;

/// What was gathered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gathered {
    /// The batches, in their order.
    pub batches: Vec<String>,
    /// Messages in them.
    pub messages: u64,
    /// Rows that are visible now.
    pub rows: u64,
    /// Messages that were refused: they are kept with the batch, with their reasons.
    pub refused: u64,
}

/// Makes all messages visible that were kept before. Messages that are refused keep no others
/// back: whatever their share is, they stay with the batch to be mended and sent again.
///
/// # Errors
/// When the store fails: nothing is lost, and gathering again goes on.
pub async fn gather(
    intake: &Intake,
    stream: &Stream,
    mail: Option<&Mail>,
) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let limit = (stream.megabytes as usize) << 20;
    loop {
        let from = intake.look(|state| state.gathered).await? + 1;
        let Some(found) = read(&intake.store, &intake.source, from, limit).await? else {
            return Ok(gathered);
        };
        let is_last = found.lines.len() < limit;
        let lines = match mail.and_then(|mail| mail.identity.as_deref()) {
            Some(identity) => find_customers(&intake.store, identity, found.lines).await?,
            None => found.lines,
        };
        let id = format!("{GATHERED}{from}-{}", found.to);
        let file = Sent {
            name: format!("{id}.jsonl"),
            format: Format::Jsonl,
            bytes: lines.into(),
        };
        let outcome = examine_sent(intake, &id, vec![file]).await?;
        let (counts, honoured) = (outcome.counts.clone(), outcome.erasures);
        let event = Event::Gathered {
            batch: id.clone(),
            outcome,
            from,
            to: found.to,
        };
        // Another process may have gathered the same meanwhile: then it counts what it gathered.
        if intake.append(event).await.map_err(NotDone::failure)? {
            gathered.messages += found.messages;
            gathered.rows += counts.rows_out;
            gathered.refused += counts.rows_failed;
            gathered.batches.push(id);
            // Somebody may have been erased while the messages were checked.
            intake.honour(honoured).await?;
            sweep(&intake.store, &intake.source, from, found.to).await?;
        }
        if is_last {
            return Ok(gathered);
        }
    }
}
