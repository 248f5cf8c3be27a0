//! The table of run states, and what a sequence of entries says.

use super::*;
use crate::calendar::Day;
use crate::failure::Failure;

const TABLE: &str = "\
state       start       cancel      publish     succeeded   partial     failed      cancelled   timed_out   retry
queued      running     cancelled   nonsense    succeeded   partial     failed      cancelled   timed_out   live
running     running     cancelling  publishing  succeeded   partial     failed      cancelled   timed_out   live
cancelling  stopping    cancelling  stopping    stopping    stopping    failed      cancelled   timed_out   live
publishing  publishing  too late    nonsense    succeeded   partial     failed      too late    too late    live
succeeded   over        over        over        over        over        over        over        over        over
partial     over        over        over        over        over        over        over        over        over
failed      over        over        over        over        over        over        over        over        queued
cancelled   over        over        over        over        over        over        over        over        over
timed_out   over        over        over        over        over        over        over        over        queued
";

#[test]
fn the_table_of_run_states_is_this() {
    let events = [
        ("start", RunEvent::Start),
        ("cancel", RunEvent::Cancel),
        ("publish", RunEvent::Publish),
        ("succeeded", RunEvent::End(RunState::Succeeded)),
        ("partial", RunEvent::End(RunState::Partial)),
        ("failed", RunEvent::End(RunState::Failed)),
        ("cancelled", RunEvent::End(RunState::Cancelled)),
        ("timed_out", RunEvent::End(RunState::TimedOut)),
        ("retry", RunEvent::Retry),
    ];
    let row = |head: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:<12}")).collect();
        format!("{}\n", format!("{head:<12}{cells}").trim_end())
    };
    let mut table = row("state", events.map(|(name, _)| name.to_owned()).to_vec());
    for state in RunState::ALL {
        let cell = |event| match next(state, event) {
            Ok(state) => state.name().to_owned(),
            Err(Refusal::Over(_)) => "over".to_owned(),
            Err(Refusal::TooLate) => "too late".to_owned(),
            Err(Refusal::Stopping) => "stopping".to_owned(),
            Err(Refusal::Live(_)) => "live".to_owned(),
            Err(Refusal::Nonsense) => "nonsense".to_owned(),
        };
        table += &row(state.name(), events.map(|(_, event)| cell(event)).to_vec());
    }
    assert_eq!(table, TABLE, "the table is now:\n{table}");
}

/// A ledger that is written under one office.
struct Book {
    ledger: Ledger,
    epoch: u64,
}

impl Book {
    fn new() -> Self {
        let mut book = Self {
            ledger: Ledger::default(),
            epoch: 0,
        };
        book.office("a");
        book
    }

    fn office(&mut self, coordinator: &str) {
        self.epoch = self.ledger.last + 1;
        self.write(Record::Office {
            coordinator: coordinator.to_owned(),
            address: String::new(),
            version: "0".to_owned(),
        });
    }

    fn write(&mut self, record: Record) -> &Ledger {
        self.write_as(self.epoch, record)
    }

    fn write_as(&mut self, epoch: u64, record: Record) -> &Ledger {
        let seq = self.ledger.last + 1;
        let entry = Entry {
            format: Entry::FORMAT,
            seq,
            epoch,
            nonce: "n".to_owned(),
            at_ms: seq as i64 * 1000,
            record,
        };
        let json = serde_json::to_vec(&entry).unwrap();
        let read = Entry::from_json(&json, "here").unwrap();
        assert_eq!(read, entry);
        self.ledger.apply(&read);
        &self.ledger
    }

    fn submit(&mut self, run: &str, origin: Origin) {
        self.write(Record::Submitted {
            run: run.to_owned(),
            key: format!("key of {run}"),
            payload: "p".to_owned(),
            request: RunRequest::of(Day(20_000)),
            origin,
        });
    }

    fn end(&mut self, run: &str, state: RunState) {
        self.write(Record::Ended {
            run: run.to_owned(),
            ending: Box::new(Ending::without(state, Some(Failure::data("x")))),
        });
    }
}

