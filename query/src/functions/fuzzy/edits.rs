//! How many characters have to be put in, taken out or replaced to make one text of another.

use crate::functions::until::{Meter, Over};

/// The distance of two texts, row by row of its table.
pub(super) fn edits(a: &[char], b: &[char], meter: &mut Meter) -> Result<usize, Over> {
    let (shorter, longer) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let mut row: Vec<usize> = (0..=shorter.len()).collect();
    for (at, letter) in longer.iter().enumerate() {
        meter.spend(shorter.len())?;
        let mut corner = row[0];
        row[0] = at + 1;
        for (place, other) in shorter.iter().enumerate() {
            let replaced = corner + usize::from(letter != other);
            corner = row[place + 1];
            row[place + 1] = replaced.min(corner + 1).min(row[place] + 1);
        }
    }
    Ok(row[shorter.len()])
}
