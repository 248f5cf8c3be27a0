//! Files: one for each batch, then a manifest that says what they hold, then a marker. Whoever waits
//! for the marker sees all of a delivery or nothing.

mod encode;
mod place;
mod sftp;

use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tenfold_core::activation::{Compression, FileFormat, FileSettings, JOINED};
use tenfold_core::hash::sha256_hex;

use crate::driver::{Batch, DeliveryInfo, Driver, Limits, Outcome, SendError, SendErrorKind};
pub use place::{Folder, Place};
pub use sftp::Remote;

/// Longest name of a file, in bytes.
const LONGEST_NAME: usize = 255;

/// Writes files to a place.
pub struct Files<P> {
    place: P,
    settings: FileSettings,
    delivery: Mutex<Option<DeliveryInfo>>,
}

impl<P: Place> Files<P> {
    /// Files of these settings, in a place.
    pub fn new(place: P, settings: &FileSettings) -> Self {
        Self {
            place,
            settings: settings.clone(),
            delivery: Mutex::new(None),
        }
    }

    fn delivery(&self) -> Result<DeliveryInfo, SendError> {
        let kept = self.delivery.lock().ok().and_then(|kept| kept.clone());
        kept.ok_or_else(|| SendError::refused("a file was sent before its delivery began"))
    }

    /// The file of a batch: that of the first one has no number.
    fn name(&self, delivery: &DeliveryInfo, batch: u64) -> String {
        let base = base(&self.settings.name, delivery);
        let part = match batch {
            0 => String::new(),
            _ => format!("_{}", batch + 1),
        };
        format!("{base}{part}.{}", ending(&self.settings))
    }
}

/// The name of a delivery's files, without part and ending.
fn base(template: &str, delivery: &DeliveryInfo) -> String {
    let time = Timestamp::from_millisecond(delivery.planned_ms).unwrap_or_default();
    let written = |format: &str| time.strftime(format).to_string();
    template
        .replace("{delivery}", &delivery.delivery)
        .replace("{number}", &delivery.number.to_string())
        .replace("{snapshot}", &delivery.snapshot.to_string())
        .replace("{audience}", &delivery.audience)
        .replace("{date}", &written("%Y%m%d"))
        .replace("{time}", &written("%Y%m%d%H%M%S"))
}

fn ending(settings: &FileSettings) -> &'static str {
    match (settings.format, settings.compression) {
        (FileFormat::Csv, Compression::None) => "csv",
        (FileFormat::Csv, Compression::Gzip) => "csv.gz",
        (FileFormat::Jsonl, Compression::None) => "jsonl",
        (FileFormat::Jsonl, Compression::Gzip) => "jsonl.gz",
        (FileFormat::Parquet, _) => "parquet",
    }
}

/// Names of the columns that identify a row.
fn identities(delivery: &DeliveryInfo) -> Vec<&str> {
    delivery.identity.split(JOINED).collect()
}

#[async_trait]
impl<P: Place> Driver for Files<P> {
    fn limits(&self) -> Limits {
        Limits {
            rows: self.settings.rows as usize,
            bytes: None,
            at_once: 1,
            per_second: None,
        }
    }

    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        let longest = self.name(delivery, delivery.batches);
        let last = longest.rsplit('/').next().unwrap_or_default();
        if last.len() > LONGEST_NAME {
            let message = format!("its files would have names of {} bytes", last.len());
            return Err(SendError::refused(message));
        }
        self.place.ready().await?;
        if let Ok(mut kept) = self.delivery.lock() {
            *kept = Some(delivery.clone());
        }
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let delivery = self.delivery()?;
        let bytes = encode::encode(&self.settings, &delivery, &batch.rows)?;
        let name = self.name(&delivery, batch.number);
        self.place.put(&name, bytes).await?;
        Ok(vec![
            Outcome::Accepted { remote_id: None };
            batch.rows.len()
        ])
    }

    async fn finish(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        let mut files = Vec::new();
        let mut rows = 0;
        for batch in 0..delivery.batches {
            let name = self.name(delivery, batch);
            // What is there is what the manifest tells of, not what was meant to be there.
            let bytes = self.place.get(&name).await?;
            let held = encode::count(&self.settings, &bytes)?;
            rows += held;
            files.push(json!({
                "name": name,
                "bytes": bytes.len(),
                "rows": held,
                "sha256": sha256_hex(&bytes),
            }));
        }
        let status = delivery.status.iter().map(String::as_str);
        let fields = delivery.fields.iter().map(|(name, _)| name.as_str());
        let columns: Vec<&str> = identities(delivery)
            .into_iter()
            .chain(fields)
            .chain(status)
            .collect();
        let manifest = json!({
            "format": 1,
            "delivery": delivery.delivery,
            "number": delivery.number,
            "audience": delivery.audience,
            "campaign": delivery.campaign,
            "snapshot": delivery.snapshot,
            "planned_at": Timestamp::from_millisecond(delivery.planned_ms)
                .map(|time| time.to_string())
                .unwrap_or_default(),
            "columns": columns,
            "rows": rows,
            "files": files,
        });
        let text = serde_json::to_string_pretty(&manifest);
        let text = text.map_err(|error| SendError::refused(error.to_string()))? + "\n";
        let base = base(&self.settings.name, delivery);
        let manifest = format!("{base}.manifest.json");
        self.place.put(&manifest, text.into_bytes()).await?;
        self.place
            .put(&format!("{base}._SUCCESS"), Vec::new())
            .await
    }
}

/// A file cannot be made: people have to act, and trying again is of no use.
pub(crate) fn unmade(error: impl std::fmt::Display) -> SendError {
    SendError::new(
        SendErrorKind::Refused,
        format!("a file cannot be made: {error}"),
    )
}

#[cfg(test)]
mod tests;
