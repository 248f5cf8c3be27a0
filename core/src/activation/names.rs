//! Names of files, as they are made of a template: whether those of two deliveries may be the same.

use std::collections::BTreeSet;

use super::delivery::DeliverySpec;

/// Stands for one digit or more; no template has it.
const NUMBER: char = '#';

/// Whether two deliveries may make files of one name, whatever their numbers and times are.
pub(super) fn may_meet(template: &str, one: &DeliverySpec, other: &DeliverySpec) -> bool {
    let (ones, others) = (names(template, one), names(template, other));
    ones.iter()
        .any(|one| others.iter().any(|other| meet(one, other)))
}

/// What files of a delivery are called without their ending: the first one, and those that follow it.
fn names(template: &str, spec: &DeliverySpec) -> [Vec<char>; 2] {
    let mut first = template
        .replace("{delivery}", &spec.delivery)
        .replace("{audience}", spec.from.name());
    for word in ["{number}", "{snapshot}", "{date}", "{time}"] {
        first = first.replace(word, &NUMBER.to_string());
    }
    let later = format!("{first}_{NUMBER}");
    [first, later].map(|name| name.chars().collect())
}

/// Whether one text fits both names. Places in both that a common beginning leads to are gone on from, each
/// once.
fn meet(one: &[char], other: &[char]) -> bool {
    let mut reached = BTreeSet::new();
    let mut open: Vec<(usize, usize)> = vec![(0, 0)];
    while let Some((left, right)) = open.pop() {
        if !reached.insert((left, right)) {
            continue;
        }
        let steps: &[(usize, usize)] = match (one.get(left).copied(), other.get(right).copied()) {
            (None, None) => return true,
            (Some(NUMBER), Some(NUMBER)) => &[(1, 0), (0, 1), (1, 1)],
            (Some(NUMBER), Some(digit)) if digit.is_ascii_digit() => &[(0, 1), (1, 1)],
            (Some(digit), Some(NUMBER)) if digit.is_ascii_digit() => &[(1, 0), (1, 1)],
            (Some(one), Some(other)) if one == other => &[(1, 1)],
            _ => &[],
        };
        open.extend(steps.iter().map(|(a, b)| (left + a, right + b)));
    }
    false
}
