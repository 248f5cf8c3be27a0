//! The driver of Mailchimp against its double.

use serde_json::{Value as Json, json};
use tenfold_activation::driver::{Driver, FieldKind};
use tenfold_core::activation::{SendErrorKind, Value};

use crate::lab::{
    Lab, TROUBLES, decimal, deliver, delivery, refused, remove, text, upsert, whatever_goes_wrong,
    whichever_goes_wrong,
};

const TO: &str = r#"{"mailchimp": {"key": SECRET, "url": "BASE/mailchimp"}}"#;
const LIST: &str = "a1b2c3d4e5";

fn driver(lab: &Lab) -> Box<dyn Driver> {
    lab.driver(TO, "double-us1")
}

fn info(list: &str) -> tenfold_activation::driver::DeliveryInfo {
    delivery(
        list,
        &[
            ("CLV12M", FieldKind::Decimal),
            ("First Name", FieldKind::Text),
        ],
    )
}

fn member(email: &str, clv: &str, name: Value) -> tenfold_core::activation::Row {
    upsert(email, &[("CLV12M", decimal(clv)), ("First Name", name)])
}

async fn three_nights(lab: &Lab, list: &str) {
    let driver = driver(lab);
    let driver = driver.as_ref();
    let first = vec![
        member("a@x.test", "812.4", text("Ann")),
        member("b@x.test", "20", text("Bob")),
        member("c@x.test", "5.5", text("Cid")),
    ];
    assert!(deliver(driver, &info(list), first).await.is_empty());
    let second = vec![
        member("b@x.test", "21", Value::Null),
        remove("C@x.test"),
        member("d@x.test", "1", text("Dot")),
        remove("nobody@x.test"),
    ];
    assert!(deliver(driver, &info(list), second).await.is_empty());
    let third = vec![
        remove("a@x.test"),
        remove("d@x.test"),
        upsert("c@x.test", &[("CLV12M", decimal("6"))]),
    ];
    assert!(deliver(driver, &info(list), third).await.is_empty());
}

fn with_status(held: &Json, wanted: &str) -> Vec<String> {
    let members = held["mailchimp"]["lists"][LIST]["members"]
        .as_object()
        .unwrap();
    let members = members
        .iter()
        .filter(|(_, member)| member["status"] == wanted);
    members.map(|(email, _)| email.clone()).collect()
}

async fn check_three_nights(lab: &Lab) {
    let held = lab.inspect().await;
    assert_eq!(with_status(&held, "subscribed"), ["b@x.test", "c@x.test"]);
    assert_eq!(with_status(&held, "archived"), ["a@x.test", "d@x.test"]);
    let members = &held["mailchimp"]["lists"][LIST]["members"];
    assert_eq!(
        members["b@x.test"]["merge_fields"],
        json!({"CLV12M": 21, "FNAME": ""})
    );
    assert_eq!(
        members["c@x.test"]["merge_fields"],
        json!({"CLV12M": 6, "FNAME": "Cid"})
    );
}

async fn nights(lab: &Lab) {
    three_nights(lab, "Tenfold").await;
    check_three_nights(lab).await;
}

#[tokio::test]
async fn a_list_lives_through_three_nights() {
    let lab = Lab::new("").await;
    nights(&lab).await;
}

#[tokio::test]
async fn the_end_is_the_same_whatever_goes_wrong() {
    whatever_goes_wrong("mailchimp", &TROUBLES, nights).await;
}

#[tokio::test]
async fn the_end_is_the_same_whichever_request_goes_wrong() {
    whichever_goes_wrong("mailchimp", nights).await;
}

#[tokio::test]
async fn with_a_tag_people_stay_on_the_list() {
    let lab = Lab::new("").await;
    three_nights(&lab, "Tenfold/at risk").await;
    let held = lab.inspect().await;
    let all = ["a@x.test", "b@x.test", "c@x.test", "d@x.test"];
    assert_eq!(with_status(&held, "subscribed"), all);
    let members = held["mailchimp"]["lists"][LIST]["members"]
        .as_object()
        .unwrap();
    let tagged = members
        .iter()
        .filter(|(_, member)| member["tags"] != json!([]));
    let tagged: Vec<&str> = tagged.map(|(email, _)| email.as_str()).collect();
    assert_eq!(tagged, ["b@x.test", "c@x.test"]);
}

const AUTH: [(&str, &str); 1] = [("authorization", "Bearer double-us1")];

