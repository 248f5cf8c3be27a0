//! Who is sent, changed and removed.

use crate::activation::*;
use crate::calendar::Day;
use crate::failure::ErrorCode;
use crate::project::Normalize;

fn spec(yaml: &str) -> DeliverySpec {
    let base = "delivery: d\ndestination: x\nfrom: {table: t}\n";
    serde_saphyr::from_str(&format!("{base}{yaml}")).unwrap()
}

fn text(text: &str) -> Value {
    match text {
        "" => Value::Null,
        text => Value::Text(text.to_owned()),
    }
}

fn by(columns: &[&str]) -> Identify {
    Identify {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        normalize: Normalize::TrimLower,
        field: "id".to_owned(),
        place: String::new(),
    }
}

fn acknowledged(rows: &[(&str, &[(String, Value)])]) -> Vec<Acknowledged> {
    let row = |(identity, fields): &(&str, &[(String, Value)])| Acknowledged {
        identity: (*identity).to_owned(),
        customer: (*identity).to_owned(),
        hash: payload_hash(fields),
    };
    rows.iter().map(row).collect()
}

fn candidate(identity: &str, value: i64) -> Candidate {
    Candidate {
        customer: identity.to_owned(),
        identity: (!identity.is_empty()).then(|| identity.to_owned()),
        order: Value::Int(value),
        fields: told(value),
        complete: true,
        holdout: None,
        decile: Some(1),
    }
}

fn told(value: i64) -> Vec<(String, Value)> {
    vec![("value".to_owned(), Value::Int(value))]
}

fn acts(plan: &Plan) -> Vec<(Act, &str)> {
    plan.work
        .iter()
        .map(|work| (work.act, work.identity.as_str()))
        .collect()
}

/// The example of the system that this one replaces: two profiles with one personal address, each
/// with two addresses of the namespace; the one of April is newer than the one of March.
fn profiles(yaml: &str, columns: &[&str]) -> Vec<(String, String)> {
    let spec = spec(&format!(
        "identity: {{columns: [x]}}\nfields: [personal, last]\n{yaml}"
    ));
    let names = ["customer", "identity", "personal", "last", "qualified"].map(str::to_owned);
    let mapping = Mapping::new(&spec, &by(columns), &names).unwrap();
    let day = |month| Value::Date(Day::from_ymd(2021, month, 10).unwrap());
    let mut candidates = Vec::new();
    for (customer, last, month) in [("A", "Doe", 3), ("B", "D", 4)] {
        for identity in ["one@example.com", "two@example.com"] {
            let personal = "doe@example.com";
            let member = [
                text(customer),
                text(identity),
                text(personal),
                text(last),
                day(month),
            ];
            candidates.push(mapping.candidate(&member));
        }
    }
    // Without an identity of its own a profile is one row, whatever addresses it has.
    if !columns.contains(&"identity") {
        candidates = candidates.into_iter().step_by(2).collect();
    }
    let mode = DeliveryMode::FileFull;
    let plan = plan("d", mode, &spec.duplicates, false, candidates, &[]).unwrap();
    let row = |work: &Work| (work.identity.clone(), work.fields[1].1.text().unwrap());
    plan.work.iter().map(row).collect()
}

#[test]
fn the_four_cases_of_deduplication() {
    let newest = "duplicates: {newest: qualified}";
    let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        let row = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        rows.iter().map(row).collect()
    };
    assert_eq!(
        profiles("", &["customer"]),
        rows(&[("a", "Doe"), ("b", "D")])
    );
    assert_eq!(
        profiles(newest, &["identity"]),
        rows(&[("one@example.com", "D"), ("two@example.com", "D")])
    );
    assert_eq!(
        profiles(newest, &["personal"]),
        rows(&[("doe@example.com", "D")])
    );
    assert_eq!(
        profiles(newest, &["personal", "last"]),
        rows(&[
            ("doe@example.com\u{1f}d", "D"),
            ("doe@example.com\u{1f}doe", "Doe")
        ])
    );
}

