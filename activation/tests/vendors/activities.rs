//! Activities of Eloqua: what its double exports, and what is fetched from it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tenfold_activation::connect::activities;
use tenfold_activation::vendors::{Activities, Fetched};
use tenfold_core::activation::DestinationSpec;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::intake::Activity;

use crate::lab::{Lab, TROUBLES, deliver, delivery, pace, upsert, whatever_goes_wrong};

const TO: &str = r#"{"eloqua": {"company": "Tenfold", "user": "api", "password": SECRET,
                     "login": "BASE/eloqua"}}"#;
const BULK: &str = "/eloqua/p01/API/Bulk/2.0";
const SENT: &str = "2026-11-20T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spec(lab: &Lab, password: &str) -> DestinationSpec {
    lab.spec(TO, password)
}

fn account(lab: &Lab) -> Activities {
    activities(&spec(lab, "double"), pace()).unwrap()
}

/// Puts people on the list and sends them a mail that everybody opens and clicks; how often what happened.
async fn sent(lab: &Lab, people: usize) -> Json {
    let driver = lab.driver(TO, "double");
    let rows = (0..people).map(|n| upsert(&format!("p{n}@x.test"), &[]));
    let info = delivery("Tenfold", &[]);
    let rejected = deliver(driver.as_ref(), &info, rows.collect()).await;
    assert!(rejected.is_empty());
    let campaign = json!({"vendor": "eloqua", "list": "Tenfold", "campaign": "autumn", "at": SENT,
                          "rates": {"open": 0.9, "click": 0.5, "machine": 0.2, "bounce": 0.2,
                                    "unsubscribe": 0.2}});
    let (status, sent) = lab.post("/__send", &[], &campaign).await;
    assert_eq!((status, &sent["sent"]), (200, &json!(people)));
    sent["events"].clone()
}

/// How often something happened.
fn count(events: &Json, kind: &str) -> u64 {
    events[kind].as_u64().unwrap_or(0)
}

