//! Declarations of sources that take messages in.

use super::*;

fn source(ingest: &str, more: &str) -> Lint {
    let replaced = format!(
        "ingest: {ingest}, types: {{c: string, t: string, id: string, amount: float64}}{more}"
    );
    lint(&least_with("path: data/", &replaced))
}

#[test]
fn what_is_left_out_is_spelled_out() {
    let lint = source("{stream: {}}", ", event_id: id");
    let project = lint
        .project
        .unwrap_or_else(|| panic!("{}", shown(&lint.findings)));
    let ingest = project.sources["s"].ingest.clone().unwrap();
    assert_eq!(ingest.stream, Some(Stream::default()));
    let lint = source("{mail: {sendgrid: {env: KEY}}}", ", event_id: id");
    let project = lint
        .project
        .unwrap_or_else(|| panic!("{}", shown(&lint.findings)));
    let source = &project.sources["s"];
    assert_eq!(source.types["tenfold_email"], ColumnType::String);
    let ingest = source.ingest.clone().unwrap();
    assert!(
        ingest.stream.is_some(),
        "what senders tell comes as messages"
    );
    let secret = ingest.mail.unwrap().sendgrid;
    assert_eq!(secret, Some(Secret::Env("KEY".to_owned())));
}

#[test]
fn slips_have_a_remedy() {
    for (ingest, more, message, remedy) in [
        ("{stream: {}}", "", "needs an `event_id`", "count twice"),
        (
            "{stream: {every: soon}}",
            ", event_id: id",
            "no length of time",
            "30s",
        ),
        (
            "{stream: {megabytes: 0}}",
            ", event_id: id",
            "megabytes",
            "",
        ),
        (
            "{mail: {identity: email}}",
            ", event_id: id",
            "no identity `email`",
            "`identities:`",
        ),
    ] {
        let findings = source(ingest, more).findings;
        let found = findings
            .iter()
            .any(|finding| finding.message.contains(message) && finding.remedy.contains(remedy));
        assert!(found, "{ingest}:\n{}", shown(&findings));
    }
}
