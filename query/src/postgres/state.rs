//! SQLSTATE: the code that clients of PostgreSQL know a kind of failure by.

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};

/// What messages about queries say, and the code of that.
const SAID: &[(&str, &str)] = &[
    ("is not a query", "25006"),
    ("is not supported", "0A000"),
    ("not implemented", "0A000"),
    ("cached plan must not change", "0A000"),
    ("unrecognized configuration parameter", "42704"),
    ("does not exist", "42704"),
    ("there is no table", "42P01"),
    ("there is no column", "42703"),
    ("malformed array literal", "22P02"),
    ("Divide by zero", "22012"),
    ("divide by zero", "22012"),
    ("Overflow", "22003"),
    ("overflow", "22003"),
    ("Cannot cast string", "22P02"),
    ("Cannot cast value", "22P02"),
    ("Error parsing", "22P02"),
    ("Parser error", "22P02"),
    ("Ambiguous reference", "42702"),
    ("ambiguous", "42702"),
    ("Invalid function", "42883"),
    ("No function matches", "42883"),
    ("does not support", "42883"),
    ("GROUP BY", "42803"),
    ("no value for $", "08P01"),
    (", and may have ", "54000"),
    ("sql parser error", "42601"),
    ("ParserError", "42601"),
    ("cannot be read", "42601"),
    ("there is no query", "42601"),
    ("is missing", "42601"),
    ("Expected", "42601"),
    ("Cannot coerce", "42804"),
    ("Cannot infer common", "42804"),
    ("different number of columns", "42601"),
];

/// The code of a failure.
pub fn sqlstate(failure: &Failure) -> &'static str {
    let by_code = failure.code.and_then(|code| match code {
        ErrorCode::QueryTimedOut | ErrorCode::QueryCancelled => Some("57014"),
        ErrorCode::AnswerTooLong | ErrorCode::QueriesBusy | ErrorCode::CallerBusy => Some("53400"),
        ErrorCode::UnknownSnapshot | ErrorCode::UnknownMark | ErrorCode::SnapshotExpired => {
            Some("22023")
        }
        ErrorCode::Unauthenticated => Some("28P01"),
        ErrorCode::Forbidden => Some("42501"),
        _ => None,
    });
    let by_message = || {
        let said = SAID.iter().find(|(what, _)| failure.message.contains(what));
        said.map(|(_, state)| *state)
    };
    by_code.or_else(by_message).unwrap_or(match failure.class {
        FailureClass::UserConfig | FailureClass::UserData => "42000",
        FailureClass::Dependency => "58000",
        FailureClass::RateLimit => "53400",
        FailureClass::Infra => "53000",
        FailureClass::Bug => "XX000",
    })
}
