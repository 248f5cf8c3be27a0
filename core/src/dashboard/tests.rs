//! What dashboards may say, and what is told of those that may not.

use serde_json::{Value, json};

use super::*;
use crate::project::Severity;

const BOARD: &str = r#"title: Values
description: What customers are worth.
filters:
  - {name: country, control: multiselect, values: {column: dim_customer.country}}
  - {name: period, label: Period, control: date_range}
widgets:
  - name: by_decile
    title: Value by decile
    at: {x: 0, y: 0, w: 6, h: 4}
    query:
      table: fact_value_by_decile
      joins: [{table: dim_customer, on: {customer: customer}, where: {is_current: true, gone: null}}]
      columns: [{column: decile}, {column: total, aggregate: sum, as: total}, {aggregate: count, as: n}]
      where:
        - {column: measure, op: "=", value: clv_12m}
        - {column: country, op: in, parameter: country}
        - {column: status, op: not_in, values: [gold, null, 1, 0.5, true]}
        - {column: day, op: between, parameter: period}
      order: [{column: decile, descending: true}]
      limit: 1000
    mark: combo
    encode: {x: decile, y: [total], line: n}
    format: {total: {kind: money, currency: EUR, digits: 0}}
    options: {legend: bottom, y_title: Value, sort: {column: total}}
    drill: {dashboard: detail, pass: {decile: decile}}
    cross_filter: {country: decile}
    describe: Bars show the value of each decile.
  - name: count
    title: Customers
    at: {x: 6, y: 0, w: 6, h: 2}
    sql: SELECT count(*) AS n FROM dim_customer WHERE country = $country AND since > $period_from AND m = $m
    parameters: {m: 1.5, none: null}
    mark: number
    encode: {value: n}
    compare: previous
    drill: {customer: n}
    snapshot: 12
    describe: How many customers there are.
snapshot: latest
"#;

fn read(text: &str) -> Document {
    let read = lint_dashboard(text);
    assert_eq!(read.findings, [], "{text}");
    read.document.unwrap()
}

/// The errors of a text, each with where it stands.
fn wrong(text: &str) -> Vec<String> {
    let read = lint_dashboard(text);
    assert_eq!(read.document, None, "{text}");
    let findings = read.findings.iter();
    let told = findings.map(|one| {
        assert!(!one.remedy.is_empty(), "{one:?}");
        format!("{}:{}: {}", one.line, one.column, one.message)
    });
    told.collect()
}

#[test]
fn a_dashboard_is_the_same_as_file_and_as_json() {
    let board = read(BOARD);
    assert_eq!(board.widgets.len(), 2);
    assert_eq!(read(&board.to_yaml().unwrap()), board);
    let mut value = serde_json::to_value(&board).unwrap();
    // Pages may say that something is not there.
    value["widgets"][0]["encode"]["color"] = Value::Null;
    assert_eq!(read(&text_of(&value)), board);
    assert!(value["widgets"][0]["options"].get("stacked").is_none());
    assert_eq!(value["widgets"][1]["encode"], json!({"value": "n"}));
    let least = read("title: Nothing yet\n");
    assert_eq!(
        serde_json::to_value(&least).unwrap(),
        json!({"title": "Nothing yet", "widgets": []})
    );
}

