//! Each sender's requests as its documentation shows them, and what they say.

use serde_json::json;

use super::*;

const SENDGRID: &[u8] = include_bytes!("fixtures/sendgrid.json");

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn rows(sender: Sender, payload: Payload<'_>) -> (Vec<Value>, BTreeMap<&'static str, u64>) {
    let told = told(sender, payload, now()).unwrap();
    let campaigns = [("42", "autumn"), ("spring mails", "spring")];
    let campaigns = BTreeMap::from(campaigns.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let rows = told.rows.into_iter().map(|row| row.written(&campaigns));
    (rows.collect(), told.ignored)
}

fn form(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    lines.map(owned).collect()
}

/// Columns of rows, side by side.
fn columns(rows: &[Value], names: &[&str]) -> Vec<String> {
    let cell = |row: &Value, name: &&str| match &row[*name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let line = |row: &Value| {
        let cells: Vec<String> = names.iter().map(|name| cell(row, name)).collect();
        cells.join(" ")
    };
    rows.iter().map(line).collect()
}

#[test]
fn sendgrid_tells_by_its_own_identities() {
    let (rows, ignored) = rows(Sender::Sendgrid, Payload::Json(SENDGRID));
    let expected = BTreeMap::from([("processed", 1), ("deferred", 1), ("group_resubscribe", 1)]);
    assert_eq!(ignored, expected);
    let shown = columns(
        &rows,
        &["event_id", "type", "customer", EMAIL, "campaign", "machine"],
    );
    assert_eq!(
        shown,
        [
            "dl1 delivered 17 - spring -",
            "o1 open 17 - spring false",
            "o2 open - bob@example.com 27c21bbf-a12c-440b-b8bf-c526975328ca true",
            "c1 click 17 - spring -",
            "b1 bounce - cy@example.com spring -",
            "b2 bounce - cy@example.com - -",
            "s1 complaint - cy@example.com - -",
            "u1 unsubscribe - cy@example.com - -",
            "u2 unsubscribe - cy@example.com - -",
        ]
    );
    let first = json!({"event_id": "dl1", "customer": "17", "time": "2017-12-15T00:59:31Z",
        "type": "delivered", "campaign": "spring", "delivery": "d-7", "message": "m1.filter0001"});
    assert_eq!(rows[0], first);
    assert_eq!(rows[3]["url"], "http://www.example.com/shop");
}

#[test]
fn mailchimp_tells_changes_of_lists() {
    let fields = form(include_str!("fixtures/mailchimp.form"));
    let (told, ignored) = rows(Sender::Mailchimp, Payload::Form(&fields));
    assert!(ignored.is_empty());
    let names = ["type", EMAIL, "campaign", "time"];
    assert_eq!(
        columns(&told, &names),
        ["unsubscribe ann@example.com cb398d21d2 2009-03-26T21:40:57Z"]
    );
    let again = rows(Sender::Mailchimp, Payload::Form(&fields)).0;
    assert_eq!(again, told, "the same request has the same identity");
    let cleaned = form(include_str!("fixtures/mailchimp-cleaned.form"));
    let cleaned = rows(Sender::Mailchimp, Payload::Form(&cleaned)).0;
    assert_eq!(
        columns(&cleaned, &names),
        ["bounce bob@example.com 4fjk2ma9xd 2009-03-26T22:01:00Z"]
    );
    assert_ne!(cleaned[0]["event_id"], told[0]["event_id"]);
    let profile = form("type=profile\nfired_at=2009-03-26 21:31:21");
    let (none, ignored) = rows(Sender::Mailchimp, Payload::Form(&profile));
    assert_eq!((none.len(), ignored["profile"]), (0, 1));
}

#[test]
fn mailchimp_transactional_sends_metadata_back() {
    let events = include_str!("fixtures/mailchimp-transactional.json");
    let fields = [("mandrill_events".to_owned(), events.to_owned())];
    let (rows, ignored) = rows(Sender::Mailchimp, Payload::Form(&fields));
    assert_eq!(ignored, BTreeMap::from([("send", 1)]));
    let names = ["type", "customer", EMAIL, "campaign", "machine", "url"];
    assert_eq!(
        columns(&rows, &names),
        [
            "open 17 - spring true -",
            "click - ann@example.com spring - http://mandrill.com",
            "bounce - bob@example.com - - -",
            "complaint - bob@example.com - - -",
            "unsubscribe - bob@example.com - - -",
        ]
    );
    let ids: std::collections::BTreeSet<_> =
        rows.iter().map(|r| r["event_id"].to_string()).collect();
    assert_eq!(ids.len(), rows.len());
}

#[test]
fn a_bounce_of_listmonk_counts_once() {
    let body = include_bytes!("fixtures/listmonk.json");
    let told = rows(Sender::Listmonk, Payload::Json(body)).0;
    let names = ["type", "customer", EMAIL, "campaign", "time"];
    assert_eq!(
        columns(&told, &names),
        ["bounce 17 - spring 2023-11-14T22:13:20Z"]
    );
    let later = super::told(
        Sender::Listmonk,
        Payload::Json(body),
        Timestamp::from_second(1_700_000_900).unwrap(),
    );
    let dated = br#"{"email": "a", "type": "soft", "created_at": "2026-11-20T11:00:00+01:00"}"#;
    let dated = rows(Sender::Listmonk, Payload::Json(dated)).0;
    assert_eq!(
        columns(&dated, &names),
        ["bounce - a - 2026-11-20T10:00:00Z"]
    );
    let later = later.unwrap().rows.remove(0).written(&BTreeMap::new());
    assert_eq!(later["event_id"], told[0]["event_id"]);
}

#[test]
fn eloqua_tells_pages_of_activities() {
    let body = include_bytes!("fixtures/eloqua.json");
    let (rows, ignored) = rows(Sender::Eloqua, Payload::Json(body));
    assert_eq!(ignored, BTreeMap::from([("EmailSend", 1)]));
    let names = ["event_id", "type", EMAIL, "campaign", "time"];
    assert_eq!(
        columns(&rows, &names),
        [
            "eloqua-EmailOpen-101 open ann@example.com autumn 2014-03-18T16:34:31.45Z",
            "eloqua-EmailClickthrough-102 click ann@example.com autumn 2014-03-18T16:35:00Z",
            "eloqua-Bounceback-103 bounce bob@example.com Spring 2014-03-18T17:00:00Z",
        ]
    );
}

#[test]
fn rows_of_ours_go_through_as_they_are() {
    let body = include_bytes!("fixtures/generic.json");
    let rows = rows(Sender::Generic, Payload::Json(body)).0;
    let first = json!({"event_id": "g-1", "customer": "17", "time": "2026-11-20T10:00:00Z",
        "type": "open", "campaign": "spring", "machine": false});
    assert_eq!(rows[0], first);
    assert_eq!(rows[1][EMAIL], "Ann@Example.com");
    assert_eq!(rows[2], json!({ PAYLOAD: "7" }));
}

#[test]
fn what_is_not_understood_becomes_a_row_and_is_not_dropped() {
    let body = br#"[1, {}, {"event": "yawn", "timestamp": 99999999999999, "sg_event_id": " "}]"#;
    for sender in [Sender::Sendgrid, Sender::Eloqua, Sender::Listmonk] {
        let (rows, ignored) = rows(sender, Payload::Json(body));
        assert_eq!((rows.len(), ignored.len()), (3, 0), "{sender:?}");
        assert_eq!(rows[0], json!({ PAYLOAD: "1" }));
    }
    let (rows, _) = rows(Sender::Sendgrid, Payload::Json(body));
    assert_eq!(rows[2]["type"], "yawn");
    assert_eq!(rows[2].get("time"), None);
}

#[test]
fn requests_in_another_form_are_refused_with_a_remedy() {
    let fields = form("type=unsubscribe");
    let refused = |sender, payload| told(sender, payload, now()).unwrap_err();
    for refusal in [
        refused(Sender::Sendgrid, Payload::Form(&fields)),
        refused(Sender::Sendgrid, Payload::Json(b"[{")),
        refused(Sender::Mailchimp, Payload::Json(b"{}")),
        refused(
            Sender::Mailchimp,
            Payload::Form(&[("mandrill_events".to_owned(), "[".to_owned())]),
        ),
    ] {
        assert!(!refusal.remedy.is_empty(), "{refusal}");
    }
}

#[test]
fn a_row_that_grows_too_long_is_cut_and_kept() {
    let numbers = vec!["1e15"; 150_000].join(",");
    let body = format!("[{{\"event_id\": [{numbers}]}}]");
    let mut told = told(Sender::Generic, Payload::Json(body.as_bytes()), now()).unwrap();
    let message = told.rows.remove(0).message(&BTreeMap::new());
    let row: Value = serde_json::from_str(&message).unwrap();
    let kept = row[PAYLOAD].as_str().unwrap();
    assert_eq!(kept.len(), PAYLOAD_CHARS);
    assert!(kept.starts_with("{\"event_id\":[1000000000000000.0,"));
}