/// What is fetched.
async fn fetched(
    account: &Activities,
    activity: Activity,
    from: &str,
    to: &str,
) -> Result<(Fetched, Vec<Json>), Failure> {
    let mut all = Vec::new();
    let mut take = async |mut items: Vec<Json>| {
        all.append(&mut items);
        Ok(())
    };
    let fetched = account.fetch(activity, at(from), at(to), &mut take).await?;
    let ids: BTreeSet<&str> = all
        .iter()
        .map(|a| a["ActivityId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), all.len(), "each comes once");
    assert_eq!(fetched.activities, all.len() as u64);
    assert!(all.iter().all(|a| a["ActivityType"] == activity.word()));
    Ok((fetched, all))
}

async fn everything(account: &Activities, activity: Activity) -> (Fetched, Vec<Json>) {
    let (from, to) = ("2026-11-19T00:00:00Z", "2026-12-01T00:00:00Z");
    fetched(account, activity, from, to).await.unwrap()
}

#[tokio::test]
async fn each_activity_of_a_type_and_time_is_fetched_once() {
    let lab = Lab::new("").await;
    let events = sent(&lab, 60).await;
    let account = account(&lab);
    let happened = |kinds: &[&str]| -> u64 { kinds.iter().map(|kind| count(&events, kind)).sum() };
    for (activity, kinds) in [
        (Activity::EmailOpen, &["open", "machine_open"] as &[&str]),
        (Activity::EmailClickthrough, &["click"]),
        (Activity::Bounceback, &["bounce"]),
        (Activity::Unsubscribe, &["unsubscribe"]),
    ] {
        let (told, all) = everything(&account, activity).await;
        assert_eq!(told.activities, happened(kinds), "{activity:?} of {events}");
        assert!(told.activities > 0 && told.warnings.is_empty());
        for activity in &all {
            assert_eq!(activity["CampaignId"], "autumn");
            assert!(
                activity["EmailAddress"]
                    .as_str()
                    .unwrap()
                    .ends_with("@x.test")
            );
        }
        let linked = all.iter().filter(|a| a.get("Url").is_some()).count() as u64;
        let clicks = activity == Activity::EmailClickthrough;
        assert_eq!(linked, if clicks { told.activities } else { 0 });
    }
    // Times that follow each other have each activity in one of them, and the end of one is not in it.
    let (_, all) = everything(&account, Activity::EmailOpen).await;
    let mut times: Vec<&str> = all
        .iter()
        .filter_map(|a| a["ActivityDate"].as_str())
        .collect();
    times.sort_unstable();
    let middle = times[times.len() / 2].replace(' ', "T").replace(".0", "Z");
    let before = fetched(&account, Activity::EmailOpen, SENT, &middle)
        .await
        .unwrap();
    let after = fetched(
        &account,
        Activity::EmailOpen,
        &middle,
        "2026-12-01T00:00:00Z",
    );
    let after = after.await.unwrap();
    assert!(before.0.activities > 0 && after.0.activities > 0);
    assert_eq!(before.0.activities + after.0.activities, all.len() as u64);
    let held = lab.inspect().await;
    let definitions = held["eloqua"]["definitions"].as_array().unwrap().iter();
    let exports = definitions.filter(|d| d["uri"].as_str().unwrap().contains("exports"));
    assert_eq!(exports.count(), 0, "definitions are deleted");
}

#[tokio::test]
async fn what_one_sync_does_not_export_is_fetched_by_halves() {
    let lab = Lab::new("").await;
    sent(&lab, 40).await;
    let (_, all) = everything(&account(&lab), Activity::EmailOpen).await;
    let by_five = account(&lab).by(5);
    let (told, halves) = everything(&by_five, Activity::EmailOpen).await;
    assert_eq!(told.activities, all.len() as u64);
    let ids = |all: &[Json]| -> BTreeSet<String> {
        all.iter().map(|a| a["ActivityId"].to_string()).collect()
    };
    assert_eq!(ids(&halves), ids(&all));
    let by_none = account(&lab).by(0);
    let to = "2026-11-20T00:00:02Z";
    let refused = fetched(&by_none, Activity::EmailOpen, SENT, to)
        .await
        .unwrap_err();
    assert!(
        refused
            .message
            .contains("in the second 2026-11-20T00:00:00Z"),
        "{refused}"
    );
}

/// The same is fetched in the end.
async fn a_fetch(lab: &Lab) {
    let events = sent(lab, 12).await;
    for activity in [Activity::EmailClickthrough, Activity::Bounceback] {
        let (told, _) = everything(&account(lab), activity).await;
        let kind = activity.response().word();
        assert_eq!(told.activities, count(&events, kind), "{activity:?}");
    }
}

#[tokio::test]
async fn the_same_is_fetched_whatever_goes_wrong() {
    whatever_goes_wrong("eloqua", &TROUBLES, a_fetch).await;
    for (on, deed) in [
        ("GET /eloqua/**/syncs/*/data", "move_pod"),
        ("POST /eloqua/**/activities/exports", "drop_after"),
        ("GET /eloqua/**/syncs/*/data", "drop_after"),
        ("DELETE /eloqua/**", "{status: {code: 500}}"),
    ] {
        let lab = Lab::new(&format!("faults: [{{on: '{on}', times: 1, do: {deed}}}]")).await;
        a_fetch(&lab).await;
    }
}

#[tokio::test]
async fn a_sync_that_fails_is_followed_by_another_and_one_that_warns_is_told() {
    for (deed, warnings) in [
        (json!({"job_error": "ELQ-00145"}), Vec::new()),
        (
            json!({"job_warning": "ELQ-00118"}),
            vec!["ELQ-00118".to_owned()],
        ),
        (json!("drop_after"), Vec::new()),
    ] {
        let lab = Lab::new("").await;
        let events = sent(&lab, 12).await;
        let fault = json!({"on": "POST /eloqua/**/syncs", "times": 1, "do": deed});
        let fault = json!({ "faults": [fault] });
        assert_eq!(lab.post("/__faults", &[], &fault).await.0, 204);
        let (told, _) = everything(&account(&lab), Activity::Bounceback).await;
        assert_eq!(told.activities, count(&events, "bounce"), "{deed}");
        assert_eq!(told.warnings, warnings, "{deed}");
    }
}

#[tokio::test]
async fn what_cannot_be_fetched_is_refused_with_a_code() {
    let lab = Lab::new("").await;
    sent(&lab, 5).await;
    let stranger = activities(&spec(&lab, "wrong"), pace()).unwrap();
    let to = "2026-12-01T00:00:00Z";
    let refused = fetched(&stranger, Activity::EmailOpen, SENT, to)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code, refused.class),
        (Some(ErrorCode::DestinationFailed), FailureClass::UserConfig)
    );
    assert!(
        refused.message.contains("destination mail: Eloqua"),
        "{refused}"
    );
    let other = r#"{"sendgrid": {"key": SECRET, "url": "BASE/sendgrid"}}"#;
    let refused = activities(&lab.spec(other, "SG.double"), pace())
        .err()
        .unwrap();
    assert_eq!(refused.code, Some(ErrorCode::WrongFetch));
    assert!(
        refused.message.contains("mail, which is of kind sendgrid"),
        "{refused}"
    );
}

