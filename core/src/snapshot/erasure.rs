//! Erasure: who must not be found any more, told without naming anybody.
//!
//! People are kept as salted hashes. So an erasure can be gone on with by whoever finds it, with
//! nothing but the store, and events of these people that are delivered again are known.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::failure::{ErrorCode, Failure};
use crate::hash::{hash_number, hash_text, sha256_hex, shard_of};
use crate::project::CustomerType;
use crate::refresh::part::PartRef;

/// Rule under which rows of erased people are counted.
pub const ERASED: &str = "erased";

/// Who is suppressed, after so many erasures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// How many erasures there were.
    pub erasures: u64,
    /// The list, a [`SuppressionList`].
    pub list: PartRef,
}

/// How many erasures something honours.
pub fn erasures(suppression: Option<&Suppression>) -> u64 {
    suppression.map_or(0, |suppression| suppression.erasures)
}

/// The hashes of all who were erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionList {
    /// Version of this record's form.
    pub format: u32,
    /// What every hash is made with, so that those of two stores cannot be compared.
    pub salt: String,
    /// The people, in the order of their erasures.
    pub people: Vec<Suppressed>,
}

/// Somebody who was erased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Suppressed {
    /// The erasure, from 1.
    pub erasure: u64,
    /// SHA-256 of the salt and the key.
    pub hash: String,
    /// First bits of the hash that shards are made by: of the key as a text.
    pub text: u16,
    /// The same of the key as a number, if it is one.
    pub number: Option<u16>,
}

impl SuppressionList {
    /// Version of the record's form that this program writes.
    pub const FORMAT: u32 = 1;

    /// Where lists lie. They are never deleted.
    pub const FOLDER: &'static str = "_erasures/lists";

    /// A list of nobody. The salt has to be random.
    pub fn new(salt: String) -> Self {
        Self {
            format: Self::FORMAT,
            salt,
            people: Vec::new(),
        }
    }

    /// The list with some more people.
    pub fn with(&self, erasure: u64, keys: &BTreeSet<String>) -> Self {
        let mut next = self.clone();
        let mut new: Vec<Suppressed> = keys.iter().map(|key| self.person(erasure, key)).collect();
        // In the order of hashes: the order of keys says something about them.
        new.sort();
        next.people.extend(new);
        next
    }

    fn person(&self, erasure: u64, key: &str) -> Suppressed {
        Suppressed {
            erasure,
            hash: salted(&self.salt, key),
            text: first_bits(hash_text(key)),
            number: key.parse().ok().map(|key| first_bits(hash_number(key))),
        }
    }
}

fn salted(salt: &str, key: &str) -> String {
    sha256_hex(format!("{salt}:{key}").as_bytes())
}

fn first_bits(hash: u64) -> u16 {
    (hash >> (u64::BITS - u16::BITS)) as u16
}

/// The key that a text stands for: whole numbers have one form.
///
/// # Errors
/// When it cannot be the key of a customer.
pub fn key_of(text: &str, customer: CustomerType) -> Result<String, Failure> {
    match customer {
        CustomerType::String if !text.is_empty() => Ok(text.to_owned()),
        CustomerType::String => Err(Failure::config("an empty text is no customer")
            .remedy("give the customer's key as it stands in `customer_value`")),
        CustomerType::Int64 => whole_number(text).ok_or_else(|| {
            Failure::config("what was given for a customer is no whole number of 64 bits")
                .remedy("customers of this project are whole numbers: give them as digits alone")
        }),
    }
}

fn whole_number(text: &str) -> Option<String> {
    let number: i64 = text.trim().parse().ok()?;
    Some(number.to_string())
}

/// Tells who is to be gone.
#[derive(Debug, Clone)]
pub struct Gone {
    salt: String,
    hashes: BTreeSet<String>,
    texts: Bits,
    numbers: Bits,
}

