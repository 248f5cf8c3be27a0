//! Reads declarations of destinations and deliveries, and says everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use super::delivery::{DeliveryMode, DeliverySpec, Members, Run};
use super::destination::{DestinationSpec, FileSettings, Target};
use super::mapping::check_format;
use super::names::may_meet;
use crate::failure::{ErrorCode, Failure};
use crate::project::near::did_you_mean;
use crate::project::{At, Finding, Project, Report, declared, is_identifier, schema_text};

/// Where the declarations lie in a project.
const DESTINATIONS: &str = "destinations";
const DELIVERIES: &str = "deliveries";

/// A file of a project: its place in it, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredFile {
    /// Its place, such as `deliveries/winback.yaml`.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// The destinations and deliveries of a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Destinations by name.
    pub destinations: BTreeMap<String, DestinationSpec>,
    /// Deliveries by name.
    pub deliveries: BTreeMap<String, DeliverySpec>,
}

impl Declared {
    /// The delivery of a name, and its destination.
    ///
    /// # Errors
    /// When there is none.
    pub fn delivery(&self, name: &str) -> Result<(&DeliverySpec, &DestinationSpec), Failure> {
        let spec = self.deliveries.get(name).ok_or_else(|| {
            let names = self.deliveries.keys().map(String::as_str);
            unknown("delivery", name, names)
        })?;
        Ok((spec, self.destination(&spec.destination)?))
    }

    /// The destination of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn destination(&self, name: &str) -> Result<&DestinationSpec, Failure> {
        self.destinations.get(name).ok_or_else(|| {
            let names = self.destinations.keys().map(String::as_str);
            unknown("destination", name, names)
        })
    }
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    let names: Vec<&str> = names.collect();
    Failure::config(format!("the project has no {what} {name}"))
        .code(ErrorCode::UnknownDelivery)
        .remedy(did_you_mean(name, names))
}

/// The JSON Schema of the file of a destination.
pub fn destination_schema_text() -> String {
    schema_text::<DestinationSpec>()
}

/// The JSON Schema of the file of a delivery.
pub fn delivery_schema_text() -> String {
    schema_text::<DeliverySpec>()
}

/// Reads all files, and what is wrong or odd with each.
pub fn lint_deliveries(
    files: &[DeclaredFile],
    project: &Project,
) -> (Declared, Vec<(String, Finding)>) {
    let mut all = Declared::default();
    let mut findings = Vec::new();
    for file in files {
        let Some(stem) = stem(&file.file, DESTINATIONS) else {
            continue;
        };
        let mut report = Report::default();
        if let Some(spec) = declared::<DestinationSpec>(&file.text, &mut report) {
            named(&spec.destination, stem, "destination", &mut report);
            check_target(&spec.to, &mut report);
            // One with errors is still there for the deliveries that name it.
            all.destinations.insert(stem.to_owned(), spec);
        }
        let found = report.into_findings().into_iter();
        findings.extend(found.map(|finding| (file.file.clone(), finding)));
    }
    for file in files {
        let Some(stem) = stem(&file.file, DELIVERIES) else {
            continue;
        };
        let mut report = Report::default();
        if let Some(spec) = declared::<DeliverySpec>(&file.text, &mut report) {
            named(&spec.delivery, stem, "delivery", &mut report);
            check_delivery(&spec, project, &all.destinations, &mut report);
            check_names(&spec, &all, &mut report);
            all.deliveries.insert(stem.to_owned(), spec);
        }
        let found = report.into_findings().into_iter();
        findings.extend(found.map(|finding| (file.file.clone(), finding)));
    }
    (all, findings)
}

/// Longest name: with the number of a delivery it is the name of a batch.
const LONGEST_NAME: usize = 40;

fn stem<'a>(file: &'a str, folder: &str) -> Option<&'a str> {
    let name = file.strip_prefix(folder)?.strip_prefix('/')?;
    name.strip_suffix(".yaml")
}

fn named(name: &str, stem: &str, key: &str, report: &mut Report) {
    if !is_identifier(name) {
        let message = format!("`{key}` is `{name}`, which is no name");
        let remedy = "write lower-case letters, digits and `_`, a letter first";
        report.error(At::Value, key, message, remedy);
    } else if name.len() > LONGEST_NAME {
        let message = format!("`{key}` is longer than {LONGEST_NAME} bytes");
        let remedy = "choose a shorter name: it stands in names of batches and files";
        report.error(At::Value, key, message, remedy);
    } else if name != stem {
        let message = format!("the {key} of this file is called `{name}`");
        let remedy = format!("call it `{stem}`, or the file {name}.yaml");
        report.error(At::Value, key, message, remedy);
    }
}

