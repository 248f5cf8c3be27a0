//! `tenfold explain`: the page about an error code.

use tenfold_core::failure::{ErrorCode, Failure};

use super::Stopped;
use crate::output::text_to_stdout;

/// Prints the page of a code.
pub fn run(code: &str) -> Result<(), Stopped> {
    let code = ErrorCode::of(code).ok_or_else(|| {
        Stopped::not_found(
            Failure::config(format!("there is no error code {code}"))
                .code(ErrorCode::UnknownCode)
                .remedy("codes are an E and four digits, such as E1101"),
        )
    })?;
    Ok(text_to_stdout(code.page())?)
}
