//! Entries as keys and values: cut into pieces that sled keeps in its own file, each with its
//! checksum.

/// Version of the form of a value.
const FORMAT: u8 = 1;
/// Longest piece. sled puts values from about 128 KiB into files of their own, which it does not
/// sync; pieces stay far below.
const PIECE_MAX: usize = 12 << 10;
/// Version, whether the entry ends here, and the checksum behind the piece.
const AROUND: usize = 2 + 4;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The pieces of an entry.
pub fn cut(seq: u64, entry: &[u8]) -> Vec<Pair> {
    let pieces = entry.len().div_ceil(PIECE_MAX).max(1);
    (0..pieces)
        .map(|place| {
            let from = place * PIECE_MAX;
            let to = entry.len().min(from + PIECE_MAX);
            let last = place + 1 == pieces;
            (key(seq, place), value(&entry[from..to], last))
        })
        .collect()
}

/// Keys sort as the entries do, and the pieces of each in their order.
fn key(seq: u64, place: usize) -> Vec<u8> {
    let mut key = seq.to_be_bytes().to_vec();
    key.extend((place as u64).to_be_bytes());
    key
}

fn value(piece: &[u8], last: bool) -> Vec<u8> {
    let mut value = Vec::with_capacity(piece.len() + AROUND);
    value.extend([FORMAT, u8::from(last)]);
    value.extend(piece);
    let sum = crc32fast::hash(&value);
    value.extend(sum.to_be_bytes());
    value
}

/// Puts the entries 1, 2, … together again, up to the first that is missing or damaged.
#[derive(Default)]
pub struct Joined {
    entries: Vec<Vec<u8>>,
    /// Pieces of the entry after the last.
    begun: Vec<u8>,
    places: usize,
}

impl Joined {
    /// Takes the next pair; false when it is not the one that follows.
    pub fn take(&mut self, found: &[u8], value: &[u8]) -> bool {
        let seq = self.entries.len() as u64 + 1;
        if found != key(seq, self.places) {
            return false;
        }
        let Some((piece, last)) = read(value) else {
            return false;
        };
        self.begun.extend(piece);
        self.places += 1;
        if last {
            self.entries.push(std::mem::take(&mut self.begun));
            self.places = 0;
        }
        true
    }

    /// The entries.
    pub fn entries(self) -> Vec<Vec<u8>> {
        self.entries
    }
}

/// The piece in a value, and whether the entry ends with it; nothing when it is damaged or of
/// another version.
fn read(value: &[u8]) -> Option<(&[u8], bool)> {
    let (content, sum) = value.split_last_chunk::<4>()?;
    match content {
        [FORMAT, last, piece @ ..] if crc32fast::hash(content).to_be_bytes() == *sum => {
            Some((piece, *last == 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pairs: &[Pair]) -> Vec<Vec<u8>> {
        let mut joined = Joined::default();
        for (key, value) in pairs {
            if !joined.take(key, value) {
                break;
            }
        }
        joined.entries()
    }

    #[test]
    fn entries_of_any_length_come_back() {
        let lengths = [0, 1, PIECE_MAX - 1, PIECE_MAX, PIECE_MAX + 1, 5 * PIECE_MAX];
        let entries: Vec<Vec<u8>> = lengths.iter().map(|n| vec![7; *n]).collect();
        let cut = |(place, entry): (usize, &Vec<u8>)| cut(place as u64 + 1, entry);
        let pairs: Vec<Pair> = entries.iter().enumerate().flat_map(cut).collect();
        assert_eq!(joined(&pairs), entries);
        assert!(pairs.iter().all(|(_, value)| value.len() < 16 << 10));
    }

    #[test]
    fn whatever_bit_is_flipped_the_entry_ends_what_is_taken() {
        let pairs = [cut(1, b"one"), cut(2, b"two"), cut(3, b"three")].concat();
        for bit in 0..pairs[1].1.len() * 8 {
            let mut damaged = pairs.clone();
            damaged[1].1[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(joined(&damaged), [b"one"]);
        }
    }

    #[test]
    fn an_entry_that_lacks_a_piece_ends_what_is_taken() {
        let mut pairs = [cut(1, b"one"), cut(2, &[1; 3 * PIECE_MAX])].concat();
        pairs.remove(2);
        assert_eq!(joined(&pairs), [b"one"]);
    }
}
