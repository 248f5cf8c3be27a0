//! What a rule means, customer by customer. None is NULL.

use std::collections::BTreeSet;

use tenfold_core::audience::{
    Aggregate, Audience, ColumnRule, Comparison, Rule, Scalar, SequenceStep, Step, Test, Window,
};
use tenfold_core::calendar::Day;

use super::AS_OF;
use super::people::Who;

/// A value of a customer; numbers in ten-thousandths.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Datum {
    Number(i64),
    Text(String),
    Bool(bool),
    Day(i32),
}

fn of_scalar(scalar: &Scalar, like: &Datum) -> Datum {
    match (scalar, like) {
        (Scalar::Bool(value), _) => Datum::Bool(*value),
        (Scalar::Text(text), Datum::Day(_)) => Datum::Day(text.parse::<Day>().unwrap().0),
        (Scalar::Text(text), _) => Datum::Text(text.clone()),
        (Scalar::Number(number), _) => {
            Datum::Number(number.shifted(4).to_string().parse().unwrap())
        }
    }
}

fn test(value: Option<&Datum>, test: &Test) -> Option<bool> {
    match test {
        Test::IsNull => return Some(value.is_none()),
        Test::Exists => return Some(value.is_some()),
        _ => {}
    }
    let value = value?;
    let is = |scalar: &Scalar| *value == of_scalar(scalar, value);
    Some(match (test, value) {
        (Test::Is(comparison, scalar), _) => {
            let other = of_scalar(scalar, value);
            match comparison {
                Comparison::Eq => *value == other,
                Comparison::Ne => *value != other,
                Comparison::Lt => *value < other,
                Comparison::Le => *value <= other,
                Comparison::Gt => *value > other,
                Comparison::Ge => *value >= other,
            }
        }
        (Test::Between(low, high), _) => {
            *value >= of_scalar(low, value) && *value <= of_scalar(high, value)
        }
        (Test::In(values), _) => values.iter().any(is),
        (Test::NotIn(values), _) => !values.iter().any(is),
        (Test::Contains(part), Datum::Text(text)) => text.contains(part),
        (Test::StartsWith(part), Datum::Text(text)) => text.starts_with(part),
        (Test::EndsWith(part), Datum::Text(text)) => text.ends_with(part),
        (Test::Within(window), Datum::Day(day)) => lies_in(*day, *window),
        other => panic!("{other:?}"),
    })
}

