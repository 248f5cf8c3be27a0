//! Tests of the lifecycle of batches.

use proptest::prelude::*;

use super::*;
use crate::failure::{ErrorCode, Failure};
use crate::project::Format;

fn upload(name: &str, bytes: u64) -> Upload {
    Upload {
        name: name.to_owned(),
        format: Format::Csv,
        bytes,
        chunks: Vec::new(),
    }
}

fn file(path: &str) -> StoredFile {
    StoredFile {
        path: path.to_owned(),
        bytes: 1,
        rows: 1,
        sha256: String::new(),
        customer: "customer".to_owned(),
    }
}

fn opened(batch: &str) -> Event {
    Event::Opened {
        batch: batch.to_owned(),
        max_bad_rows: Share::DEFAULT,
        replaces: Vec::new(),
    }
}

fn uploaded(batch: &str, upload: Upload) -> Event {
    let batch = batch.to_owned();
    Event::Uploaded { batch, upload }
}

fn completed(batch: &str, replaces: &[&str]) -> Event {
    Event::Completed {
        batch: batch.to_owned(),
        outcome: Outcome {
            files: vec![file(&Place::rows("s", batch, 0, "a"))],
            ..Outcome::default()
        },
        replaces: replaces.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// Every event about a batch, with what it is called in the table.
fn events(batch: &str) -> Vec<(&'static str, Event)> {
    let of = batch.to_owned();
    vec![
        ("open", opened(batch)),
        ("upload", uploaded(batch, upload("b", 1))),
        ("seal", Event::Sealed { batch: of.clone() }),
        ("complete", completed(batch, &[])),
        (
            "fail",
            Event::Failed {
                batch: of.clone(),
                outcome: Outcome::default(),
                failure: Failure::data("no"),
            },
        ),
        ("abort", Event::Aborted { batch: of.clone() }),
        ("abandon", Event::Abandoned { batch: of.clone() }),
        ("revert", Event::Reverted { batch: of }),
    ]
}

fn after(events: &[Event]) -> State {
    let mut state = State::default();
    for event in events {
        assert_eq!(state.allows(event), Ok(true), "{event:?}");
        state.apply(event, 0);
    }
    state
}

/// A state in which the batch `x` is at a stage.
fn at(stage: Stage) -> State {
    let of = "x".to_owned();
    let loading = [opened("x"), uploaded("x", upload("a", 1))];
    let with = |more: Vec<Event>| {
        let events = loading.iter().cloned().chain(more);
        after(&events.collect::<Vec<_>>())
    };
    let sealed = Event::Sealed { batch: of.clone() };
    let active = vec![sealed.clone(), completed("x", &[])];
    match stage {
        Stage::Loading => with(Vec::new()),
        Stage::Completing => with(vec![sealed]),
        Stage::Active => with(active),
        Stage::Failed => with(vec![
            sealed,
            Event::Failed {
                batch: of,
                outcome: Outcome::default(),
                failure: Failure::data("no"),
            },
        ]),
        Stage::Aborted => with(vec![Event::Aborted { batch: of }]),
        Stage::Abandoned => with(vec![Event::Abandoned { batch: of }]),
        Stage::Reverted => with([active, vec![Event::Reverted { batch: of }]].concat()),
        Stage::Replaced => with([active, vec![completed("y", &["x"])]].concat()),
    }
}

#[test]
fn every_move_from_every_stage_is_as_the_table_says() {
    let mut table = String::new();
    for stage in Stage::ALL {
        let state = at(stage);
        assert_eq!(state.batches["x"].stage, stage);
        table += &format!("{stage}:");
        for (name, event) in events("x") {
            let moved = match state.allows(&event) {
                Ok(false) => "-".to_owned(),
                Ok(true) => {
                    let mut next = state.clone();
                    next.apply(&event, 1);
                    next.batches["x"].stage.to_string()
                }
                Err(Refused::Conflict(..)) => "refused".to_owned(),
                Err(other) => panic!("{name}: {other:?}"),
            };
            table += &format!(" {name}={moved}");
        }
        table += "\n";
    }
    assert_eq!(table, include_str!("moves.txt"), "\n{table}");
}

#[test]
fn a_batch_that_is_unknown_can_be_opened_or_completed_at_once_and_nothing_else() {
    let state = State::default();
    for (name, event) in events("x") {
        match name {
            "open" | "complete" => assert_eq!(state.allows(&event), Ok(true)),
            _ => assert_eq!(
                state.allows(&event),
                Err(Refused::Unknown("x".to_owned())),
                "{name}"
            ),
        }
    }
}

#[test]
fn what_is_refused_changes_nothing_in_the_fold_either() {
    for stage in Stage::ALL {
        for (name, event) in events("x") {
            let mut state = at(stage);
            let before = state.clone();
            if state.allows(&event) != Ok(true) {
                state.apply(&event, 9);
                assert_eq!(state.sequence, before.sequence + 1);
                assert_eq!(state.batches, before.batches, "{name} while {stage}");
            }
        }
    }
}

#[test]
fn rows_are_visible_while_their_batch_is_active_and_a_replacement_is_one_record() {
    let paths =
        |state: &State| -> Vec<String> { state.visible().map(|file| file.path.clone()).collect() };
    for stage in Stage::ALL {
        let own = paths(&at(stage));
        let seen = own.contains(&Place::rows("s", "x", 0, "a"));
        assert_eq!(seen, stage == Stage::Active, "{stage}");
    }
    let mut state = at(Stage::Active);
    state.apply(&completed("y", &["x"]), 1);
    assert_eq!(paths(&state), [Place::rows("s", "y", 0, "a")]);
    assert_eq!(state.batches["x"].replaced_by.as_deref(), Some("y"));
    // Taken back, the one that replaced it does not bring it back.
    let batch = "y".to_owned();
    state.apply(&Event::Reverted { batch }, 2);
    assert_eq!(paths(&state), Vec::<String>::new());
}

#[test]
fn of_two_that_replace_one_batch_the_first_wins() {
    let mut state = at(Stage::Active);
    let (first, second) = (completed("y", &["x"]), completed("z", &["x"]));
    assert_eq!(state.allows(&second), Ok(true));
    state.apply(&first, 1);
    let refused = state.allows(&second).unwrap_err().failure();
    assert_eq!(refused.code, Some(ErrorCode::BatchConflict));
    assert!(
        refused.message.contains("x cannot be replaced"),
        "{refused}"
    );
    assert_eq!(state.allows(&first), Ok(false), "completed twice is once");
}

#[test]
fn a_batch_takes_25_000_files_and_not_one_more() {
    let mut state = after(&[opened("x")]);
    for number in 0..BATCH_FILES {
        let event = uploaded("x", upload(&format!("f{number}"), 1));
        // Without asking each time: the last one is asked about.
        state
            .batches
            .get_mut("x")
            .unwrap()
            .uploads
            .push(match event {
                Event::Uploaded { upload, .. } => upload,
                _ => unreachable!(),
            });
    }
    let refused = state.allows(&uploaded("x", upload("more", 1))).unwrap_err();
    let failure = refused.failure();
    assert_eq!(failure.code, Some(ErrorCode::BatchTakesNot));
    assert!(failure.message.contains("25000 files"), "{failure}");
    state.batches.get_mut("x").unwrap().uploads.pop();
    assert_eq!(state.allows(&uploaded("x", upload("last", 1))), Ok(true));
}

#[test]
fn a_batch_takes_a_terabyte_and_not_one_byte_more() {
    let state = after(&[opened("x"), uploaded("x", upload("a", BATCH_BYTES - 1))]);
    assert_eq!(state.allows(&uploaded("x", upload("b", 1))), Ok(true));
    let refused = state.allows(&uploaded("x", upload("b", 2))).unwrap_err();
    let failure = refused.failure();
    assert!(failure.message.contains("1099511627777 bytes"), "{failure}");
    assert!(state.allows(&uploaded("x", upload("b", u64::MAX))).is_err());
}

#[test]
fn a_file_of_one_name_is_taken_once() {
    let state = after(&[opened("x"), uploaded("x", upload("a", 1))]);
    assert_eq!(state.allows(&uploaded("x", upload("a", 1))), Ok(false));
    assert!(matches!(
        state.allows(&uploaded("x", upload("a", 2))),
        Err(Refused::Conflict(..))
    ));
}

#[test]
fn names_cannot_leave_their_folder() {
    for name in ["a", "2024-01.csv", "A_b.c"] {
        assert_eq!(check_id(name), Ok(()));
        assert_eq!(check_name(name), Ok(()));
    }
    for name in ["", ".", "..", "a/b", "a b", "é", "-x", &"a".repeat(201)] {
        assert!(
            check_id(name).is_err() && check_name(name).is_err(),
            "{name}"
        );
    }
}

#[test]
fn exactly_the_share_passes_and_one_row_more_does_not() {
    let share: Share = "5%".parse().unwrap();
    assert!(share.bears(5, 100) && !share.bears(6, 100));
    assert!(share.bears(1, 20) && !share.bears(1, 19));
    assert!(share.bears(0, 0));
    let fine: Share = "0.0001%".parse().unwrap();
    assert!(fine.bears(1, 1_000_000) && !fine.bears(1, 999_999));
    let none: Share = "0%".parse().unwrap();
    assert!(none.bears(0, 1) && !none.bears(1, u64::MAX));
    let all: Share = "100%".parse().unwrap();
    assert!(all.bears(u64::MAX, u64::MAX));
}

#[test]
fn shares_are_written_as_they_are_read() {
    for text in ["0%", "5%", "0.25%", "12.5%", "100%", "0.0001%"] {
        assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
    }
    assert_eq!("2.50 %".parse::<Share>().unwrap().to_string(), "2.5%");
    for text in [
        "", "5", "%", "-1%", "100.1%", "0.00001%", "1e2%", "5%%", "1000%", ".5%",
    ] {
        assert!(text.parse::<Share>().is_err(), "{text}");
    }
}

#[test]
fn pieces_make_up_a_file_in_any_order_and_without_gap_or_overlap() {
    let piece = |from, to| Chunk::new(from, to, 100).unwrap();
    let pieces = [piece(60, 100), piece(0, 20), piece(20, 60)];
    assert_eq!(
        whole("a.csv", &pieces).unwrap(),
        [piece(0, 20), piece(20, 60), piece(60, 100)]
    );
    assert_eq!(missing(&pieces), []);
    assert_eq!(missing(&pieces[..2]), [(20, 60)]);
    assert_eq!(missing(&[piece(20, 60)]), [(0, 20), (60, 100)]);
    let refused = |pieces: &[Chunk]| whole("a.csv", pieces).unwrap_err();
    let gap = refused(&pieces[..2]);
    assert!(
        gap.message.contains("bytes 20 to 60 of file a.csv"),
        "{gap}"
    );
    let overlap = refused(&[pieces[0], pieces[1], pieces[2], piece(50, 60)]);
    assert!(overlap.message.contains("overlap"), "{overlap}");
    let other = refused(&[pieces[0], Chunk::new(0, 20, 99).unwrap()]);
    assert!(other.message.contains("99 and of 100"), "{other}");
    assert!(!refused(&[]).remedy.is_empty());
    let many = CHUNKS as u64 + 1;
    let bytes = (0..many).map(|from| Chunk::new(from, from + 1, many).unwrap());
    let bytes: Vec<Chunk> = bytes.collect();
    assert!(refused(&bytes).message.contains("150001 pieces"));
}

#[test]
fn pieces_are_cut_and_named_so_that_names_tell_them() {
    let of = 2 * CHUNK_BYTES + 5;
    let cut: Vec<Chunk> = Chunk::cut(of).collect();
    assert_eq!(cut.len(), 3);
    assert_eq!(whole("a", &cut).unwrap(), cut);
    for chunk in cut {
        assert_eq!(Chunk::named(&chunk.name()), Some(chunk));
    }
    for name in ["", "1-2-3", "x", "0-0-0"] {
        assert_eq!(Chunk::named(name), None, "{name}");
    }
    for (from, to, of) in [
        (0, 0, 1),
        (1, 0, 2),
        (0, 2, 1),
        (0, CHUNK_BYTES + 1, u64::MAX),
    ] {
        let refused = Chunk::new(from, to, of).unwrap_err();
        assert_eq!(refused.code, Some(ErrorCode::BatchTakesNot));
    }
}

#[test]
fn clean_up_keeps_what_is_visible_or_under_way() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let needs = |state: &State, path: &str, now: i64| {
        let (source, place) = Place::of(path).unwrap();
        assert_eq!(source, "s");
        state.needs(path, &place, now, DAY)
    };
    let piece = Place::piece("s", "x", "a", Chunk::new(0, 1, 1).unwrap());
    let rows = Place::rows("s", "x", 0, "a");
    let other = Place::rows("s", "x", 0, "b");
    for stage in Stage::ALL {
        let state = at(stage);
        assert!(needs(&state, &Place::record("s", 1), 99 * DAY));
        for path in [&piece, &rows, &other] {
            assert!(
                needs(&state, path, 0),
                "{stage}: somebody may be reading it"
            );
        }
        let open = stage.is_open();
        assert_eq!(needs(&state, &piece, 2 * DAY), open, "{stage}");
        assert_eq!(needs(&state, &other, 2 * DAY), open, "{stage}");
        let counts = open || stage == Stage::Active;
        assert_eq!(needs(&state, &rows, 2 * DAY), counts, "{stage}");
    }
    assert!(!needs(&State::default(), &rows, 0));
    let late = State {
        sequence: 1000,
        ..State::default()
    };
    assert!(!needs(&late, &Place::checkpoint("s", 64), 0));
    assert!(needs(&late, &Place::checkpoint("s", 960), 0));
}

#[test]
fn open_batches_that_nobody_goes_on_with_are_found() {
    let state = after(&[opened("x")]);
    assert_eq!(state.left_open(OPEN_MS).count(), 0);
    assert_eq!(state.left_open(OPEN_MS + 1).collect::<Vec<_>>(), ["x"]);
    assert_eq!(at(Stage::Active).left_open(OPEN_MS + 1).count(), 0);
}

#[test]
fn batches_that_are_over_are_forgotten_after_a_while_and_active_ones_never() {
    let mut state = after(&[opened("x"), completed("y", &[])]);
    let batch = "x".to_owned();
    state.apply(&Event::Aborted { batch }, 0);
    while !state.sequence.is_multiple_of(CHECKPOINT_EVERY) {
        state.apply(&opened(&format!("n{}", state.sequence)), ERRORS_KEPT_MS + 1);
    }
    assert!(!state.batches.contains_key("x"));
    assert_eq!(state.batches["y"].stage, Stage::Active);
}

#[test]
fn erasure_exchanges_files_where_they_are_named() {
    let mut state = at(Stage::Active);
    let old = Place::rows("s", "x", 0, "a");
    let exchange = |by: Option<&str>| Event::Erased {
        files: vec![Exchange {
            path: old.clone(),
            by: by.map(file),
        }],
    };
    let event = exchange(Some("new"));
    assert_eq!(state.allows(&event), Ok(true));
    state.apply(&event, 1);
    let paths: Vec<&str> = state.visible().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["new"]);
    assert_eq!(
        state.allows(&event),
        Ok(false),
        "there is nothing left to exchange"
    );
    let mut state = at(Stage::Active);
    state.apply(&exchange(None), 1);
    assert_eq!(state.visible().count(), 0);
    assert_eq!(state.batches["x"].stage, Stage::Active);
}