fn check_target(target: &Target, report: &mut Report) {
    match target {
        Target::Files(files) => {
            check_file(&files.file, "to.files.file", report);
        }
        Target::Sftp(sftp) => {
            check_file(&sftp.file, "to.sftp.file", report);
            let host = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            for (name, text) in [("host", &sftp.host), ("user", &sftp.user)] {
                if text.is_empty() || text.starts_with('-') || !text.chars().all(host) {
                    let at = format!("to.sftp.{name}");
                    let message =
                        format!("`{at}` is empty, or has characters that cannot be in it");
                    let remedy = "write letters, digits, `.`, `-` and `_`";
                    report.error(At::Value, &at, message, remedy);
                }
            }
            let mut lines = sftp.host_key.chars().chain(sftp.path.chars());
            if lines.any(char::is_control) {
                let message = "`to.sftp` has control characters";
                report.error(At::Value, "to.sftp", message, "leave them out");
            }
            if sftp.path.is_empty() {
                let message = "`to.sftp.path` is empty";
                let remedy = "name the folder; `.` is the one that the user begins in";
                report.error(At::Value, "to.sftp.path", message, remedy);
            }
            let key = sftp.host_key.split_whitespace().next().unwrap_or_default();
            if !key.starts_with("ssh-") && !key.starts_with("ecdsa-") {
                let message = "`to.sftp.host_key` is no public key";
                let remedy = "write what `ssh-keyscan HOST` prints after the name of the host: \
                              `ssh-ed25519 AAAA...`";
                report.error(At::Value, "to.sftp.host_key", message, remedy);
            }
        }
        Target::Webhook(webhook) => check_url(&webhook.url, "to.webhook.url", report),
        Target::Eloqua(eloqua) => check_url(&eloqua.login, "to.eloqua.login", report),
        Target::Sendgrid(sendgrid) => check_url(&sendgrid.url, "to.sendgrid.url", report),
        Target::Mailchimp(mailchimp) => {
            if let Some(url) = &mailchimp.url {
                check_url(url, "to.mailchimp.url", report);
            }
        }
        Target::Listmonk(listmonk) => check_url(&listmonk.url, "to.listmonk.url", report),
    }
}

fn check_url(url: &str, at: &str, report: &mut Report) {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        let message = format!("`{at}` is no address of http or https");
        report.error(At::Value, at, message, "write https://HOST/PATH");
    } else if let Some(host) = url.strip_prefix("http://")
        && !["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|near| host.starts_with(near))
    {
        let message = format!("`{at}` would send people's data without encryption");
        report.warn(At::Value, at, message, "use https");
    }
}

/// Words in braces that names of files may have.
pub(super) const NAME_WORDS: [&str; 6] =
    ["delivery", "number", "snapshot", "date", "time", "audience"];

