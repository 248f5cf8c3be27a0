//! Tests of single slips: each is one finding, with what to do about it.

use super::*;

#[test]
fn single_slips_give_single_findings_with_a_remedy() {
    let cases = [
        (
            "path: data/",
            "path: 's3://k:s@b/x'",
            "the URL holds a password",
            "take it out",
        ),
        (
            "path: data/",
            "path: '${A'",
            "has a `${` that does not close",
            "write `${NAME}`",
        ),
        (
            "path: data/",
            "path: a.txt",
            "`.txt` files cannot be read",
            "add `format:`",
        ),
        (
            "path: data/",
            "path: data/, version: 3",
            "only a Delta table has versions",
            "layout: delta",
        ),
        (
            "path: data/",
            "path: 'd/*', layout: delta",
            "cannot hold `*`",
            "_delta_log",
        ),
        (
            "path: data/",
            "path: d, types: {a: int64}",
            "carry their own types",
            "take `types` out",
        ),
        (
            "path: data/",
            "path: d.csv, types: {c: int64}",
            "a string customer key",
            "`string`",
        ),
        (
            "path: data/",
            "path: d.csv, types: {t: bool}",
            "the time read this way",
            "`timestamp`",
        ),
        (
            "path: data/",
            "path: d.csv, types: {amount: date}",
            "`amount` is a measure",
            "`int64`",
        ),
        (
            "path: data/",
            "path: d.csv, types: {x: 'decimal(9)'}",
            "is no column type",
            "decimal(p,s)",
        ),
        (
            "time: t",
            "time: {column: t, unit: sec}",
            "cannot be `sec`",
            "use one of `s`, `ms`",
        ),
        (
            "time: t",
            "time: {column: t, unit: s, zone: UTC}",
            "needs no zone",
            "take the zone out",
        ),
        (
            "time: t",
            "time: {column: t, zone: Paris}",
            "no time zone `Paris`",
            "`Europe/Paris`",
        ),
        (
            "time: t",
            "time: {column: t, format: '%Y%!'}",
            "`%Y%!` cannot be read",
            "strptime",
        ),
        (
            "time: t",
            "time: {}",
            "`column` is missing in `sources.s.time`",
            "add `column:`",
        ),
        (
            "time: t",
            "time: [t]",
            "is a list",
            "it takes a text or a mapping with `column`",
        ),
        (
            "time: t",
            "time: t, filter: 'WHERE a'",
            "starts with WHERE",
            "leave WHERE out",
        ),
        (
            "time: t",
            "time: t, dimensions: {revenue: x}",
            "a measure of this source too",
            "another name",
        ),
        (
            "time: t",
            "time: t, dimensions: {A-b: x}",
            "`A-b` is no identifier",
            "`a_b`",
        ),
        (
            "column: amount",
            "scale: 2",
            "neither a column nor an expression",
            "give either",
        ),
        (
            "column: amount",
            "column: amount, scale: 10",
            "is 10",
            "from 0 up to 9",
        ),
        (
            "column: amount",
            "column: ''",
            "is empty",
            "it takes a text",
        ),
        (
            "EUR",
            "eur",
            "`eur` is no currency code",
            "did you mean `EUR`?",
        ),
        (
            "value: revenue",
            "value: revenu",
            "has no measure `revenu`",
            "did you mean `revenue`?",
        ),
        ("source: s", "source: t", "there is no source `t`", "`s`"),
        (
            "value: revenue",
            "value: revenue, discount: {annual: -1}",
            "is -1",
            "above -1 up to 10",
        ),
        (
            "value: revenue",
            "value: revenue, discount: {annual: 0.1, monthly: 0.1}",
            "2 keys",
            "exactly one",
        ),
        (
            "value: revenue",
            "value: revenue, models: []",
            "is an empty list",
            "at least one",
        ),
        (
            "value: revenue",
            "value: revenue, models: [bg_nbd, bg_nbd]",
            "given twice",
            "take one",
        ),
        (
            "value: revenue",
            "value: revenue, margin: 0",
            "is 0",
            "above 0 up to 1",
        ),
        (
            "value: revenue",
            "value: revenue, holdout: {months: 0}",
            "is 0",
            "from 1 up to 120",
        ),
        (
            "customer: {type: string}",
            "customer: {type: string, namespace: 'a b'}",
            "namespace",
            "letters",
        ),
        (
            "customer: {type: string}",
            "customer: {type: text}",
            "cannot be `text`",
            "`int64`, `string`",
        ),
        (
            "clv: {source: s, value: revenue}",
            "",
            "neither clv nor deciles",
            "add `clv:`",
        ),
        (
            "clv: {source: s, value: revenue}",
            "clv:",
            "`clv` has no value",
            "a mapping with `source`",
        ),
        (
            "clv: {source: s, value: revenue}",
            "deciles: [{measure: clv_12m}]",
            "no CLV is declared",
            "add `clv:`",
        ),
        (
            "clv: {source: s, value: revenue}",
            "deciles: [{measure: revenue, by: x}]",
            "no dimension `x`",
            "declare it",
        ),
        (
            "project: p",
            "project: 7",
            "which YAML does not read as text",
            "put it in quotes: \"7\"",
        ),
        (
            "sources:\n  s: {path: data/",
            "sources:\n  S: {path: data/",
            "`S` is no identifier",
            "`s`",
        ),
    ];
    for (piece, replacement, message, remedy) in cases {
        let text = least_with(piece, replacement).replace(
            "source: s",
            match replacement.contains("  S:") {
                true => "source: S",
                false => "source: s",
            },
        );
        let findings = lint(&text).findings;
        let [finding] = findings.as_slice() else {
            panic!(
                "{replacement}: {} findings\n{}",
                findings.len(),
                shown(&findings)
            );
        };
        assert_eq!(finding.severity, Severity::Error, "{replacement}");
        assert!(
            finding.message.contains(message),
            "{replacement}: {finding}"
        );
        assert!(finding.remedy.contains(remedy), "{replacement}: {finding}");
        assert!(finding.line > 1, "{replacement}: {finding}");
    }
}