fn operator() -> Origin {
    Origin::Operator {
        name: "ann".to_owned(),
    }
}

fn of_schedule(nominal: &str) -> Origin {
    Origin::Schedule {
        schedule: "nightly".to_owned(),
        nominal: nominal.to_owned(),
        triggered_by: None,
    }
}

#[test]
fn a_run_that_is_cancelled_before_it_began_says_by_whom() {
    let mut book = Book::new();
    book.submit("r1", operator());
    let ledger = book.write(Record::CancelRequested {
        run: "r1".to_owned(),
        reason: "a mistake".to_owned(),
        by: "ann".to_owned(),
    });
    let run = &ledger.runs["r1"];
    assert_eq!(run.state, RunState::Cancelled);
    let ending = run.ending.as_ref().unwrap();
    assert_eq!(
        ending.failure.as_ref().unwrap().message,
        "cancelled by ann: a mistake"
    );
}

#[test]
fn runs_are_served_in_the_order_of_their_entries() {
    let mut book = Book::new();
    book.submit("r2", operator());
    book.submit("r1", operator());
    assert_eq!(book.ledger.queue, ["r2", "r1"]);
    book.write(Record::Started {
        run: "r2".to_owned(),
        missing: None,
    });
    book.end("r2", RunState::Failed);
    assert_eq!(book.ledger.queue, ["r1"]);
    book.write(Record::Retried {
        run: "r2".to_owned(),
        by: "ann".to_owned(),
    });
    assert_eq!(book.ledger.queue, ["r1", "r2"]);
    let run = &book.ledger.runs["r2"];
    assert_eq!((run.tries, run.state), (2, RunState::Queued));
    assert_eq!(run.ending, None);
}

#[test]
fn a_key_makes_one_run() {
    let mut book = Book::new();
    book.submit("r1", operator());
    let again = Record::Submitted {
        run: "r9".to_owned(),
        key: "key of r1".to_owned(),
        payload: "p".to_owned(),
        request: RunRequest::of(Day(20_000)),
        origin: operator(),
    };
    assert_eq!(book.ledger.check(&again), Err(Refusal::Nonsense));
    book.write(again);
    assert_eq!(book.ledger.runs.size(), 1);
    assert_eq!(book.ledger.keys["key of r1"], "r1");
}

#[test]
fn what_a_deposed_coordinator_writes_counts_for_nothing() {
    let mut book = Book::new();
    let old = book.epoch;
    book.submit("r1", operator());
    book.office("b");
    book.write_as(
        old,
        Record::CancelRequested {
            run: "r1".to_owned(),
            reason: String::new(),
            by: "ann".to_owned(),
        },
    );
    assert_eq!(book.ledger.runs["r1"].state, RunState::Queued);
    assert_eq!(book.ledger.office.as_ref().unwrap().1, "b");
}

#[test]
fn a_schedule_counts_failures_in_a_row() {
    let mut book = Book::new();
    book.write(Record::ScheduleApplied {
        schedule: "nightly".to_owned(),
        spec: "spec".to_owned(),
    });
    for (run, state, failures) in [
        ("r1", RunState::Failed, 1),
        ("r2", RunState::TimedOut, 2),
        ("r3", RunState::Cancelled, 2),
        ("r4", RunState::Partial, 0),
    ] {
        book.submit(
            run,
            of_schedule(&format!("2026-01-0{}T02:00", failures + 1)),
        );
        book.write(Record::Started {
            run: run.to_owned(),
            missing: None,
        });
        book.end(run, state);
        assert_eq!(book.ledger.schedules["nightly"].failures, failures, "{run}");
    }
    assert_eq!(
        book.ledger.schedules["nightly"].last_run.as_deref(),
        Some("r4")
    );
}