impl Gone {
    /// All who were erased after so many erasures.
    pub fn since(list: &SuppressionList, erasures: u64) -> Self {
        let mut gone = Self {
            salt: list.salt.clone(),
            hashes: BTreeSet::new(),
            texts: Bits::new(),
            numbers: Bits::new(),
        };
        for person in list.people.iter().filter(|one| one.erasure > erasures) {
            gone.hashes.insert(person.hash.clone());
            gone.texts.add(person.text);
            person.number.into_iter().for_each(|n| gone.numbers.add(n));
        }
        gone
    }

    /// Whether a customer that is a number is one of them.
    pub fn has_number(&self, customer: i64) -> bool {
        self.numbers.has(first_bits(hash_number(customer))) && self.knows(&customer.to_string())
    }

    /// Whether a customer that is a text is one of them.
    pub fn has_text(&self, customer: &str) -> bool {
        self.texts.has(first_bits(hash_text(customer))) && self.knows(customer)
    }

    /// Whether a value as a file has it is the key of one of them: a text as it is, a number however
    /// it is written.
    pub fn is_key(&self, value: &str, customer: CustomerType) -> bool {
        match customer {
            CustomerType::Int64 => self.is_written(value),
            CustomerType::String => self.has_text(value),
        }
    }

    /// Whether a value stands for one of them in any form.
    pub fn is_written(&self, value: &str) -> bool {
        self.has_text(value)
            || self.has_text(value.trim())
            || whole_number(value).is_some_and(|number| self.has_text(&number))
            || whole_float(value).is_some_and(|number| self.has_text(&number))
    }

    /// Whether a text names one of them: as a field of a line, or as a word.
    pub fn is_named_in(&self, text: &str) -> bool {
        let fields = text.split([',', ';', '\t', '|', '"', '\'']);
        let words = text.split(|c: char| !c.is_alphanumeric() && !"-_.@+".contains(c));
        fields.chain(words).any(|word| self.is_written(word))
    }

    /// The shards that may hold one of them.
    pub fn shards(&self, customer: CustomerType, shards: u32) -> BTreeSet<u32> {
        let bits = match customer {
            CustomerType::Int64 => &self.numbers,
            CustomerType::String => &self.texts,
        };
        let hash = |bits: u16| u64::from(bits) << (u64::BITS - u16::BITS);
        bits.all()
            .map(|bits| shard_of(hash(bits), shards))
            .collect()
    }

    fn knows(&self, key: &str) -> bool {
        self.hashes.contains(&salted(&self.salt, key))
    }
}

/// A whole number that is written as a fraction, as columns of floats are.
fn whole_float(text: &str) -> Option<String> {
    let (whole, fraction) = text.trim().split_once('.')?;
    let zeros = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    whole_number(whole).filter(|_| zeros)
}

/// A set of numbers of 16 bits. Most keys are told apart by it, without a slow hash.
#[derive(Debug, Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn new() -> Self {
        Self(vec![0; 1 << 10])
    }

    fn add(&mut self, number: u16) {
        self.0[usize::from(number >> 6)] |= 1 << (number & 63);
    }

    fn has(&self, number: u16) -> bool {
        self.0[usize::from(number >> 6)] >> (number & 63) & 1 == 1
    }

    fn all(&self) -> impl Iterator<Item = u16> {
        (0..=u16::MAX).filter(|number| self.has(*number))
    }
}

/// What an erasure took out of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// The erasure.
    pub erasure: u64,
    /// Customers with an account.
    pub customers: u64,
    /// Rows of tables.
    pub table_rows: u64,
    /// Rows of the state for the next night.
    pub state_rows: u64,
    /// Rows in quarantine.
    pub quarantine_rows: u64,
    /// Cuts that named one of them.
    pub cuts: u64,
    /// Objects that were written anew.
    pub objects: u64,
    /// Their length.
    pub bytes: u64,
}

impl Erased {
    /// Whether anybody was there.
    pub fn is_none(&self) -> bool {
        self.objects == 0
    }
}

