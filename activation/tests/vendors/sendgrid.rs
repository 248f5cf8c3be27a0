//! The driver of SendGrid against its double, and the events that the double posts.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value as Json, json};
use tenfold_activation::driver::{Driver, FieldKind};
use tenfold_core::activation::{SendErrorKind, Value};
use tokio::sync::Mutex;

use crate::lab::{
    Lab, TROUBLES, decimal, deliver, delivery, refused, remove, text, upsert, whatever_goes_wrong,
    whichever_goes_wrong,
};

const TO: &str = r#"{"sendgrid": {"key": SECRET, "url": "BASE/sendgrid"}}"#;
const LIST: &str = "11111111-2222-4333-8444-555555555555";

fn driver(lab: &Lab) -> Box<dyn Driver> {
    lab.driver(TO, "SG.double")
}

fn info() -> tenfold_activation::driver::DeliveryInfo {
    delivery(
        "Tenfold",
        &[
            ("clv_12m", FieldKind::Decimal),
            ("tenfold_customer", FieldKind::Int),
            ("first_name", FieldKind::Text),
        ],
    )
}

fn member(email: &str, clv: &str, name: Value) -> tenfold_core::activation::Row {
    let fields = [
        ("clv_12m", decimal(clv)),
        ("tenfold_customer", Value::Int(7)),
        ("first_name", name),
    ];
    upsert(email, &fields)
}

async fn three_nights(lab: &Lab) {
    let driver = driver(lab);
    let driver = driver.as_ref();
    let first = vec![
        member("a@x.test", "812.40", text("Ann")),
        member("B@x.test", "20", text("Bob")),
        member("c@x.test", "5.5", text("Cid")),
    ];
    assert!(deliver(driver, &info(), first).await.is_empty());
    let second = vec![
        member("b@x.test", "21", text("Rob")),
        remove("C@x.test"),
        member("d@x.test", "1", text("Dot")),
        remove("nobody@x.test"),
    ];
    assert!(deliver(driver, &info(), second).await.is_empty());
    let third = vec![
        remove("a@x.test"),
        remove("d@x.test"),
        upsert("c@x.test", &[("clv_12m", decimal("6"))]),
        upsert("b@x.test", &[("clv_12m", Value::Null)]),
    ];
    assert!(deliver(driver, &info(), third).await.is_empty());
}

async fn check_three_nights(lab: &Lab) {
    let held = lab.inspect().await;
    let held = &held["sendgrid"];
    assert_eq!(
        held["lists"][LIST]["members"],
        json!(["b@x.test", "c@x.test"])
    );
    assert_eq!(held["contacts"].as_object().unwrap().len(), 4);
    let b = &held["contacts"]["b@x.test"];
    assert_eq!(b["custom_fields"], json!({"e3_T": "7"}), "a null clears");
    assert_eq!(b["values"]["first_name"], "Rob");
    let c = &held["contacts"]["c@x.test"];
    assert_eq!(c["custom_fields"], json!({"e1_N": 6.0, "e3_T": "7"}));
    assert_eq!(c["values"]["first_name"], "Cid", "what is not told stays");
}

async fn nights(lab: &Lab) {
    three_nights(lab).await;
    check_three_nights(lab).await;
}

#[tokio::test]
async fn a_list_lives_through_three_nights() {
    let lab = Lab::new("").await;
    nights(&lab).await;
}

#[tokio::test]
async fn the_end_is_the_same_whatever_goes_wrong() {
    whatever_goes_wrong("sendgrid", &TROUBLES, nights).await;
}

#[tokio::test]
async fn the_end_is_the_same_whichever_request_goes_wrong() {
    whichever_goes_wrong("sendgrid", nights).await;
}

#[tokio::test]
async fn rejected_rows_are_told_from_the_others() {
    let lab = Lab::new("").await;
    let driver = driver(&lab);
    let rows = vec![
        member("a@x.test", "1", text("Ann")),
        member("not an address", "1", text("Bob")),
        upsert("b@x.test", &[("tenfold_customer", text(&"x".repeat(1001)))]),
        member("c@x.test", "1", text("Cid")),
    ];
    let rejected = deliver(driver.as_ref(), &info(), rows).await;
    let codes: Vec<_> = rejected
        .iter()
        .map(|(i, c)| (i.as_str(), c.as_str()))
        .collect();
    assert_eq!(
        codes,
        [("b@x.test", "TOO_LONG"), ("not an address", "NOT_TAKEN")]
    );
    let held = lab.inspect().await;
    assert_eq!(
        held["sendgrid"]["lists"][LIST]["members"],
        json!(["a@x.test", "c@x.test"])
    );
}

