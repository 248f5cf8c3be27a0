//! Tests of sources of responses: what is declared by default, and what is found.

use super::*;
use crate::response::ResponseType;

const SHOP: &str = "
project: shop
customer: {type: int64}
sources:
  sales: {path: sales/, customer: c, time: t, measures: {units: {column: units}}}
  mails:
    kind: responses
    path: mails/
deciles: [{measure: units}]
";

#[test]
fn columns_are_called_as_they_are_unless_something_else_is_said() {
    let project = parse(SHOP).unwrap();
    let mails = &project.sources["mails"];
    assert_eq!(
        (mails.customer.as_str(), mails.time.column.as_str()),
        ("customer", "time")
    );
    assert_eq!(mails.event_id.as_deref(), Some("event_id"));
    assert_eq!(mails.dimensions.len(), 11);
    assert!(mails.dimensions.iter().all(|(name, column)| name == column));
    assert!(mails.may_lack("audience") && !mails.may_lack("type") && !mails.may_lack("campaign"));
    assert_eq!(project.campaigns.window_days, 14);
    assert!(!project.canonical_json().contains("campaigns"));
    let own = SHOP.replace(
        "path: mails/",
        "path: mails/\n    customer: who\n    event_id: {column: uid, horizon_days: 30}\n    responses:\n      \
         type: {column: event, values: {EmailOpen: open}}\n      audience: list",
    );
    let project = parse(&format!("{own}campaigns: {{window_days: 30}}\n")).unwrap();
    let mails = &project.sources["mails"];
    assert_eq!(
        (mails.customer.as_str(), mails.event_id.as_deref()),
        ("who", Some("uid"))
    );
    assert_eq!(mails.dimensions["type"], "event");
    assert_eq!(mails.dimensions["audience"], "list");
    // A column that was named has to be there.
    assert!(!mails.may_lack("audience") && mails.may_lack("delivery"));
    assert_eq!(mails.response_types["EmailOpen"], ResponseType::Open);
    assert_eq!(project.campaigns.window_days, 30);
    let tables = project.built_in_tables();
    assert!(
        ["fact_email_event", "fact_campaign", "dim_campaign"]
            .iter()
            .all(|table| tables.contains(table))
    );
    assert!(!tables.contains(&"dim_customer"));
    let written = serde_json::to_string(&project).unwrap();
    assert_eq!(serde_json::from_str::<Project>(&written).unwrap(), project);
}

#[test]
fn slips_are_told_with_what_to_do() {
    let cases = [
        (
            "path: mails/",
            "path: mails/\n    measures: {m: {column: m}}",
            "responses have no measures",
            "take it out",
        ),
        (
            "path: mails/",
            "path: mails/\n    dimensions: {a: b}",
            "responses have no dimensions",
            "`responses:`",
        ),
        (
            "path: mails/",
            "path: mails/\n    responses: {campain: c}",
            "unknown key `campain`",
            "`campaign`",
        ),
        (
            "path: mails/",
            "path: mails/\n    responses: {type: {values: {EmailOpen: opened}}}",
            "cannot be `opened`",
            "`open`",
        ),
        (
            "customer: c, ",
            "",
            "`customer` is missing in `sources.sales`",
            "add `customer:`",
        ),
        (
            "time: t, ",
            "",
            "`time` is missing in `sources.sales`",
            "add `time:`",
        ),
        (
            "time: t,",
            "time: t, responses: {campaign: c},",
            "events have no responses",
            "kind: responses",
        ),
    ];
    for (piece, replacement, message, remedy) in cases {
        let text = SHOP.replace(piece, replacement);
        let findings = lint(&text).findings;
        let [finding] = findings.as_slice() else {
            panic!("{replacement}: {findings:?}");
        };
        assert!(
            finding.message.contains(message),
            "{replacement}: {finding}"
        );
        assert!(finding.remedy.contains(remedy), "{replacement}: {finding}");
    }
    let wide = format!("{SHOP}campaigns: {{window_days: 1000}}\n");
    assert!(lint(&wide).findings[0].remedy.contains("366"));
}

#[test]
fn responses_that_are_sent_have_their_types_by_themselves() {
    let text = SHOP.replace("path: mails/", "ingest: {}\n    types: {campaign: string}");
    let project = parse(&text).unwrap();
    let types = &project.sources["mails"].types;
    assert_eq!(types.len(), 14);
    assert_eq!(types["customer"], ColumnType::Int64);
    // A text keeps the offset that it says.
    assert_eq!(types["time"], ColumnType::String);
    assert_eq!(types["machine"], ColumnType::Bool);
    assert_eq!(types["decile"], ColumnType::Int64);
    assert_eq!(types["url"], ColumnType::String);
    let epoch = "ingest: {}\n    time: {column: timestamp, unit: s}";
    let project = parse(&SHOP.replace("path: mails/", epoch)).unwrap();
    let types = &project.sources["mails"].types;
    assert_eq!(
        (types["timestamp"], types.contains_key("time")),
        (ColumnType::Int64, false)
    );
}