#[test]
fn several_with_one_identity_are_refused_unless_it_is_said_who_is_meant() {
    let both = || vec![candidate("a", 1), candidate("a", 3), candidate("a", 2)];
    let mode = DeliveryMode::Upsert;
    let refused = plan("d", mode, &Duplicates::Refuse, false, both(), &[]).unwrap_err();
    assert_eq!(refused.code, Some(ErrorCode::WrongDelivery));
    assert!(refused.message.contains("2 of 3 rows"), "{refused}");
    let highest = Duplicates::Highest("value".to_owned());
    let plan = plan("d", mode, &highest, false, both(), &[]).unwrap();
    assert_eq!(plan.counts.duplicates, 2);
    assert_eq!(plan.work.len(), 1);
    assert_eq!(plan.work[0].fields, told(3));
}

#[test]
fn among_equals_the_smaller_key_is_sent_whatever_the_order() {
    let one = |customer: &str| Candidate {
        customer: customer.to_owned(),
        ..candidate("a", 1)
    };
    let highest = Duplicates::Highest("value".to_owned());
    for candidates in [vec![one("7"), one("8")], vec![one("8"), one("7")]] {
        let mode = DeliveryMode::Upsert;
        let plan = plan("d", mode, &highest, false, candidates, &[]).unwrap();
        assert_eq!(plan.work[0].customer, "7");
    }
}

#[test]
fn each_mode_sends_its_difference() {
    let has = acknowledged(&[("a", &told(1)), ("b", &told(1)), ("c", &told(1))]);
    let planned = |mode, tells_exits| {
        let candidates = vec![candidate("d", 1), candidate("b", 2), candidate("a", 1)];
        plan(
            "d",
            mode,
            &Duplicates::Refuse,
            tells_exits,
            candidates,
            &has,
        )
        .unwrap()
    };
    let counts = |plan: &Plan| {
        let counts = plan.counts;
        (
            counts.adds,
            counts.changes,
            counts.unchanged,
            counts.removals,
            counts.rows,
        )
    };
    use Act::{Forget, Remove, Upsert};
    let upsert = planned(DeliveryMode::Upsert, false);
    assert_eq!(acts(&upsert), [(Upsert, "b"), (Upsert, "d")]);
    assert_eq!(counts(&upsert), (1, 1, 1, 0, 2));
    let mirror = planned(DeliveryMode::Mirror, false);
    assert_eq!(acts(&mirror), [(Upsert, "b"), (Upsert, "d"), (Remove, "c")]);
    assert_eq!(counts(&mirror), (1, 1, 1, 1, 3));
    let full = planned(DeliveryMode::Full, false);
    assert_eq!(acts(&full), [(Upsert, "a"), (Upsert, "b"), (Upsert, "d")]);
    assert_eq!(counts(&full), (1, 1, 1, 0, 3));
    let file = planned(DeliveryMode::FileFull, false);
    let expected = [(Upsert, "a"), (Upsert, "b"), (Upsert, "d"), (Forget, "c")];
    assert_eq!(acts(&file), expected);
    assert_eq!(counts(&file), (1, 1, 1, 1, 3));
    let increment = planned(DeliveryMode::FileIncremental, false);
    assert_eq!(
        acts(&increment),
        [(Upsert, "b"), (Upsert, "d"), (Forget, "c")]
    );
    assert_eq!(increment.counts.rows, 2);
    let telling = planned(DeliveryMode::FileIncremental, true);
    assert_eq!(
        acts(&telling),
        [(Upsert, "b"), (Upsert, "d"), (Remove, "c")]
    );
    assert_eq!(telling.counts.rows, 3);
}

#[test]
fn those_without_identity_or_held_out_are_counted_and_not_sent() {
    let mut control = candidate("c", 1);
    control.holdout = Some("control".to_owned());
    let mut incomplete = candidate("i", 1);
    incomplete.complete = false;
    let candidates = vec![candidate("", 1), candidate("a", 1), control, incomplete];
    let mode = DeliveryMode::Mirror;
    let plan = plan("d", mode, &Duplicates::Refuse, false, candidates, &[]).unwrap();
    assert_eq!(acts(&plan), [(Act::Upsert, "a"), (Act::HoldOut, "c")]);
    let counts = plan.counts;
    assert_eq!((counts.members, counts.rows, counts.desired), (4, 1, 1));
    assert_eq!(
        (counts.without_identity, counts.held_out, counts.incomplete),
        (1, 1, 1)
    );
}