#[tokio::test]
async fn a_job_that_fails_as_a_whole_is_sent_again() {
    let faults =
        "faults: [{on: PUT /sendgrid/v3/marketing/contacts, times: 1, do: {job_error: x}}]";
    let lab = Lab::new(faults).await;
    let rows = vec![
        member("a@x.test", "1", text("A")),
        member("b@x.test", "1", text("B")),
    ];
    assert!(
        deliver(driver(&lab).as_ref(), &info(), rows)
            .await
            .is_empty()
    );
    let held = lab.inspect().await;
    assert_eq!(
        held["sendgrid"]["lists"][LIST]["members"],
        json!(["a@x.test", "b@x.test"])
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_found_before() {
    let lab = Lab::new("").await;
    let ours = driver(&lab);
    for (info, words) in [
        (delivery("Nothing", &[]), "no list \"Nothing\""),
        (
            delivery("Tenfold", &[("shoe", FieldKind::Int)]),
            "no field \"shoe\"",
        ),
        (
            delivery("Tenfold", &[("clv_12m", FieldKind::Text)]),
            "takes numbers",
        ),
    ] {
        refused(ours.as_ref(), &info, words).await;
    }
    let stranger = lab.driver(TO, "SG.wrong");
    let error = stranger.prepare(&info()).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Refused);
    assert!(!error.message.contains("SG.wrong"), "{}", error.message);
}

/// Posts that a receiver got: headers and body.
type Posts = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver() -> (String, Posts) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let posts: Posts = Arc::default();
    let kept = posts.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let posts = kept.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let posts = posts.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    posts.lock().await.push((head.headers, body));
                    Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::new())))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, posts)
}

#[tokio::test]
async fn events_are_signed_and_the_same_for_a_seed() {
    let lab = Lab::new("").await;
    let rows = (0..50)
        .map(|n| member(&format!("p{n}@x.test"), "1", text("N")))
        .collect();
    assert!(
        deliver(driver(&lab).as_ref(), &info(), rows)
            .await
            .is_empty()
    );
    let (to, posts) = receiver().await;
    let campaign = json!({"vendor": "sendgrid", "list": "Tenfold", "campaign": "autumn", "seed": 3,
                          "delivery": "offer-1", "at": "2026-11-20T00:00:00Z", "to": to,
                          "headers": {"x-mine": "yes"}, "rates": {"duplicate": 0.2}});
    let (status, first) = lab.post("/__send", &[], &campaign).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["posts"], json!([200]));
    let (_, second) = lab.post("/__send", &[], &campaign).await;
    assert_eq!(first["events"], second["events"]);
    let posts = posts.lock().await;
    let [(headers, body), (_, again)] = posts.as_slice() else {
        panic!("{} posts", posts.len());
    };
    assert_eq!(body, again);
    assert_eq!(headers["x-mine"], "yes");
    let held = lab.inspect().await;
    let key = held["sendgrid"]["webhook_public_key"].as_str().unwrap();
    let key = STANDARD.decode(key).unwrap();
    let signature = &headers["x-twilio-email-event-webhook-signature"];
    let signature = STANDARD.decode(signature).unwrap();
    let mut signed = headers["x-twilio-email-event-webhook-timestamp"]
        .as_bytes()
        .to_vec();
    signed.extend_from_slice(body);
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key[26..]);
    key.verify(&signed, &signature).unwrap();
    let events: Vec<Json> = serde_json::from_slice(body).unwrap();
    let mut ids: Vec<&str> = events
        .iter()
        .map(|e| e["sg_event_id"].as_str().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() < all, "some are told twice");
    let known = |event: &Json| {
        event["tenfold_customer"] == json!("7")
            && event["tenfold_delivery"] == json!("offer-1")
            && event["tenfold_campaign"] == json!("autumn")
    };
    assert!(events.iter().all(known), "{events:?}");
    let far =
        json!({"vendor": "sendgrid", "list": "Tenfold", "campaign": "c", "to": "http://x.test/"});
    assert_eq!(lab.post("/__send", &[], &far).await.0, 400);
}
