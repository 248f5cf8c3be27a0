//! Tests of whole files: what is read, what is found, and where.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

mod responses;
mod slips;
mod streams;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Every key of the file, each with a value that is not its default where there is a choice.
const FULL: &str = r#"
project: cdnow
time_zone: europe/berlin
customer:
  type: int64
  namespace: CRM-ID
sources:
  purchases:
    path: ${LAKE}/purchases/*.csv
    layout: hive
    types: {quantity: int64, day: date, price: "decimal(12, 2)"}
    customer: customer_id
    time: {column: ts, zone: UTC, format: "%d/%m/%Y %H:%M"}
    event_id: event_id
    filter: "status <> 'cancelled'"
    measures:
      revenue: {expression: "quantity * price", currency: USD}
      units: {column: quantity}
    dimensions:
      loyalty_status: "Loyalty Status"
  flights:
    path: s3://bucket/flights
    layout: delta
    version: 12
    customer: member
    time: {column: flown, unit: ms}
    measures:
      miles: {column: mileage, scale: 1}
clv:
  source: purchases
  value: revenue
  unit: month
  models: [bg_nbd, pareto_nbd, mbg_nbd]
  horizons: [24, 6]
  discount: {monthly: 0.01}
  month: {weeks: 4.345}
  margin: 0.3
  refunds: ignore
  holdout: none
deciles:
  - measure: miles
    name: flown
    lookbacks: [lifetime, 12, 1]
    window: calendar_months
    tiles: 4
    inactive: zero
    population: "frequency > 0"
    ties: together
  - measure: revenue
    by: loyalty_status
    value_at: latest
  - measure: clv_12m
    tiles: 100
quarantine: {max_rows: 1000}
drift: {psi: 0.25}
engine: ballista
"#;

/// The least file: everything else has a default.
const LEAST: &str = "
project: p
customer: {type: string}
sources:
  s: {path: data/, customer: c, time: t, measures: {revenue: {column: amount, currency: EUR}}}
clv: {source: s, value: revenue}
";

fn read(text: &str) -> Project {
    parse(text).unwrap_or_else(|findings| panic!("{}", shown(&findings)))
}

fn shown(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect()
}

/// Findings as `line:column message`.
fn found(text: &str) -> Vec<String> {
    let findings = lint(text).findings;
    findings
        .iter()
        .map(|f| format!("{}:{} {}", f.line, f.column, f.message))
        .collect()
}

/// `LEAST` with one piece replaced; the piece must be there.
fn least_with(piece: &str, replacement: &str) -> String {
    assert!(LEAST.contains(piece), "{piece}");
    LEAST.replacen(piece, replacement, 1)
}

/// The one finding of a changed `LEAST`: severity, path, message, remedy.
fn only_finding(piece: &str, replacement: &str) -> Finding {
    let text = least_with(piece, replacement);
    match lint(&text).findings.as_slice() {
        [finding] => finding.clone(),
        findings => panic!("{} findings in {text}\n{}", findings.len(), shown(findings)),
    }
}

#[test]
fn a_full_file_is_read_as_written() {
    let lint = lint(FULL);
    assert_eq!(lint.findings, []);
    let project = read(FULL);
    assert_eq!(project.time_zone, "Europe/Berlin");
    let purchases = &project.sources["purchases"];
    assert_eq!(purchases.format, Format::Csv);
    assert_eq!(purchases.time.zone.as_deref(), Some("UTC"));
    assert_eq!(
        purchases.types["price"],
        ColumnType::Decimal {
            precision: 12,
            scale: 2
        }
    );
    assert_eq!(purchases.measures["revenue"].scale, 2);
    assert_eq!(
        project.sources["flights"].time.unit,
        Some(EpochUnit::Milliseconds)
    );
    assert_eq!(project.sources["flights"].measures["miles"].scale, 1);
    let clv = project.clv.as_ref().unwrap();
    assert_eq!(clv.horizons, [6, 12, 24]);
    assert_eq!(clv.holdout, Holdout::None);
    assert_eq!((clv.unit, clv.month.days()), (TimeUnit::Month, 4.345 * 7.0));
    let names: Vec<&str> = project
        .deciles
        .iter()
        .map(|decile| decile.name.as_str())
        .collect();
    assert_eq!(names, ["flown", "revenue_by_loyalty_status", "clv_12m"]);
    assert_eq!(
        project.deciles[0].columns(),
        [
            "flown_1m",
            "quartile_flown_1m",
            "flown_12m",
            "quartile_flown_12m",
            "flown_lifetime",
            "quartile_flown_lifetime"
        ]
    );
    assert_eq!(project.deciles[2].columns(), ["percentile_clv_12m"]);
    assert_eq!(
        project.quarantine,
        Quarantine {
            max_share: None,
            max_rows: Some(1000)
        }
    );
    assert_eq!(project.drift, Drift { psi: 0.25 });
    assert_eq!(project.engine, Engine::Ballista);
}

#[test]
fn every_default_is_spelled_out() {
    assert_eq!(lint(LEAST).findings, []);
    assert_eq!(
        read(LEAST).canonical_json(),
        concat!(
            r#"{"clv":{"discount":{"annual":0.1},"fit_customers":250000,"holdout":{"months":3},"horizons":[12],"margin":1.0,"#,
            r#""models":["pareto_nbd"],"month":{"days":30.4375},"refunds":"net","source":"s","#,
            r#""unit":"week","value":"revenue"},"#,
            r#""customer":{"namespace":"customer_id","type":"string"},"#,
            r#""deciles":[{"by":null,"inactive":"exclude","lookbacks":[],"measure":"clv_12m","#,
            r#""name":"clv_12m","population":null,"ties":"split","tiles":10,"value_at":"latest","#,
            r#""window":"trailing"}],"drift":{"psi":0.2},"project":"p","quarantine":{"max_rows":null,"max_share":0.01},"#,
            r#""sources":{"s":{"changed":"refuse","customer":"c","dimensions":{},"event_id":null,"filter":null,"#,
            r#""format":"parquet","layout":"files","measures":{"revenue":{"currency":"EUR","scale":2,"#,
            r#""value":{"column":"amount"}}},"path":"data/","time":{"column":"t","format":null,"#,
            r#""unit":null,"zone":null},"types":{},"vanished":"refuse","version":null}},"time_zone":"UTC"}"#
        )
    );
}

#[test]
fn writing_a_default_or_another_order_changes_no_byte_of_the_canonical_form() {
    let spelled = "
quarantine: {max_share: 1.0e-2}
clv: {value: revenue, source: s, unit: week, discount: {annual: 0.1}, month: {days: 30.4375}}
deciles: [{measure: clv_12m, tiles: 10}]
sources:
  s:
    measures: {revenue: {currency: EUR, column: amount, scale: 2}}
    time: {column: t}
    customer: \"c\"
    path: data/
    format: parquet
customer: {type: string, namespace: customer_id}
time_zone: utc
project: p
";
    assert_eq!(read(spelled).canonical_json(), read(LEAST).canonical_json());
}

#[test]
fn the_engine_is_this_process_unless_another_is_named() {
    assert_eq!(read(LEAST).engine, Engine::Local);
    let local = read(&format!("{LEAST}engine: local\n"));
    assert_eq!(local.canonical_json(), read(LEAST).canonical_json());
    let wide = read(&format!("{LEAST}engine: ballista\n"));
    assert_eq!(wide.engine, Engine::Ballista);
    assert!(wide.canonical_json().contains(r#""engine":"ballista""#));
    assert_eq!(
        found(&format!("{LEAST}engine: spark\n")),
        ["7:9 `engine` cannot be `spark`"]
    );
}

#[test]
fn the_resolved_form_reads_back_from_its_json() {
    for text in [FULL, LEAST] {
        let project = read(text);
        let back: Project = serde_json::from_str(&project.canonical_json()).unwrap();
        assert_eq!(back, project);
    }
}

#[test]
fn measures_lead_to_their_source() {
    let project = read(FULL);
    let (name, source, measure) = project.measure("miles").unwrap();
    assert_eq!(
        (name.as_str(), source.customer.as_str(), measure.scale),
        ("flights", "member", 1)
    );
    assert!(project.measure("nothing").is_none());
    let sources: Vec<&str> = project
        .deciles
        .iter()
        .map(|d| project.decile_source(d).unwrap().0.as_str())
        .collect();
    assert_eq!(sources, ["flights", "purchases", "purchases"]);
    assert_eq!(project.currency(), Some("USD"));
}

#[test]
fn tile_words() {
    let mut decile = DecileDeclaration::of("miles", "miles");
    for (tiles, word) in [
        (10, "decile"),
        (4, "quartile"),
        (5, "quintile"),
        (100, "percentile"),
        (20, "ntile20"),
    ] {
        decile.tiles = tiles;
        assert_eq!(decile.tile_word(), word);
    }
    assert_eq!(Lookback::Months(1).suffix(), "1m");
    assert_eq!(Lookback::Lifetime.suffix(), "lifetime");
    assert_eq!(
        decile.tile_column(Some(Lookback::Lifetime)),
        "ntile20_miles_lifetime"
    );
}

#[test]
fn one_file_gives_all_its_findings_in_order() {
    let text = r#"project: CD-now
time_zone: Europe/Berln
customer:
  typ: int64
sources:
  purchases:
    path: data/
    format: csv
    layout: delta
    customer: 12
    time: {column: ts, format: "%d/%m", unit: s}
    filtr: "a > 1"
    measures:
      revenue: {expression: "(quantity", column: x, currency: USD}
      miles: mileage
      fuel: {column: fuel, currency: EUR}
  other:
    path: x.avro
    customer: c
    measures: {revenue: {column: r}}
clv:
  source: purchase
  value: revenue
  value: revenue
  unit: wek
  models: [pareto_nbd, bgnbd]
  horizons: [12, 0, twelve]
  discount: {anual: 0.10}
  margin:
deciles:
  - measure: mile
    tiles: 1
    lookbacks: [1, 3, forever]
quarantine: {max_share: 1.5}
colour: red
"#;
    assert_eq!(
        found(text),
        [
            "1:10 `CD-now` is no identifier",
            "2:12 there is no time zone `Europe/Berln`",
            "4:3 unknown key `typ` in `customer`",
            "8:13 a Delta table is kept in Parquet",
            "10:15 `sources.purchases.customer` is 12, which YAML does not read as text",
            "11:24 a time is an integer with a unit or a text with a format, not both",
            "11:32 `%d/%m` gives no full date",
            "12:5 unknown key `filtr` in `sources.purchases`",
            "14:17 `sources.purchases.measures.revenue` has both a column and an expression",
            "14:29 `sources.purchases.measures.revenue.expression` has a `(` that does not close",
            "15:14 `sources.purchases.measures.miles` is `mileage`",
            "16:38 a second currency: EUR beside USD",
            "17:3 `time` is missing in `sources.other`",
            "18:11 `.avro` files cannot be read",
            "20:16 the source `purchases` has a measure `revenue` too",
            "22:11 there is no source `purchase`",
            "24:3 `value` is given twice",
            "25:9 `clv.unit` cannot be `wek`",
            "26:24 `clv.models[1]` cannot be `bgnbd`",
            "27:18 `clv.horizons[1]` is 0",
            "27:21 `clv.horizons[2]` is `twelve`",
            "28:14 unknown key `anual` in `clv.discount`",
            "29:9 `clv.margin` has no value",
            "31:14 there is no measure `mile`",
            "32:12 `deciles[0].tiles` is 1",
            "33:23 `deciles[0].lookbacks[2]` is `forever`",
            "34:25 `quarantine.max_share` is 1.5",
            "35:1 unknown key `colour` in the file",
        ]
    );
    assert!(parse(text).is_err());
}

#[test]
fn a_finding_is_shown_with_its_place_and_remedy() {
    let finding = only_finding("customer: c", "custommer: c");
    assert_eq!(
        finding.to_string(),
        "tenfold.yaml:5:20: error: unknown key `custommer` in `sources.s`\n  did you mean `customer`?"
    );
    assert_eq!(finding.path, "sources.s.custommer");
    assert!(
        finding
            .render("a/b.yaml")
            .starts_with("a/b.yaml:5:20: error: ")
    );
}

#[test]
fn decile_names_and_columns_must_not_clash() {
    let with = |deciles: &str| found(&format!("{LEAST}deciles: [{deciles}]\n"));
    let none: [&str; 0] = [];
    assert_eq!(
        with("{measure: revenue}"),
        none,
        "its lifetime sum is the column of all projects"
    );
    assert_eq!(
        with("{measure: revenue}, {measure: revenue, tiles: 4}"),
        ["7:41 two deciles are called `revenue` (deciles[0] too)"]
    );
    assert_eq!(
        with("{measure: revenue, name: x}, {measure: revenue, name: decile_x, lookbacks: [1]}"),
        ["7:65 `decile_x` would be written to `decile_x_1m`, a column of deciles[0]"]
    );
    assert_eq!(
        with("{measure: revenue, name: clv, lookbacks: [12]}"),
        ["7:36 `clv` would be written to `clv_12m`, a column that every project has"]
    );
    assert_eq!(
        with("{measure: revenue, name: clv_12m}"),
        ["7:36 `clv_12m` is the name of the CLV's own ranking"]
    );
    assert_eq!(
        with("{measure: clv_12m}, {measure: clv_12m, name: again, tiles: 5}"),
        none
    );
    let long = "n".repeat(60);
    let messages = with(&format!(
        "{{measure: revenue, name: {long}, lookbacks: [1]}}"
    ));
    assert_eq!(
        messages,
        [format!(
            "7:36 the column `decile_{long}_1m` is longer than 63 characters"
        )]
    );
}

#[test]
fn revenue_of_another_measure_clashes_with_the_clvs() {
    let text = LEAST
        .replace(
            "{revenue: {column: amount, currency: EUR}}",
            "{paid: {column: amount, currency: EUR}, \
        revenue: {column: other, currency: EUR}}",
        )
        .replace("value: revenue", "value: paid");
    let text = format!("{text}deciles: [{{measure: revenue}}]\n");
    assert_eq!(
        found(&text),
        ["7:21 `revenue` would be written to `revenue_lifetime`, a column that every project has"]
    );
}

#[test]
fn the_clvs_own_decile_is_implied_unless_declared() {
    let project = read(LEAST);
    assert_eq!(
        project.deciles,
        [DecileDeclaration::of(CLV_MEASURE, CLV_MEASURE)]
    );
    assert_eq!(project.deciles[0].columns(), ["decile_clv_12m"]);
    let declared = read(&format!(
        "{LEAST}deciles: [{{measure: clv_12m, ties: together}}]\n"
    ));
    assert_eq!(declared.deciles.len(), 1);
    assert_eq!(declared.deciles[0].ties, Ties::Together);
    assert_eq!(declared.deciles[0].value_at, ValueAt::Latest);
    let without_clv = least_with(
        "clv: {source: s, value: revenue}",
        "deciles: [{measure: revenue}]",
    );
    assert_eq!(read(&without_clv).deciles.len(), 1);
}

#[test]
fn settings_of_no_use_and_money_without_currency_are_warned_about() {
    let warnings = |text: &str| {
        let lint = lint(text);
        assert!(lint.project.is_some(), "{}", shown(&lint.findings));
        lint.findings
            .into_iter()
            .map(|f| (f.line, f.column, f.message))
            .collect::<Vec<_>>()
    };
    let text =
        format!("{LEAST}deciles: [{{measure: clv_12m, lookbacks: [1], value_at: latest}}]\n");
    assert_eq!(
        warnings(&text),
        [
            (
                7,
                30,
                "`lookbacks` has no effect on the CLV, which looks ahead".to_owned()
            ),
            (7, 46, "`value_at` has no effect without `by`".to_owned()),
        ]
    );
    let text = least_with(", currency: EUR", "");
    assert_eq!(
        warnings(&text),
        [(
            6,
            25,
            "CLV is computed from `revenue`, which has no currency and keeps no decimals"
                .to_owned()
        )]
    );
    assert_eq!(warnings(&least_with("currency: EUR", "scale: 0")), []);
    let text = least_with("EUR", "EUX");
    assert_eq!(warnings(&text).len(), 1);
}

#[test]
fn scales_follow_the_currency() {
    for (code, scale) in [("USD", 2), ("JPY", 0), ("KWD", 3)] {
        assert_eq!(
            read(&least_with("EUR", code)).sources["s"].measures["revenue"].scale,
            scale
        );
    }
    let text = least_with("currency: EUR", "currency: EUR, scale: 4");
    assert_eq!(read(&text).sources["s"].measures["revenue"].scale, 4);
}

#[test]
fn what_is_no_yaml_is_one_finding_at_its_place() {
    for (text, line) in [
        ("project: [a\nb: c", 2),
        ("a: b\n\tc: d\n", 1),
        ("a: 'b\n", 1),
        ("a: *b\n", 1),
        ("a: .nan\n", 1),
        ("a: b\n---\nc: d\n", 2),
    ] {
        let findings = lint(text).findings;
        assert_eq!(findings.len(), 1, "{text}\n{}", shown(&findings));
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].line >= line, "{text}: {}", findings[0]);
        assert!(
            !findings[0].message.contains(" at line "),
            "{}",
            findings[0]
        );
    }
    for text in ["", "# nothing\n", "~"] {
        assert_eq!(found(text), ["1:1 the file is empty"], "{text:?}");
    }
    assert_eq!(found("- a\n"), ["1:1 the file is a list"]);
    assert_eq!(found("a"), ["1:1 the file is `a`"]);
}

#[test]
fn anchors_and_merges_are_followed() {
    let text = "
project: p
customer: {type: string}
sources:
  a: &a
    path: data/a/
    customer: c
    time: t
    measures: {x: {column: x}}
  b:
    <<: *a
    path: data/b/
    measures: {y: {column: y}}
deciles: [{measure: y}]
";
    let project = read(text);
    assert_eq!(project.sources["b"].customer, "c");
    assert_eq!(project.sources["b"].path, "data/b/");
}

#[test]
fn nesting_and_alias_bombs_are_refused() {
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(lint(&deep).findings.len(), 1);
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for i in 1..40 {
        bomb += &format!("a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1);
    }
    assert_eq!(lint(&bomb).findings.len(), 1);
}

#[test]
fn the_schema_names_every_key_with_a_description() {
    let schema = json_schema();
    let mut keys = BTreeSet::new();
    let definitions = schema["$defs"].as_object().unwrap().values();
    for record in definitions.chain([&schema]) {
        let Some(properties) = record["properties"].as_object() else {
            continue;
        };
        for (key, property) in properties {
            assert!(property["description"].is_string(), "{key}: {property}");
            keys.insert(key.as_str());
        }
        assert_eq!(record["additionalProperties"], false, "{record}");
    }
    for key in [
        "project",
        "customer",
        "namespace",
        "time",
        "unit",
        "expression",
        "lookbacks",
        "by",
        "max_rows",
    ] {
        assert!(keys.contains(key), "{key}");
    }
    assert!(!json_schema_text().contains("null"));
    assert!(json_schema_text().contains("2020-12"));
}

#[test]
fn a_published_schema_is_compared_line_by_line() {
    let text = json_schema_text();
    assert_eq!(compare_json_schema(&text), Ok(()));
    let old = text.replacen("\"default\": 10", "\"default\": 11", 1);
    let error = compare_json_schema(&old).unwrap_err();
    assert!(
        error.contains("`\"default\": 11,`, generated `\"default\": 10,`"),
        "{error}"
    );
    assert!(compare_json_schema("").is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n]{0,200}") {
        let lint = lint(&text);
        prop_assert!(lint.project.is_some() || !lint.findings.is_empty());
    }

    /// A file with a piece cut out or replaced is read, or says why not, with places in the file.
    #[test]
    fn a_mangled_file_is_read_or_explained(
        start in 0..FULL.len(),
        length in 0_usize..30,
        replacement in "(null|7|-1.5|true|\\[\\]|\\{\\}|x y|'|: |\n)?",
    ) {
        let end = (start + length).min(FULL.len());
        let text = format!("{}{replacement}{}", &FULL[..start], &FULL[end..]);
        let lint = lint(&text);
        let lines = text.lines().count() as u64 + 1;
        for finding in &lint.findings {
            prop_assert!((1..=lines).contains(&finding.line), "{finding}\n{text}");
            prop_assert!(!finding.message.is_empty() && !finding.remedy.is_empty());
        }
        let errors = lint.findings.iter().any(|finding| finding.severity == Severity::Error);
        prop_assert_eq!(lint.project.is_none(), errors);
    }
}
