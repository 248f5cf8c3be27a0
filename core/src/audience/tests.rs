//! Slips in texts of rules, and what of the state a rule has read. That rules mean what they say is tested
//! where they are computed.

use std::collections::BTreeMap;

use super::parse_text::parse as parse_text;
use super::*;
use crate::calendar::Day;
use crate::failure::ErrorCode;
use crate::project::{Project, parse};
use crate::refresh::part::{ByteRange, PartRef};
use crate::refresh::state::{MonthSlice, ShardState, StateRun};

fn project() -> Project {
    parse(
        "project: shop\ncustomer: {type: int64}\nsources:\n  sales:\n    path: sales.csv\n    \
         types: {customer: int64, day: date, amount: 'decimal(12,2)'}\n    customer: customer\n    \
         time: day\n    measures: {revenue: {column: amount, currency: EUR}}\n    \
         dimensions: {region: region}\nclv: {source: sales, value: revenue}\n",
    )
    .unwrap()
}

/// The same with attributes, one of them an address.
fn with_attributes() -> Project {
    parse(
        "project: shop\ncustomer: {type: string}\nsources:\n  sales:\n    path: sales.csv\n    \
         types: {customer: string, day: date, amount: 'decimal(12,2)'}\n    customer: customer\n    \
         time: day\n    measures: {revenue: {column: amount, currency: EUR}}\n  crm:\n    \
         kind: attributes\n    path: crm.csv\n    types: {customer: string, since: date}\n    \
         customer: customer\n    time: {column: since, zone: UTC}\n    attributes: {email: email}\n    \
         identities: {email: {attribute: email}}\nclv: {source: sales, value: revenue}\n",
    )
    .unwrap()
}

#[test]
fn slips_of_texts_are_told_with_their_place() {
    for (text, before, message) in [
        ("", 0, "a rule was expected, and there is the end"),
        ("all(p_alive < )", 14, "there is `)`"),
        (
            "all(p_alive < 0.5",
            17,
            "`)` was expected, and there is the end",
        ),
        ("p_alive ~ 3", 8, "a character that has no meaning here"),
        ("é < 3", 0, "a character that has no meaning here"),
        ("region = 'north", 9, "a text that does not end"),
        ("p_alive < 1.2.3", 10, "no number that fits"),
        ("p_alive", 7, "a comparison was expected"),
        (
            "p_alive < 0.5 0.6",
            14,
            "the end was expected, and there is `0.6`",
        ),
        ("count(sales) > 1", 6, "events or relation was expected"),
        (
            "count(events sales last 3 weeks) > 1",
            26,
            "days or months was expected",
        ),
        (
            "steps(all(p_alive < 1))",
            6,
            "include or exclude was expected",
        ),
        (
            "count(events sales last 40000 days) > 1",
            24,
            "a whole number from 1 to 36500 was expected",
        ),
        (
            "first_purchase within last 2000 months",
            27,
            "a whole number from 1 to 1200 was expected",
        ),
        (
            "first_purchase within last 0 days",
            27,
            "a whole number from 1 to 36500 was expected",
        ),
        (
            "sequence(é, sales after 4000000000)",
            9,
            "a character that has no meaning here",
        ),
        (
            "sequence(sales, sales after 4000000000)",
            28,
            "a whole number from 0 to 36500 was expected",
        ),
        ("region = 'é' é", 13, "a character that has no meaning here"),
        ("p_alive between 1 or 2", 18, "`and` was expected"),
        ("moved(decile_clv_12m from > 1)", 29, "to was expected"),
    ] {
        let slip = parse_text(text).unwrap_err();
        assert_eq!(slip.before, before, "{text}: {}", slip.message);
        assert!(slip.message.contains(message), "{text}: {}", slip.message);
    }
    let deep = "all(".repeat(100_000);
    assert!(parse_text(&deep).unwrap_err().message.contains("bytes"));
    let deep = "all(".repeat(10_000);
    assert!(parse_text(&deep).unwrap_err().message.contains("24 deep"));
}

