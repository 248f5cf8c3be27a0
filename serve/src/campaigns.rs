//! Campaigns over HTTP: those of a snapshot, and what they came to.

use std::sync::Arc;

use tenfold_core::campaign::{By, Line};
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::{At, DIM_CAMPAIGN};
use tenfold_query::{Campaign, campaign, campaign_report, campaigns};

use crate::answer::Server;
use crate::queries::Ticket;

/// The campaigns of a snapshot; none where it has no responses.
///
/// # Errors
/// When the snapshot cannot be read.
pub async fn list(server: &Arc<Server>, ticket: Ticket, at: At) -> Result<Vec<Campaign>, Failure> {
    let of = server.clone();
    let work = async move {
        let opened = of.open(&at).await?;
        match opened.session.schema(DIM_CAMPAIGN) {
            Some(_) => campaigns(&opened.session).await,
            None => Ok(Vec::new()),
        }
    };
    server.worked(ticket, work).await
}

/// A campaign of a snapshot.
///
/// # Errors
/// When there is none of that name, or the snapshot cannot be read.
pub async fn get(
    server: &Arc<Server>,
    ticket: Ticket,
    (name, at): (String, At),
) -> Result<Campaign, Failure> {
    let of = server.clone();
    let work = async move {
        let opened = of.open(&at).await?;
        campaign(&opened.session, &name).await
    };
    server.worked(ticket, work).await
}

/// What a campaign came to.
///
/// # Errors
/// As [`get`].
pub async fn report(
    server: &Arc<Server>,
    ticket: Ticket,
    (name, at): (String, At),
    by: By,
) -> Result<Vec<Line>, Failure> {
    let of = server.clone();
    let work = async move {
        let opened = of.open(&at).await?;
        let (_, lines) = campaign_report(&opened.session, &name, by).await?;
        Ok::<_, Failure>(lines)
    };
    server.worked(ticket, work).await
}
