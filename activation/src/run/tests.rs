//! Deliveries of files that do not end as they were planned.

use std::sync::Mutex;

use async_trait::async_trait;
use tenfold_core::activation::{Act, PlanCounts, payload_hash};
use tenfold_core::refresh::part::PartRef;
use tenfold_core::snapshot::SuppressionList;
use tenfold_store::object::Store;

use super::*;
use crate::driver::{Batch, Limits};
use crate::told::{RowEnd, Told, WantedRows, told_rows};

/// A place that takes so many files.
struct Place {
    takes: usize,
    files: Mutex<Vec<Vec<String>>>,
}

impl Place {
    fn new(takes: usize) -> Self {
        let files = Mutex::default();
        Self { takes, files }
    }
}

#[async_trait]
impl Driver for Place {
    fn limits(&self) -> Limits {
        Limits {
            rows: 1,
            bytes: None,
            at_once: 1,
            per_second: None,
        }
    }

    async fn prepare(&self, _: &DeliveryInfo) -> Result<(), SendError> {
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let mut files = self.files.lock().unwrap();
        if files.len() == self.takes {
            return Err(SendError::refused("it is full"));
        }
        files.push(batch.rows.iter().map(|row| row.identity.clone()).collect());
        Ok(vec![
            Outcome::Accepted { remote_id: None };
            batch.rows.len()
        ])
    }
}

fn work(identity: &str) -> Work {
    Work {
        act: Act::Upsert,
        identity: identity.to_owned(),
        customer: identity.to_owned(),
        fields: Vec::new(),
        hash: payload_hash(&[]),
        holdout: None,
        decile: None,
    }
}

/// A plan with a file for each of them.
async fn planned(
    ledger: &Ledger<'_>,
    number: u64,
    identities: &[&str],
    before: Option<PartRef>,
) -> PlanRecord {
    let work: Vec<Work> = identities.iter().map(|identity| work(identity)).collect();
    let part = rows::encode_work(&work).unwrap();
    let part = rows::put(ledger.store(), &ledger.folder(number), &part).await;
    let spec = "delivery: d\ndestination: x\nfrom: {table: t}\nmode: file_incremental\n";
    let plan = PlanRecord {
        format: PlanRecord::FORMAT,
        number,
        id: format!("d-{number}"),
        planned_ms: 0,
        snapshot: 1,
        spec: serde_saphyr::from_str(spec).unwrap(),
        kind: "files".to_owned(),
        place: None,
        identity: "customer".to_owned(),
        fields: Vec::new(),
        counts: PlanCounts {
            acknowledged: before.as_ref().map_or(0, |part| part.rows),
            ..PlanCounts::default()
        },
        work: part.unwrap(),
        before,
        ends: (1..=work.len() as u64).collect(),
    };
    assert!(ledger.create_plan(&plan).await.unwrap());
    plan
}

async fn run(ledger: &Ledger<'_>, place: &Place, plan: &PlanRecord) -> Result<DoneRecord, Failure> {
    let runner = Runner {
        ledger: ledger.clone(),
        driver: place,
        at_once: None,
        per_second: None,
        account: String::new(),
        holder: "one",
        tell: None,
        int_keys: false,
        now_ms: &|| 7,
    };
    runner.run(plan).await
}

/// Who is there, and whether it is known with what.
async fn acknowledged(store: &Store, done: &DoneRecord) -> Vec<(String, bool)> {
    let rows = rows::acknowledged(store, done.acknowledged.as_ref()).await;
    let rows = rows.unwrap().into_iter();
    rows.map(|who| (who.identity, !who.hash.is_empty()))
        .collect()
}

#[tokio::test]
async fn files_without_a_marker_are_sent_again() {
    let store = Store::in_memory();
    let ledger = Ledger::new(&store, "d");
    let plan = planned(&ledger, 1, &["a", "b"], None).await;
    let stopped = run(&ledger, &Place::new(1), &plan).await.unwrap_err();
    assert!(stopped.message.contains("it is full"), "{stopped}");
    // Whoever goes on need not wait.
    assert_eq!(ledger.claimed_ms(1).await.unwrap(), Some(0));
    let done = cancel(&ledger, &plan, "two", 0).await.unwrap();
    assert_eq!((done.accepted, done.unsent), (1, 1));
    let unknown = [("a".to_owned(), false), ("b".to_owned(), false)];
    assert_eq!(acknowledged(&store, &done).await, unknown);
}