#[test]
fn a_schedule_never_goes_back() {
    let mut book = Book::new();
    book.write(Record::ScheduleApplied {
        schedule: "nightly".to_owned(),
        spec: "spec".to_owned(),
    });
    book.write(Record::ScheduleAdvanced {
        schedule: "nightly".to_owned(),
        nominal: "2026-01-05T02:00".to_owned(),
        skipped: 2,
        buffered: vec!["2026-01-04T02:00".to_owned()],
    });
    book.submit("r1", of_schedule("2026-01-04T02:00"));
    let schedule = &book.ledger.schedules["nightly"];
    assert_eq!(schedule.last_nominal.as_deref(), Some("2026-01-05T02:00"));
    assert!(schedule.buffered.is_empty());
    assert_eq!(schedule.skipped, 2);
}

#[test]
fn a_run_out_of_turn_leaves_the_firings_of_its_schedule_alone() {
    let mut book = Book::new();
    book.write(Record::ScheduleApplied {
        schedule: "nightly".to_owned(),
        spec: "spec".to_owned(),
    });
    book.write(Record::ScheduleAdvanced {
        schedule: "nightly".to_owned(),
        nominal: "2026-01-05T02:00:00Z".to_owned(),
        skipped: 0,
        buffered: vec!["2026-01-05T02:00:00Z".to_owned()],
    });
    book.submit(
        "r1",
        Origin::Schedule {
            schedule: "nightly".to_owned(),
            nominal: "2026-01-05T09:12:13Z".to_owned(),
            triggered_by: Some("ann".to_owned()),
        },
    );
    let schedule = &book.ledger.schedules["nightly"];
    assert_eq!(schedule.last_run.as_deref(), Some("r1"));
    assert_eq!(
        schedule.last_nominal.as_deref(),
        Some("2026-01-05T02:00:00Z")
    );
    assert_eq!(schedule.buffered, ["2026-01-05T02:00:00Z"]);
}

#[test]
fn a_resumed_schedule_makes_up_for_nothing() {
    let mut book = Book::new();
    book.write(Record::ScheduleApplied {
        schedule: "nightly".to_owned(),
        spec: "spec".to_owned(),
    });
    book.write(Record::ScheduleAdvanced {
        schedule: "nightly".to_owned(),
        nominal: "2026-01-05T02:00:00Z".to_owned(),
        skipped: 1,
        buffered: vec!["2026-01-05T02:00:00Z".to_owned()],
    });
    book.write(Record::SchedulePaused {
        schedule: "nightly".to_owned(),
        reason: "holiday".to_owned(),
        until_ms: Some(1),
    });
    let since = book.ledger.schedules["nightly"].since_ms;
    book.write(Record::ScheduleResumed {
        schedule: "nightly".to_owned(),
    });
    let schedule = &book.ledger.schedules["nightly"];
    assert_eq!((&schedule.paused, schedule.paused_until_ms), (&None, None));
    assert_eq!((schedule.skipped, schedule.buffered.len()), (2, 0));
    assert!(schedule.since_ms > since && !schedule.fresh);
}

#[test]
fn an_entry_of_a_newer_form_is_refused_by_name() {
    let refused = Entry::from_json(br#"{"format": 2, "anything": 1}"#, "_coordinator/x.json");
    let failure = refused.unwrap_err();
    assert!(failure.message.contains("_coordinator/x.json has format 2"));
    assert!(failure.remedy.contains("version of Tenfold"));
}

#[test]
fn a_damaged_entry_is_named() {
    let failure = Entry::from_json(b"{\"format\": 1, \"seq\"", "_coordinator/x.json").unwrap_err();
    assert!(failure.message.contains("_coordinator/x.json"));
}

#[test]
fn the_day_of_a_request_is_kept() {
    let request = RunRequest::of(Day(20_000));
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<RunRequest>(&text).unwrap(), request);
}

impl Book {
    fn notices(&self) -> Vec<(u64, NoticeKind, &str)> {
        let all = self.ledger.notices.all.iter();
        all.map(|notice| (notice.seq, notice.kind, notice.run.as_str()))
            .collect()
    }
}

