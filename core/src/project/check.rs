//! What a schema cannot say about a project: identifiers, references, and settings that are
//! allowed one by one but not together. Sources and deciles have modules of their own.

use super::finding::{At, Report};
use super::model::{ClvModel, Project};
use super::near::did_you_mean;
use super::{check_decile, check_source, name, publish, sql};

/// Adds everything that is wrong or odd in a resolved project.
pub(super) fn check(project: &Project, report: &mut Report) {
    identifier(&project.project, At::Value, "project", report);
    namespace(&project.customer.namespace, report);
    purpose(project, report);
    check_source::check(project, report);
    clv(project, report);
    check_decile::check(project, report);
    publish::check(project, report);
}

/// Names that become names of columns and tables must be identifiers.
pub(super) fn identifier(text: &str, at: At, path: &str, report: &mut Report) {
    if name::is_identifier(text) {
        return;
    }
    let message = format!("`{text}` is no identifier");
    let remedy = format!(
        "use up to {} lower-case letters, digits and `_`, such as `{}`",
        name::MAX_BYTES,
        name::to_identifier(text)
    );
    report.error(at, path, message, remedy);
}

/// An optional SQL text, where it has been given.
pub(super) fn expression(text: Option<&str>, path: &str, report: &mut Report) {
    if let Some((message, remedy)) = text.and_then(sql::slip) {
        report.error(At::Value, path, format!("`{path}` {message}"), remedy);
    }
}

fn namespace(namespace: &str, report: &mut Report) {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !namespace.chars().all(fits) {
        let message = format!("`{namespace}` is no identity namespace");
        report.error(
            At::Value,
            "customer.namespace",
            message,
            "use letters, digits, `_` and `-`",
        );
    }
}

fn purpose(project: &Project, report: &mut Report) {
    let unused = project.clv.is_none() && project.deciles.is_empty();
    if unused && !report.is_spoiled_within("clv") && !report.is_spoiled_within("deciles") {
        let remedy = "add `clv:`, `deciles:` or both";
        report.error(
            At::Key,
            "",
            "the project computes nothing: it has neither clv nor deciles",
            remedy,
        );
    }
}

fn clv(project: &Project, report: &mut Report) {
    let Some(clv) = &project.clv else { return };
    clv_source(project, &clv.source, &clv.value, report);
    models(&clv.models, report);
}

fn clv_source(project: &Project, source: &str, value: &str, report: &mut Report) {
    let Some(found) = project.sources.get(source) else {
        unknown_source(project, source, report);
        return;
    };
    let Some(measure) = found.measures.get(value) else {
        unknown_value(project, source, value, report);
        return;
    };
    let scale = format!("sources.{source}.measures.{value}.scale");
    if measure.currency.is_none() && !report.is_written(&scale) {
        let message =
            format!("CLV is computed from `{value}`, which has no currency and keeps no decimals");
        let remedy =
            format!("add `currency:` to the measure `{value}`, or `scale:` when it is not money");
        report.warn(At::Value, "clv.value", message, remedy);
    }
}

fn unknown_source(project: &Project, source: &str, report: &mut Report) {
    if !report.is_spoiled("sources") {
        let remedy = did_you_mean(source, project.sources.keys().map(String::as_str));
        report.error(
            At::Value,
            "clv.source",
            format!("there is no source `{source}`"),
            remedy,
        );
    }
}

fn unknown_value(project: &Project, source: &str, value: &str, report: &mut Report) {
    if report.is_spoiled(&format!("sources.{source}.measures")) || report.is_spoiled("clv.source") {
        return;
    }
    let remedy = match project.measure(value) {
        Some((elsewhere, ..)) => format!("it belongs to the source `{elsewhere}`"),
        None => {
            let measures = project
                .sources
                .get(source)
                .map(|s| s.measures.keys().map(String::as_str));
            did_you_mean(value, measures.into_iter().flatten().collect::<Vec<_>>())
        }
    };
    let message = format!("the source `{source}` has no measure `{value}`");
    report.error(At::Value, "clv.value", message, remedy);
}

fn models(models: &[ClvModel], report: &mut Report) {
    if report.is_spoiled_within("clv.models") {
        return;
    }
    for (index, model) in models.iter().enumerate() {
        if models.iter().take(index).any(|earlier| earlier == model) {
            let path = format!("clv.models[{index}]");
            report.error(
                At::Value,
                &path,
                "this model is given twice",
                "take one of the two out",
            );
        }
    }
}