#[test]
fn slips_of_sources_that_take_files_in() {
    let whole = "ingest: {max_bad_rows: 5%}, types: {c: string, t: date, amount: float64}";
    let ingested = least_with("path: data/", whole);
    let lint = lint(&ingested);
    assert_eq!(lint.findings, []);
    let project = lint.project.unwrap();
    let source = &project.sources["s"];
    assert_eq!(source.ingest, Some(Ingest::default()));
    assert_eq!(
        (source.changed, source.vanished),
        (Changed::Restate, Vanished::Restate)
    );
    for (replacement, message, remedy) in [
        (
            "format: parquet",
            "`path` is missing in `sources.s`",
            "ingest: {}",
        ),
        (
            "ingest: {}",
            "the column `amount` has no type",
            "others are left out",
        ),
        (
            "ingest: {max_bad_rows: five}, types: {c: string, t: date, amount: float64}",
            "`five` is no share",
            "such as 5%",
        ),
        (
            "ingest: {}, path: data/, types: {c: string, t: date, amount: float64}",
            "both a `path` and `ingest`",
            "take `path` out",
        ),
        (
            "ingest: {}, format: csv, types: {c: string, t: date, amount: float64}",
            "no `format`",
            "says its own",
        ),
        (
            "ingest: {}, vanished: restate, types: {c: string, t: date, amount: float64}",
            "no `vanished`",
            "always restated",
        ),
    ] {
        let findings = super::lint(&least_with("path: data/", replacement)).findings;
        let found = findings
            .iter()
            .any(|finding| finding.message.contains(message) && finding.remedy.contains(remedy));
        assert!(found, "{replacement}:\n{}", shown(&findings));
    }
}