#[tokio::test]
async fn a_file_of_nobody_but_the_erased_is_written_without_them() {
    let store = Store::in_memory();
    let ledger = Ledger::new(&store, "d");
    // As an erasure leaves it.
    let plan = planned(&ledger, 1, &["a", ""], None).await;
    let place = Place::new(2);
    let done = run(&ledger, &place, &plan).await.unwrap();
    let files = place.files.into_inner().unwrap();
    assert_eq!(files, [vec!["a".to_owned()], Vec::new()]);
    assert_eq!(done.accepted, 1);
    assert_eq!(acknowledged(&store, &done).await, [("a".to_owned(), true)]);
}

#[tokio::test]
async fn an_erasure_while_a_plan_is_made_takes_nothing_from_it() {
    let store = Store::in_memory();
    let ledger = Ledger::new(&store, "d");
    let first = planned(&ledger, 1, &["a", "b"], None).await;
    let done = run(&ledger, &Place::new(2), &first).await.unwrap();
    let keys = BTreeSet::from(["b".to_owned()]);
    let list = SuppressionList::new("salt".to_owned()).with(1, &keys);
    let gone = Gone::since(&list, 0);
    tenfold_store::erase::deliveries(&store, &gone, 0)
        .await
        .unwrap();
    // The plan names the part that it was made from, which is no more.
    let second = planned(&ledger, 2, &["c"], done.acknowledged).await;
    let lost = second.before.clone().unwrap().path;
    assert_eq!(store.size(&lost).await.unwrap(), None);
    let done = run(&ledger, &Place::new(1), &second).await.unwrap();
    let both = [("a".to_owned(), true), ("c".to_owned(), true)];
    assert_eq!(acknowledged(&store, &done).await, both);
    // The erasure's second look goes through it, too.
    tenfold_store::erase::deliveries(&store, &gone, 0)
        .await
        .unwrap();
    assert_eq!(ledger.plan(2).await.unwrap().before, None);
}

#[tokio::test]
async fn every_row_has_an_end_that_can_be_asked_for() {
    let store = Store::in_memory();
    let ledger = Ledger::new(&store, "d");
    let plan = planned(&ledger, 1, &["ann@x.org", "", "bob", "eve"], None).await;
    let rejection = Rejection {
        row: 2,
        code: "INVALID".to_owned(),
        message: "no".to_owned(),
        retryable: true,
    };
    for (batch, rejected) in [(0, Vec::new()), (2, vec![rejection])] {
        let accepted = 1 - rejected.len() as u64;
        let result = ResultRecord::new(accepted, rejected, Vec::new());
        ledger.keep_result(1, batch, &result).await.unwrap();
    }
    let rows = async |state, from, limit| {
        let wanted = WantedRows { state, from, limit };
        told_rows(&ledger, &plan, wanted).await.unwrap()
    };
    let (all, next) = rows(None, 0, 10).await;
    let ends: Vec<RowEnd> = all.iter().map(|row| row.state).collect();
    let expected = [
        RowEnd::Accepted,
        RowEnd::Erased,
        RowEnd::Rejected,
        RowEnd::Unsent,
    ];
    assert_eq!((&ends[..], next), (&expected[..], None));
    assert_eq!(all[0].identity, "a***@x***.o***");
    let (found, next) = rows(Some(RowEnd::Rejected), 0, 1).await;
    assert_eq!(
        (found[0].place, found[0].code.as_deref()),
        (2, Some("INVALID"))
    );
    assert_eq!(next, None);
    let (found, next) = rows(None, 1, 2).await;
    assert_eq!((found.len(), next), (2, Some(3)));
    assert_eq!(rows(None, u64::MAX, 2).await.0, []);
    let told = Told::read(&ledger, &plan).await.unwrap();
    assert_eq!(
        (told.state, told.accepted, told.rejected, told.unsent),
        ("unfinished", 1, 1, 2)
    );
}

#[tokio::test]
async fn who_was_left_out_as_erased_is_not_shown() {
    let store = Store::in_memory();
    let ledger = Ledger::new(&store, "d");
    let plan = planned(&ledger, 1, &["ann@x.org"], None).await;
    let result = ResultRecord::new(0, Vec::new(), vec![0]);
    ledger.keep_result(1, 0, &result).await.unwrap();
    let wanted = WantedRows {
        state: None,
        from: 0,
        limit: 1,
    };
    let (told, _) = told_rows(&ledger, &plan, wanted).await.unwrap();
    assert_eq!(told[0].state, RowEnd::Erased);
    assert_eq!((&*told[0].customer, &*told[0].identity), ("", ""));
}
