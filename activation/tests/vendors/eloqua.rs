//! The driver of Eloqua against its double.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tenfold_activation::driver::{DeliveryInfo, Driver, FieldKind};
use tenfold_core::activation::Value;

use crate::lab::{
    Lab, TROUBLES, decimal, deliver, delivery, refused, remove, text, told, upsert,
    whatever_goes_wrong, whichever_goes_wrong,
};

const TO: &str = r#"{"eloqua": {"company": "Tenfold", "user": "api", "password": SECRET,
                     "login": "BASE/eloqua"}}"#;

fn driver(lab: &Lab) -> Box<dyn Driver> {
    lab.driver(TO, "double")
}

fn info() -> DeliveryInfo {
    delivery(
        "Tenfold",
        &[
            ("C_CLV_12M1", FieldKind::Decimal),
            ("CLV Decile", FieldKind::Int),
            ("C_Country", FieldKind::Text),
        ],
    )
}

fn member(email: &str, clv: &str, decile: i64, country: Value) -> tenfold_core::activation::Row {
    upsert(
        email,
        &[
            ("C_CLV_12M1", decimal(clv)),
            ("CLV Decile", Value::Int(decile)),
            ("C_Country", country),
        ],
    )
}

fn members(inspected: &Json) -> &Json {
    &inspected["eloqua"]["lists"]["12345"]["members"]
}

fn values<'a>(inspected: &'a Json, email: &str) -> &'a Json {
    let contacts = inspected["eloqua"]["contacts"].as_array().unwrap();
    let of = |contact: &&Json| contact["values"]["C_EmailAddress"] == json!(email);
    &contacts.iter().find(of).unwrap()["values"]
}

/// Three nights with changes, people who leave and one who comes back.
async fn three_nights(lab: &Lab) {
    let driver = driver(lab);
    let driver = driver.as_ref();
    let first = vec![
        member("a@x.test", "812.40", 1, text("DE")),
        member("B@x.test", "20", 7, text("FR")),
        member("c@x.test", "5.5", 9, Value::Null),
    ];
    assert!(deliver(driver, &info(), first).await.is_empty());
    let second = vec![
        member("b@x.test", "21", 6, Value::Null),
        remove("c@x.test"),
        member("d@x.test", "1", 10, text("IT")),
        remove("nobody@x.test"),
    ];
    assert!(deliver(driver, &info(), second).await.is_empty());
    let third = vec![
        remove("a@x.test"),
        remove("d@x.test"),
        upsert("c@x.test", &[("C_CLV_12M1", decimal("6"))]),
    ];
    assert!(deliver(driver, &info(), third).await.is_empty());
}

async fn check_three_nights(lab: &Lab) {
    let held = lab.inspect().await;
    assert_eq!(members(&held), &json!(["b@x.test", "c@x.test"]));
    assert_eq!(held["eloqua"]["contacts"].as_array().unwrap().len(), 4);
    let b = values(&held, "b@x.test");
    assert_eq!(b["C_CLV_12M1"], "21");
    assert_eq!(b["C_CLV_Decile1"], "6");
    assert_eq!(b["C_Country"], Json::Null, "a null clears");
    let c = values(&held, "c@x.test");
    assert_eq!(c["C_CLV_12M1"], "6");
    assert_eq!(c["C_CLV_Decile1"], "9", "what is not told stays");
    assert_eq!(
        values(&held, "a@x.test")["C_Country"],
        "DE",
        "who left the list stays a contact"
    );
}

async fn nights(lab: &Lab) {
    three_nights(lab).await;
    check_three_nights(lab).await;
}

#[tokio::test]
async fn a_list_lives_through_three_nights() {
    let lab = Lab::new("").await;
    nights(&lab).await;
    let held = lab.inspect().await;
    let asked = held["calls"]["GET /eloqua/id 200"].as_u64().unwrap();
    assert_eq!(asked, 1, "where the account is, is asked once");
}

#[tokio::test]
async fn the_end_is_the_same_whatever_goes_wrong() {
    let more = ["move_pod", "{job_error: ELQ-00145}"];
    let deeds = [TROUBLES.as_slice(), &more].concat();
    whatever_goes_wrong("eloqua", &deeds, nights).await;
}

#[tokio::test]
async fn the_end_is_the_same_whichever_request_goes_wrong() {
    whichever_goes_wrong("eloqua", nights).await;
}

#[tokio::test]
async fn rejected_rows_are_told_from_the_others() {
    let lab = Lab::new("").await;
    let driver = driver(&lab);
    let rows = vec![
        member("a@x.test", "1", 1, text("DE")),
        member("not an address", "1", 1, text("DE")),
        member("b@x.test", "1", 1, text(&"x".repeat(251))),
        member("c@x.test", "1", 1, text("IT")),
        remove("d@x.test"),
    ];
    let rejected = deliver(driver.as_ref(), &info(), rows).await;
    let codes: Vec<_> = rejected
        .iter()
        .map(|(i, c)| (i.as_str(), c.as_str()))
        .collect();
    assert_eq!(
        codes,
        [("b@x.test", "TOO_LONG"), ("not an address", "ELQ-00002")]
    );
    assert_eq!(
        members(&lab.inspect().await),
        &json!(["a@x.test", "c@x.test"])
    );
    // When nobody at all is taken the sync ends with an error, and each still has a reason.
    let nobody = vec![
        member("x", "1", 1, Value::Null),
        member("y", "1", 1, Value::Null),
    ];
    assert_eq!(deliver(driver.as_ref(), &info(), nobody).await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_sent_is_found_before() {
    let lab = Lab::new("").await;
    let ours = driver(&lab);
    for (info, words) in [
        (delivery("Nothing", &[]), "no contact list \"Nothing\""),
        (
            delivery("Tenfold", &[("Shoe", FieldKind::Int)]),
            "no field \"Shoe\"",
        ),
        (
            delivery("Tenfold", &[("CLV 12M", FieldKind::Text)]),
            "takes numbers",
        ),
        (
            delivery("Tenfold", &[("C_EmailAddress", FieldKind::Text)]),
            "the identity",
        ),
    ] {
        refused(ours.as_ref(), &info, words).await;
    }
    let mut many = info();
    many.fields = (0..100)
        .map(|n| (format!("f{n}"), FieldKind::Text))
        .collect();
    refused(ours.as_ref(), &many, "100 fields").await;
    let mut keyed = info();
    keyed.identity = "customer".to_owned();
    refused(ours.as_ref(), &keyed, "e-mail address").await;
    let stranger = lab.driver(TO, "wrong");
    refused(stranger.as_ref(), &info(), "does not know this user").await;
    assert!(ours.send(&batch()).await.is_err(), "nothing was prepared");
}

fn batch() -> tenfold_activation::driver::Batch {
    tenfold_activation::driver::Batch {
        number: 0,
        key: "k".to_owned(),
        rows: vec![remove("a@x.test")],
    }
}

fn login(user: &str) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("Tenfold\\{user}:double"))
    )
}

