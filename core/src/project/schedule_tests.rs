//! What a schedule may say, and how it is told what is wrong.

use super::*;

const PROJECT: &str = "\
project: shop
time_zone: Europe/Berlin
customer: {type: int64}
sources:
  sales:
    path: sales/
    layout: hive
    customer: customer
    time: day
    measures:
      revenue: {column: amount, currency: EUR}
  visits:
    path: visits/*.csv
    types: {customer: int64, day: date, n: int64}
    customer: customer
    time: day
    measures:
      visits: {column: n}
deciles:
  - {measure: revenue, lookbacks: [1]}
";

fn project() -> Project {
    parse(PROJECT).unwrap()
}

fn read(text: &str) -> ScheduleSpec {
    let lint = lint_schedule(text, &project());
    assert_eq!(lint.findings, []);
    lint.schedule.unwrap()
}

/// The finding of a text that has one: place, message and remedy.
fn refused(text: &str) -> String {
    let lint = lint_schedule(text, &project());
    assert_eq!(lint.schedule, None);
    assert_eq!(lint.findings.len(), 1, "{:?}", lint.findings);
    lint.findings[0].render("nightly.yaml")
}

#[test]
fn every_default_is_spelled_out_and_reads_the_same_again() {
    let spec = read("schedule: nightly\ncron: 30 2 * * *\n");
    assert_eq!(spec.zone, "Europe/Berlin");
    assert_eq!(spec.overlap, Overlap::Skip);
    assert_eq!(spec.catch_up, CatchUp::Latest);
    assert_eq!(spec.catch_up_window, Length(86_400));
    assert_eq!(spec.pause_after_failures, 10);
    let yaml = spec.to_yaml().unwrap();
    assert!(yaml.contains("catch_up_window: 1d"), "{yaml}");
    assert_eq!(ScheduleSpec::from_applied(&yaml).unwrap(), spec);
    assert_eq!(read(&yaml), spec);
}

#[test]
fn a_schedule_may_say_all_of_this() {
    let text = "\
schedule: nightly
cron: 30 2 * * MON-FRI
zone: america/new_york
overlap: buffer_all
catch_up: all
catch_up_window: 7d
catch_up_max: 7
start: 2024-01-01
end: 2024-12-31
pause_after_failures: 0
late_after: 90m
run_timeout: 3600s
labels: {team: crm}
ready_when:
  marker: sales/date={date}/_SUCCESS
  partition: {source: sales, key: date}
  rows: {source: sales, at_least: 1000}
  wait_up_to: 4h
  then: partial
";
    let spec = read(text);
    assert_eq!(spec.zone, "America/New_York");
    assert_eq!(spec.run_timeout.map(|l| l.to_string()), Some("1h".into()));
    let ready = spec.ready_when.clone().unwrap();
    assert_eq!(
        (ready.wait_up_to, ready.then),
        (Length(14_400), Then::Partial)
    );
    assert_eq!(read(&spec.to_yaml().unwrap()), spec);
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let with = |line: &str| format!("schedule: nightly\ncron: 30 2 * * *\n{line}\n");
    let cases = [
        (with("overlaps: skip"), "3:1", "did you mean `overlap`?"),
        (with("overlap: skipp"), "3:10", "did you mean `skip`?"),
        (
            with("zone: Europe/Berln"),
            "3:7",
            "did you mean `Europe/Berlin`?",
        ),
        (with("late_after: 90"), "3:13", "quotes"),
        (with("late_after: soon"), "3:13", "90s, 30m, 2h or 1d"),
        (with("late_after: 0s"), "3:13", "90s, 30m, 2h or 1d"),
        (with("start: 2024-02-30"), "3:8", "such as 2024-02-29"),
        (
            with("start: 2024-02-02\nend: 2024-02-01"),
            "4:6",
            "later than `start`",
        ),
        (with("catch_up_window: 32d"), "3:18", "31d is the longest"),
        (
            with("catch_up: all\noverlap: cancel_other"),
            "3:11",
            "latest",
        ),
        (
            with("ready_when: {wait_up_to: 1h}"),
            "3:1",
            "waits for nothing",
        ),
        (
            with("ready_when: {partition: {source: sale, key: d}}"),
            "3:34",
            "`sales`?",
        ),
        (
            with("ready_when: {partition: {source: visits, key: d}}"),
            "3:34",
            "layout: hive",
        ),
        (
            with("ready_when: {rows: {source: visits, at_least: 1}}"),
            "3:29",
            "not Parquet",
        ),
        ("cron: 30 2 * * *".into(), "1:1", "add `schedule:`"),
        (
            "schedule: Nightly\ncron: 30 2 * * *".into(),
            "1:11",
            "lower-case",
        ),
        (
            "schedule: nightly\ncron: 0 30 2 * * *".into(),
            "2:7",
            "6 fields",
        ),
        (
            "schedule: nightly\ncron: \"@daily\"".into(),
            "2:7",
            "1 fields",
        ),
        (
            "schedule: nightly\ncron: 61 2 * * *".into(),
            "2:7",
            "is no cron pattern",
        ),
        (
            "schedule: nightly\ncron: 0 0 30 2 *".into(),
            "2:7",
            "never fires",
        ),
        ("- a".into(), "1:1", "is a list"),
        ("schedule: [".into(), "1:", "mend the YAML"),
    ];
    for (text, place, words) in cases {
        let said = refused(&text);
        assert!(said.starts_with(&format!("nightly.yaml:{place}")), "{said}");
        assert!(said.contains(words), "{text}\n{said}");
    }
}

#[test]
fn a_schedule_of_a_newer_version_is_refused_by_name() {
    let yaml = read("schedule: nightly\ncron: 30 2 * * *\n")
        .to_yaml()
        .unwrap();
    let newer = format!("{yaml}moon_phase: full\n");
    let failure = ScheduleSpec::from_applied(&newer).unwrap_err();
    assert!(failure.message.contains("moon_phase"), "{failure}");
}
