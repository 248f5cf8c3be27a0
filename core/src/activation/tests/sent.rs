//! What becomes of rows and batches that are sent.

use std::fmt::Write;
use std::time::Duration;

use crate::activation::*;

/// The whole function, for people to read: a row for each state, a column for each event.
const TABLE: &str = "\
state      Sent      Accepted  Refused   Rejected  NotTaken  GivenUp   Cancelled
New        Sending   New       New       New       New       Rejected  Cancelled
Sending    Sending   Accepted  Retry     Rejected  Retry     Rejected  Cancelled
Retry      Sending   Retry     Retry     Retry     Retry     Rejected  Cancelled
Accepted   Accepted  Accepted  Accepted  Accepted  Accepted  Accepted  Accepted
Rejected   Rejected  Rejected  Rejected  Rejected  Rejected  Rejected  Rejected
Cancelled  Cancelled Cancelled Cancelled Cancelled Cancelled Cancelled Cancelled
";

#[test]
fn every_state_has_an_answer_to_every_event() {
    let mut table = format!("{:<11}", "state");
    let line = |cells: Vec<String>| {
        let padded = cells.iter().map(|cell| format!("{cell:<10}"));
        padded.collect::<String>().trim_end().to_owned() + "\n"
    };
    table += &line(
        RowEvent::ALL
            .iter()
            .map(|event| format!("{event:?}"))
            .collect(),
    );
    for state in RowState::ALL {
        let next = RowEvent::ALL
            .iter()
            .map(|event| format!("{:?}", state.on(*event)));
        write!(table, "{:<11}", format!("{state:?}")).unwrap();
        table += &line(next.collect());
    }
    assert_eq!(table, TABLE, "\n{table}");
}

#[test]
fn batches_are_tried_again_halved_or_given_up() {
    let limited = |seconds: Option<u64>| SendErrorKind::RateLimited {
        retry_after: seconds.map(Duration::from_secs),
    };
    let again = |kind, tries| match next(kind, tries, 9, "seed") {
        Next::Again(pause) => pause,
        other => panic!("{other:?}"),
    };
    assert_eq!(again(limited(Some(30)), 1), Duration::from_secs(30));
    assert_eq!(
        again(limited(Some(1_000_000)), 1),
        Duration::from_secs(3600)
    );
    assert!(again(SendErrorKind::Unknown, 1) <= Duration::from_millis(500));
    assert!(again(SendErrorKind::Transient, 7) >= Duration::from_secs(16));
    assert_eq!(next(SendErrorKind::Transient, TRIES, 9, ""), Next::Stop);
    assert_eq!(next(limited(Some(1)), TRIES, 9, ""), Next::Stop);
    assert_eq!(next(SendErrorKind::Refused, 1, 9, ""), Next::Stop);
    for kind in [SendErrorKind::TooLarge, SendErrorKind::Rejected] {
        assert_eq!(next(kind, 1, 2, ""), Next::Halves);
        assert_eq!(next(kind, 1, 1, ""), Next::Reject);
    }
}

#[test]
fn pauses_grow_and_those_of_different_batches_differ() {
    let pauses: Vec<Duration> = (1..=12).map(|tries| backoff(tries, "a")).collect();
    for (place, pause) in pauses.iter().enumerate() {
        let most = Duration::from_millis(500 << place).min(Duration::from_secs(120));
        assert!(*pause <= most && *pause >= most / 2, "{place}: {pause:?}");
    }
    assert_eq!(backoff(3, "a"), backoff(3, "a"));
    assert_ne!(backoff(3, "a"), backoff(3, "b"));
}

#[test]
fn a_bucket_lets_through_as_much_as_it_fills() {
    let mut bucket = TokenBucket::new(2.0, 0);
    let mut now = 0;
    for _ in 0..100 {
        let wait = bucket.take(now);
        now += i64::try_from(wait.as_micros()).unwrap();
    }
    // One at once, the others by two a second.
    assert_eq!(now, 49_500_000);
    let mut slow = TokenBucket::new(0.5, 0);
    assert_eq!(slow.take(0), Duration::ZERO);
    assert_eq!(slow.take(0), Duration::from_secs(2));
    assert_eq!(slow.take(-5_000_000), Duration::from_secs(4));
}

#[test]
fn messages_and_samples_show_nobody() {
    let row = Row {
        identity: "jane.doe@example.com".to_owned(),
        verb: Verb::Upsert,
        fields: vec![
            ("last".to_owned(), Value::Text("Doe".to_owned())),
            ("n".to_owned(), Value::Int(4711)),
        ],
    };
    let message = "Jane.Doe@Example.com (DOE, 4711) is bad, see jane+x@other.example too";
    let told = without_values(message, &row);
    assert_eq!(told, "... (..., ...) is bad, see ... too");
    let shown = masked(&Value::Text(row.identity));
    assert_eq!(shown, "j***.d***@e***.c***");
    assert_eq!(masked(&Value::Text("Ünal-Ä".to_owned())), "Ü***-Ä");
    assert_eq!(masked(&Value::Null), "(none)");
    assert_eq!(masked(&Value::Int(10)), "10");
}
