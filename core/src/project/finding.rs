//! What is wrong, or odd, in a declaration: where, what, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, though probably not as meant.
    Warning,
}

/// One thing wrong or odd in a `tenfold.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Line of the key or value, from 1.
    pub line: u64,
    /// Column of the key or value in characters, from 1.
    pub column: u64,
    /// Where in the declarations, such as `sources.purchases.time`; empty for the whole file.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// The finding as two lines that open with the given file name, `file:line:column: error: …`,
    /// and the remedy under it.
    pub fn render(&self, file: &str) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Self {
            line,
            column,
            message,
            remedy,
            ..
        } = self;
        format!("{file}:{line}:{column}: {severity}: {message}\n  {remedy}")
    }
}

impl fmt::Display for Finding {
    /// Renders with the file's usual name, `tenfold.yaml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render("tenfold.yaml"))
    }
}

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub line: u64,
    pub column: u64,
}

impl Spot {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// Where a path stands in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: Spot,
    value: Spot,
}

/// Which end of an entry a finding points at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Key,
    Value,
}

/// The findings of one file as they are gathered, with the places they can point at.
///
/// A path is *spoiled* once a finding made its value unusable: the reader goes on with a stand-in,
/// and findings about the stand-in would be noise, so they are dropped.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    places: BTreeMap<String, Place>,
    spoiled: BTreeSet<String>,
}

impl Report {
    /// Remembers where a path stands.
    pub(crate) fn place(&mut self, path: &str, key: Spot, value: Spot) {
        self.places.insert(path.to_owned(), Place { key, value });
    }

    /// Whether the file itself has the path, rather than a default.
    pub(crate) fn is_written(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Marks a path as unusable.
    pub(crate) fn spoil(&mut self, path: &str) {
        self.spoiled.insert(path.to_owned());
    }

    /// Whether the path or one that holds it is spoiled.
    pub(crate) fn is_spoiled(&self, path: &str) -> bool {
        ancestors(path).any(|ancestor| self.spoiled.contains(ancestor))
    }

    /// Whether anything at or below the path is spoiled.
    pub(crate) fn is_spoiled_within(&self, path: &str) -> bool {
        // Texts that begin alike stand beside each other.
        let alike = self.spoiled.range(path.to_owned()..);
        let mut alike = alike.take_while(|spoiled| spoiled.starts_with(path));
        self.is_spoiled(path) || alike.any(|spoiled| ancestors(spoiled).any(|a| a == path))
    }

    /// Adds an error at a path.
    pub(crate) fn error(
        &mut self,
        at: At,
        path: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Error, at, path, message.into(), remedy.into());
    }

    /// Adds a warning at a path.
    pub(crate) fn warn(
        &mut self,
        at: At,
        path: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Warning, at, path, message.into(), remedy.into());
    }

    fn add(&mut self, severity: Severity, at: At, path: &str, message: String, remedy: String) {
        if !self.is_spoiled(path) {
            let spot = self.spot(at, path);
            self.add_at(severity, spot, path, message, remedy);
        }
    }

    /// Adds a finding at a spot that no path names.
    pub(crate) fn add_at(
        &mut self,
        severity: Severity,
        spot: Spot,
        path: &str,
        message: String,
        remedy: String,
    ) {
        let Spot { line, column } = spot;
        let path = path.to_owned();
        self.findings.push(Finding {
            severity,
            line,
            column,
            path,
            message,
            remedy,
        });
    }

    /// The spot of a path; where the file leaves it out, the key of the nearest one around it.
    pub(crate) fn spot(&self, at: At, path: &str) -> Spot {
        if let Some(place) = self.places.get(path) {
            return match at {
                At::Key => place.key,
                At::Value => place.value,
            };
        }
        let around = ancestors(path).find_map(|ancestor| self.places.get(ancestor));
        around.map_or(Spot::START, |place| place.key)
    }

    /// All findings in the order of the file.
    pub(crate) fn into_findings(mut self) -> Vec<Finding> {
        self.findings
            .sort_by_key(|finding| (finding.line, finding.column, finding.severity));
        self.findings
    }

    /// Whether the file can be used.
    pub(crate) fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// The path itself, then each one around it: `a.b[2].c`, `a.b[2]`, `a.b`, `a`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        let cut = path.rfind(['.', '['])?;
        path.get(..cut)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_go_outwards() {
        let all: Vec<&str> = ancestors("deciles[1].lookbacks[0]").collect();
        assert_eq!(
            all,
            [
                "deciles[1].lookbacks[0]",
                "deciles[1].lookbacks",
                "deciles[1]",
                "deciles"
            ]
        );
    }

    #[test]
    fn spoiled_paths_swallow_what_is_said_about_their_inside() {
        let mut report = Report::default();
        report.spoil("clv");
        report.spoil("deciles[10].by");
        assert!(report.is_spoiled_within("deciles[10]") && report.is_spoiled_within("clv.source"));
        assert!(!report.is_spoiled_within("deciles[1]") && !report.is_spoiled_within("dec"));
        report.error(At::Value, "clv.source", "no", "x");
        report.error(At::Value, "clvx", "yes", "x");
        let messages: Vec<String> = report
            .into_findings()
            .into_iter()
            .map(|f| f.message)
            .collect();
        assert_eq!(messages, ["yes"]);
    }
}
