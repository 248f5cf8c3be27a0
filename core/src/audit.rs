//! Records of calls that changed something or were refused, and whether they are still those that
//! were written.
//!
//! Each coordinator in office numbers its records from 1, and each record names the hash of the one
//! before; the first of an office names the last that was found of an earlier one. So a record that
//! is gone, was changed, or is there twice shows, unless it is the newest of all: its hash is what
//! is worth noting elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::format;
use crate::hash::sha256_hex;

/// Where records lie.
pub const AUDIT: &str = "_audit";

/// Where a record lies.
pub fn record_path(epoch: u64, number: u64) -> String {
    format!("{AUDIT}/{epoch:020}/{number:020}.json")
}

/// A call that changed something, or calls that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this record's form.
    #[serde(default = "format::first")]
    pub format: u32,
    /// The office of the coordinator that wrote it.
    pub epoch: u64,
    /// Its place among the records of that office, from 1.
    pub number: u64,
    /// The record before it; none for the very first of a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Link>,
    /// What happened.
    #[serde(flatten)]
    pub call: Call,
}

impl Record {
    /// Version of the record's form that this program writes.
    pub const FORMAT: u32 = 2;
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Who called; empty when unknown.
    pub caller: String,
    /// Their address, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What was called.
    pub method: String,
    /// `allowed` or `refused`.
    pub decision: String,
    /// How it was answered.
    pub code: String,
    /// How many calls it stands for.
    pub times: u64,
    /// When the last of them was, if they are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Which record, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Its office.
    pub epoch: u64,
    /// Its number.
    pub number: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

impl Link {
    /// Where the record lies.
    pub fn path(&self) -> String {
        record_path(self.epoch, self.number)
    }
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It is gone.
    Missing,
    /// It is not what was written.
    Changed,
    /// It is there under another name too.
    Doubled,
}

impl Wrong {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Doubled => "doubled",
        }
    }
}

/// A record that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where it lies, or should.
    pub record: String,
    /// What is wrong.
    pub wrong: Wrong,
    /// How that shows.
    pub detail: String,
}

/// What is known of the records of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Records that are linked.
    pub records: usize,
    /// Coordinators that wrote them.
    pub offices: usize,
    /// Records of a form that was not linked yet.
    pub unlinked: usize,
    /// The newest record.
    pub head: Option<Link>,
    /// What is wrong, in the order of the records.
    pub findings: Vec<Finding>,
}

/// Records by office and number, each with its hash.
type Chain = BTreeMap<(u64, u64), (String, Record)>;

/// Judges all records of a store: where each lies, and its bytes. `noted` is the hash of the newest
/// record of an earlier time.
///
/// # Errors
/// When a record is newer than this program.
pub fn verify(found: &[(String, Vec<u8>)], noted: Option<&str>) -> Result<Verified, Failure> {
    let mut verified = Verified::default();
    let mut chain = Chain::new();
    let mut hashes = Vec::new();
    for (path, bytes) in found {
        let sha256 = sha256_hex(bytes);
        match linked(path, bytes)? {
            Kept::Unlinked => verified.unlinked += 1,
            Kept::Damaged(detail) => verified.found(path, Wrong::Changed, detail),
            Kept::Linked(record) => {
                let place = (record.epoch, record.number);
                let own = record_path(place.0, place.1);
                match *path == own {
                    true => drop(chain.insert(place, (sha256.clone(), *record))),
                    false => {
                        let there = found.iter().any(|(other, _)| *other == own);
                        let wrong = if there {
                            Wrong::Doubled
                        } else {
                            Wrong::Changed
                        };
                        verified.found(path, wrong, format!("it is the record of {own}"));
                    }
                }
            }
        }
        hashes.push(sha256);
    }
    verified.records = chain.len();
    verified.judge(&chain);
    if let Some(noted) = noted
        && !hashes.iter().any(|sha256| sha256 == noted)
    {
        let detail = "no record has this hash, which was noted".to_owned();
        verified.found(noted, Wrong::Missing, detail);
    }
    verified.findings.sort();
    verified.findings.dedup();
    Ok(verified)
}

enum Kept {
    Linked(Box<Record>),
    Unlinked,
    Damaged(String),
}

fn linked(path: &str, bytes: &[u8]) -> Result<Kept, Failure> {
    #[derive(Deserialize)]
    struct Before {
        epoch: Option<u64>,
    }
    match format::read::<Record>(bytes, Record::FORMAT, path) {
        Ok(record) => Ok(Kept::Linked(Box::new(record))),
        Err(failure) if format::is_newer(&failure) => Err(failure),
        Err(failure) => Ok(match serde_json::from_slice::<Before>(bytes) {
            Ok(Before { epoch: None }) => Kept::Unlinked,
            _ => Kept::Damaged(failure.message),
        }),
    }
}

impl Verified {
    fn found(&mut self, record: &str, wrong: Wrong, detail: String) {
        self.findings.push(Finding {
            record: record.to_owned(),
            wrong,
            detail,
        });
    }

    fn judge(&mut self, chain: &Chain) {
        let mut last = BTreeMap::new();
        for ((epoch, number), (sha256, record)) in chain {
            last.insert(*epoch, *number);
            self.head = Some(Link {
                epoch: *epoch,
                number: *number,
                sha256: sha256.clone(),
            });
            let own = record_path(*epoch, *number);
            match &record.before {
                Some(before) if before.number + 1 == *number && before.epoch == *epoch => {
                    self.before(chain, before, &own);
                }
                Some(before) if *number == 1 && before.epoch < *epoch => {
                    self.before(chain, before, &own);
                }
                None if *number == 1 => {}
                _ => {
                    let detail = "it names no record that could be before it".to_owned();
                    self.found(&own, Wrong::Changed, detail);
                }
            }
        }
        self.offices = last.len();
        self.gaps(chain);
    }

    /// The record that another one was written after.
    fn before(&mut self, chain: &Chain, before: &Link, after: &str) {
        let there = chain.get(&(before.epoch, before.number));
        if there.is_some_and(|(sha256, _)| *sha256 != before.sha256) {
            let detail = format!("{after} was written after another one");
            self.found(&before.path(), Wrong::Changed, detail);
        }
    }

    /// Numbers that are not there, up to the highest that a record has or names.
    fn gaps(&mut self, chain: &Chain) {
        let mut until: BTreeMap<u64, u64> = BTreeMap::new();
        let named = chain.values().filter_map(|(_, record)| {
            let before = record.before.as_ref()?;
            Some((before.epoch, before.number))
        });
        for (epoch, number) in chain.keys().copied().chain(named) {
            let newest = until.entry(epoch).or_default();
            *newest = number.max(*newest);
        }
        for (epoch, newest) in until {
            let mut next = 1;
            let there = chain.range((epoch, 0)..=(epoch, newest));
            for number in there.map(|((_, number), _)| *number).chain([newest + 1]) {
                if next < number {
                    self.missing(epoch, next, number - 1);
                }
                next = number + 1;
            }
        }
    }

    fn missing(&mut self, epoch: u64, first: u64, last: u64) {
        let detail = match last - first {
            0 => "it was written, and is not there".to_owned(),
            more => format!("it was written, and {more} after it, and they are not there"),
        };
        self.found(&record_path(epoch, first), Wrong::Missing, detail);
    }
}

#[cfg(test)]
mod tests;
