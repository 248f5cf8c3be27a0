//! Firings across changes of clocks, and the table of decisions.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;

use super::*;
use crate::ledger::{Incomplete, RunState, Schedule};
use crate::project::{ScheduleSpec, lint_schedule, parse};

fn spec(text: &str) -> ScheduleSpec {
    let project = "\
project: shop
customer: {type: int64}
sources:
  sales: {path: sales/, customer: c, time: t, measures: {n: {column: n}}}
deciles:
  - {measure: n, lookbacks: [1]}
";
    let lint = lint_schedule(text, &parse(project).unwrap());
    lint.schedule
        .unwrap_or_else(|| panic!("{:?}", lint.findings))
}

fn times(cron: &str, zone: &str) -> Timetable {
    Timetable::new(&spec(&format!(
        "schedule: s\ncron: \"{cron}\"\nzone: {zone}\n"
    )))
    .unwrap()
}

fn ms(text: &str) -> i64 {
    nominal_ms(text).unwrap()
}

/// Firings between two instants, as clocks show them.
fn shown(cron: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let times = times(cron, zone);
    let firings = times.after(ms(from)).take_while(|at| *at < ms(to));
    firings
        .map(|at| {
            let shown = times.shown(at);
            format!("{}{}", shown.local, shown.offset)
        })
        .collect()
}

