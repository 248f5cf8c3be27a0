//! Checks of sources that take messages in one by one.

use super::finding::{At, Report};
use super::model::{Mail, Project, Source};
use super::near::did_you_mean;

pub(super) fn check(project: &Project, report: &mut Report) {
    for (name, source) in &project.sources {
        let ingest = format!("sources.{name}.ingest");
        let declared = source.ingest.as_ref();
        if declared.is_some_and(|declared| declared.stream.is_some()) {
            stream(source, &format!("sources.{name}"), &ingest, report);
        }
        if let Some(mail) = declared.and_then(|declared| declared.mail.as_ref()) {
            identity(project, mail, &format!("{ingest}.mail.identity"), report);
        }
    }
}

fn stream(source: &Source, at: &str, ingest: &str, report: &mut Report) {
    if source.event_id.is_none() && !report.is_spoiled_within(&format!("{at}.event_id")) {
        let message = "a source that takes messages in needs an `event_id`";
        let remedy = "declare the column that tells events apart: a message whose answer got lost is \
                      sent again, and would count twice";
        report.error(At::Key, ingest, message, remedy);
    }
}

fn identity(project: &Project, mail: &Mail, at: &str, report: &mut Report) {
    let Some(identity) = &mail.identity else {
        return;
    };
    let sources = project.sources.values();
    let known = sources.flat_map(|source| source.identities.keys().map(String::as_str));
    let known: Vec<&str> = known.collect();
    if known.contains(&identity.as_str()) {
        return;
    }
    let remedy = match known.is_empty() {
        true => "declare it under `identities:` of a source of attributes".to_owned(),
        false => did_you_mean(identity, known),
    };
    let message = format!("there is no identity `{identity}`");
    report.error(At::Value, at, message, remedy);
}