/// How far an erasure is, while it has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasing {
    /// How many people it is about.
    pub people: u64,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// When no snapshot showed them any more; old objects are still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten_ms: Option<i64>,
}

/// That a run does not honour an erasure that came since it began.
pub fn erased_since() -> Failure {
    Failure::config("people were erased since this run began, which may still count them")
        .code(ErrorCode::ErasedSince)
        .remedy("nothing was published: refresh again, without them")
}

/// That an erasure has to be gone on with before anything is published.
pub fn unfinished(erasure: u64) -> Failure {
    Failure::config(format!(
        "erasure {erasure} was begun, and snapshots may still show the people it is about"
    ))
    .code(ErrorCode::ErasedSince)
    .remedy("wait for `tenfold erase` to end; if it was stopped: `tenfold erase resume`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn who_was_erased_is_known_in_every_form() {
        let list = SuppressionList::new("salt".to_owned()).with(1, &keys(&["4711", "anna@x.org"]));
        let gone = Gone::since(&list, 0);
        assert!(gone.has_number(4711) && !gone.has_number(4712));
        assert!(gone.has_text("anna@x.org") && !gone.has_text("Anna@x.org"));
        for written in ["4711", " 4711", "+4711", "04711", "4711.0", "anna@x.org "] {
            assert!(gone.is_written(written), "{written}");
        }
        for other in ["47110", "4711.5", "4711.", "", "anna"] {
            assert!(!gone.is_written(other), "{other}");
        }
        for line in [
            "x,4711,\"y",
            "{\"c\": 4711, ",
            "<anna@x.org> 5",
            "1;anna@x.org",
        ] {
            assert!(gone.is_named_in(line), "{line}");
        }
        assert!(!gone.is_named_in("47,11 anna @ x.org 14711"));
    }

    #[test]
    fn texts_are_keys_as_they_are_and_numbers_however_they_are_written() {
        let list = SuppressionList::new("salt".to_owned()).with(1, &keys(&["7"]));
        let gone = Gone::since(&list, 0);
        for customer in [CustomerType::Int64, CustomerType::String] {
            assert!(gone.is_key("7", customer) && !gone.is_key("70", customer));
        }
        for written in ["07", "7.0", "+7", " 7"] {
            assert!(gone.is_key(written, CustomerType::Int64), "{written}");
            assert!(!gone.is_key(written, CustomerType::String), "{written}");
        }
    }

    #[test]
    fn a_list_names_nobody_and_tells_erasures_apart() {
        let first = SuppressionList::new("salt".to_owned()).with(1, &keys(&["4711"]));
        let list = first.with(2, &keys(&["anna"]));
        let text = serde_json::to_string(&list).unwrap();
        assert!(!text.contains("4711") && !text.contains("anna"));
        let later = Gone::since(&list, 1);
        assert!(later.has_text("anna") && !later.has_number(4711));
        let other = SuppressionList::new("pepper".to_owned()).with(1, &keys(&["4711"]));
        assert_ne!(first.people[0].hash, other.people[0].hash);
    }

    #[test]
    fn shards_are_those_of_the_customers() {
        let list = SuppressionList::new("salt".to_owned()).with(1, &keys(&["4711"]));
        let gone = Gone::since(&list, 0);
        let number = BTreeSet::from([shard_of(hash_number(4711), 64)]);
        assert_eq!(gone.shards(CustomerType::Int64, 64), number);
        let text = BTreeSet::from([shard_of(hash_text("4711"), 4096)]);
        assert_eq!(gone.shards(CustomerType::String, 4096), text);
    }

    #[test]
    fn keys_have_one_form() {
        assert_eq!(key_of(" 007", CustomerType::Int64).unwrap(), "7");
        assert_eq!(key_of("007", CustomerType::String).unwrap(), "007");
        for (text, customer) in [("x", CustomerType::Int64), ("", CustomerType::String)] {
            assert!(!key_of(text, customer).unwrap_err().remedy.is_empty());
        }
    }
}
