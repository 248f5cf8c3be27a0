//! Checks of sources of attributes: what they may declare, and what their columns may be called.

use super::finding::{At, Report};
use super::model::{ColumnType, Project, Source, SourceKind};
use super::near::did_you_mean;
use crate::snapshot::ATTRIBUTES_OWN;

pub(super) fn check(project: &Project, report: &mut Report) {
    let mut first = None;
    for (name, source) in &project.sources {
        let at = format!("sources.{name}");
        match source.kind {
            SourceKind::Events => events(&at, report),
            SourceKind::Responses => super::check_responses::check(source, &at, report),
            SourceKind::Attributes => {
                attributes(source, &at, report);
                let first = *first.get_or_insert(name);
                if first != name {
                    let message = format!("`{first}` is a source of attributes too");
                    let remedy = "bring the attributes of customers together in one source";
                    report.error(At::Key, &at, message, remedy);
                }
            }
        }
    }
}

/// What only attributes have.
fn events(at: &str, report: &mut Report) {
    for key in ["attributes", "identities"] {
        let path = format!("{at}.{key}");
        if report.is_written(&path) {
            let message = format!("events have no {key}");
            let remedy = "add `kind: attributes` if the rows say what customers are like";
            report.error(At::Key, &path, message, remedy);
        }
    }
    super::check_responses::none("events", at, report);
}

fn attributes(source: &Source, at: &str, report: &mut Report) {
    for key in ["measures", "dimensions", "event_id"] {
        let path = format!("{at}.{key}");
        if report.is_written(&path) {
            let message = format!("attributes have no {key}");
            let remedy = "take it out; name the columns under `attributes:`";
            report.error(At::Key, &path, message, remedy);
        }
    }
    super::check_responses::none("attributes", at, report);
    if source.dimensions.is_empty() && !report.is_spoiled_within(&format!("{at}.attributes")) {
        let remedy = "name the columns to keep under `attributes:`";
        report.error(At::Key, at, "the source has no attributes", remedy);
    }
    for name in ATTRIBUTES_OWN {
        if source.dimensions.contains_key(name) {
            let path = format!("{at}.attributes.{name}");
            let message = format!("`{name}` is a column that dim_customer has anyway");
            report.error(At::Key, &path, message, "give the attribute another name");
        }
    }
    for (name, declared) in &source.attribute_types {
        if *declared == ColumnType::Timestamp {
            let path = format!("{at}.attributes.{name}.type");
            let remedy = "use `type: date`, or take the type out to keep it as a text";
            report.error(At::Value, &path, "an attribute is no timestamp", remedy);
        }
    }
    identities(source, at, report);
}

fn identities(source: &Source, at: &str, report: &mut Report) {
    for (namespace, identity) in &source.identities {
        let at = format!("{at}.identities.{namespace}");
        super::check::identifier(namespace, At::Key, &at, report);
        let path = format!("{at}.attribute");
        if !source.dimensions.contains_key(&identity.attribute) {
            let message = format!("there is no attribute `{}`", identity.attribute);
            let known = source.dimensions.keys().map(String::as_str);
            report.error(
                At::Value,
                &path,
                message,
                did_you_mean(&identity.attribute, known),
            );
        } else if source.attribute_types.contains_key(&identity.attribute) {
            let message = format!("`{}` is no text", identity.attribute);
            let remedy = "an identity is a text: take its `type` out";
            report.error(At::Value, &path, message, remedy);
        }
        let others = source.identities.iter();
        let mut others = others
            .filter(|(name, other)| *name < namespace && other.attribute == identity.attribute);
        if let Some((other, _)) = others.next() {
            let message = format!("`{}` is the identity `{other}` too", identity.attribute);
            report.error(At::Value, &path, message, "take one of the two out");
        }
    }
}