fn check_file(file: &FileSettings, at: &str, report: &mut Report) {
    let name = format!("{at}.name");
    if let Some(word) = unknown_word(&file.name) {
        let message = format!("`{name}` has `{{{word}}}`, which stands for nothing");
        report.error(At::Value, &name, message, did_you_mean(&word, NAME_WORDS));
    }
    if !["{number}", "{time}"]
        .iter()
        .any(|word| file.name.contains(word))
    {
        let message = format!("`{name}` is the same for several deliveries");
        let remedy = "add `{number}` or `{time}`: files are never overwritten";
        report.error(At::Value, &name, message, remedy);
    }
    let rooted = file.name.starts_with('/');
    if rooted
        || file
            .name
            .split('/')
            .any(|part| matches!(part, "" | "." | ".."))
    {
        let message = format!("`{name}` is no name of a file below the folder");
        report.error(
            At::Value,
            &name,
            message,
            "leave out empty parts, `.` and `..`",
        );
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/{}".contains(c);
    if !file.name.chars().all(plain) {
        let message = format!("`{name}` has characters that not every server takes");
        let remedy = "write letters, digits, `.`, `-`, `_` and `/`";
        report.error(At::Value, &name, message, remedy);
    }
    if file.name.len() > 150 {
        let message = format!("`{name}` is too long");
        report.error(At::Value, &name, message, "use up to 150 bytes");
    }
    let mut delimiter = file.delimiter.chars();
    let usable = |c: char| !matches!(c, '"' | '\r' | '\n') && c.is_ascii();
    if !matches!((delimiter.next(), delimiter.next()), (Some(c), None) if usable(c)) {
        let at = format!("{at}.delimiter");
        let message = format!("`{at}` is not one character that can stand between fields");
        report.error(At::Value, &at, message, "use `,`, `;` or a tab");
    }
}

/// The first word in braces that stands for nothing.
fn unknown_word(name: &str) -> Option<String> {
    let words = name
        .split('{')
        .skip(1)
        .map(|rest| match rest.split_once('}') {
            Some((word, _)) => word,
            None => rest,
        });
    let mut unknown = words.filter(|word| !NAME_WORDS.contains(word));
    unknown.next().map(str::to_owned)
}

fn check_delivery(
    spec: &DeliverySpec,
    project: &Project,
    destinations: &BTreeMap<String, DestinationSpec>,
    report: &mut Report,
) {
    match destinations.get(&spec.destination) {
        None => {
            let message = format!("there is no destination `{}`", spec.destination);
            let remedy = did_you_mean(&spec.destination, destinations.keys().map(String::as_str));
            report.error(At::Value, "destination", message, remedy);
        }
        Some(destination) => check_mode(spec, destination, report),
    }
    match &spec.from {
        Members::Table(name) if !is_identifier(name) => {
            let message = format!("`{name}` is no name of a table");
            report.error(At::Value, "from.table", message, "use `sql:` for a query");
        }
        Members::Audience(name) if !is_identifier(name) => {
            let message = format!("`{name}` is no name of an audience");
            let remedy = "write the name of a file of audiences/, without its ending";
            report.error(At::Value, "from.audience", message, remedy);
        }
        Members::Audience(_) | Members::Table(_) | Members::Sql(_) => {}
    }
    if spec.run == Run::Live {
        check_live(spec, project, report);
    }
    check_identity(spec, project, report);
    check_fields(spec, report);
    if let Some(name) = &spec.responses {
        check_responses(name, project, report);
    }
}

/// Files of deliveries to one destination lie beside each other, and none takes the place of another one's.
fn check_names(spec: &DeliverySpec, all: &Declared, report: &mut Report) {
    let destination = all.destinations.get(&spec.destination);
    let Some(name) = destination.and_then(|destination| template(&destination.to)) else {
        return;
    };
    let is_beside = |other: &&DeliverySpec| other.destination == spec.destination;
    let mut others = all.deliveries.values().filter(is_beside);
    if let Some(other) = others.find(|other| may_meet(name, spec, other)) {
        let message = format!(
            "files of this delivery may have the names of files of `{}`: those of destination `{}` \
             are called `{name}`",
            other.delivery, spec.destination
        );
        let remedy = "write `{delivery}-{number}` as its `file.name`, or give each delivery a \
                      destination of its own";
        report.error(At::Value, "destination", message, remedy);
    }
}

/// What files of a destination are called.
fn template(target: &Target) -> Option<&str> {
    match target {
        Target::Files(files) => Some(&files.file.name),
        Target::Sftp(sftp) => Some(&sftp.file.name),
        _ => None,
    }
}

/// Members are found as events come where an audience says so, and only what has changed is sent then.
fn check_live(spec: &DeliverySpec, project: &Project, report: &mut Report) {
    let mut audiences = project.audiences.iter();
    let message = match &spec.from {
        Members::Audience(name) => match audiences.find(|audience| audience.name == *name) {
            Some(audience) if !audience.live => {
                format!("`run: live`, but audience `{name}` is not declared `live`")
            }
            _ => String::new(),
        },
        Members::Table(_) | Members::Sql(_) => {
            "`run: live` is for the members of audiences alone".to_owned()
        }
    };
    if !message.is_empty() {
        let remedy =
            "write `live: true` into the file of the audience, or `run: after_refresh` here";
        report.error(At::Value, "run", message, remedy);
    }
    if spec.mode.sends_all() {
        let message = format!(
            "`run: live` with `mode: {}` would send everybody whenever somebody comes",
            spec.mode.name()
        );
        let remedy = "use `mode: upsert`, `mirror` or `file_incremental`";
        report.error(At::Value, "run", message, remedy);
    }
}

fn check_responses(name: &str, project: &Project, report: &mut Report) {
    let takes = |name: &String| {
        project
            .sources
            .get(name)
            .is_some_and(|of| of.ingest.is_some())
    };
    let message = match project.sources.contains_key(name) {
        false => format!("there is no source `{name}`"),
        true if !takes(&name.to_owned()) => format!("source `{name}` takes no files in"),
        true => return,
    };
    let taking = project.sources.keys().filter(|name| takes(name));
    let taking: Vec<&str> = taking.map(String::as_str).collect();
    let remedy = match taking.is_empty() {
        true => "declare a source of responses with `ingest: {}`".to_owned(),
        false => did_you_mean(name, taking),
    };
    report.error(At::Value, "responses", message, remedy);
}

fn check_mode(spec: &DeliverySpec, destination: &DestinationSpec, report: &mut Report) {
    let takes_files = destination.to.takes_files();
    if takes_files != spec.mode.makes_files() {
        let (what, remedy) = match takes_files {
            true => ("files", "use `mode: file_full` or `mode: file_incremental`"),
            false => ("rows", "use `mode: upsert`, `mirror` or `full`"),
        };
        let message = format!(
            "destination `{}` takes {what}, but the mode is `{}`",
            spec.destination,
            spec.mode.name()
        );
        let at = if report.is_written("mode") {
            "mode"
        } else {
            "destination"
        };
        report.error(At::Value, at, message, remedy);
    }
    if spec.status.is_some() && spec.mode != DeliveryMode::FileIncremental {
        let message = "`status` says something in incremental files alone";
        report.error(At::Key, "status", message, "take it out");
    }
    if spec.identity.columns.len() > 1 && !takes_files {
        let message = "an identity of two columns is for files alone";
        report.error(At::Value, "identity.columns", message, "name one column");
    }
}

fn check_identity(spec: &DeliverySpec, project: &Project, report: &mut Report) {
    let identity = &spec.identity;
    let columns = identity.columns.len();
    if identity.namespace.is_some() && columns > 0 {
        let message = "`identity` has both a namespace and columns";
        report.error(At::Value, "identity", message, "give one of the two");
    }
    if columns > 2 {
        let message = format!("`identity.columns` has {columns} columns");
        report.error(At::Value, "identity.columns", message, "give one or two");
    }
    if identity.field.is_some() && columns > 1 {
        let message = "an identity of two columns keeps their names";
        report.error(At::Key, "identity.field", message, "take it out");
    }
    if let Some(namespace) = &identity.namespace {
        let declared = project.sources.values().flat_map(|of| of.identities.keys());
        let declared: BTreeSet<&str> = declared.map(String::as_str).collect();
        if !declared.contains(namespace.as_str()) {
            let message = format!("no source declares the identity `{namespace}`");
            let remedy = match declared.is_empty() {
                true => "declare it under `identities:` of a source of attributes".to_owned(),
                false => did_you_mean(namespace, declared),
            };
            report.error(At::Value, "identity.namespace", message, remedy);
        }
    }
}

fn check_fields(spec: &DeliverySpec, report: &mut Report) {
    let mut names = BTreeSet::new();
    let status = spec.status.iter().cloned();
    let fields = spec.fields.iter().map(|field| field.detail().field);
    for (place, name) in fields.chain(status).enumerate() {
        let at = match place < spec.fields.len() {
            true => format!("fields[{place}]"),
            false => "status".to_owned(),
        };
        if name.chars().any(char::is_control) {
            let message = format!("`{at}` has a name with control characters");
            report.error(At::Value, &at, message, "leave them out");
        }
        if !names.insert(name.clone()) {
            let message = format!("the field `{name}` is there twice");
            report.error(At::Value, &at, message, "take one of the two out");
        }
    }
    for (place, field) in spec.fields.iter().enumerate() {
        let at = format!("fields[{place}]");
        let detail = field.detail();
        if detail.column.is_some() == detail.constant.is_some() {
            let message = format!("`{at}` needs either a column or a constant");
            report.error(At::Value, &at, message, "give `column:` or `constant:`");
        }
        if let Some(Err(error)) = detail.format.as_deref().map(check_format) {
            let message = format!("`{at}.format` cannot be used: {error}");
            let remedy = "write it as strftime has it, such as `%d.%m.%Y`";
            report.error(At::Value, &format!("{at}.format"), message, remedy);
        }
    }
    if spec.fields.is_empty() {
        let message = "nothing is told of anybody but who they are";
        let remedy = "name `fields:` if that is not meant";
        report.warn(At::Key, "fields", message, remedy);
    }
}
