//! The driver of listmonk against its double.

use serde_json::{Value as Json, json};
use tenfold_activation::driver::{Driver, FieldKind};
use tenfold_core::activation::{SendErrorKind, Value};

use crate::lab::{
    Lab, TROUBLES, decimal, deliver, delivery, refused, remove, text, upsert, whatever_goes_wrong,
    whichever_goes_wrong,
};

const TO: &str = r#"{"listmonk": {"url": "BASE/listmonk", "user": "api_user", "token": SECRET}}"#;

fn driver(lab: &Lab) -> Box<dyn Driver> {
    lab.driver(TO, "double")
}

fn info() -> tenfold_activation::driver::DeliveryInfo {
    delivery(
        "Tenfold",
        &[("clv_12m", FieldKind::Decimal), ("name", FieldKind::Text)],
    )
}

fn member(email: &str, clv: &str, name: Value) -> tenfold_core::activation::Row {
    upsert(email, &[("clv_12m", decimal(clv)), ("name", name)])
}

async fn three_nights(lab: &Lab) {
    let driver = driver(lab);
    let driver = driver.as_ref();
    let first = vec![
        member("a@x.test", "812.4", text("Ann")),
        member("B@x.test", "20", text("Bob")),
        member("o'c@x.test", "5.5", text("Cid")),
    ];
    assert!(deliver(driver, &info(), first).await.is_empty());
    let second = vec![
        member("b@x.test", "21", text("Rob")),
        remove("O'c@x.test"),
        member("d@x.test", "1", text("Dot")),
        remove("nobody@x.test"),
    ];
    assert!(deliver(driver, &info(), second).await.is_empty());
    let third = vec![
        remove("a@x.test"),
        remove("d@x.test"),
        upsert(
            "o'c@x.test",
            &[("decile", Value::Int(3)), ("clv_12m", Value::Null)],
        ),
    ];
    assert!(deliver(driver, &info(), third).await.is_empty());
}

fn on_list(held: &Json) -> Vec<&str> {
    let all = held["listmonk"]["subscribers"].as_object().unwrap();
    let on = all
        .iter()
        .filter(|(_, one)| one["lists"]["1"] == "confirmed");
    on.map(|(email, _)| email.as_str()).collect()
}

async fn check_three_nights(lab: &Lab) {
    let held = lab.inspect().await;
    assert_eq!(on_list(&held), ["b@x.test", "o'c@x.test"]);
    let all = &held["listmonk"]["subscribers"];
    assert_eq!(all.as_object().unwrap().len(), 4);
    assert_eq!(all["b@x.test"]["attribs"], json!({"clv_12m": "21"}));
    assert_eq!(all["b@x.test"]["name"], "Rob");
    let c = &all["o'c@x.test"];
    assert_eq!(
        (&c["attribs"], &c["name"]),
        (&json!({"decile": 3}), &json!("Cid"))
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
}

#[tokio::test]
async fn the_end_is_the_same_whatever_goes_wrong() {
    whatever_goes_wrong("listmonk", &TROUBLES, nights).await;
}

#[tokio::test]
async fn the_end_is_the_same_whichever_request_goes_wrong() {
    whichever_goes_wrong("listmonk", nights).await;
}

const AUTH: [(&str, &str); 1] = [("authorization", "token api_user:double")];

#[tokio::test]
async fn what_others_put_there_stays() {
    let lab = Lab::new("").await;
    assert_eq!(
        lab.post("/listmonk/api/lists", &AUTH, &json!({"name": "News"}))
            .await
            .0,
        200
    );
    for (email, list, status) in [
        ("reader@x.test", 2, "enabled"),
        ("blocked@x.test", 1, "blocklisted"),
        ("gone@x.test", 1, "enabled"),
    ] {
        let body = json!({"email": email, "name": "N", "status": status, "lists": [list],
                          "attribs": {"city": "Ulm"}, "preconfirm_subscriptions": true});
        assert_eq!(
            lab.post("/listmonk/api/subscribers", &AUTH, &body).await.0,
            200
        );
    }
    let leaves = json!({"ids": [3], "action": "unsubscribe", "target_list_ids": [1]});
    let path = format!("{}/listmonk/api/subscribers/lists", lab.base);
    let left = lab
        .http
        .put(path)
        .header(AUTH[0].0, AUTH[0].1)
        .body(leaves.to_string());
    assert!(left.send().await.unwrap().status().is_success());
    let rows = [
        "reader@x.test",
        "blocked@x.test",
        "gone@x.test",
        "not an address",
    ];
    let rows = rows.map(|email| member(email, "1", text("M")));
    let rejected = deliver(driver(&lab).as_ref(), &info(), rows.to_vec()).await;
    let codes: Vec<_> = rejected
        .iter()
        .map(|(i, c)| (i.as_str(), c.as_str()))
        .collect();
    assert_eq!(
        codes,
        [
            ("blocked@x.test", "BLOCKLISTED"),
            ("gone@x.test", "UNSUBSCRIBED"),
            ("not an address", "NOT_TAKEN")
        ]
    );
    let held = lab.inspect().await;
    let all = &held["listmonk"]["subscribers"];
    let reader = &all["reader@x.test"];
    assert_eq!(reader["attribs"], json!({"city": "Ulm", "clv_12m": "1"}));
    assert_eq!(reader["lists"], json!({"1": "confirmed", "2": "confirmed"}));
    let left = json!({"1": "unsubscribed"});
    assert_eq!(all["gone@x.test"]["lists"], left);
    assert_eq!(all["blocked@x.test"]["attribs"], json!({"city": "Ulm"}));
    // A removal does not forget that somebody left.
    let gone = vec![remove("gone@x.test")];
    let rejected = deliver(driver(&lab).as_ref(), &info(), gone).await;
    assert!(rejected.is_empty());
    let held = lab.inspect().await;
    let all = &held["listmonk"]["subscribers"];
    assert_eq!(all["gone@x.test"]["lists"], left);
}

#[tokio::test]
async fn an_address_that_is_there_otherwise_is_given_up_alone() {
    let lab = Lab::new("").await;
    let driver = driver(&lab);
    let first = vec![member("a@x.test", "1", text("A"))];
    assert!(deliver(driver.as_ref(), &info(), first).await.is_empty());
    // listmonk takes the blank off, and then the address is there.
    let rows = vec![
        member(" a@x.test", "2", text("A")),
        member("b@x.test", "1", text("B")),
    ];
    let rejected = deliver(driver.as_ref(), &info(), rows).await;
    let rejected: Vec<_> = rejected.into_iter().collect();
    assert_eq!(rejected, [(" a@x.test".to_owned(), "NOT_TAKEN".to_owned())]);
    assert_eq!(on_list(&lab.inspect().await), ["a@x.test", "b@x.test"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_found_before() {
    let lab = Lab::new("").await;
    let nothing = delivery("Nothing", &[]);
    refused(driver(&lab).as_ref(), &nothing, "no list \"Nothing\"").await;
    let error = lab.driver(TO, "wrong").prepare(&info()).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Refused);
}