#[test]
fn values_have_the_type_of_what_they_are_compared_with() {
    let project = project();
    let read = |text: &str| read_rule(&project, text, &Lists::new());
    for (text, message) in [
        ("p_alive < 'x'", "compared with a number"),
        ("first_purchase < '2024-02-30'", "compared with a day"),
        ("customer = 5", "would name people"),
        (
            "customer in list 'lists/x.txt'",
            "there is no list `lists/x.txt`",
        ),
        ("p_alive contains '5'", "asked of texts alone"),
        ("p_alive within last 3 days", "a window is of days"),
        ("p_alive['x'] < 1", "has no values of a dimension"),
        ("avg(events sales.revenue) > 1", "keeps sums of days"),
        ("sum(events sales.points) > 1", "has no measure `points`"),
        (
            "count(events sales where country = 'x') > 1",
            "has no dimension `country`",
        ),
        (
            "count(events sales where audience x) > 1",
            "cannot pick events",
        ),
        ("sequence(sales)", "the sequence has 1 steps"),
        (
            "sequence(sales after 1, sales)",
            "nothing comes before the first step",
        ),
        ("moved(p_alive from > 1 to < 1)", "no column of tiles"),
        ("audience nobody", "there is no audience `nobody`"),
        (
            "count(relation loyalty where customer = 5) > 0",
            "would name people",
        ),
        ("max(relation loyalty.customer) = 5", "would name people"),
    ] {
        let failure = read(text).unwrap_err();
        assert_eq!(failure.code, Some(ErrorCode::WrongAudience), "{text}");
        assert!(failure.message.contains(message), "{text}: {failure}");
        assert!(!failure.remedy.is_empty(), "{text}");
    }
    let again = read("all(first_purchase >= '2024-02-29', revenue_lifetime > 0.5)").unwrap();
    assert_eq!(read(&again.to_string()).unwrap(), again);
}

#[test]
fn values_that_name_people_stand_in_lists_alone() {
    let project = with_attributes();
    let lists = Lists::from([("lists/a.txt".to_owned(), "ada\n".to_owned())]);
    for text in [
        "email = 'ada@x.org'",
        "email contains 'ada'",
        "email ends_with 'ada@x.org'",
        "dim_customer.email in ('ada@x.org')",
        "customer starts_with 'ad'",
        "count(relation loyalty where customer = 'ada') > 0",
        "count(relation dim_customer where email = 'ada@x.org') > 0",
    ] {
        let failure = read_rule(&project, text, &lists).unwrap_err();
        assert!(
            failure.message.contains("would name people"),
            "{text}: {failure}"
        );
    }
    for text in [
        "email ends_with '@x.org'",
        "email exists",
        "count(relation loyalty where customer in list 'lists/a.txt') > 0",
        "count(relation loyalty where points = 5) > 0",
    ] {
        read_rule(&project, text, &lists).unwrap();
    }
}

#[test]
fn beside_as_many_audiences_as_may_be_a_rule_can_be_asked() {
    let mut project = project();
    let file = |place: usize| {
        let text = "rule: {column: p_alive, op: exists}".to_owned();
        (format!("audiences/a{place}.yaml"), text)
    };
    let mut files: Vec<(String, String)> = (0..200).map(file).collect();
    assert!(declare(&mut project, &files, &Lists::new()).is_empty());
    read_rule(&project, "audience a199", &Lists::new()).unwrap();
    files.push(file(200));
    let findings = declare(&mut project, &files, &Lists::new());
    let messages: Vec<&str> = findings
        .iter()
        .map(|(_, finding)| finding.message.as_str())
        .collect();
    assert_eq!(messages, ["there are 201 audiences, and may be 200"]);
}

