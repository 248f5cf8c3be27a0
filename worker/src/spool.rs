//! What is said of temporary files, which hold what has no room in memory.

use std::io;

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};

/// Why a temporary file cannot be written, or read again.
pub fn unspooled(error: &io::Error) -> Failure {
    Failure::new(
        FailureClass::Infra,
        format!(
            "cannot use a temporary file in {}: {error}",
            std::env::temp_dir().display()
        ),
    )
    .code(ErrorCode::NotWritten)
    .remedy("make room there, or set TMPDIR to another one")
}
