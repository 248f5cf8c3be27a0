//! Rules of audiences, compiled to SQL, against going through the tree for every customer; and their text
//! form, which gives the same tree again. Over random rules and small random tables with NULLs.

mod draw;
mod meaning;
mod people;
mod rules;

use std::collections::BTreeSet;

use tenfold_core::audience::{
    Audience, Comparison, Lists, Rule, Test, compile, compile_rule, read_rule,
};
use tenfold_core::calendar::Day;
use tenfold_core::project::{Project, parse};

use super::*;
use draw::Draw;
use meaning::holds;
use people::{Value, Who, people, tables};
use rules::{column, number, rule, text};

const AS_OF: Day = Day(19_875); // 2024-06-01

const PROJECT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales.csv
    types: {customer: int64, day: date, amount: 'decimal(12,2)'}
    customer: customer
    time: day
    event_id: id
    measures: {revenue: {column: amount, currency: EUR}}
    dimensions: {country: land}
  crm:
    kind: attributes
    path: crm.csv
    types: {customer: int64, since: date, born: date, agreed: bool}
    customer: customer
    time: {column: since, zone: UTC}
    attributes:
      status: status
      agreed: {column: agreed, type: bool}
      born: {column: born, type: date}
clv: {source: sales, value: revenue}
deciles:
  - {measure: revenue, by: country, lookbacks: [lifetime]}
";

fn project() -> Project {
    let mut project = parse(PROJECT).unwrap();
    project.audiences.push(Audience {
        name: "others".to_owned(),
        consent: Some("agreed".to_owned()),
        ..Audience::of_rule(Rule::Any(vec![
            column("status", None, Test::Is(Comparison::Eq, text("gold"))),
            column("p_alive", None, Test::Is(Comparison::Lt, number("0.5"))),
        ]))
    });
    project
}

async fn chosen(session: &Session, sql: &str) -> BTreeSet<i64> {
    let answer = session
        .compiled(sql)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let batches = answer
        .collect()
        .await
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let keys = batches.iter().flat_map(|batch| {
        let keys = batch.column(0).as_primitive::<Int64Type>();
        keys.values().to_vec()
    });
    let keys: Vec<i64> = keys.collect();
    let set: BTreeSet<i64> = keys.iter().copied().collect();
    assert_eq!(set.len(), keys.len(), "a customer is there twice\n{sql}");
    set
}