const BULK: &str = "/eloqua/p01/API/Bulk/2.0";

fn definition() -> Json {
    json!({"name": "n", "fields": {"e": "{{Contact.Field(C_EmailAddress)}}"},
           "identifierFieldName": "e"})
}

#[tokio::test]
async fn the_double_answers_404_to_too_much_and_401_after_a_move() {
    let lab = Lab::new("").await;
    let auth = login("api");
    let headers = [("authorization", auth.as_str())];
    let (status, made) = lab
        .post(&format!("{BULK}/contacts/imports"), &headers, &definition())
        .await;
    assert_eq!(status, 201);
    let data = format!("{}{BULK}{}/data", lab.base, made["uri"].as_str().unwrap());
    let post = |bytes: usize| {
        let body = format!("[{{\"e\":\"{}\"}}]", "x".repeat(bytes));
        let request = lab
            .http
            .post(&data)
            .header("authorization", &auth)
            .body(body);
        request.header("content-type", "application/json").send()
    };
    assert_eq!(post(1 << 20).await.unwrap().status().as_u16(), 204);
    assert_eq!(post(32 << 20).await.unwrap().status().as_u16(), 404);
    let wrong = lab.get("/eloqua/id", &[]).await;
    assert_eq!(wrong, (200, json!("Not authenticated.")));
    let move_pod = json!({"faults": [{"on": "GET /eloqua/id", "times": 1, "do": "move_pod"}]});
    assert_eq!(lab.post("/__faults", &[], &move_pod).await.0, 204);
    let (_, moved) = lab.get("/eloqua/id", &headers).await;
    assert!(
        moved["urls"]["base"]
            .as_str()
            .unwrap()
            .ends_with("/eloqua/p02")
    );
    assert_eq!(
        lab.get(&format!("{BULK}/contacts/lists"), &headers).await.0,
        401
    );
}

#[tokio::test]
async fn the_double_keeps_the_rules_of_syncs() {
    let lab = Lab::new("").await;
    let (ours, other) = (login("api"), login("other"));
    let headers = [("authorization", ours.as_str())];
    let (_, made) = lab
        .post(&format!("{BULK}/contacts/imports"), &headers, &definition())
        .await;
    let uri = made["uri"].as_str().unwrap().to_owned();
    let rows = json!([{"e": "a@x.test"}, {"e": "A@x.test"}, {"e": ""}, {"e": "nobody"}]);
    assert_eq!(
        lab.post(&format!("{BULK}{uri}/data"), &headers, &rows)
            .await
            .0,
        204
    );
    let body = json!({ "syncedInstanceUri": uri });
    let (status, sync) = lab.post(&format!("{BULK}/syncs"), &headers, &body).await;
    assert_eq!((status, &sync["status"]), (201, &json!("pending")));
    let again = lab.post(&format!("{BULK}/syncs"), &headers, &body).await;
    assert_eq!(again.0, 409, "a definition is not synced twice at a time");
    let deleted = lab.http.delete(format!("{}{BULK}{uri}/data", lab.base));
    let deleted = deleted.header("authorization", &ours).send().await.unwrap();
    assert_eq!(
        told(deleted).await.0,
        409,
        "nor are its data deleted meanwhile"
    );
    let at = format!("{BULK}{}", sync["uri"].as_str().unwrap());
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(lab.get(&at, &headers).await.1["status"].clone());
    }
    assert_eq!(
        states,
        [json!("active"), json!("warning"), json!("warning")]
    );
    let (_, rejects) = lab.get(&format!("{at}/rejects?limit=2"), &headers).await;
    assert_eq!(
        (&rejects["count"], &rejects["hasMore"]),
        (&json!(2), &json!(true))
    );
    let codes = rejects["items"].as_array().unwrap().iter();
    let codes: Vec<_> = codes
        .map(|r| (r["recordIndex"].clone(), r["statusCode"].clone()))
        .collect();
    let expected = [
        (json!(2), json!("ELQ-00011")),
        (json!(3), json!("ELQ-00059")),
    ];
    assert_eq!(codes, expected);
    let stranger = [("authorization", other.as_str())];
    assert_eq!(lab.get(&format!("{at}/rejects"), &stranger).await.0, 403);
    // After a week the sync is gone, and what was staged with it.
    assert_eq!(
        lab.post("/__clock", &[], &json!({"advance_seconds": 8 * 86400}))
            .await
            .0,
        200
    );
    assert_eq!(lab.get(&at, &headers).await.0, 404);
}
