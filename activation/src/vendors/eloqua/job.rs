//! Syncs: begun, waited for, and asked why they ended as they did.

use std::time::Duration;

use serde_json::json;
use tenfold_core::activation::{SendError, SendErrorKind};

use super::VENDOR;
use super::session::Session;
use crate::vendors::{Pace, strange};

/// How long to wait after ELQ-00146, which says so.
pub(super) const LATER: Duration = Duration::from_secs(3600);
/// Codes that are told of a sync.
const CODES: usize = 10;

/// How a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Success,
    Warning,
    Error,
}

impl Session {
    /// Begins the sync of a definition; its id.
    pub async fn begin(&self, definition: &str) -> Result<String, SendError> {
        let what = "beginning a sync";
        let body = json!({ "syncedInstanceUri": definition }).to_string();
        let sync = self.post(&["syncs"], body, what).await?;
        let sync = sync["uri"].as_str().and_then(|uri| uri.rsplit('/').next());
        let sync = sync.filter(|id| !id.is_empty()).map(str::to_owned);
        sync.ok_or_else(|| {
            SendError::new(
                SendErrorKind::Unknown,
                format!("{VENDOR}: {what}: it gave no uri"),
            )
        })
    }

    /// Waits for a sync; how it ended.
    pub async fn ended(&self, pace: Pace, sync: &str) -> Result<End, SendError> {
        let mut waiting = pace.begin();
        loop {
            waiting.pause(VENDOR, "a sync").await?;
            let state = self.get(&["syncs", sync], &[], "looking at a sync").await;
            // The sync goes on whatever becomes of one look.
            let state = match state {
                Ok(state) => state,
                Err(error) if passes(&error) => continue,
                Err(error) => return Err(error),
            };
            match state["status"].as_str().unwrap_or_default() {
                "pending" | "active" => {}
                "success" => return Ok(End::Success),
                "warning" => return Ok(End::Warning),
                "error" => return Ok(End::Error),
                other => return Err(strange(VENDOR, "a sync", other)),
            }
        }
    }

    /// The codes of a severity in the logs of a sync.
    pub async fn codes(&self, sync: &str, severity: &str) -> Result<Vec<String>, SendError> {
        let mut codes: Vec<String> = Vec::new();
        let path = ["syncs", sync, "logs"];
        self.pages(&path, None, "reading logs", |log| {
            let code = log["statusCode"].as_str().unwrap_or_default();
            let plain = code.len() <= 40 && !codes.iter().any(|held| held == code);
            if log["severity"].as_str() == Some(severity) && plain && codes.len() < CODES {
                codes.push(code.to_owned());
            }
        })
        .await?;
        Ok(codes)
    }

    /// Why a sync as a whole failed, out of its logs.
    pub async fn why(&self, sync: &str) -> Result<SendError, SendError> {
        let codes = self.codes(sync, "error").await?;
        let has = |code: &str| codes.iter().any(|held| held == code);
        let kind = match has("ELQ-00146") || has("ELQ-00136") {
            true => SendErrorKind::RateLimited {
                retry_after: Some(LATER),
            },
            false => SendErrorKind::Transient,
        };
        let codes = codes.join(", ");
        Ok(SendError::new(
            kind,
            format!("{VENDOR}: a sync failed ({codes})"),
        ))
    }
}

/// Whether a look may be tried again.
fn passes(error: &SendError) -> bool {
    matches!(
        error.kind,
        SendErrorKind::RateLimited { .. } | SendErrorKind::Transient | SendErrorKind::Unknown
    )
}