fn lies_in(day: i32, window: Window) -> bool {
    let last = match window {
        Window::Between(_, last) => last.0,
        _ => i32::MAX,
    };
    let first = window.first(AS_OF).map_or(i32::MIN, |first| first.0);
    (first..=last).contains(&day) && day < AS_OF.0
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn not(a: Option<bool>) -> Option<bool> {
    a.map(|a| !a)
}

fn either(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    not(both(not(a), not(b)))
}

fn datum(who: &Who, rule: &ColumnRule) -> Option<Datum> {
    let number = |number: i64| Datum::Number(number);
    let value = who.value.as_ref();
    let attributes = who.attributes.as_ref();
    match rule.column.as_str() {
        "p_alive" => value?.alive.map(|tenths| number(tenths * 1_000)),
        "revenue_lifetime" => value?.cents.map(|cents| number(cents * 100)),
        "decile_clv_12m" => value?
            .decile
            .map(|decile| number(i64::from(decile) * 10_000)),
        "last_purchase" => value?.last.map(Datum::Day),
        "decile_revenue_by_country_lifetime" => {
            let tile = value?.tiles.get(rule.key.as_deref()?)?;
            Some(number(i64::from(*tile) * 10_000))
        }
        "status" => attributes?.0.map(|status| Datum::Text(status.to_owned())),
        "agreed" => attributes?.1.map(Datum::Bool),
        "born" => attributes?.2.map(Datum::Day),
        other => panic!("{other}"),
    }
}

/// Whether a row that has one text passes a filter.
fn picked(value: Option<&str>, filter: Option<&Rule>) -> Option<bool> {
    let text = value.map(|value| Datum::Text(value.to_owned()));
    match filter {
        None => Some(true),
        Some(Rule::Column(rule)) => test(text.as_ref(), &rule.test),
        Some(Rule::None(rules)) => not(rules
            .iter()
            .map(|rule| picked(value, Some(rule)))
            .fold(Some(false), either)),
        Some(other) => panic!("{other:?}"),
    }
}

/// What numbers add up to, in ten-thousandths, as a fraction.
fn added_up(aggregate: &Aggregate, numbers: &[Option<i64>]) -> Option<(i64, i64)> {
    let there: Vec<i64> = numbers.iter().flatten().copied().collect();
    match aggregate {
        Aggregate::Count => Some((numbers.len() as i64 * 10_000, 1)),
        Aggregate::Sum(_) => Some((there.iter().sum(), 1)),
        Aggregate::Min(_) => there.iter().min().map(|least| (*least, 1)),
        Aggregate::Max(_) => there.iter().max().map(|most| (*most, 1)),
        Aggregate::Avg(_) => (!there.is_empty()).then(|| (there.iter().sum(), there.len() as i64)),
    }
}

/// The test of a fraction: both sides times the denominator.
fn test_of(number: Option<(i64, i64)>, asked: &Test) -> Option<bool> {
    let (number, by) = number?;
    let times = |scalar: &Scalar| match of_scalar(scalar, &Datum::Number(0)) {
        Datum::Number(number) => number * by,
        other => panic!("{other:?}"),
    };
    Some(match asked {
        Test::Is(comparison, scalar) => match comparison {
            Comparison::Eq => number == times(scalar),
            Comparison::Ne => number != times(scalar),
            Comparison::Lt => number < times(scalar),
            Comparison::Le => number <= times(scalar),
            Comparison::Gt => number > times(scalar),
            Comparison::Ge => number >= times(scalar),
        },
        Test::Between(low, high) => number >= times(low) && number <= times(high),
        other => panic!("{other:?}"),
    })
}

pub(super) fn holds(who: &Who, rule: &Rule, others: &Audience) -> Option<bool> {
    let each = |rules: &[Rule]| -> Vec<Option<bool>> {
        rules.iter().map(|rule| holds(who, rule, others)).collect()
    };
    match rule {
        Rule::All(rules) => each(rules).into_iter().fold(Some(true), both),
        Rule::Any(rules) => each(rules).into_iter().fold(Some(false), either),
        Rule::None(rules) => not(each(rules).into_iter().fold(Some(false), either)),
        Rule::Steps(steps) => {
            let begin = matches!(steps[0], Step::Exclude(_));
            Some(steps.iter().fold(begin, |inside, step| {
                let holds = holds(who, step.rule(), others) == Some(true);
                match step {
                    Step::Include(_) => inside || holds,
                    Step::Exclude(_) => inside && !holds,
                }
            }))
        }
        Rule::Column(rule) => test(datum(who, rule).as_ref(), &rule.test),
        Rule::Audience(_) => Some(is_member(who, others)),
        Rule::Events(rule) => {
            let events = who.events.iter().filter(|(day, _, country)| {
                lies_in(*day, rule.window) && picked(*country, rule.filter.as_deref()) == Some(true)
            });
            let cents: Vec<Option<i64>> = events
                .map(|(_, cents, _)| cents.map(|cents| cents * 100))
                .collect();
            test_of(added_up(&rule.aggregate, &cents), &rule.test)
        }
        Rule::Relation(rule) => {
            let rows = who.loyalty.iter();
            let rows = rows.filter(|(_, kind)| picked(*kind, rule.filter.as_deref()) == Some(true));
            let points: Vec<Option<i64>> = rows
                .map(|(points, _)| points.map(|points| points * 10_000))
                .collect();
            test_of(added_up(&rule.aggregate, &points), &rule.test)
        }
        Rule::Sequence(rule) => {
            let days = |step: &SequenceStep| -> BTreeSet<i32> {
                let events = who.events.iter().filter(|(day, _, country)| {
                    lies_in(*day, rule.window)
                        && picked(*country, step.filter.as_deref()) == Some(true)
                });
                events.map(|(day, ..)| *day).collect()
            };
            let mut reached = days(&rule.steps[0]);
            for step in &rule.steps[1..] {
                let follows = |day: &i32| {
                    reached.iter().any(|before| {
                        let between = i64::from(*day) - i64::from(*before);
                        between >= i64::from(step.after_days)
                            && step
                                .within_days
                                .is_none_or(|most| between <= i64::from(most))
                    })
                };
                reached = days(step).into_iter().filter(follows).collect();
            }
            Some(!reached.is_empty())
        }
        Rule::Moved(rule) => {
            let tile = |tile: Option<i32>| tile.map(|tile| Datum::Number(i64::from(tile) * 10_000));
            let value = who.value.as_ref();
            let before = tile(value.and_then(|value| value.before));
            let now = tile(value.and_then(|value| value.decile));
            let differs = before.as_ref().zip(now.as_ref()).map(|(a, b)| a != b);
            let ends = both(
                test(before.as_ref(), &rule.from),
                test(now.as_ref(), &rule.to),
            );
            both(ends, differs)
        }
    }
}

/// The other audience: its rule, with consent.
fn is_member(who: &Who, others: &Audience) -> bool {
    let agreed = who.attributes.as_ref().and_then(|of| of.1) == Some(true);
    holds(who, &others.rule, others) == Some(true) && agreed
}
