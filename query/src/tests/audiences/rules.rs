//! Rules made by chance.

use tenfold_core::audience::{
    Aggregate, ColumnRule, Comparison, Decimal, EventsRule, MovedRule, RelationRule, Rule, Scalar,
    SequenceRule, SequenceStep, Step, Test, Window,
};
use tenfold_core::calendar::Day;

use super::AS_OF;
use super::draw::Draw;
use super::people::COUNTRIES;

pub(super) fn number(text: &str) -> Scalar {
    Scalar::Number(text.parse::<Decimal>().unwrap())
}

pub(super) fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn compared(draw: &mut Draw, values: &[&str]) -> Test {
    match draw.below(6) {
        0 => Test::Between(number(draw.one(values)), number(draw.one(values))),
        1 => Test::In(vec![number(draw.one(values)), number(draw.one(values))]),
        2 => Test::NotIn(vec![number(draw.one(values)), number(draw.one(values))]),
        3 if draw.below(2) == 0 => Test::IsNull,
        3 => Test::Exists,
        _ => Test::Is(draw.one(&Comparison::ALL), number(draw.one(values))),
    }
}

fn a_count(draw: &mut Draw, values: &[&str]) -> Test {
    match draw.below(4) {
        0 => Test::Between(number(draw.one(values)), number(draw.one(values))),
        _ => Test::Is(draw.one(&Comparison::ALL), number(draw.one(values))),
    }
}

fn of_text(draw: &mut Draw, values: &[&str]) -> Test {
    let value = draw.one(values);
    match draw.below(8) {
        0 => Test::In(vec![text(value), text(draw.one(values))]),
        1 => Test::NotIn(vec![text(value)]),
        2 => Test::Contains("o".to_owned()),
        3 => Test::StartsWith("o'".to_owned()),
        4 => Test::EndsWith("ld".to_owned()),
        5 => Test::IsNull,
        _ => Test::Is(
            draw.one(&[Comparison::Eq, Comparison::Ne, Comparison::Lt]),
            text(value),
        ),
    }
}

fn window(draw: &mut Draw) -> Window {
    match draw.below(4) {
        0 => Window::Ever,
        1 => Window::LastDays(draw.one(&[1, 3, 31, 401])),
        2 => Window::LastMonths(draw.one(&[1, 4])),
        _ => Window::Between(Day(AS_OF.0 - 40), Day(AS_OF.0 - draw.one(&[2, 6, 30]))),
    }
}

pub(super) fn column(column: &str, key: Option<&str>, test: Test) -> Rule {
    Rule::Column(ColumnRule {
        column: column.to_owned(),
        key: key.map(str::to_owned),
        test,
    })
}

fn filter(draw: &mut Draw, name: &str, values: &[&str]) -> Option<Box<Rule>> {
    (draw.below(2) == 0).then(|| {
        let one = column(name, None, of_text(draw, values));
        Box::new(match draw.below(3) {
            0 => Rule::None(vec![one]),
            _ => one,
        })
    })
}

fn rules(draw: &mut Draw, depth: u32) -> Vec<Rule> {
    (0..=draw.below(3)).map(|_| rule(draw, depth)).collect()
}

pub(super) fn rule(draw: &mut Draw, depth: u32) -> Rule {
    let deepest = depth == 0;
    match draw.below(if deepest { 11 } else { 16 }) {
        0 => column(
            "p_alive",
            None,
            compared(draw, &["0.1", "0.3", "0.5", "0.7"]),
        ),
        1 => column(
            "revenue_lifetime",
            None,
            compared(draw, &["0", "10.1", "5000.1", "-0.5"]),
        ),
        2 => column("decile_clv_12m", None, compared(draw, &["1", "2", "3"])),
        3 => {
            let test = compared(draw, &["1", "4"]);
            let key = draw.one(&["DE", "o'fr", "nowhere"]);
            column("decile_revenue_by_country_lifetime", Some(key), test)
        }
        4 => column("status", None, of_text(draw, &["gold", "silver", "it's"])),
        5 => {
            let comparison = draw.one(&[Comparison::Eq, Comparison::Ne]);
            let value = Scalar::Bool(draw.below(2) == 0);
            column("agreed", None, Test::Is(comparison, value))
        }
        6 => match draw.below(2) {
            0 => column("last_purchase", None, Test::Within(within(draw))),
            _ => column(
                "born",
                None,
                Test::Is(draw.one(&Comparison::ALL), text("1994-08-23")),
            ),
        },
        7 => {
            let aggregate = match draw.below(5) {
                0 => Aggregate::Sum("revenue".to_owned()),
                1 => Aggregate::Min("revenue".to_owned()),
                2 => Aggregate::Max("revenue".to_owned()),
                3 => Aggregate::Avg("revenue".to_owned()),
                _ => Aggregate::Count,
            };
            let values: &[&str] = match aggregate {
                Aggregate::Count => &["0", "1", "2"],
                _ => &["0", "1", "25.5", "0.005"],
            };
            Rule::Events(EventsRule {
                source: "sales".to_owned(),
                aggregate,
                filter: filter(draw, "country", &COUNTRIES),
                window: window(draw),
                test: a_count(draw, values),
            })
        }
        8 => {
            let steps = (0..2 + draw.below(2)).map(|place| {
                let after_days = if place == 0 { 0 } else { draw.one(&[0, 1, 3]) };
                SequenceStep {
                    source: "sales".to_owned(),
                    filter: filter(draw, "country", &COUNTRIES),
                    after_days,
                    within_days: (place > 0 && draw.below(2) == 0).then_some(after_days + 4),
                }
            });
            Rule::Sequence(SequenceRule {
                steps: steps.collect(),
                window: window(draw),
            })
        }
        9 => Rule::Relation(RelationRule {
            table: "loyalty".to_owned(),
            aggregate: match draw.below(2) {
                0 => Aggregate::Count,
                _ => Aggregate::Sum("points".to_owned()),
            },
            filter: filter(draw, "order", &["a", "b"]),
            test: a_count(draw, &["0", "1", "5", "6"]),
        }),
        10 => Rule::Moved(MovedRule {
            column: "decile_clv_12m".to_owned(),
            key: None,
            from: compared(draw, &["1", "2", "3"]),
            to: compared(draw, &["1", "2", "3"]),
        }),
        11 => Rule::Any(rules(draw, depth - 1)),
        12 => Rule::None(rules(draw, depth - 1)),
        13 => Rule::Steps(
            rules(draw, depth - 1)
                .into_iter()
                .map(|rule| match draw.below(2) {
                    0 => Step::Include(rule),
                    _ => Step::Exclude(rule),
                })
                .collect(),
        ),
        14 => Rule::Audience("others".to_owned()),
        _ => Rule::All(rules(draw, depth - 1)),
    }
}

fn within(draw: &mut Draw) -> Window {
    match window(draw) {
        Window::Ever => Window::LastDays(7),
        other => other,
    }
}