async fn open(people: &[Who]) -> Session {
    let store = Store::in_memory();
    let tables = tables(&store, people).await;
    let contents = Contents {
        tables: &tables,
        declared: &[],
        as_of: Some(AS_OF),
        events: &crate::NO_EVENTS,
        arrived: None,
    };
    Session::open_contents(&store, contents, OPTIONS)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_means_what_the_tree_says_and_text_gives_the_tree() {
    let project = project();
    let others = &project.audiences[0];
    let (mut some, mut draw) = (0, Draw(7));
    for _ in 0..6 {
        let people = people(&mut draw);
        let session = open(&people).await;
        for _ in 0..60 {
            let rule = rule(&mut draw, 2);
            let again = read_rule(&project, &rule.to_string(), &Lists::new());
            assert_eq!(
                again.unwrap_or_else(|error| panic!("{rule}: {error}")),
                rule
            );
            let expected: BTreeSet<i64> = people
                .iter()
                .filter(|who| holds(who, &rule, others) == Some(true))
                .map(|who| who.key)
                .collect();
            let sql = compile_rule(&project, &rule).select(&[]);
            assert_eq!(chosen(&session, &sql).await, expected, "{rule}\n{sql}");
            some += usize::from(!expected.is_empty() && expected.len() < people.len());
        }
    }
    assert!(some > 150, "only {some} rules tell customers apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_is_neither_true_nor_false() {
    let project = project();
    let who = |key: i64, status: Option<&'static str>, alive: Option<i64>| Who {
        key,
        value: Some(Value {
            alive,
            ..Value::default()
        }),
        attributes: Some((status, Some(true), None)),
        ..Who::default()
    };
    // By key: gold is true, false and unknown, and so is alive within each of these.
    let people: Vec<Who> = [Some("gold"), Some("silver"), None]
        .into_iter()
        .flat_map(|status| [Some(9), Some(1), None].map(|alive| (status, alive)))
        .enumerate()
        .map(|(key, (status, alive))| who(key as i64, status, alive))
        .collect();
    let session = open(&people).await;
    for (rule, members) in [
        ("all(status = 'gold', p_alive > 0.5)", vec![0]),
        ("any(status = 'gold', p_alive > 0.5)", vec![0, 1, 2, 3, 6]),
        ("none(status = 'gold', p_alive > 0.5)", vec![4]),
        (
            "none(all(status = 'gold', p_alive > 0.5))",
            vec![1, 3, 4, 5, 7],
        ),
        ("status != 'gold'", vec![3, 4, 5]),
        ("status not_in ('gold')", vec![3, 4, 5]),
        (
            "any(status != 'gold', status is_null)",
            vec![3, 4, 5, 6, 7, 8],
        ),
        // Steps look at what is true alone.
        ("steps(exclude status = 'gold')", vec![3, 4, 5, 6, 7, 8]),
        (
            "steps(include p_alive > 0.5, exclude status = 'gold', include p_alive is_null)",
            vec![2, 3, 5, 6, 8],
        ),
        // The order decides.
        (
            "steps(include p_alive > 0.5, include p_alive is_null, exclude status = 'gold')",
            vec![3, 5, 6, 8],
        ),
    ] {
        let rule = read_rule(&project, rule, &Lists::new()).unwrap();
        let sql = compile_rule(&project, &rule).select(&[]);
        let members: BTreeSet<i64> = members.into_iter().collect();
        assert_eq!(chosen(&session, &sql).await, members, "{rule}");
    }
}

/// As long and as deep as rules may be.
#[test]
fn long_and_deep_rules_are_computed() {
    let long = |word: &str, count: usize| {
        let one = |place: usize| match (word, place % 2) {
            ("steps", 0) => format!("include decile_clv_12m = {place}"),
            ("steps", _) => format!("exclude decile_clv_12m = {place}"),
            _ => format!("decile_clv_12m = {place}"),
        };
        let rules: Vec<String> = (1..=count).map(one).collect();
        format!("{word}({})", rules.join(", "))
    };
    let deep = |depth: usize, inner: &str| {
        let (open, close) = ("none(all(".repeat(depth), "))".repeat(depth));
        format!("{open}{inner}{close}")
    };
    // As a statement of a user table is planned and computed.
    let thread = std::thread::Builder::new().stack_size(crate::STACK);
    let computing = thread.spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut project = project();
            let people = people(&mut Draw(9));
            let session = open(&people).await;
            for text in [
                long("any", 400),
                long("steps", 400),
                deep(11, "p_alive < 0.5"),
            ] {
                let rule = read_rule(&project, &text, &Lists::new()).unwrap();
                let others = project.audiences[0].clone();
                let expected = people
                    .iter()
                    .filter(|who| holds(who, &rule, &others) == Some(true))
                    .map(|who| who.key);
                let expected: BTreeSet<i64> = expected.collect();
                let sql = compile_rule(&project, &rule).select(&[]);
                assert_eq!(chosen(&session, &sql).await, expected, "{text}");
            }
            // Each names the one before, within its own rules.
            for place in 0..15 {
                let before = project.audiences.last().unwrap().name.clone();
                let text = deep(10, &format!("audience {before}"));
                let rule = read_rule(&project, &text, &Lists::new()).unwrap();
                project.audiences.push(Audience {
                    name: format!("a{place}"),
                    ..Audience::of_rule(rule)
                });
            }
            let last = project.audiences.last().unwrap();
            let sql = compile(&project, last).select(&[]);
            chosen(&session, &sql).await;
            let more = deep(11, "audience a14");
            let refused = read_rule(&project, &long("any", 500), &Lists::new()).unwrap_err();
            assert!(refused.message.contains("may come to 500"), "{refused}");
            assert!(read_rule(&project, &more, &Lists::new()).is_ok());
            let refused = read_rule(&project, &deep(13, "p_alive < 0.5"), &Lists::new());
            assert!(refused.unwrap_err().message.contains("24 deep"));
        });
    });
    computing.unwrap().join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_those_with_consent_who_are_not_suppressed() {
    let mut project = project();
    let mut lists = Lists::new();
    lists.insert("lists/gone.txt".to_owned(), "3\n\n 5 \n999\n".to_owned());
    let file = "rule: {column: customer, op: exists}\nconsent: {attribute: agreed}\n\
                suppress: [{list: lists/gone.txt}, {audience: others}]\n";
    let others = "rule: {column: status, op: \"=\", value: gold}\n";
    project.audiences.clear();
    let files = [
        ("audiences/all.yaml", file),
        ("audiences/others.yaml", others),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let findings = tenfold_core::audience::declare(&mut project, &files, &lists);
    assert_eq!(findings, []);
    // No key of a list is kept.
    assert!(!project.canonical_json().contains("999"));
    let people = people(&mut Draw(3));
    let session = open(&people).await;
    let expected = people.iter().filter(|who| {
        let (status, agreed) = who.attributes.map_or((None, None), |of| (of.0, of.1));
        agreed == Some(true) && status != Some("gold") && ![3, 5].contains(&who.key)
    });
    let expected: BTreeSet<i64> = expected.map(|who| who.key).collect();
    let all = project
        .audiences
        .iter()
        .find(|one| one.name == "all")
        .unwrap();
    let sql = compile(&project, all).select(&[]);
    assert_eq!(chosen(&session, &sql).await, expected);
    assert!(expected.len() > 3);
}
