//! The best matches of each text of a list in another list, without a ratio for every pair.
//!
//! Two texts whose ratio is high share many pairs of neighbouring characters. An index says which
//! texts share how many with the one that is looked up; most are passed over by that alone, and the
//! others are tried from the most promising one on until no better one can be left. Nothing is
//! missed: what is found is what trying every pair would find.

use std::collections::HashMap;

use super::ratio::{Pattern, partial_ratio_above};
use crate::functions::until::{Meter, Over};

/// A text of the left list, one of the right list, and how alike they are.
pub(super) type Match = (usize, usize, f64);

/// Two neighbouring characters, and how many such stand before them in the text.
type Pair = (char, char, u32);

/// For each text of `left`, those of `right` with a ratio of at least `least`, no more than `most`
/// of them, the best first; of equal ones that which stands first in its list.
pub(super) fn best_matches(
    left: &[String],
    right: &[String],
    least: f64,
    most: usize,
    meter: &mut Meter,
) -> Result<Vec<Match>, Over> {
    let mut index = Index::of(right);
    let mut matches = Vec::new();
    for (place, text) in left.iter().enumerate() {
        let found = index.look_up(&text.chars().collect::<Vec<_>>(), least, most, meter)?;
        matches.extend(
            found
                .into_iter()
                .map(|(other, ratio)| (place, other, ratio)),
        );
    }
    Ok(matches)
}

fn pairs(text: &[char]) -> Vec<Pair> {
    let mut before: HashMap<(char, char), u32> = HashMap::new();
    let pair = |window: &[char]| {
        let count = before.entry((window[0], window[1])).or_default();
        *count += 1;
        (window[0], window[1], *count - 1)
    };
    text.windows(2).map(pair).collect()
}

/// Texts by their pairs.
struct Index {
    /// The shortest first, with their places in the list.
    texts: Vec<(usize, Vec<char>)>,
    holders: HashMap<Pair, Vec<u32>>,
    /// How many pairs each text shares with the one that is looked up.
    shared: Vec<u32>,
    bounds: Bounds,
}

impl Index {
    fn of(list: &[String]) -> Self {
        let mut texts: Vec<(usize, Vec<char>)> = list
            .iter()
            .map(|text| text.chars().collect())
            .enumerate()
            .collect();
        texts.sort_by_key(|(_, text)| text.len());
        let mut holders: HashMap<Pair, Vec<u32>> = HashMap::new();
        for (at, (_, text)) in (0_u32..).zip(&texts) {
            for pair in pairs(text) {
                holders.entry(pair).or_default().push(at);
            }
        }
        Self {
            shared: vec![0; texts.len()],
            texts,
            holders,
            bounds: Bounds::default(),
        }
    }

    fn look_up(
        &mut self,
        text: &[char],
        least: f64,
        most: usize,
        meter: &mut Meter,
    ) -> Result<Vec<(usize, f64)>, Over> {
        self.count_shared(text, meter)?;
        meter.spend(self.texts.len())?;
        let hopeful = self.hopeful(text.len(), least);
        let pattern = Pattern::of(text);
        let mut found = Found::new(least, most);
        for (bound, places) in hopeful.iter().enumerate().rev() {
            // All of these are below `bound + 1`.
            if ((bound + 1) as f64) <= found.needed() {
                break;
            }
            for at in places {
                let (place, other) = &self.texts[*at];
                let needed = found.needed();
                let ratio = partial_ratio_above(&pattern, text, other, needed, meter)?;
                if let Some(ratio) = ratio {
                    found.add(*place, ratio);
                }
            }
        }
        Ok(found.best)
    }

    fn count_shared(&mut self, text: &[char], meter: &mut Meter) -> Result<(), Over> {
        self.shared.fill(0);
        for pair in pairs(text) {
            let holders = self.holders.get(&pair).map_or(&[][..], Vec::as_slice);
            meter.spend(holders.len())?;
            for at in holders {
                self.shared[*at as usize] += 1;
            }
        }
        Ok(())
    }

    /// The texts that may reach `least`, by the whole part of what they may reach.
    fn hopeful(&mut self, length: usize, least: f64) -> Vec<Vec<usize>> {
        let mut hopeful = vec![Vec::new(); 101];
        let mut from = 0;
        for run in self.texts.chunk_by(|a, b| a.1.len() == b.1.len()) {
            let shorter = run[0].1.len().min(length);
            let bounds = self.bounds.of(shorter);
            let enough = bounds.partition_point(|bound| *bound < least);
            for (at, shared) in (from..).zip(&self.shared[from..from + run.len()]) {
                let shared = *shared as usize;
                if shared >= enough {
                    let bound = bounds[shared.min(bounds.len() - 1)];
                    hopeful[(bound as usize).min(100)].push(at);
                }
            }
            from += run.len();
        }
        hopeful
    }
}

/// The best ratio that is possible, by the length of the shorter text and the pairs that are shared.
#[derive(Default)]
struct Bounds(HashMap<usize, Vec<f64>>);

impl Bounds {
    fn of(&mut self, shorter: usize) -> &[f64] {
        self.0.entry(shorter).or_insert_with(|| {
            (0..shorter.max(1))
                .map(|shared| bound(shorter, shared))
                .collect()
        })
    }
}

/// Let `l` characters of a text of `m` be in common, in their order, with a stretch of `w`. Of the
/// `l - 1` neighbours among them, each of the `m - l` and `w - l` others parts at most two; the rest are
/// shared pairs. So `l <= (shared + 1 + m + w) / 3`, and never more than `w`.
fn bound(shorter: usize, shared: usize) -> f64 {
    let ratio = |stretch: usize| {
        let common = stretch.min((shared + 1 + shorter + stretch) / 3);
        (200 * common) as f64 / (shorter + stretch) as f64
    };
    // Two empty texts are alike.
    (1..=shorter).map(ratio).reduce(f64::max).unwrap_or(100.0)
}

/// The best so far.
struct Found {
    least: f64,
    most: usize,
    best: Vec<(usize, f64)>,
}

impl Found {
    fn new(least: f64, most: usize) -> Self {
        Self {
            least,
            most,
            best: Vec::new(),
        }
    }

    /// The ratio that another one must reach.
    fn needed(&self) -> f64 {
        match self.best.get(self.most - 1) {
            Some((_, ratio)) => *ratio,
            None => self.least,
        }
    }

    fn add(&mut self, place: usize, ratio: f64) {
        let before = |(other, its): &(usize, f64)| *its > ratio || *its == ratio && *other < place;
        let at = self.best.partition_point(before);
        self.best.insert(at, (place, ratio));
        self.best.truncate(self.most);
    }
}