#[test]
fn what_is_acknowledged_follows_from_the_outcomes() {
    let has = acknowledged(&[("a", &told(1)), ("b", &told(1)), ("c", &told(1))]);
    let candidates = vec![candidate("a", 2), candidate("d", 1), candidate("e", 1)];
    let mode = DeliveryMode::Mirror;
    let plan = plan("d", mode, &Duplicates::Refuse, false, candidates, &has).unwrap();
    let work = &plan.work;
    let names: Vec<_> = work.iter().map(|work| work.identity.as_str()).collect();
    assert_eq!(names, ["a", "d", "e", "b", "c"]);
    let outcomes = [Some(true), Some(false), None, Some(true), None];
    let now = acknowledge(&has, work, |place| outcomes[place]);
    let shown: Vec<_> = now
        .iter()
        .map(|who| (who.identity.as_str(), who.hash.clone()))
        .collect();
    assert_eq!(
        shown,
        [
            ("a", payload_hash(&told(2))),
            // Removal unknown, and sending unknown: either may be there.
            ("c", String::new()),
            ("e", String::new()),
        ]
    );
    // Of somebody who was erased meanwhile there is no more than the place.
    let mut erased = plan.work.clone();
    for work in &mut erased {
        (work.identity, work.customer) = (String::new(), String::new());
    }
    assert_eq!(acknowledge(&has, &erased, |_| None), has);
}

#[test]
fn the_guard_stops_what_removes_or_changes_too_much() {
    let counts = |removals, changes| PlanCounts {
        acknowledged: 100,
        removals,
        changes,
        ..PlanCounts::default()
    };
    let guard = Guard {
        max_removals: 0.05,
        max_changes: Some(0.3),
    };
    assert_eq!(guarded("d", &counts(5, 30), &guard), Ok(()));
    let removed = guarded("d", &counts(6, 0), &guard).unwrap_err();
    assert_eq!(removed.code, Some(ErrorCode::DeliveryGuarded));
    assert!(
        removed.message.contains("remove 6 of the 100 rows"),
        "{removed}"
    );
    assert!(removed.remedy.contains("--force"));
    let changed = guarded("d", &counts(0, 31), &guard).unwrap_err();
    assert!(changed.message.contains("change 31"), "{changed}");
    let first = PlanCounts {
        adds: 1000,
        ..PlanCounts::default()
    };
    assert_eq!(guarded("d", &first, &guard), Ok(()));
    assert_eq!(guarded("d", &counts(0, 100), &Guard::default()), Ok(()));
}

#[test]
fn fields_have_constants_formats_and_nulls() {
    let names = ["customer", "day", "mail"].map(str::to_owned);
    let fields = "fields: [{field: seen, column: day, format: \"%d.%m.%Y\"}, \
                  {field: by, constant: tenfold}, {field: m, column: mail, required: true}]\n";
    let told = |nulls: &str, mail: &str| {
        let spec = spec(&format!("{fields}nulls: {nulls}"));
        let mapping = Mapping::new(&spec, &by(&["customer"]), &names).unwrap();
        let day = Value::Date(Day::from_ymd(2024, 2, 29).unwrap());
        mapping.candidate(&[Value::Int(7), day, text(mail)])
    };
    let whole = told("skip", "a@x");
    let field = |name: &str, value: &str| (name.to_owned(), text(value));
    assert_eq!(whole.identity.as_deref(), Some("7"));
    assert_eq!(
        whole.fields,
        [
            field("seen", "29.02.2024"),
            field("by", "tenfold"),
            field("m", "a@x")
        ]
    );
    let skipped = told("skip", "");
    assert!(!skipped.complete);
    assert_eq!(skipped.fields.len(), 2);
    assert_eq!(told("clear", "").fields[2], field("m", ""));
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let spec = spec("fields: [clv]");
    assert_eq!(needed(&spec, &by(&["mail"])), ["customer", "mail", "clv"]);
    let columns = ["customer", "mail"].map(str::to_owned);
    let missing = Mapping::new(&spec, &by(&["mail"]), &columns).unwrap_err();
    assert!(missing.message.contains("no column clv"), "{missing}");
}
