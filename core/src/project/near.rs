//! "Did you mean": the word of a list that a misspelt one is nearest to.

/// The candidate nearest to `word` by edit distance, regardless of case, when it is near enough to
/// be a slip: at most a third of its letters. Among equals the first one.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Long input cannot be a slip of a name, and the distance is quadratic.
    if word.len() > 128 {
        return None;
    }
    let near = |candidate: &'a str| {
        let distance = edit_distance(&word, &candidate.to_lowercase());
        let limit = (candidate.chars().count() / 3).max(1);
        (distance <= limit).then_some((distance, candidate))
    };
    let best = candidates
        .into_iter()
        .filter_map(near)
        .min_by_key(|(distance, _)| *distance)?;
    Some(best.1)
}

/// A remedy that names the nearest candidate, or else all of them.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => match listed(candidates) {
            list if list.is_empty() => "there is none to choose from yet".to_owned(),
            list => format!("use one of {list}"),
        },
    }
}

/// Names in backticks, separated by commas.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the
/// other (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "ab", 2),
            ("week", "wek", 1),
            ("tiem", "time", 1),
            ("day", "month", 5),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let units = ["day", "week", "month"];
        assert_eq!(nearest("Wek", units), Some("week"));
        assert_eq!(nearest("fortnight", units), None);
        assert_eq!(
            did_you_mean("fortnight", units),
            "use one of `day`, `week`, `month`"
        );
        assert_eq!(did_you_mean("x", []), "there is none to choose from yet");
    }
}
