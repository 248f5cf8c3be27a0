//! Doubles for one test, and a delivery that goes on until every row has an outcome.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tenfold_activation::connect::connect_at;
use tenfold_activation::doubles::{Doubles, FaultFile};
use tenfold_activation::driver::{Batch, DeliveryInfo, Driver, FieldKind};
use tenfold_activation::vendors::Pace;
use tenfold_core::activation::{
    DestinationSpec, LimitsSpec, Outcome, ROW_TRIES, Row, SendError, SendErrorKind, Target, Value,
    Verb,
};

/// Tries of a batch before a test gives up.
const TRIES: usize = 12;

/// Doubles of all vendors.
pub struct Lab {
    pub base: String,
    pub http: reqwest::Client,
    folder: TempDir,
}

impl Lab {
    /// Doubles with faults, as a file declares them; none for an empty text.
    pub async fn new(faults: &str) -> Self {
        let faults = match faults.is_empty() {
            true => Vec::new(),
            false => FaultFile::parse(faults, "test").unwrap().faults,
        };
        let doubles = Doubles::bind("127.0.0.1:0".parse().unwrap(), faults)
            .await
            .unwrap();
        let base = format!("http://{}", doubles.address());
        tokio::spawn(doubles.serve());
        Self {
            base,
            http: reqwest::Client::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The driver of a destination: `to` is what its file says, with `SECRET` for the place of a secret.
    pub fn driver(&self, to: &str, secret: &str) -> Box<dyn Driver> {
        connect_at(&self.spec(to, secret), "", pace()).unwrap()
    }

    /// A destination, in the same way.
    pub fn spec(&self, to: &str, secret: &str) -> DestinationSpec {
        let file = self.folder.path().join("secret");
        std::fs::write(&file, secret).unwrap();
        let place = json!({"file": file.display().to_string()}).to_string();
        let to = to.replace("SECRET", &place).replace("BASE", &self.base);
        let to: Target = serde_json::from_str(&to).unwrap();
        DestinationSpec {
            destination: "mail".to_owned(),
            description: None,
            to,
            limits: LimitsSpec::default(),
        }
    }

    pub async fn inspect(&self) -> Json {
        let answer = self
            .http
            .get(format!("{}/__inspect", self.base))
            .send()
            .await
            .unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Posts JSON; status and answer.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Json) -> (u16, Json) {
        let mut request = self.http.post(format!("{}{path}", self.base));
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        told(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Json) {
        let mut request = self.http.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        told(request.send().await.unwrap()).await
    }
}

pub async fn told(answer: reqwest::Response) -> (u16, Json) {
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Questions come fast, since the doubles count them.
pub fn pace() -> Pace {
    Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(5),
        total: Duration::from_secs(20),
    }
}

/// A delivery to a list, with these fields.
pub fn delivery(list: &str, fields: &[(&str, FieldKind)]) -> DeliveryInfo {
    DeliveryInfo {
        delivery: "offer".to_owned(),
        number: 1,
        id: "offer-1".to_owned(),
        audience: "at_risk".to_owned(),
        campaign: Some("autumn".to_owned()),
        list: list.to_owned(),
        status: None,
        snapshot: 7,
        planned_ms: 0,
        identity: "email".to_owned(),
        fields: fields
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect(),
        rows: 0,
        batches: 1,
    }
}

pub fn upsert(identity: &str, fields: &[(&str, Value)]) -> Row {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Row {
        identity: identity.to_owned(),
        verb: Verb::Upsert,
        fields: fields.collect(),
    }
}

pub fn remove(identity: &str) -> Row {
    Row {
        identity: identity.to_owned(),
        verb: Verb::Remove,
        fields: Vec::new(),
    }
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub fn decimal(value: &str) -> Value {
    Value::Decimal(value.to_owned())
}

/// Makes a destination ready, whatever passes by itself on the way.
pub async fn prepare(driver: &dyn Driver, delivery: &DeliveryInfo) {
    for _ in 0..TRIES {
        match driver.prepare(delivery).await {
            Ok(()) => return,
            Err(error) if again(&error) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("it was not ready after {TRIES} tries");
}

/// Sends rows as a runner does: again what may pass, halves of what is refused, and rows again that may
/// be taken another time. Codes of rejected rows, by identity.
pub async fn deliver(
    driver: &dyn Driver,
    info: &DeliveryInfo,
    rows: Vec<Row>,
) -> BTreeMap<String, String> {
    prepare(driver, info).await;
    let mut rejected = BTreeMap::new();
    send(driver, rows, &mut rejected).await;
    driver.finish(info).await.unwrap();
    rejected
}

fn send<'a>(
    driver: &'a dyn Driver,
    rows: Vec<Row>,
    rejected: &'a mut BTreeMap<String, String>,
) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(async move {
        let mut batch = Batch {
            number: 0,
            key: "k".to_owned(),
            rows,
        };
        let mut row_tries = 0;
        for _ in 0..TRIES {
            match driver.send(&batch).await {
                Ok(outcomes) => {
                    row_tries += 1;
                    let again = row_tries < ROW_TRIES;
                    batch.rows = note(&batch.rows, outcomes, again, rejected);
                    if batch.rows.is_empty() {
                        return;
                    }
                }
                Err(error) if again(&error) => {}
                Err(error) if batch.rows.len() > 1 && halves(&error) => {
                    let (left, right) = batch.rows.split_at(batch.rows.len() / 2);
                    send(driver, left.to_vec(), rejected).await;
                    send(driver, right.to_vec(), rejected).await;
                    return;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        panic!("it was not sent after {TRIES} tries");
    })
}

/// Takes outcomes in; rows that are sent again.
fn note(
    rows: &[Row],
    outcomes: Vec<Outcome>,
    again: bool,
    rejected: &mut BTreeMap<String, String>,
) -> Vec<Row> {
    assert_eq!(rows.len(), outcomes.len());
    let mut left = Vec::new();
    for (row, outcome) in rows.iter().zip(outcomes) {
        let Outcome::Rejected {
            code,
            message,
            retryable,
        } = outcome
        else {
            continue;
        };
        assert!(!message.contains(&row.identity), "{message}");
        match retryable && again {
            true => left.push(row.clone()),
            false => drop(rejected.insert(row.identity.clone(), code)),
        }
    }
    left
}

fn again(error: &SendError) -> bool {
    matches!(
        error.kind,
        SendErrorKind::RateLimited { .. } | SendErrorKind::Transient | SendErrorKind::Unknown
    )
}

fn halves(error: &SendError) -> bool {
    matches!(
        error.kind,
        SendErrorKind::Rejected | SendErrorKind::TooLarge
    )
}

/// What goes wrong once in a while with every request of a vendor.
pub const TROUBLES: [&str; 7] = [
    "{status: {code: 503}}",
    "{status: {code: 429, retry_after: 0}}",
    "{status: {code: 500, html: true}}",
    "drop_before",
    "drop_after",
    "twice",
    "{trickle_ms: 1}",
];

/// What goes wrong with one request alone, whichever it is.
const ONCE: [&str; 4] = [
    "{status: {code: 503}}",
    "drop_before",
    "drop_after",
    "twice",
];

/// What a vendor holds after some nights is the same, whatever goes wrong with a share of its requests.
pub async fn whatever_goes_wrong(vendor: &str, deeds: &[&str], nights: impl AsyncFn(&Lab)) {
    for deed in deeds {
        let lab = Lab::new(&trouble(vendor, deed)).await;
        nights(&lab).await;
    }
}

/// The same, whichever request goes wrong.
pub async fn whichever_goes_wrong(vendor: &str, nights: impl AsyncFn(&Lab)) {
    let lab = Lab::new("").await;
    nights(&lab).await;
    let requests = calls(&lab).await;
    assert!(requests > 10);
    for deed in ONCE {
        for request in 0..requests {
            let lab = Lab::new(&trouble_at(vendor, deed, request)).await;
            nights(&lab).await;
        }
    }
}

/// A delivery is refused before anything is sent, with these words.
pub async fn refused(driver: &dyn Driver, info: &DeliveryInfo, words: &str) {
    let error = driver.prepare(info).await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Refused);
    assert!(error.message.contains(words), "{}", error.message);
}

/// A file of faults: one request of 23 has this trouble. A batch is at most twenty calls
/// that must not fail, so that there is an end.
fn trouble(vendor: &str, deed: &str) -> String {
    format!("faults: [{{on: '* /{vendor}/**', every: 23, do: {deed}}}]")
}

/// A file of faults: one request of a vendor has this trouble.
fn trouble_at(vendor: &str, deed: &str, request: u64) -> String {
    format!("faults: [{{on: '* /{vendor}/**', after: {request}, times: 1, do: {deed}}}]")
}

/// Requests that a vendor's double has answered.
async fn calls(lab: &Lab) -> u64 {
    let held = lab.inspect().await;
    let calls = held["calls"].as_object().unwrap();
    calls.values().map(|count| count.as_u64().unwrap()).sum()
}
