//! Checks of sources of responses: what they may declare.

use super::finding::{At, Report};
use super::model::Source;

/// Adds what is wrong with a source of responses.
pub(super) fn check(source: &Source, at: &str, report: &mut Report) {
    for key in ["measures", "dimensions", "attributes", "identities"] {
        let path = format!("{at}.{key}");
        if report.is_written(&path) {
            let message = format!("responses have no {key}");
            let remedy = "take it out; name the columns under `responses:`";
            report.error(At::Key, &path, message, remedy);
        }
    }
    for word in source.response_types.keys().filter(|word| word.is_empty()) {
        let path = format!("{at}.responses.type.values.{word}");
        let remedy = "take it out: rows without a type are refused";
        report.error(At::Key, &path, "an empty word is no type", remedy);
    }
}

/// Refuses columns of responses in a source that has none.
pub(super) fn none(of: &str, at: &str, report: &mut Report) {
    let path = format!("{at}.responses");
    if report.is_written(&path) {
        let message = format!("{of} have no responses");
        let remedy = "add `kind: responses` if the rows say what became of what was sent";
        report.error(At::Key, &path, message, remedy);
    }
}