#[test]
fn gaps_and_overlaps_of_clocks() {
    let cases: [(&str, &str, &str, &str, &[&str]); 8] = [
        (
            "30 2 * * *",
            "America/New_York",
            "2026-03-08T00:00:00-05:00",
            "2026-03-09T00:00:00-04:00",
            &["2026-03-08T03:00:00-04:00"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-11-01T00:00:00-04:00",
            "2026-11-02T00:00:00-05:00",
            &["2026-11-01T01:30:00-04:00"],
        ),
        (
            "0 2 * * *",
            "Europe/Berlin",
            "2026-10-25T00:00:00+02:00",
            "2026-10-26T00:00:00+01:00",
            &["2026-10-25T02:00:00+02:00"],
        ),
        (
            "0 2 * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00+01:00",
            "2026-03-30T00:00:00+02:00",
            &["2026-03-29T03:00:00+02:00"],
        ),
        (
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00-03:00",
            "2018-11-04T12:00:00-02:00",
            &["2018-11-04T01:00:00-02:00"],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-04T00:00:00+10:30",
            "2026-10-05T00:00:00+11:00",
            &["2026-10-04T02:30:00+11:00"],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-05T00:00:00+11:00",
            "2026-04-06T00:00:00+10:30",
            &["2026-04-05T01:45:00+11:00"],
        ),
        (
            "0 */4 * * *",
            "America/Los_Angeles",
            "2026-03-07T23:59:00-08:00",
            "2026-03-09T00:00:00-07:00",
            &[
                "2026-03-08T00:00:00-08:00",
                "2026-03-08T04:00:00-07:00",
                "2026-03-08T08:00:00-07:00",
                "2026-03-08T12:00:00-07:00",
                "2026-03-08T16:00:00-07:00",
                "2026-03-08T20:00:00-07:00",
            ],
        ),
    ];
    for (cron, zone, from, to, expected) in cases {
        assert_eq!(shown(cron, zone, from, to), expected, "{cron} {zone}");
    }
}

/// Every zone, over years that hold changes of all kinds: a nightly schedule fires once for each
/// local date, however clocks move.
#[test]
fn a_nightly_schedule_fires_once_a_day_everywhere() {
    let (from, to) = (ms("2023-12-30T12:00:00Z"), ms("2026-01-03T12:00:00Z"));
    let nightly = [
        ("0 0 * * *", "00:00:00"),
        ("30 2 * * *", "02:30:00"),
        ("15 23 * * *", "23:15:00"),
    ];
    for zone in TimeZoneDatabase::bundled().available() {
        for (cron, hour) in nightly {
            let times = times(cron, zone.as_str());
            let firings = times.after(from).take_while(|at| *at < to);
            let dates: Vec<Date> = firings.map(|at| stands_for(&times, at, hour)).collect();
            for pair in dates.windows(2) {
                let days = (pair[1] - pair[0]).get_days();
                assert_eq!(days, 1, "{cron} {zone}: from {} to {}", pair[0], pair[1]);
            }
            assert!(dates.len() >= 734, "{cron} {zone}: {} days", dates.len());
        }
    }
}

/// The local date of a firing. Where clocks skip the end of a day, as in Nuuk, a firing there
/// happens at the midnight after it, and still stands for that day.
fn stands_for(times: &Timetable, at: i64, hour: &str) -> Date {
    let local = times.shown(at).local;
    let date: Date = local[..10].parse().unwrap();
    match &local[11..] < hour {
        true => date.yesterday().unwrap(),
        false => date,
    }
}

#[test]
fn first_and_last_days_are_civil_days_of_the_zone() {
    let text =
        "schedule: s\ncron: 0 */12 * * *\nzone: Asia/Tokyo\nstart: 2024-05-01\nend: 2024-05-01\n";
    let times = Timetable::new(&spec(text)).unwrap();
    let all: Vec<String> = times.after(0).map(nominal).collect();
    assert_eq!(all, ["2024-04-30T15:00:00Z", "2024-05-01T03:00:00Z"]);
}

#[test]
fn names_of_firings_are_in_the_order_of_time() {
    let names: Vec<String> = times("*/30 * * * *", "Europe/Berlin")
        .after(ms("2026-10-24T22:00:00Z"))
        .take(20)
        .map(nominal)
        .collect();
    assert!(names.is_sorted());
    let back: Vec<String> = names.iter().map(|name| nominal(ms(name))).collect();
    assert_eq!(back, names);
}

/// A schedule at 00:00 UTC each day, known since noon of 1 May, with something said about it.
struct Case {
    spec: ScheduleSpec,
    known: Schedule,
    live: Option<(RunState, String)>,
    readiness: Option<Readiness>,
}

fn case(more: &str) -> Case {
    let spec = spec(&format!("schedule: s\ncron: 0 0 * * *\n{more}"));
    Case {
        known: Schedule {
            spec: spec.to_yaml().unwrap(),
            since_ms: ms("2024-05-01T12:00:00Z"),
            fresh: true,
            paused: None,
            paused_until_ms: None,
            failures: 0,
            skipped: 0,
            last_nominal: None,
            last_run: None,
            buffered: Vec::new(),
            late: None,
        },
        spec,
        live: None,
        readiness: None,
    }
}

impl Case {
    fn live(mut self, day: u32) -> Self {
        self.live = Some((RunState::Running, midnight(day)));
        self.known.last_nominal = Some(midnight(day));
        self
    }

    fn line(mut self, days: &[u32]) -> Self {
        self.known.buffered = days.iter().copied().map(midnight).collect();
        self.known.last_nominal = self.known.buffered.last().cloned();
        self
    }

    fn looked(mut self, missing: &[&str]) -> Self {
        self.readiness = Some(match missing {
            [] => Readiness::Ready,
            missing => Readiness::Missing(missing.iter().map(ToString::to_string).collect()),
        });
        self
    }

    fn known(mut self, change: impl FnOnce(&mut Schedule)) -> Self {
        change(&mut self.known);
        self
    }

    fn at(&self, now: &str) -> Action {
        self.seen(now, decide)
    }

    fn lag(&self, now: &str) -> i64 {
        self.seen(now, lag_ms)
    }

    fn seen<T>(&self, now: &str, rule: impl Fn(&Situation<'_>) -> T) -> T {
        let times = Timetable::new(&self.spec).unwrap();
        let live = self.live.as_ref().map(|(state, nominal)| Live {
            run: "R",
            state: *state,
            nominal,
        });
        rule(&Situation {
            spec: &self.spec,
            times: &times,
            known: &self.known,
            live,
            readiness: self.readiness.as_ref(),
            now_ms: ms(now),
        })
    }
}

fn midnight(day: u32) -> String {
    format!("2024-05-{day:02}T00:00:00Z")
}

fn fire(day: u32) -> Action {
    Action::Fire {
        nominal: midnight(day),
        incomplete: None,
    }
}

fn advance(day: u32, skipped: u64, line: &[u32]) -> Action {
    Action::Advance {
        nominal: midnight(day),
        skipped,
        buffered: line.iter().copied().map(midnight).collect(),
    }
}

fn wait(until: &str) -> Action {
    Action::Nothing {
        wake_at: Some(ms(until)),
    }
}

#[test]
fn a_firing_starts_when_its_time_comes_and_once() {
    let plain = case("");
    assert_eq!(plain.at("2024-05-01T13:00:00Z"), wait(&midnight(2)));
    assert_eq!(plain.at(&midnight(2)), fire(2));
    let fired = plain.known(|known| known.last_nominal = Some(midnight(2)));
    assert_eq!(fired.at(&midnight(2)), wait(&midnight(3)));
    // A clock that is set back starts nothing again.
    assert_eq!(fired.at("2024-05-01T23:00:00Z"), wait(&midnight(3)));
}

#[test]
fn after_downtime_exactly_what_the_policy_says() {
    let down_until = "2024-05-05T01:00:00Z";
    let table = [
        ("", advance(5, 3, &[5])),
        ("catch_up: none\n", advance(5, 4, &[])),
        (
            "catch_up: all\ncatch_up_window: 3d\n",
            advance(5, 1, &[3, 4, 5]),
        ),
        (
            "catch_up: all\ncatch_up_window: 3d\ncatch_up_max: 2\n",
            advance(5, 2, &[4, 5]),
        ),
        ("catch_up_window: 30m\n", advance(5, 4, &[])),
    ];
    for (policy, expected) in table {
        assert_eq!(case(policy).at(down_until), expected, "{policy}");
    }
    let in_time = case("catch_up: none\n");
    assert_eq!(in_time.at("2024-05-02T00:00:59Z"), fire(2));
}

#[test]
fn a_new_schedule_makes_up_for_its_first_day_and_a_changed_one_does_not() {
    let text = "start: 2024-04-28\ncatch_up: all\ncatch_up_window: 7d\n";
    let fresh = case(text);
    let Action::Advance {
        skipped, buffered, ..
    } = fresh.at("2024-05-01T12:00:00Z")
    else {
        panic!("nothing is made up for");
    };
    assert_eq!((skipped, buffered.len()), (0, 4));
    let changed = fresh.known(|known| known.fresh = false);
    assert_eq!(changed.at("2024-05-01T12:00:00Z"), wait(&midnight(2)));
}

#[test]
fn firings_that_overlap_a_run() {
    let table = [
        ("", case("").live(2), advance(3, 1, &[])),
        (
            "buffer_one",
            case("overlap: buffer_one\n").live(2),
            advance(3, 0, &[3]),
        ),
        (
            "buffer_all",
            case("overlap: buffer_all\n").live(2),
            advance(3, 0, &[3]),
        ),
        (
            "cancel_other",
            case("overlap: cancel_other\n").live(2),
            advance(3, 0, &[3]),
        ),
    ];
    for (policy, case, expected) in table {
        assert_eq!(case.at(&midnight(3)), expected, "{policy}");
    }
    let with_line = |policy: &str| {
        let mut case = case(policy).line(&[3]);
        case.live = Some((RunState::Running, midnight(2)));
        case
    };
    let newest = with_line("overlap: buffer_one\n").at(&midnight(4));
    assert_eq!(newest, advance(4, 1, &[4]));
    let all = with_line("overlap: buffer_all\n").at(&midnight(4));
    assert_eq!(all, advance(4, 0, &[3, 4]));
    let full = with_line("overlap: buffer_all\ncatch_up_max: 1\n").at(&midnight(4));
    assert_eq!(full, advance(4, 1, &[3]));
}

#[test]
fn a_firing_in_line_starts_when_the_run_is_over() {
    let mut waiting = case("overlap: buffer_all\n").line(&[3, 4]);
    waiting.live = Some((RunState::Running, midnight(2)));
    assert_eq!(waiting.at("2024-05-04T01:00:00Z"), wait(&midnight(5)));
    waiting.live = None;
    assert_eq!(waiting.at("2024-05-04T01:00:00Z"), fire(3));
}

#[test]
fn a_run_is_cancelled_for_a_later_firing_while_it_can_be() {
    let mut case = case("overlap: cancel_other\n").line(&[3]);
    for (state, stopped) in [
        (RunState::Queued, true),
        (RunState::Running, true),
        (RunState::Cancelling, false),
        (RunState::Publishing, false),
    ] {
        case.live = Some((state, midnight(2)));
        let expected = match stopped {
            true => Action::CancelLive {
                run: "R".to_owned(),
                nominal: midnight(3),
            },
            false => wait(&midnight(4)),
        };
        assert_eq!(case.at("2024-05-03T00:00:01Z"), expected, "{state}");
    }
}

#[test]
fn pauses() {
    let failing = |failures| case("").known(|known| known.failures = failures);
    assert_eq!(failing(9).at(&midnight(2)), fire(2));
    let Action::Pause { reason } = failing(10).at(&midnight(2)) else {
        panic!("it goes on");
    };
    assert_eq!(reason, "10 runs in a row failed");
    let never = case("pause_after_failures: 0\n").known(|known| known.failures = 99);
    assert_eq!(never.at(&midnight(2)), fire(2));
    let paused = case("").known(|known| known.paused = Some("holiday".to_owned()));
    assert_eq!(paused.at(&midnight(9)), Action::Nothing { wake_at: None });
    let until = paused.known(|known| known.paused_until_ms = Some(ms(&midnight(8))));
    assert_eq!(until.at(&midnight(7)), wait(&midnight(8)));
    assert_eq!(until.at(&midnight(8)), Action::Resume);
}

#[test]
fn a_run_that_takes_too_long_is_late_once() {
    let running = case("late_after: 2h\n").live(2);
    assert_eq!(
        running.at("2024-05-02T01:00:00Z"),
        wait("2024-05-02T02:00:00Z")
    );
    let late = Action::Late {
        nominal: midnight(2),
    };
    assert_eq!(running.at("2024-05-02T02:00:00Z"), late);
    let said = running.known(|known| known.late = Some(midnight(2)));
    assert_eq!(said.at("2024-05-02T03:00:00Z"), wait(&midnight(3)));
}

#[test]
fn the_lag_is_that_of_the_earliest_firing_without_an_ended_run() {
    let noon = "2024-05-04T12:00:00Z";
    let hours = |case: &Case, at: &str| case.lag(at) / 3_600_000;
    let done = case("").known(|known| known.last_nominal = Some(midnight(4)));
    assert_eq!(done.lag(noon), 0, "all firings are done");
    let due = case("").known(|known| known.last_nominal = Some(midnight(3)));
    assert_eq!(hours(&due, noon), 12, "one is due");
    let line = case("").line(&[3, 4]);
    assert_eq!(hours(&line, noon), 36, "two are in line");
    assert_eq!(hours(&line.live(2), noon), 60, "one before them is at work");
    let paused = due.known(|known| known.paused = Some("holiday".to_owned()));
    assert_eq!(paused.lag(noon), 0);
}

#[test]
fn data_is_waited_for() {
    let text = "ready_when: {marker: done, wait_up_to: 2h}\n";
    assert_eq!(case(text).at(&midnight(2)), advance(2, 0, &[2]));
    let look = Action::Look {
        nominal: midnight(2),
    };
    assert_eq!(case(text).line(&[2]).at(&midnight(2)), look);
    let ready = case(text).line(&[2]).looked(&[]);
    assert_eq!(ready.at("2024-05-02T00:10:00Z"), fire(2));
    let missing = case(text).line(&[2]).looked(&["file done"]);
    assert_eq!(missing.at(&midnight(2)), wait("2024-05-02T00:00:30Z"));
    assert_eq!(
        missing.at("2024-05-02T01:59:50Z"),
        wait("2024-05-02T02:00:00Z")
    );
    let incomplete = |fail| Action::Fire {
        nominal: midnight(2),
        incomplete: Some(Incomplete {
            missing: vec!["file done".to_owned()],
            fail,
        }),
    };
    assert_eq!(missing.at("2024-05-02T02:00:00Z"), incomplete(true));
    let partial = case("ready_when: {marker: done, wait_up_to: 2h, then: partial}\n");
    let partial = partial.line(&[2]).looked(&["file done"]);
    assert_eq!(partial.at("2024-05-02T02:00:00Z"), incomplete(false));
}

#[test]
fn firings_while_another_waits_for_its_data() {
    let ready = "ready_when: {marker: done, wait_up_to: 2d}\n";
    let skip = case(ready).line(&[2]);
    assert_eq!(skip.at(&midnight(3)), advance(3, 1, &[2]));
    let one = case(&format!("overlap: buffer_one\n{ready}"));
    let one = one.line(&[2]);
    assert_eq!(one.at(&midnight(3)), advance(3, 0, &[2, 3]));
    let newer = case(&format!("overlap: cancel_other\n{ready}")).line(&[2]);
    assert_eq!(newer.at(&midnight(3)), advance(3, 1, &[3]));
}

/// Whatever happens in whatever order, each firing starts at most one run: the decisions are played
/// against a ledger with runs that end, or do not, between them.
#[test]
fn no_firing_starts_two_runs() {
    let policies = ["skip", "buffer_one", "buffer_all", "cancel_other"];
    for (seed, overlap) in (0_u64..200).flat_map(|seed| policies.map(|policy| (seed, policy))) {
        let mut case = case(&format!("overlap: {overlap}\n"));
        let mut draw = seed;
        let mut started = Vec::new();
        let mut now = Timestamp::from_millisecond(case.known.since_ms).unwrap();
        for _ in 0..60 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let hours = (draw >> 33) % 40;
            now += jiff::SignedDuration::from_hours(hours as i64);
            if (draw >> 20) % 3 == 0 {
                case.live = None;
            }
            match case.at(&now.to_string()) {
                Action::Fire { nominal, .. } => {
                    let last = case.known.last_nominal.take().unwrap_or_default();
                    case.known.last_nominal = Some(last.max(nominal.clone()));
                    case.known.buffered.retain(|waiting| *waiting != nominal);
                    case.live = Some((RunState::Running, nominal.clone()));
                    started.push(nominal);
                }
                Action::Advance {
                    nominal, buffered, ..
                } => {
                    case.known.last_nominal = Some(nominal);
                    case.known.buffered = buffered;
                }
                Action::CancelLive { .. } => case.live = None,
                _ => {}
            }
        }
        let mut distinct = started.clone();
        distinct.dedup();
        assert_eq!(distinct, started, "seed {seed} {overlap}");
        assert!(
            started.is_sorted() && started.len() > 5,
            "seed {seed} {overlap}"
        );
    }
}
