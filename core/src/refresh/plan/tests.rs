//! What is read, reused and refused.

use super::*;
use crate::project::parse;
use crate::refresh::counts::Counts;
use crate::refresh::restate::{Span, Spans};
use crate::refresh::state::{STATE_FORMAT, ShardState, TakenInput};
use crate::refresh::steps::accounts_spec;
use crate::snapshot::{ObjectRef, RunSummary};

const TEXT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales/
    customer: customer
    time: day
    measures: {revenue: {column: amount, currency: EUR}}
deciles: [{measure: revenue}]
";

fn project() -> Project {
    parse(TEXT).unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn file(location: &str, size: u64) -> ListedFile {
    ListedFile {
        location: location.to_owned(),
        size,
        etag: Some(format!("etag of {location} at {size}")),
        keys: BTreeMap::new(),
        row_groups: vec![10; 4],
    }
}

fn listing(files: &[ListedFile]) -> Listing {
    BTreeMap::from([("sales".to_owned(), files.to_vec())])
}

fn decide(head: Option<&Head>, files: &[ListedFile]) -> Result<Planned, Failure> {
    decide_at("2024-03-01", head, files, &QuarantineRetry::default())
}

fn decide_at(
    as_of: &str,
    head: Option<&Head>,
    files: &[ListedFile],
    retry: &QuarantineRetry,
) -> Result<Planned, Failure> {
    plan(&project(), day(as_of), 8, head, &listing(files), retry)
}

/// The day of a file: each letter has one of its own.
fn days_of(location: &str) -> Span {
    Span::of(Day(i32::from(location.as_bytes()[0])))
}

fn declared(policies: &str) -> Project {
    let path = "    path: sales/\n";
    parse(&TEXT.replace(path, &format!("{path}{policies}"))).unwrap()
}

fn restate(policies: &str, head: &Head, files: &[ListedFile]) -> Result<Planned, Failure> {
    let (as_of, retry) = (day("2024-03-01"), QuarantineRetry::default());
    plan(
        &declared(policies),
        as_of,
        8,
        Some(head),
        &listing(files),
        &retry,
    )
}

const RESTATE: &str = "    changed: restate\n    vanished: restate\n";

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The head that a night leaves which took these files in.
fn head(files: &[ListedFile]) -> Head {
    let taken = |file: &ListedFile| TakenInput {
        source: "sales".to_owned(),
        location: file.location.clone(),
        size: file.size,
        etag: file.etag.clone(),
        checksum: 7,
        days: Some(days_of(&file.location)),
        counts: Counts {
            read: 40,
            counted: 38,
            quarantined: BTreeMap::from([("bad".to_owned(), 2)]),
            ..Counts::default()
        },
    };
    let nowhere = ObjectRef {
        path: String::new(),
        sha256: String::new(),
        bytes: 0,
    };
    Head {
        manifest: Manifest {
            format: Manifest::FORMAT,
            number: 3,
            parent: Some(2),
            backfill: None,
            run: "run".to_owned(),
            plan_hash: String::new(),
            code_version: CODE_VERSION,
            as_of: day("2024-03-01"),
            published_at: String::new(),
            snapshot_hash: "hash".to_owned(),
            declarations: project(),
            tables: BTreeMap::new(),
            fits: None,
            groups: Vec::new(),
            customers: 0,
            rows: CountsBySource::new(),
            summary: RunSummary::default(),
            warnings: Vec::new(),
            state: nowhere,
            cuts: None,
            rollback_of: None,
            revision: 0,
            suppression: None,
            erased: None,
        },
        state: StateIndex {
            fingerprint: fingerprint(&project(), 8).unwrap(),
            shards: 8,
            inputs: files.iter().map(taken).collect(),
            ..StateIndex::outdated(STATE_FORMAT, day("2024-03-01"))
        },
    }
}

fn locations(planned: &Planned) -> Vec<Vec<&str>> {
    let tasks = planned.plan.absorb.iter();
    tasks
        .map(|task| {
            task.units
                .iter()
                .map(|unit| unit.location.as_str())
                .collect()
        })
        .collect()
}

#[test]
fn a_plan_does_not_depend_on_the_order_of_a_listing() {
    let files = [file("a", 5), file("b", 6), file("c", 7)];
    let turned = [files[2].clone(), files[0].clone(), files[1].clone()];
    let one = decide(None, &files).unwrap();
    let other = decide(None, &turned).unwrap();
    assert_eq!(one.plan.hash().unwrap(), other.plan.hash().unwrap());
    assert_eq!(locations(&one), [["a", "b", "c"]]);
}

#[test]
fn small_files_share_a_task_and_large_ones_are_cut_at_row_groups() {
    let large = file("large", 4 * TASK_BYTES);
    let planned = decide(
        None,
        &[file("a", TASK_BYTES / 2), file("b", TASK_BYTES), large],
    )
    .unwrap();
    let tasks = locations(&planned);
    assert_eq!(tasks[..2], [["a"], ["b"]]);
    assert_eq!(tasks.len(), 6);
    let units: Vec<_> = planned.plan.absorb[2..]
        .iter()
        .flat_map(|task| &task.units)
        .collect();
    let ranges: Vec<_> = units
        .iter()
        .map(|unit| (unit.row_groups, unit.first_row))
        .collect();
    assert_eq!(
        ranges,
        [
            (Some((0, 1)), 1),
            (Some((1, 2)), 11),
            (Some((2, 3)), 21),
            (Some((3, 4)), 31)
        ]
    );
}

#[test]
fn of_tiny_files_a_task_reads_a_thousand_and_not_all() {
    let files: Vec<ListedFile> = (0..2_500)
        .map(|number| file(&format!("{number:04}"), 1 << 10))
        .collect();
    let planned = decide(None, &files).unwrap();
    let tasks = locations(&planned).into_iter();
    let counts: Vec<usize> = tasks.map(|files| files.len()).collect();
    assert_eq!(counts, [1_024, 1_024, 452]);
}

#[test]
fn files_that_were_taken_in_are_reused() {
    let files = [file("a", 5), file("b", 6)];
    let planned = decide(Some(&head(&files[..1])), &files).unwrap();
    assert_eq!(locations(&planned), [["b"]]);
    assert_eq!((planned.reused_files, planned.nothing_new), (1, false));
}

#[test]
fn nothing_new_is_noticed() {
    let files = [file("a", 5)];
    let head = head(&files);
    let retry = QuarantineRetry::default();
    assert!(decide(Some(&head), &files).unwrap().nothing_new);
    assert!(
        !decide_at("2024-03-02", Some(&head), &files, &retry)
            .unwrap()
            .nothing_new
    );
}

#[test]
fn changed_vanished_and_missing_files_are_refused() {
    let files = [file("a", 5), file("b", 6)];
    let head = head(&files);
    let changed = decide(Some(&head), &[file("a", 5), file("b", 7)]).unwrap_err();
    assert!(changed.message.contains("b has changed"), "{changed}");
    let vanished = decide(Some(&head), &files[..1]).unwrap_err();
    assert!(
        vanished
            .message
            .contains("b was taken in before and is gone"),
        "{vanished}"
    );
    let none = decide(None, &[]).unwrap_err();
    assert!(none.message.contains("no files at sales/"), "{none}");
    for refused in [changed, vanished, none] {
        assert!(!refused.remedy.is_empty(), "{refused}");
    }
}

#[test]
fn time_does_not_go_back() {
    let files = [file("a", 5)];
    let retry = QuarantineRetry::default();
    let refused = decide_at("2024-02-29", Some(&head(&files)), &files, &retry).unwrap_err();
    assert!(
        refused.message.contains("2024-02-29 is before 2024-03-01"),
        "{refused}"
    );
}

#[test]
fn another_mapping_reads_everything_again() {
    let files = [file("a", 5)];
    let mut head = head(&files);
    head.state.fingerprint = "another".to_owned();
    let planned = decide(Some(&head), &files).unwrap();
    assert!(planned.plan.from_scratch);
    assert_eq!(locations(&planned), [["a"]]);
    let note = "the state of snapshot 3 is of another kind: every file is read again";
    assert_eq!(planned.notes, [note]);
}

#[test]
fn only_where_clocks_tell_kept_times_are_events_read_again_as_instants() {
    let says = |time: &str| {
        let text = TEXT.replace("time: day", &format!("time: {time}"));
        let mapping = mappings(&parse(&text).unwrap()).remove(0);
        let written = serde_json::to_value(&mapping).unwrap();
        written.get("instants").is_some()
    };
    let id = "\n    event_id: id";
    assert!(says(&format!("{{column: day, zone: Europe/Berlin}}{id}")));
    assert!(!says(&format!("{{column: day, zone: UTC}}{id}")));
    assert!(!says("{column: day, zone: Europe/Berlin}"));
    assert!(!says(&format!("day{id}")));
}

#[test]
fn a_plan_says_what_changed_declarations_cost() {
    let files = [file("a", 10), file("b", 20)];
    let mut head = head(&files);
    let started = plan(
        &project(),
        head.manifest.as_of,
        8,
        None,
        &listing(&files),
        &QuarantineRetry::default(),
    );
    head.state.accounts = accounts_spec(&started.unwrap().plan);
    let told = |from: &str, to: &str, files: &[ListedFile]| {
        let changed = parse(&TEXT.replace(from, to)).unwrap();
        let retry = QuarantineRetry::default();
        let as_of = head.manifest.as_of;
        let planned = plan(&changed, as_of, 8, Some(&head), &listing(files), &retry).unwrap();
        assert!(!planned.nothing_new);
        (planned.plan.from_scratch, planned.notes)
    };
    let deciles = "deciles: [{measure: revenue}]";
    let (from_scratch, notes) = told(
        deciles,
        "deciles: [{measure: revenue, lookbacks: [2]}]",
        &files,
    );
    assert!(
        !from_scratch && notes[0].contains("(deciles[0].lookbacks"),
        "{notes:?}"
    );
    assert!(
        notes[0]
            .ends_with("sums are added up anew from all days of the state; no file is read for it")
    );

    let (from_scratch, notes) = told(deciles, "deciles: [{measure: revenue, tiles: 4}]", &files);
    let note = "declarations changed since snapshot 3 (deciles[0].tiles): customers are scored and \
                ranked anew; no file is read for it";
    assert_eq!((from_scratch, notes), (false, vec![note.to_owned()]));

    // What is gone cannot be read again.
    let (from_scratch, notes) = told("currency: EUR", "currency: JPY", &files[..1]);
    assert!(from_scratch);
    assert!(notes[0].ends_with("events are read in another way, so every file is read again"));
    assert_eq!(
        notes[1],
        "of 1 file that counted in snapshot 3 nothing is left to read (b): what they held will not \
         count any more"
    );
}

#[test]
fn another_number_of_shards_is_gone_on_from() {
    let files = [file("a", 10)];
    let head = head(&files);
    let at = |shards: u32| {
        let retry = QuarantineRetry::default();
        let as_of = head.manifest.as_of;
        plan(
            &project(),
            as_of,
            shards,
            Some(&head),
            &listing(&files),
            &retry,
        )
        .unwrap()
    };
    let same = at(8);
    assert_eq!((same.plan.shards_before, same.nothing_new), (None, true));
    assert_eq!(same.outlook, Outlook::default());
    let more = at(16);
    assert_eq!(
        (more.plan.shards_before, more.nothing_new),
        (Some(8), false)
    );
    assert!(more.plan.absorb.is_empty() && !more.plan.from_scratch);
    assert!(more.notes[0].starts_with("16 shards instead of the 8 of snapshot 3"));
    let why = "the number of shards changes".to_owned();
    assert_eq!(
        more.outlook.anew,
        BTreeMap::from([(why, (0..16).collect())])
    );
    assert_ne!(more.plan.hash().unwrap(), same.plan.hash().unwrap());
}

#[test]
fn rows_in_quarantine_are_read_again_alone() {
    let files = [file("a", 5), file("b", 6)];
    let head = head(&files);
    let counts = Counts {
        read: 2,
        quarantined: BTreeMap::from([("bad".to_owned(), 2)]),
        ..Counts::default()
    };
    let retried = Retried {
        rows: vec![3, 9],
        counts: counts.clone(),
    };
    let retry = QuarantineRetry {
        files: BTreeMap::from([(("sales".to_owned(), "b".to_owned()), retried)]),
    };
    // The file was mended in place, so it is another one now.
    let mended = [file("a", 5), file("b", 8)];
    let planned = decide_at("2024-03-01", Some(&head), &mended, &retry).unwrap();
    let again = planned.plan.absorb[0].units[0].again.as_ref().unwrap();
    assert_eq!(
        (again.rows.as_slice(), again.rows_before, again.checksum),
        (&[3, 9][..], 40, 7)
    );
    assert_eq!(planned.plan.released["sales"], counts);
    let read = BTreeSet::from([("sales", "b")]);
    assert_eq!(planned.plan.leave_quarantine(), read);
    assert!(planned.plan.read_for_days().is_empty());
}

#[test]
fn what_changed_and_what_is_gone_is_restated_where_that_is_declared() {
    let head = head(&[file("a", 1), file("b", 2), file("c", 3), file("d", 4)]);
    let now = [file("a", 1), file("b", 9), file("d", 4)];
    let refused = restate("    vanished: restate\n", &head, &now).unwrap_err();
    assert_eq!(refused.code, Some(ErrorCode::InputChanged), "{refused}");
    let refused = restate("    changed: restate\n", &head, &now).unwrap_err();
    assert_eq!(refused.code, Some(ErrorCode::InputGone), "{refused}");

    let planned = restate(RESTATE, &head, &now).unwrap();
    assert_eq!(locations(&planned), [["b"]]);
    assert_eq!(planned.plan.absorb[0].units[0].again, None);
    assert_eq!((planned.reused_files, planned.nothing_new), (2, false));
    let restated = &planned.plan.restated["sales"];
    assert_eq!(restated.changed, named(&["b"]));
    assert_eq!(restated.vanished, named(&["c"]));
    assert_eq!(restated.again, named(&[]));
    assert_eq!(restated.days, Spans::of(["b", "c"].map(days_of)));
    assert_eq!(
        (restated.released.read, restated.released.counted),
        (80, 76)
    );
    assert!(planned.notes[1].contains("1 file changed (b), 1 file gone (c)"));
    assert_eq!(
        planned.plan.leave_quarantine(),
        BTreeSet::from([("sales", "b"), ("sales", "c")])
    );
    // A file that is gone and had nothing beside it leaves nothing to read, and something to do.
    let planned = restate(RESTATE, &head, &[file("a", 1), file("b", 2), file("d", 4)]).unwrap();
    assert!(planned.plan.absorb.is_empty() && !planned.nothing_new);
}

#[test]
fn files_with_rows_on_the_days_that_are_taken_out_are_read_again() {
    let files = [file("a", 1), file("b", 2), file("c", 3), file("d", 4)];
    let mut head = head(&files);
    head.state.inputs[2].days = Some(days_of("b").across(days_of("c")));
    // Copies of an event lie on the days of `d` and `c`, which hangs on no day that is taken out.
    let link = Spans::of([days_of("c").across(days_of("d"))]);
    let shard = ShardState {
        links: BTreeMap::from([("sales".to_owned(), link)]),
        ..ShardState::default()
    };
    head.state.state = vec![ShardState::default(), shard];
    let mut now = files.clone();
    now[1].size = 9;
    let planned = restate(RESTATE, &head, &now).unwrap();
    let restated = &planned.plan.restated["sales"];
    assert_eq!(restated.days, Spans::of([days_of("b")]));
    assert_eq!(restated.again, named(&["c"]));
    let units = &planned.plan.absorb[0].units;
    assert_eq!((&*units[0].location, &units[0].again), ("b", &None));
    let again = units[1].again.as_ref().unwrap();
    assert_eq!((again.rows.len(), &again.days), (0, &restated.days));
    assert_eq!((again.rows_before, again.checksum), (40, 7));
    assert_eq!(
        planned.plan.read_for_days(),
        BTreeSet::from([("sales", "c")])
    );
    // With one on the days of `c` too, the link brings those of `d` in.
    now[0].size = 9;
    head.state.inputs[0].days = Some(days_of("a").across(days_of("c")));
    let planned = restate(RESTATE, &head, &now).unwrap();
    let restated = &planned.plan.restated["sales"];
    assert_eq!(
        restated.days,
        Spans::of([days_of("a").across(days_of("d"))])
    );
    assert_eq!(restated.again, named(&["c", "d"]));
}

#[test]
fn a_file_that_may_be_missing_goes_on_counting() {
    let files = [file("a", 1), file("b", 2)];
    let mut head = head(&files);
    let ignore = "    changed: restate\n    vanished: ignore_missing\n";
    let planned = restate(ignore, &head, &files[..1]).unwrap();
    assert!(planned.plan.restated.is_empty() && planned.plan.absorb.is_empty());
    let planned = restate(ignore, &head, &[]).unwrap();
    assert!(planned.plan.restated.is_empty());
    // What was beside it cannot be restated.
    head.state.inputs[1].days = Some(days_of("a"));
    let refused = restate(ignore, &head, &[file("a", 9)]).unwrap_err();
    assert_eq!(refused.code, Some(ErrorCode::InputGone));
    assert!(
        refused
            .message
            .contains("a cannot be restated: b has rows on the same days")
    );
}

#[test]
fn a_backfill_makes_an_earlier_day_of_what_the_head_knew() {
    let head = head(&[file("a", 10)]);
    let planned = plan_backfill(&project(), day("2024-02-01"), Some(&head)).unwrap();
    assert!(planned.plan.absorb.is_empty());
    assert!(!planned.plan.from_scratch && !planned.nothing_new);
    assert_eq!(planned.plan.parent.as_ref().unwrap().number, 3);
    assert_eq!(planned.reused_files, 1);
    // Days have tables of their own, apart from those of the newest snapshot.
    let other = plan_backfill(&project(), day("2024-02-02"), Some(&head)).unwrap();
    assert!(planned.plan.tables.starts_with("backfills/"));
    assert_ne!(planned.plan.tables, other.plan.tables);
}

#[test]
fn a_backfill_is_refused_without_what_it_builds_on() {
    let refused = plan_backfill(&project(), day("2024-02-01"), None).unwrap_err();
    assert!(refused.message.contains("needs a published snapshot"));
    let mut head = head(&[file("a", 10)]);
    let refused = plan_backfill(&project(), day("2024-03-01"), Some(&head)).unwrap_err();
    assert!(refused.message.contains("is not before 2024-03-01"));
    head.state.fingerprint = "another".to_owned();
    let refused = plan_backfill(&project(), day("2024-02-01"), Some(&head)).unwrap_err();
    assert!(refused.message.contains("mapping of a source changed"));
}
