//! Errors as clients of PostgreSQL are told them.

use bytes::{BufMut, BytesMut};
use tenfold_core::failure::Failure;
use tenfold_query::postgres::sqlstate;

use super::wire::{put, put_text};

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whether the connection ends with it.
    pub fatal: bool,
    /// The code that programs know it by.
    pub state: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Refused {
    /// An error of a statement.
    pub fn new(state: &'static str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            fatal: false,
            state,
            message: message.into(),
            hint: hint.to_owned(),
        }
    }

    /// The connection ends with it.
    pub fn fatal(self) -> Self {
        Self {
            fatal: true,
            ..self
        }
    }

    /// Adds it to what is sent.
    pub fn put(&self, out: &mut BytesMut) {
        let severity = if self.fatal { "FATAL" } else { "ERROR" };
        put(out, b'E', |out| {
            let mut field = |kind: u8, text: &str| {
                if !text.is_empty() {
                    out.put_u8(kind);
                    put_text(out, text);
                }
            };
            field(b'S', severity);
            field(b'V', severity);
            field(b'C', self.state);
            field(b'M', &self.message);
            field(b'H', &self.hint);
            out.put_u8(0);
        });
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self {
            fatal: false,
            state: sqlstate(&failure),
            message: format!("{} ({})", failure.message, failure.number()),
            hint: failure.remedy,
        }
    }
}