#[test]
fn texts_of_any_kind_come_back_from_a_file() {
    let mut board = read(BOARD);
    for text in [
        "yes",
        "null",
        "012",
        "1e3",
        "- a",
        "a: b",
        "#x",
        "\"",
        "it's",
        "line\nline\n",
        " blank ",
        "ä\u{1f600}",
        "{{x}}",
        "2026-01-01",
        "~",
        "\ttab",
        "%a",
        "@b",
        "a #b",
        "|",
        ">",
        &"a  long text: ".repeat(20),
        &" begins\n\n  and goes on ".repeat(9),
        &"x".repeat(200),
    ] {
        board.title = text.to_owned();
        board.widgets[1].sql = Some(format!("SELECT 1 -- {text}\n"));
        board.widgets[1].describe = format!("x{text}");
        let yaml = board.to_yaml().unwrap();
        assert_eq!(
            lint_dashboard(&yaml).document.as_ref(),
            Some(&board),
            "{yaml}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (from, to, expected) in [
        (
            "title: Values",
            "titel: Values",
            "1:1: unknown key `titel` in the file",
        ),
        (
            "mark: combo",
            "mark: bars",
            "21:11: `widgets[0].mark` cannot be `bars`",
        ),
        (
            "w: 6, h: 4}",
            "w: 13, h: 4}",
            "9:25: `widgets[0].at.w` is 13",
        ),
        (
            "{x: 6, y: 0, w: 6",
            "{x: 7, y: 0, w: 6",
            "30:9: `count` reaches to column 13 of 12",
        ),
        (
            "name: count\n",
            "name: by_decile\n",
            "28:11: the name `by_decile` is there twice",
        ),
        (
            "name: count\n",
            "name: \"A b\"\n",
            "28:11: `A b` is no name",
        ),
        (
            "line: n}",
            "line: m}",
            "22:43: the answer of `by_decile` has no column `m`",
        ),
        (
            "line: n}",
            "line: n}\n    sql: SELECT 1",
            "7:5: `by_decile` has both of `query` and `sql`",
        ),
        (
            "parameter: country",
            "parameter: county",
            "16:48: there is no filter `county`",
        ),
        (
            "parameters: {m: 1.5,",
            "parameters: {n: 1.5,",
            "31:10: `count` asks for $m, which nothing gives",
        ),
        (
            "op: \"=\", value: clv_12m",
            "op: \"<\", values: [1]",
            "15:11: `measure` is compared with one value",
        ),
        (
            "op: \"=\", value: clv_12m",
            "op: newest, value: 1",
            "15:11: `measure` is compared with nothing here",
        ),
        (
            "op: \"=\", value: clv_12m",
            "op: in, values: []",
            "15:11: `measure` is compared with an empty list",
        ),
        (
            "op: \"=\", value: clv_12m",
            "op: in",
            "15:11: `measure` is compared with one thing",
        ),
        (
            "parameter: period}",
            "parameter: period_up}",
            "18:49: there is no filter `period_up`",
        ),
        (
            "op: between, parameter: period",
            "op: between, values: [1]",
            "18:11: `day` lies between two values",
        ),
        (
            "cross_filter: {country: decile}",
            "cross_filter: {region: decile}",
            "26:28: there is no filter `region`",
        ),
        (
            "values: {column: dim_customer.country}",
            "values: {column: country}",
            "4:60: `country` is no column of a table",
        ),
        (
            "{column: dim_customer.country}",
            "{like: a*}",
            "4:51: filter `country` is chosen from one list",
        ),
        (
            ", values: {column: dim_customer.country}",
            "",
            "4:30: filter `country` has nothing to choose from",
        ),
        (
            "describe: Bars show the value of each decile.",
            "describe: \" \"",
            "27:15: `by_decile` is not described",
        ),
        (
            "snapshot: latest",
            "snapshot: Newest",
            "39:11: \"Newest\" names no snapshot",
        ),
        (
            "{column: decile},",
            "{column: decile}, {column: decile},",
            "13:35: two columns of the answer are called `decile`",
        ),
        (
            "{column: decile},",
            "{table: x},",
            "13:17: a column is named, unless rows are counted",
        ),
    ] {
        let text = BOARD.replacen(from, to, 1);
        assert_ne!(text, BOARD, "{from}");
        let told = wrong(&text);
        assert!(
            told.iter().any(|one| one == expected),
            "{expected} is not among {told:#?}"
        );
    }
}

#[test]
fn columns_of_answers_have_names_of_their_own() {
    let named = |column: Value| {
        let column: Column = serde_json::from_value(column).unwrap();
        check::answered(&column)
    };
    assert_eq!(
        named(json!({"column": "country", "table": "dim_customer"})),
        "country"
    );
    assert_eq!(
        named(json!({"column": "total", "aggregate": "count_distinct"})),
        "count_distinct_total"
    );
    assert_eq!(named(json!({"aggregate": "count"})), "rows");
    assert_eq!(named(json!({"column": "a", "as": "b"})), "b");
}

#[test]
fn widgets_that_stand_on_each_other_are_odd_and_no_error() {
    let text = BOARD
        .replace("{x: 6, y: 0", "{x: 5, y: 0")
        .replace("w: 6, h: 2", "w: 5, h: 2");
    let read = lint_dashboard(&text);
    assert!(read.document.is_some());
    let told: Vec<_> = read
        .findings
        .iter()
        .map(|one| (one.severity, &*one.message))
        .collect();
    assert_eq!(told, [(Severity::Warning, "`count` stands on `by_decile`")]);
}

#[test]
fn sizes_are_bounded() {
    let long = format!("title: {}\n", "x".repeat(MOST_BYTES));
    assert_eq!(
        wrong(&long),
        [format!(
            "1:1: it has {} bytes, and may have {MOST_BYTES}",
            long.len()
        )]
    );
    let deep = format!("title: {}1{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(wrong(&deep).len(), 1);
    assert!(is_name("a_1") && is_name("1") && is_name(&"x".repeat(LONGEST)));
    for name in [
        "",
        "A",
        "a-b",
        "a.b",
        "../a",
        "a/b",
        "é",
        &"x".repeat(LONGEST + 1),
    ] {
        assert!(!is_name(name), "{name}");
    }
}

#[test]
fn clicks_lead_to_dashboards_and_filters_that_are_there() {
    let all = |detail: &str| {
        let named = |name: &str, text: &str| {
            (
                name.to_owned(),
                format!("dashboards/{name}.yaml"),
                read(text),
            )
        };
        between(&[named("values", BOARD), named("detail", detail)])
    };
    let with = "title: Detail\nfilters: [{name: decile, control: number}]\n";
    assert_eq!(all(with), []);
    let told = all("title: Detail\n");
    assert_eq!(told[0].0, "dashboards/values.yaml");
    assert_eq!(
        told[0].1.message,
        "widget `by_decile`: dashboard `detail` has no filter `decile`"
    );
    let elsewhere = BOARD.replace("dashboard: detail", "dashboard: detial");
    let told = between(&[("v".to_owned(), "f".to_owned(), read(&elsewhere))]);
    assert_eq!(
        told[0].1.message,
        "widget `by_decile`: there is no dashboard `detial`"
    );
}

#[test]
fn the_schema_describes_the_file() {
    let schema: Value = serde_json::from_str(&dashboard_schema_text()).unwrap();
    assert_eq!(schema["title"], "Tenfold dashboard");
    assert_eq!(schema["additionalProperties"], false);
}