fn headers() -> String {
    format!("Basic {}", STANDARD.encode("Tenfold\\api:double"))
}

/// Defines an export of opens; the answer.
async fn defined(lab: &Lab, change: impl Fn(&mut Json)) -> (u16, Json) {
    let mut export = json!({"name": "opens", "areSystemTimestampsInUTC": true,
        "filter": "'{{Activity.Type}}' = 'EmailOpen' AND '{{Activity.CreatedAt}}' >= '2026-11-20 00:00:00'",
        "fields": {"id": "{{Activity.Id}}", "at": "{{Activity.CreatedAt}}",
                   "campaign": "{{Activity.Campaign.Id}}"}});
    change(&mut export);
    let auth = headers();
    let path = format!("{BULK}/activities/exports");
    lab.post(&path, &[("authorization", &auth)], &export).await
}

/// Syncs an export; the address of its data.
async fn synced(lab: &Lab, made: &Json) -> String {
    let auth = headers();
    let headers = [("authorization", auth.as_str())];
    let body = json!({"syncedInstanceUri": made["uri"]});
    let (status, sync) = lab.post(&format!("{BULK}/syncs"), &headers, &body).await;
    assert_eq!(status, 201, "{sync}");
    format!("{BULK}{}/data", sync["uri"].as_str().unwrap())
}