#[test]
fn records_are_written_as_they_are_read() {
    for (name, event) in events("x") {
        let record = Record {
            format: Record::FORMAT,
            sequence: 3,
            writer: "w".to_owned(),
            at_ms: 5,
            event,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            serde_json::from_str::<Record>(&text).unwrap(),
            record,
            "{name}"
        );
    }
}

proptest! {
    /// Whatever is asked in whatever order: what is over stays over, what happened happens once, and each
    /// file is visible once, through an active batch.
    #[test]
    fn no_order_of_events_doubles_rows_or_revives_a_batch(
        moves in prop::collection::vec((0_usize..3, 0_usize..9, 0_usize..4), 0..60),
    ) {
        let names = ["x", "y", "z"];
        let mut state = State::default();
        for (at_ms, (batch, kind, replaced)) in (0..).zip(moves) {
            let replaces: Vec<&str> = names.get(replaced).copied().into_iter().collect();
            let name = names[batch];
            let event = match events(name).into_iter().nth(kind) {
                Some((_, event)) => event,
                None => completed(name, &replaces),
            };
            let before = state.clone();
            let allowed = state.allows(&event);
            state.apply(&event, at_ms);
            if allowed != Ok(true) {
                prop_assert_eq!(&state.batches, &before.batches);
            }
            prop_assert_ne!(state.allows(&event), Ok(true), "it can happen twice: {:?}", event);
            for (name, batch) in before.batches {
                if batch.stage.is_over() {
                    prop_assert_eq!(&state.batches[&name], &batch);
                }
            }
            let mut paths: Vec<&str> = state.visible().map(|file| &*file.path).collect();
            let active = state.batches.values().filter(|batch| batch.stage == Stage::Active);
            prop_assert_eq!(paths.len(), active.count());
            paths.sort_unstable();
            paths.dedup();
            prop_assert_eq!(paths.len(), state.visible().count());
        }
    }
}
