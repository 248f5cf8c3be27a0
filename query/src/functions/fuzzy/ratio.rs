//! How alike two texts are when the shorter one may lie anywhere in the longer one.
//!
//! Of a text of `m` and one of `w` characters with a longest common subsequence of `l`, the ratio is
//! 200 l / (m + w). Subsequences by Hyyrö, "Bit-parallel LCS-length computation revisited" (2004).

use std::collections::HashMap;

use crate::functions::until::{Meter, Over};

const ASCII: usize = 128;
const WORD: usize = u64::BITS as usize;

/// Where each character of a text stands, as bits.
pub(super) struct Pattern {
    length: usize,
    words: usize,
    /// The words of each ASCII character, one character after the other.
    ascii: Vec<u64>,
    others: HashMap<char, Vec<u64>>,
}

impl Pattern {
    pub(super) fn of(text: &[char]) -> Self {
        let words = text.len().div_ceil(WORD).max(1);
        let mut ascii = vec![0; ASCII * words];
        let mut others: HashMap<char, Vec<u64>> = HashMap::new();
        for (place, letter) in text.iter().enumerate() {
            let bits = match ascii_of(*letter) {
                Some(letter) => &mut ascii[letter * words..],
                None => others.entry(*letter).or_insert_with(|| vec![0; words]),
            };
            bits[place / WORD] |= 1 << (place % WORD);
        }
        Self {
            length: text.len(),
            words,
            ascii,
            others,
        }
    }

    /// Where a character stands; nothing when it is not in the text.
    fn places(&self, letter: char) -> Option<&[u64]> {
        match ascii_of(letter) {
            Some(letter) => {
                let places = &self.ascii[letter * self.words..][..self.words];
                places.iter().any(|word| *word != 0).then_some(places)
            }
            None => self.others.get(&letter).map(Vec::as_slice),
        }
    }

    /// The length of the longest common subsequence with a text.
    pub(super) fn common(&self, text: &[char], meter: &mut Meter) -> Result<usize, Over> {
        let mut state = State::of(self);
        for letters in text.chunks(Meter::at_once(self.words)) {
            meter.spend(letters.len() * self.words)?;
            letters.iter().for_each(|letter| state.take(self, *letter));
        }
        Ok(state.common(self))
    }
}

fn ascii_of(letter: char) -> Option<usize> {
    letter.is_ascii().then_some(letter as usize)
}

/// The longest common subsequence with what was taken so far: its length is the number of zeros.
struct State(Vec<u64>);

impl State {
    fn of(pattern: &Pattern) -> Self {
        Self(vec![u64::MAX; pattern.words])
    }

    fn take(&mut self, pattern: &Pattern, letter: char) {
        let Some(places) = pattern.places(letter) else {
            return;
        };
        let mut carry = false;
        for (word, places) in self.0.iter_mut().zip(places) {
            let found = *word & places;
            let (sum, over) = word.overflowing_add(found);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            carry = over || again;
            *word = sum | (*word & !found);
        }
    }

    fn common(&self, pattern: &Pattern) -> usize {
        let (last, whole) = match self.0.split_last() {
            Some(split) => split,
            None => return 0,
        };
        let tail = pattern.length - whole.len() * WORD;
        let in_tail = (!last).count_ones() as usize;
        let beyond = match tail {
            WORD => 0,
            tail => (!last >> tail).count_ones() as usize,
        };
        let zeros: usize = whole.iter().map(|word| word.count_zeros() as usize).sum();
        zeros + in_tail - beyond
    }
}

/// 0 to 100: the best ratio of the shorter text with a stretch of the longer one that is as long, or
/// shorter where the longer one begins or ends. Of two texts of one length each is tried as the shorter
/// one. Two empty texts are alike.
pub(super) fn partial_ratio(a: &[char], b: &[char], meter: &mut Meter) -> Result<f64, Over> {
    let ratio = partial_ratio_above(&Pattern::of(a), a, b, 0.0, meter)?;
    Ok(ratio.unwrap_or(0.0))
}

/// The same, with the pattern of `a` at hand; nothing when it is below `least`.
pub(super) fn partial_ratio_above(
    pattern: &Pattern,
    a: &[char],
    b: &[char],
    least: f64,
    meter: &mut Meter,
) -> Result<Option<f64>, Over> {
    let ratio = match a.len().min(b.len()) {
        0 if a.len() == b.len() => 100.0,
        0 => 0.0,
        shorter => {
            let common = pattern.common(b, meter)?;
            // A stretch with `l` in common has at least `l` characters.
            if ratio(common, shorter, common) < least {
                return Ok(None);
            }
            match a.len().cmp(&b.len()) {
                std::cmp::Ordering::Less => best(pattern, b, least, meter)?,
                std::cmp::Ordering::Greater => best(&Pattern::of(b), a, least, meter)?,
                std::cmp::Ordering::Equal => {
                    let one = best(pattern, b, least, meter)?;
                    one.max(best(&Pattern::of(b), a, least.max(one), meter)?)
                }
            }
        }
    };
    Ok((ratio >= least).then_some(ratio))
}

fn ratio(common: usize, needle: usize, stretch: usize) -> f64 {
    (200 * common) as f64 / (needle + stretch) as f64
}

/// The best ratio over all stretches; any number below `least` when it is below that.
fn best(needle: &Pattern, text: &[char], least: f64, meter: &mut Meter) -> Result<f64, Over> {
    let mut best = beginnings(needle, &text[..needle.length], meter)?;
    for from in 1..text.len() {
        let stretch = &text[from..text.len().min(from + needle.length)];
        meter.spend(1)?;
        // At most all of it is in common.
        let most = ratio(stretch.len(), needle.length, stretch.len());
        if most < best.max(least) || is_beaten(needle, stretch) {
            continue;
        }
        let common = needle.common(stretch, meter)?;
        best = best.max(ratio(common, needle.length, stretch.len()));
    }
    Ok(best)
}

/// Whether the stretch one place before or behind is as good: a full one whose last character is
/// not in the needle, and one at the end of the text whose first is not.
fn is_beaten(needle: &Pattern, stretch: &[char]) -> bool {
    let decides = match stretch.len() == needle.length {
        true => stretch.last(),
        false => stretch.first(),
    };
    decides.is_none_or(|letter| needle.places(*letter).is_none())
}

/// The best ratio of the stretches that begin where the text begins.
fn beginnings(needle: &Pattern, text: &[char], meter: &mut Meter) -> Result<f64, Over> {
    let mut state = State::of(needle);
    let mut best = 0.0_f64;
    for (at, letter) in text.iter().enumerate() {
        meter.spend(2 * needle.words)?;
        state.take(needle, *letter);
        best = best.max(ratio(state.common(needle), needle.length, at + 1));
    }
    Ok(best)
}