#[tokio::test]
async fn the_double_exports_activities_by_pages() {
    let lab = Lab::new("").await;
    let events = sent(&lab, 40).await;
    let opens = count(&events, "open") + count(&events, "machine_open");
    let (status, made) = defined(&lab, |_| {}).await;
    assert_eq!(status, 201, "{made}");
    let data = synced(&lab, &made).await;
    let auth = headers();
    let headers = [("authorization", auth.as_str())];
    let (_, first) = lab.get(&format!("{data}?limit=7"), &headers).await;
    assert_eq!(
        (&first["totalResults"], &first["count"], &first["hasMore"]),
        (&json!(opens), &json!(7), &json!(true))
    );
    assert_eq!(first["items"][0]["campaign"], "autumn");
    let rest = format!("{data}?limit=50000&offset=7");
    let (_, rest) = lab.get(&rest, &headers).await;
    assert_eq!(
        (&rest["count"], &rest["hasMore"]),
        (&json!(opens - 7), &json!(false))
    );
    let (_, none) = lab.get(&format!("{data}?offset=50000"), &headers).await;
    assert_eq!((&none["count"], none.get("items")), (&json!(0), None));
    // Without the setting times are those of the Eastern zone, in filters as well.
    let utc = first["items"][0]["at"].as_str().unwrap().to_owned();
    let (_, made) = defined(&lab, |export| {
        export["areSystemTimestampsInUTC"] = json!(false);
        export["filter"] = json!("'{{Activity.Type}}'='EmailOpen'");
    })
    .await;
    let data = synced(&lab, &made).await;
    let (_, eastern) = lab.get(&data, &headers).await;
    let time = |text: &str| text.parse::<jiff::civil::DateTime>().unwrap();
    let apart = time(&utc) - time(eastern["items"][0]["at"].as_str().unwrap());
    assert_eq!(apart.total(jiff::Unit::Hour).unwrap(), 5.0);
    let (_, made) = defined(&lab, |_| {}).await;
    let data = synced(&lab, &made).await;
    let clock = json!({"advance_seconds": 7 * 3600});
    assert_eq!(lab.post("/__clock", &[], &clock).await.0, 200);
    assert_eq!(
        lab.get(&data, &headers).await.0,
        404,
        "data stay for six hours"
    );
}

#[tokio::test]
async fn the_double_refuses_what_eloqua_would() {
    let lab = Lab::new("").await;
    let filters = [
        "",
        "'{{Activity.CreatedAt}}' >= '2026-11-20 00:00:00'",
        "'{{Activity.Type}}' = 'EmailOpened'",
        "'{{Activity.Type}}' = 'EmailOpen' AND '{{Activity.Type}}' = 'EmailSend'",
        "'{{Activity.Type}}' = 'EmailOpen' AND '{{Activity.CreatedAt}}' >= 'monday'",
        "'{{Activity.Type}}' = 'EmailOpen' AND '{{Activity.Shoe}}' = 'x'",
        "'{{Activity.Type}}' = 'EmailOpen' AND '{{Activity.Contact.Field(C_Country)}}' = 'DE'",
        "'{{Activity.Type}}' = 'EmailOpen' AND EXISTS('{{ContactList[12345]}}')",
        "{{Activity.Type}} = EmailOpen",
        "'{{Activity.Type}}' == 'EmailOpen'",
        &format!("'{{{{Activity.Type}}}}' = '{}'", "x".repeat(1000)),
    ];
    for filter in filters {
        let (status, told) = defined(&lab, |export| export["filter"] = json!(filter)).await;
        assert_eq!(
            (status, &told["failures"][0]["field"]),
            (400, &json!("filter")),
            "{filter}"
        );
    }
    let link = json!({"url": "{{Activity.Field(EmailClickedThruLink)}}"});
    let contacts = (0..11).map(|n| {
        (
            format!("c{n}"),
            json!("{{Activity.Contact.Field(C_Country)}}"),
        )
    });
    let contacts = Json::Object(contacts.collect());
    let many = (0..251).map(|n| (format!("f{n}"), json!("{{Activity.Id}}")));
    let many = Json::Object(many.collect());
    let nobody = json!({"c": "{{Activity.Contact.Field(C_Shoe)}}"});
    for fields in [&link, &contacts, &many, &nobody, &json!({})] {
        let (status, told) = defined(&lab, |export| export["fields"] = fields.clone()).await;
        assert_eq!(
            (status, &told["failures"][0]["field"]),
            (400, &json!("fields")),
            "{fields}"
        );
    }
    let country = json!({"c": "{{Activity.Contact.Field(C_Country)}}"});
    let (status, _) = defined(&lab, |export| export["fields"] = country.clone()).await;
    assert_eq!(status, 201);
    let (status, _) = defined(&lab, |export| {
        export["fields"] = link.clone();
        export["filter"] = json!("'{{Activity.Type}}' = 'EmailClickthrough'");
    })
    .await;
    assert_eq!(status, 201);
}