#[tokio::test]
async fn nobody_is_subscribed_against_their_will_and_no_tag_is_lost() {
    let lab = Lab::new("").await;
    for (email, status) in [
        ("by-us@x.test", "unsubscribed"),
        ("old@x.test", "subscribed"),
    ] {
        let body = json!({"email_address": email, "status": status, "tags": ["mine"]});
        let path = format!("/mailchimp/3.0/lists/{LIST}/members");
        assert_eq!(lab.post(&path, &AUTH, &body).await.0, 200);
    }
    let rows = ["by-us@x.test", "old@x.test", "new@x.test"].map(|e| member(e, "1", text("N")));
    let driver = driver(&lab);
    let rejected = deliver(driver.as_ref(), &info("Tenfold/offer"), rows.to_vec()).await;
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected["by-us@x.test"], "UNSUBSCRIBED");
    let held = lab.inspect().await;
    assert_eq!(with_status(&held, "unsubscribed"), ["by-us@x.test"]);
    // Nor are they by way of the archive.
    let gone = vec![remove("by-us@x.test")];
    let rejected = deliver(driver.as_ref(), &info("Tenfold"), gone).await;
    assert!(rejected.is_empty());
    let back = vec![member("by-us@x.test", "1", text("N"))];
    let rejected = deliver(driver.as_ref(), &info("Tenfold"), back).await;
    assert_eq!(rejected["by-us@x.test"], "UNSUBSCRIBED");
    let members = &held["mailchimp"]["lists"][LIST]["members"];
    assert_eq!(members["old@x.test"]["tags"].as_array().unwrap().len(), 2);
    // Whoever left by themselves is refused by Mailchimp, and told so.
    let campaign = json!({"vendor": "mailchimp", "list": "Tenfold", "campaign": "c",
                          "rates": {"open": 1.0, "unsubscribe": 1.0, "bounce": 0.0}});
    assert_eq!(lab.post("/__send", &[], &campaign).await.0, 200);
    let rows = vec![member("new@x.test", "2", text("N"))];
    let rejected = deliver(driver.as_ref(), &info("Tenfold"), rows).await;
    assert_eq!(rejected["new@x.test"], "UNSUBSCRIBED");
}

#[tokio::test]
async fn rejected_rows_are_told_from_the_others() {
    let lab = Lab::new("").await;
    let rows = vec![
        member("a@x.test", "1", text("Ann")),
        member("not an address", "1", text("Bob")),
        member("b@x.test", "1", text(&"x".repeat(256))),
    ];
    let rejected = deliver(driver(&lab).as_ref(), &info("Tenfold"), rows).await;
    let codes: Vec<_> = rejected
        .iter()
        .map(|(i, c)| (i.as_str(), c.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("b@x.test", "TOO_LONG"),
            ("not an address", "ERROR_GENERIC")
        ]
    );
    assert_eq!(
        with_status(&lab.inspect().await, "subscribed"),
        ["a@x.test"]
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_found_before() {
    let lab = Lab::new("").await;
    let ours = driver(&lab);
    for (info, words) in [
        (delivery("Nothing/tag", &[]), "no list \"Nothing\""),
        (
            delivery("Tenfold", &[("shoe", FieldKind::Int)]),
            "no field \"shoe\"",
        ),
        (
            delivery("Tenfold", &[("CLV12M", FieldKind::Text)]),
            "takes numbers",
        ),
    ] {
        refused(ours.as_ref(), &info, words).await;
    }
    let stranger = lab.driver(TO, "wrong-us1");
    let error = stranger.prepare(&info("Tenfold")).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Refused);
}

#[tokio::test]
async fn too_many_connections_are_a_matter_of_pace() {
    let faults = "faults: [{on: GET /mailchimp/3.0/ping, do: {wait_ms: 200}}]";
    let lab = Lab::new(faults).await;
    let asked = (0..14).map(|_| lab.get("/mailchimp/3.0/ping", &AUTH));
    let answers = futures::future::join_all(asked).await;
    let count = |wanted: u16| {
        answers
            .iter()
            .filter(|(status, _)| *status == wanted)
            .count()
    };
    assert_eq!((count(200), count(429), count(403)), (10, 2, 2));
    let bare = "faults: [{on: GET /mailchimp/3.0/lists, do: {status: {code: 403, html: true}}}]";
    let lab = Lab::new(bare).await;
    let error = driver(&lab).prepare(&info("Tenfold")).await.unwrap_err();
    assert!(
        matches!(error.kind, SendErrorKind::RateLimited { .. }),
        "{error:?}"
    );
}