#[test]
fn people_are_told_of_failure_and_of_recovery_and_of_nothing_else() {
    let mut book = Book::new();
    let line = [("a", operator()), ("s", of_schedule("2026-01-01T02:00"))];
    for (run, origin) in line {
        book.submit(run, origin);
    }
    book.end("a", RunState::Failed);
    // Another line: it did not fail before.
    book.end("s", RunState::Succeeded);
    book.submit("b", operator());
    book.end("b", RunState::Cancelled);
    book.submit("c", operator());
    book.end("c", RunState::Succeeded);
    book.submit("d", operator());
    book.end("d", RunState::Succeeded);
    let backfill = Origin::Backfill {
        backfill: "x".to_owned(),
    };
    book.submit("e", backfill);
    book.end("e", RunState::Failed);
    book.submit("f", of_schedule("2026-01-02T02:00"));
    book.end("f", RunState::TimedOut);
    book.write(Record::Retried {
        run: "f".to_owned(),
        by: "ann".to_owned(),
    });
    book.end("f", RunState::Partial);
    assert_eq!(
        book.notices(),
        [
            (4, NoticeKind::Failed, "a"),
            (9, NoticeKind::Recovered, "c"),
            (15, NoticeKind::Failed, "f"),
            (17, NoticeKind::Partial, "f"),
        ]
    );
}

#[test]
fn people_are_told_of_a_schedule_that_is_paused_or_late() {
    let mut book = Book::new();
    book.write(Record::ScheduleApplied {
        schedule: "nightly".to_owned(),
        spec: String::new(),
    });
    book.write(Record::SchedulePaused {
        schedule: "nightly".to_owned(),
        reason: "10 runs failed one after the other".to_owned(),
        until_ms: None,
    });
    book.write(Record::ScheduleLate {
        schedule: "nightly".to_owned(),
        nominal: "2026-01-01T02:00".to_owned(),
    });
    let late = &book.ledger.notices.all[1];
    assert_eq!(late.kind, NoticeKind::Late);
    assert!(
        late.message.contains("2026-01-01T02:00"),
        "{}",
        late.message
    );
    let notice = &book.ledger.notices.all[0];
    assert_eq!(notice.kind, NoticeKind::Paused);
    assert_eq!(notice.schedule, "nightly");
    assert!(
        notice.message.contains("10 runs failed"),
        "{}",
        notice.message
    );
}

#[test]
fn a_target_is_told_each_thing_once_and_in_order() {
    let told = |through: u64| Record::Notified {
        target: "hook".to_owned(),
        through,
        tries: 1,
        given_up: String::new(),
    };
    let mut book = Book::new();
    for run in ["a", "b"] {
        book.submit(run, operator());
        book.end(run, RunState::Failed);
    }
    let next = |book: &Book, kinds: &[NoticeKind]| {
        let next = book.ledger.notices.next("hook", kinds);
        next.map(|notice| notice.seq)
    };
    assert_eq!(next(&book, &NoticeKind::ALL), Some(3));
    assert_eq!(next(&book, &[NoticeKind::Late]), None);
    book.write(told(3));
    assert_eq!(next(&book, &NoticeKind::ALL), Some(5));
    // Never backwards, never beyond what is there.
    assert_eq!(book.ledger.check(&told(3)), Err(Refusal::Nonsense));
    assert_eq!(book.ledger.check(&told(99)), Err(Refusal::Nonsense));
    book.write(told(5));
    assert_eq!(next(&book, &NoticeKind::ALL), None);
}

#[test]
fn only_so_many_notices_wait() {
    let mut book = Book::new();
    for number in 0..1_200 {
        let run = format!("{number:05}");
        book.submit(&run, operator());
        book.end(&run, RunState::Failed);
    }
    assert_eq!(book.ledger.notices.all.len(), 1_000);
    assert_eq!(book.notices().last().unwrap().2, "01199");
}
