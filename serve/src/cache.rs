//! Answers that are kept: the same query over the same snapshot has the same answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::encode::Format;

/// An answer is kept for so long at most: those who were erased meanwhile are in no answer after
/// that, even where nobody asks again.
const KEPT: Duration = Duration::from_secs(3600);
/// The part of the memory that one answer may have.
const PART: usize = 8;

/// What an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Identity of the snapshot's tables.
    pub snapshot: String,
    /// The query with its parameters, in its normal form.
    pub text: String,
    /// The form of the answer.
    pub format: Format,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The part of its body that is the same each time.
    pub body: Bytes,
    /// Its rows.
    pub rows: u64,
}

/// Answers, those that were not asked for longest leaving first.
pub struct Cache {
    bytes: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    entries: HashMap<Key, Entry>,
    /// Keys by when they were last asked for.
    order: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

struct Entry {
    kept: Kept,
    since: Instant,
    used: u64,
}

impl Cache {
    /// Keeps so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes,
            known: Mutex::default(),
        }
    }

    /// Bytes of the longest answer that is kept.
    pub fn longest(&self) -> usize {
        self.bytes / PART
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a query.
    pub fn get(&self, key: &Key) -> Option<Kept> {
        let mut known = self.known();
        known.uses += 1;
        let now = known.uses;
        let entry = known.entries.get_mut(key);
        let entry = entry.filter(|entry| !entry.is_over())?;
        let before = std::mem::replace(&mut entry.used, now);
        let kept = entry.kept.clone();
        known.order.remove(&before);
        known.order.insert(now, key.clone());
        Some(kept)
    }

    /// Keeps an answer, unless it is too long.
    pub fn put(&self, key: Key, kept: Kept) {
        let bytes = size(&key, &kept);
        if bytes > self.longest() {
            return;
        }
        let mut known = self.known();
        known.remove(&key);
        while known.bytes + bytes > self.bytes {
            let Some((_, oldest)) = known.order.pop_first() else {
                break;
            };
            known.remove(&oldest);
        }
        known.uses += 1;
        let used = known.uses;
        known.bytes += bytes;
        known.order.insert(used, key.clone());
        let since = Instant::now();
        known.entries.insert(key, Entry { kept, since, used });
    }

    /// Lets go of answers whose time is over.
    pub fn tidy(&self) {
        self.known().forget(|_, entry| entry.is_over());
    }

    /// Lets go of the answers over a snapshot.
    pub fn forget(&self, snapshot: &str) {
        self.known().forget(|key, _| key.snapshot == snapshot);
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        self.since.elapsed() > KEPT
    }
}

impl Known {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= size(key, &entry.kept);
        }
    }

    fn forget(&mut self, over: impl Fn(&Key, &Entry) -> bool) {
        let gone = self.entries.iter().filter(|(key, entry)| over(key, entry));
        let gone: Vec<Key> = gone.map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.remove(key);
        }
    }
}

/// The key is there twice.
fn size(key: &Key, kept: &Kept) -> usize {
    2 * (key.text.len() + key.snapshot.len()) + kept.body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key {
            snapshot: "s".to_owned(),
            text: text.to_owned(),
            format: Format::Json,
        }
    }

    fn kept(bytes: usize) -> Kept {
        Kept {
            body: Bytes::from(vec![0; bytes]),
            rows: 1,
        }
    }

    #[test]
    fn what_was_not_asked_for_longest_leaves_first() {
        // Each answer is 100 bytes with its key.
        let cache = Cache::new(800);
        for text in 0..8 {
            cache.put(key(&text.to_string()), kept(96));
        }
        assert!(cache.get(&key("0")).is_some());
        cache.put(key("8"), kept(96));
        assert_eq!(cache.get(&key("1")), None);
        for text in ["0", "2", "7", "8"] {
            assert!(cache.get(&key(text)).is_some(), "{text}");
        }
        assert_eq!(cache.known().bytes, 800);
        // One that is put again counts once.
        cache.put(key("8"), kept(90));
        assert_eq!(cache.known().bytes, 794);
        assert_eq!(cache.known().order.len(), 8);
    }

    #[test]
    fn an_answer_that_would_drive_out_the_others_is_not_kept() {
        let cache = Cache::new(800);
        cache.put(key("a"), kept(97));
        assert_eq!(cache.get(&key("a")), None);
        assert_eq!(cache.known().bytes, 0);
    }

    #[test]
    fn answers_over_a_snapshot_go_together() {
        let cache = Cache::new(8000);
        cache.put(key("a"), kept(1));
        let other = Key {
            snapshot: "t".to_owned(),
            ..key("a")
        };
        cache.put(other.clone(), kept(1));
        cache.forget("s");
        assert_eq!(cache.get(&key("a")), None);
        assert!(cache.get(&other).is_some());
    }
}
