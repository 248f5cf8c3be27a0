//! Checks of sources whose files Tenfold takes in itself, and of where all others lie.

use super::finding::{At, Report};
use super::model::{MeasureValue, Project, Source};

/// What follows for such a source, and cannot be declared.
const IMPLIED: [(&str, &str); 5] = [
    ("format", "each file that is sent says its own"),
    ("layout", "rows are kept as plain files"),
    ("version", "rows are kept as plain files"),
    ("changed", "files that are kept do not change"),
    (
        "vanished",
        "rows that are reverted or replaced are always restated",
    ),
];

pub(super) fn check(project: &Project, report: &mut Report) {
    for (name, source) in &project.sources {
        let at = format!("sources.{name}");
        if one_of_two(source, &at, report) && source.ingest.is_some() {
            implied(&at, report);
            types(source, &at, report);
        }
    }
}

/// Whether a source says where its rows come from, in one way.
fn one_of_two(source: &Source, at: &str, report: &mut Report) -> bool {
    let (path, ingest) = (format!("{at}.path"), format!("{at}.ingest"));
    match (report.is_written(&path), source.ingest.is_some()) {
        (true, true) => {
            let message = format!("`{at}` has both a `path` and `ingest`");
            let remedy =
                "take `path` out if files are sent to Tenfold, or `ingest` if they lie there";
            report.error(At::Key, &ingest, message, remedy);
            false
        }
        (false, false) => {
            if !report.is_spoiled_within(&path) && !report.is_written(&ingest) {
                let message = format!("`path` is missing in `{at}`");
                let remedy =
                    "say where its files lie, or add `ingest: {}` if they are sent to Tenfold";
                report.error(At::Key, at, message, remedy);
            }
            false
        }
        _ => true,
    }
}

fn implied(at: &str, report: &mut Report) {
    for (key, why) in IMPLIED {
        let path = format!("{at}.{key}");
        if report.is_written(&path) {
            let message = format!("a source with `ingest` has no `{key}`");
            report.error(At::Key, &path, message, format!("take it out: {why}"));
        }
    }
}

/// Rows are checked when they come, so the type of every column has to be known by then.
fn types(source: &Source, at: &str, report: &mut Report) {
    let types = format!("{at}.types");
    if report.is_spoiled_within(&types) {
        return;
    }
    let columns = source
        .measures
        .values()
        .filter_map(|measure| match &measure.value {
            MeasureValue::Column(column) => Some(column),
            MeasureValue::Expression(_) => None,
        });
    let columns = columns
        .chain([&source.customer, &source.time.column])
        .chain(&source.event_id)
        .chain(source.dimensions.values());
    let mut lacking: Vec<&str> = columns
        .filter(|column| !column.is_empty() && !source.types.contains_key(*column))
        .map(String::as_str)
        .collect();
    lacking.sort_unstable();
    lacking.dedup();
    for column in lacking {
        let message = format!("the column `{column}` has no type");
        let remedy = format!(
            "add `{column}: …` under `types:`, which names all columns that are kept; others are \
             left out"
        );
        report.error(At::Key, &types, message, remedy);
    }
}
