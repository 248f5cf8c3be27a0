//! The file of targets that a coordinator tells what happened.

use std::path::PathBuf;

use clap::Args;
use tenfold_coordinator::notify::{Notifier, Targets};
use tenfold_core::failure::{ErrorCode, Failure};

use super::client::read;

/// Who is told of runs that fail and the like.
#[derive(Debug, Clone, Default, Args)]
pub struct Notify {
    /// File of targets that are told when runs fail, are late, or succeed again
    #[arg(long = "notify", env = "TENFOLD_NOTIFY", value_name = "FILE")]
    pub notify_file: Option<PathBuf>,
}

fn unusable(failure: Failure) -> Failure {
    failure.code(ErrorCode::NotifyTargets)
}

impl Notify {
    /// Tells the targets of the file what happens in a store.
    ///
    /// # Errors
    /// When the file cannot be read or does not declare targets.
    pub fn notifier(&self, store: &str) -> Result<Notifier, Failure> {
        let targets = match &self.notify_file {
            Some(file) => {
                let name = file.display().to_string();
                let text = String::from_utf8_lossy(&read(file).map_err(unusable)?).into_owned();
                let targets: Targets = serde_saphyr::from_str(&text).map_err(|error| {
                    Failure::config(format!("{name}: {error}"))
                        .code(ErrorCode::NotifyTargets)
                        .remedy("docs/notifications.md shows how targets are declared")
                })?;
                targets.check(&name)?;
                targets
            }
            None => Targets::default(),
        };
        Notifier::new(targets, store)
    }
}