#[test]
fn numbers_of_audiences_go_on_when_attributes_come() {
    let numbers = |mut project: Project| {
        let text = "rule: {column: p_alive, op: exists}".to_owned();
        let files = [("audiences/a.yaml".to_owned(), text)];
        assert!(declare(&mut project, &files, &Lists::new()).is_empty());
        let mut declared = tables(&project).into_iter();
        declared.find(|table| table.name == FACT_AUDIENCE).unwrap()
    };
    let (before, after) = (numbers(project()), numbers(with_attributes()));
    assert_ne!(before.sql, after.sql);
    assert!(after.means_the_same(&before));
}

#[test]
fn tables_that_rules_name_may_be_called_like_words_of_sql() {
    let project = project();
    let rule = read_rule(&project, "count(relation group) > 0", &Lists::new()).unwrap();
    let from = compile_rule(&project, &rule).from;
    assert!(from.contains("FROM \"group\" GROUP BY customer"), "{from}");
}

#[test]
fn of_many_findings_some_are_told() {
    let wrong: Vec<String> = (1..=12)
        .map(|place| format!("nothing_{place} < 1"))
        .collect();
    let text = format!("all({})", wrong.join(", "));
    let message = read_rule(&project(), &text, &Lists::new())
        .unwrap_err()
        .message;
    assert!(message.contains("`nothing_10`; and 2 more"), "{message}");
    assert!(!message.contains("nothing_11"), "{message}");
}

/// A run with a row group for each of some months.
fn run(months: &[i32]) -> StateRun {
    let range = ByteRange {
        offset: 0,
        bytes: 0,
        checksum: 0,
    };
    let slice = |(place, month): (u32, &i32)| MonthSlice {
        month: *month,
        row_group: place,
        row_groups: 1,
        rows: 1,
        range,
    };
    StateRun {
        part: PartRef {
            path: format!("{months:?}"),
            sha256: String::new(),
            checksum: 0,
            bytes: 0,
            rows: 0,
        },
        footer: range,
        months: (0..).zip(months).map(slice).collect(),
        ids: None,
        ids_by_month: None,
    }
}

#[test]
fn the_months_of_the_widest_window_are_read() {
    let project = project();
    let as_of = Day::from_ymd(2024, 6, 15).unwrap();
    let month = |month: u32| Day::from_ymd(2024, month, 1).unwrap().month_index();
    let mut state = ShardState::default();
    let runs = vec![
        run(&[month(1), month(2)]),
        run(&[month(3), month(5), month(6), month(7)]),
    ];
    state.days.insert("sales".to_owned(), runs);
    let states = [&state];
    let read = |texts: &[&str]| {
        let audience =
            |text: &&str| Audience::of_rule(read_rule(&project, text, &Lists::new()).unwrap());
        let audiences: Vec<Audience> = texts.iter().map(audience).collect();
        let known = Known {
            as_of,
            states: &states,
            before: None,
        };
        let reads = [format!("{EVENTS}sales")];
        let (events, more) = hidden(&project, &audiences, &reads, &BTreeMap::new(), known);
        assert!(more.is_empty());
        let input = &events["_events_sales"];
        let wanted: Vec<Vec<(u32, u32)>> =
            input.runs.iter().map(|run| run.wanted.clone()).collect();
        (input.from, wanted)
    };
    let lately = "count(events sales last 31 days) > 1";
    let (from, wanted) = read(&[lately]);
    // From 15 May on, so all of May, which is in the second run alone; nothing after `as_of`'s month.
    assert_eq!(from, Day::from_ymd(2024, 5, 1));
    assert_eq!(wanted, [[(1, 1), (2, 1)]]);
    let (from, wanted) = read(&[lately, "sequence(sales, sales last 4 months)"]);
    assert_eq!(from, Day::from_ymd(2024, 2, 1));
    assert_eq!(wanted, [vec![(1, 1)], vec![(0, 1), (1, 1), (2, 1)]]);
    let (from, wanted) = read(&[lately, "sum(events sales.revenue) > 1"]);
    assert_eq!(from, None);
    assert_eq!(wanted, [vec![(0, 1), (1, 1)], vec![(0, 1), (1, 1), (2, 1)]]);
}
