//! The ratio against rapidfuzz and by trying all stretches; matches by trying every pair.

use super::edits::edits;
use super::ratio;
use super::top::best_matches;
use crate::functions::until::{Meter, Over, Until};

fn meter() -> Meter {
    Until::default().meter()
}

fn partial_ratio(a: &[char], b: &[char]) -> f64 {
    ratio::partial_ratio(a, b, &mut meter()).unwrap()
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Numbers that are as good as random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }

    fn text(&mut self, letters: &[char], longest: usize) -> String {
        let length = self.below(longest + 1);
        (0..length)
            .map(|_| letters[self.below(letters.len())])
            .collect()
    }
}

/// The longest common subsequence by its table.
fn common(a: &[char], b: &[char]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut corner = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y {
                corner + 1
            } else {
                above.max(row[at])
            };
            corner = above;
        }
    }
    row[b.len()]
}

fn by_all_stretches(a: &[char], b: &[char]) -> f64 {
    if a.len() == b.len() {
        return over_stretches(a, b).max(over_stretches(b, a));
    }
    match a.len() < b.len() {
        true => over_stretches(a, b),
        false => over_stretches(b, a),
    }
}

fn over_stretches(needle: &[char], text: &[char]) -> f64 {
    if needle.is_empty() {
        return if text.is_empty() { 100.0 } else { 0.0 };
    }
    let mut best = 0.0_f64;
    for from in 0..text.len() {
        let until = text.len().min(from + needle.len());
        // Only what begins or ends where the text does may be shorter than the needle.
        let shortest = if from == 0 { 1 } else { until };
        for to in shortest..=until {
            let stretch = &text[from..to];
            let both = (200 * common(needle, stretch)) as f64;
            best = best.max(both / (needle.len() + stretch.len()) as f64);
        }
    }
    best
}

/// `cases.jsonl` was made with `fuzz.partial_ratio` of rapidfuzz 3.14.6 (MIT).
#[test]
fn ratios_are_those_of_rapidfuzz() {
    let mut cases = 0;
    for line in include_str!("cases.jsonl").lines() {
        let (a, b, expected): (String, String, f64) = serde_json::from_str(line).unwrap();
        let ratio = partial_ratio(&chars(&a), &chars(&b));
        assert!(
            (ratio - expected).abs() < 1e-9,
            "{a:?} {b:?}: {ratio}, not {expected}"
        );
        cases += 1;
    }
    assert!(cases > 100);
}

#[test]
fn the_ratio_is_the_best_of_all_stretches() {
    let mut dice = Dice(7);
    for letters in ["ab", "abcdé", "anemirst o"] {
        let letters = chars(letters);
        for longest in [4, 12, 70, 140] {
            for _ in 0..if longest < 20 { 300 } else { 12 } {
                let (a, b) = (dice.text(&letters, longest), dice.text(&letters, longest));
                let (a, b) = (chars(&a), chars(&b));
                assert_eq!(
                    partial_ratio(&a, &b),
                    by_all_stretches(&a, &b),
                    "{a:?} {b:?}"
                );
                assert_eq!(partial_ratio(&b, &a), partial_ratio(&a, &b), "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn matches_are_those_of_trying_every_pair() {
    let mut dice = Dice(11);
    for (letters, longest, least, most) in [
        ("abc", 6, 70.0, 3),
        ("aeinrst", 14, 70.0, 2),
        ("aeinrst", 14, 85.0, 1),
        ("abcdefghijklmnopqrstuvwxyz", 20, 50.0, 4),
        ("ab", 3, 0.0, 200),
        ("ab", 5, 100.0, 5),
    ] {
        let letters = chars(letters);
        let mut list = |count: usize| {
            let mut texts: Vec<String> = (0..count).map(|_| dice.text(&letters, longest)).collect();
            texts.sort();
            texts.dedup();
            texts
        };
        let (left, right) = (list(80), list(90));
        let mut expected = Vec::new();
        for (place, text) in left.iter().enumerate() {
            let ratio = |other: &String| by_all_stretches(&chars(text), &chars(other));
            let mut all: Vec<_> = right.iter().map(ratio).enumerate().collect();
            all.retain(|(_, ratio)| *ratio >= least);
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            expected.extend(
                all.into_iter()
                    .take(most)
                    .map(|(at, ratio)| (place, at, ratio)),
            );
        }
        assert!(!expected.is_empty());
        let found = best_matches(&left, &right, least, most, &mut meter());
        assert_eq!(found, Ok(expected));
    }
}

#[test]
fn edits_are_those_of_the_table() {
    let mut dice = Dice(5);
    let letters = chars("abcé");
    for _ in 0..300 {
        let (a, b) = (dice.text(&letters, 12), dice.text(&letters, 12));
        let expected = datafusion::common::utils::datafusion_strsim::levenshtein(&a, &b);
        let (a, b) = (chars(&a), chars(&b));
        assert_eq!(edits(&a, &b, &mut meter()), Ok(expected), "{a:?} {b:?}");
    }
}

#[tokio::test]
async fn nothing_goes_on_when_its_time_is_over() {
    let over = crate::within(Some(std::time::Duration::ZERO), async {
        Ok(Until::of_query())
    });
    let until = over.await.unwrap();
    let mut dice = Dice(3);
    let letters = chars("abcdefgh");
    let mut text = || {
        (0..200_000)
            .map(|_| letters[dice.below(8)])
            .collect::<Vec<char>>()
    };
    let (a, b) = (text(), text());
    assert_eq!(ratio::partial_ratio(&a, &b, &mut until.meter()), Err(Over));
    assert_eq!(
        ratio::partial_ratio(&a[..20], &b, &mut until.meter()),
        Err(Over)
    );
    assert_eq!(edits(&a, &b, &mut until.meter()), Err(Over));
    let list = |texts: &[char]| {
        texts
            .chunks(20)
            .map(|text| text.iter().collect())
            .collect::<Vec<String>>()
    };
    let (left, right) = (list(&a), list(&b));
    assert_eq!(
        best_matches(&left, &right, 90.0, 1, &mut until.meter()),
        Err(Over)
    );
}
