//! Why something cannot happen to a batch, and what batches and files may be called.

use crate::failure::{ErrorCode, Failure};

/// Why something cannot happen to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such batch.
    Unknown(String),
    /// It is at a stage that forbids it, or another batch does: message and remedy.
    Conflict(String, String),
    /// It would be larger than a batch may be, or is not what can be taken: message and remedy.
    Takes(String, String),
}

impl Refused {
    /// The reason, in words.
    pub fn failure(self) -> Failure {
        let (code, message, remedy) = match self {
            Self::Unknown(batch) => (
                ErrorCode::UnknownBatch,
                format!("there is no batch {batch}"),
                "`tenfold ingest ls` lists the batches of a source".to_owned(),
            ),
            Self::Conflict(message, remedy) => (ErrorCode::BatchConflict, message, remedy),
            Self::Takes(message, remedy) => (ErrorCode::BatchTakesNot, message, remedy),
        };
        Failure::config(message).code(code).remedy(remedy)
    }
}

/// Checks the name of a batch.
///
/// # Errors
/// When it is none.
pub fn check_id(name: &str) -> Result<(), Refused> {
    match is_plain(name, 64) {
        true => Ok(()),
        false => Err(Refused::Takes(
            "what was given as the name of a batch is none".to_owned(),
            "use up to 64 letters, digits, `-`, `_` and `.`, a letter or digit first".to_owned(),
        )),
    }
}

/// Checks the name of a file in a batch.
///
/// # Errors
/// When it is none.
pub fn check_name(name: &str) -> Result<(), Refused> {
    match is_plain(name, 200) {
        true => Ok(()),
        false => Err(Refused::Takes(
            "what was given as the name of a file is none".to_owned(),
            "use up to 200 letters, digits, `-`, `_` and `.`, a letter or digit first".to_owned(),
        )),
    }
}

fn is_plain(name: &str, longest: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed)
}
