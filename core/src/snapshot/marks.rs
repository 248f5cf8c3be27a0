//! Marks: what is said about snapshots after they were published, and who is about to publish or
//! to clean up.
//!
//! Every change is one numbered record, created if absent, that holds the event and everything
//! that is so since. So the newest record tells all, and of two writers one is first: the other
//! reads again and decides anew. That is why a snapshot cannot be pinned and expired at the same
//! time, and why nothing is deleted that somebody is about to publish:
//!
//! - who publishes says first which objects the manifest will name ([`Event::Announced`]), which
//!   waits while somebody cleans up; then looks whether all of them are there; then creates the
//!   manifest;
//! - who cleans up says so first ([`Event::CleaningBegan`]); only then reads what manifests and
//!   announcements name; then deletes what they do not.
//!
//! Whichever of the two comes second sees the other. In the same way nothing is published that still
//! counts somebody who was erased ([`Event::ErasureBegan`]): who publishes says how many erasures it
//! honours, and is refused when there were more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::erasure::{Erasing, Suppression, erased_since, erasures, unfinished};
use super::{ObjectRef, check_tag};
use crate::failure::{ErrorCode, Failure};

/// Something that is said about snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A snapshot got a name.
    Tagged {
        /// The name.
        tag: String,
        /// The snapshot.
        number: u64,
        /// Whether the name may be taken from another snapshot.
        moved: bool,
    },
    /// A name was taken away.
    Untagged {
        /// The name.
        tag: String,
    },
    /// A snapshot is to be kept.
    Pinned {
        /// The snapshot.
        number: u64,
        /// Why, for those who look later.
        reason: String,
    },
    /// A snapshot need not be kept any more.
    Unpinned {
        /// The snapshot.
        number: u64,
    },
    /// Snapshots are not readable any more; what only they name may be deleted.
    Expired {
        /// The snapshots.
        numbers: Vec<u64>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A run is about to create a manifest.
    Announced {
        /// The run.
        run: String,
        /// What it will name.
        announcement: Announcement,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Somebody is about to delete what nothing names.
    CleaningBegan(Cleaning),
    /// It is done.
    CleaningEnded {
        /// Who did it.
        by: String,
    },
    /// People are to be erased: from here on nothing is published that counts them.
    ErasureBegan {
        /// Everybody who was erased, they included.
        suppression: Suppression,
        /// How far it is.
        erasing: Erasing,
    },
    /// No snapshot shows anybody any more of this erasure and those before it.
    ErasureRewritten {
        /// The erasure.
        erasure: u64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Nothing of them is left in the store either.
    ErasureEnded {
        /// The erasure.
        erasure: u64,
    },
}

/// What a run is about to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The number of the snapshot.
    pub number: u64,
    /// The manifest, as an object of its own.
    pub manifest: ObjectRef,
    /// How many erasures it honours.
    #[serde(default)]
    pub erasures: u64,
}

/// Somebody who cleans up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaning {
    /// Who: a name that nobody else uses.
    pub by: String,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// When it counts as given up; it stops by itself well before.
    pub until_ms: i64,
    /// Snapshots that expired long enough ago for their objects to go. From here on they count as
    /// deleted.
    pub of: Vec<u64>,
}

/// Why a snapshot is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// In words; may be empty.
    pub reason: String,
}

/// Everything that is so since the newest record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Names of snapshots.
    pub tags: BTreeMap<String, u64>,
    /// Snapshots to be kept.
    pub pins: BTreeMap<u64, Pin>,
    /// Expired snapshots whose objects are still there, and since when, in milliseconds since 1970.
    pub expiring: BTreeMap<u64, i64>,
    /// Expired snapshots whose objects are deleted, as ranges with both ends, ascending.
    pub deleted: Vec<(u64, u64)>,
    /// Runs that are about to publish.
    pub announced: BTreeMap<String, Announcement>,
    /// Who cleans up.
    pub cleaning: Option<Cleaning>,
    /// Everybody who was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    /// Erasures that have not ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub erasing: BTreeMap<u64, Erasing>,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarksRecord {
    /// Version of this record's form.
    pub format: u32,
    /// Its place in the log: 1, 2, 3, …
    pub sequence: u64,
    /// Who wrote it: a name that nobody else uses.
    pub writer: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub event: Event,
    /// What is so since.
    pub marks: Marks,
}

impl MarksRecord {
    /// Version of the record's form that this program writes. The first one knew no erasures.
    pub const FORMAT: u32 = 2;

    /// Where the record of a place in the log lies.
    pub fn path(sequence: u64) -> String {
        format!("_marks/{sequence:020}.json")
    }
}

/// Why an event cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// What it is about does not exist.
    Absent(Failure),
    /// It contradicts what is so.
    Conflict(Failure),
    /// Somebody cleans up until this time, in milliseconds since 1970: wait.
    Busy {
        /// Milliseconds since 1970.
        until_ms: i64,
    },
}

impl Refused {
    /// The reason, in words.
    pub fn failure(self) -> Failure {
        match self {
            Refused::Absent(failure) | Refused::Conflict(failure) => failure,
            Refused::Busy { .. } => Failure::dependency("another process cleans up this store")
                .code(ErrorCode::CleaningUp)
                .remedy("wait for it to end: ten minutes at most"),
        }
    }
}

impl Marks {
    /// Whether a snapshot has expired: its objects may be deleted at any time.
    pub fn is_expired(&self, number: u64) -> bool {
        self.expiring.contains_key(&number) || self.is_deleted(number)
    }

    /// Whether the objects of a snapshot count as deleted.
    pub fn is_deleted(&self, number: u64) -> bool {
        self.deleted
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Whether a snapshot is kept whatever its age: it is pinned or tagged.
    pub fn is_kept(&self, number: u64) -> bool {
        self.pins.contains_key(&number) || self.tags.values().any(|tagged| *tagged == number)
    }

    /// The tags of a snapshot.
    pub fn tags_of(&self, number: u64) -> Vec<&str> {
        let tags = self.tags.iter().filter(|(_, tagged)| **tagged == number);
        tags.map(|(tag, _)| tag.as_str()).collect()
    }

    /// What is so after an event; `None` when the event changes nothing.
    ///
    /// # Errors
    /// When the event contradicts what is so.
    pub fn after(&self, event: &Event) -> Result<Option<Marks>, Refused> {
        let mut next = self.clone();
        match event {
            Event::Tagged { tag, number, moved } => next.tag(tag, *number, *moved)?,
            Event::Untagged { tag } => {
                next.tags.remove(tag).ok_or_else(|| self.no_tag(tag))?;
            }
            Event::Pinned { number, reason } => {
                next.refuse_expired(*number)?;
                let reason = reason.clone();
                next.pins.insert(*number, Pin { reason });
            }
            Event::Unpinned { number } => {
                next.pins.remove(number).ok_or_else(|| {
                    Refused::Absent(
                        Failure::config(format!("snapshot {number} is not pinned"))
                            .code(ErrorCode::UnknownMark)
                            .remedy("`tenfold snapshot ls` shows which ones are"),
                    )
                })?;
            }
            Event::Expired { numbers, at_ms } => next.expire(numbers, *at_ms)?,
            Event::Announced {
                run,
                announcement,
                at_ms,
            } => {
                next.refuse_while_cleaning(*at_ms)?;
                next.refuse_erased(announcement.erasures)?;
                // Its parent is there, so whoever announced a lower number is published or beaten.
                next.announced
                    .retain(|_, other| other.number >= announcement.number);
                next.announced.insert(run.clone(), announcement.clone());
            }
            Event::CleaningBegan(cleaning) => {
                next.refuse_while_cleaning(cleaning.at_ms)?;
                // What is being written anew may have lain there, unused, for long.
                if let Some(erasure) = next.unfinished_erasure() {
                    return Err(Refused::Conflict(unfinished(erasure)));
                }
                next.begin_cleaning(cleaning);
            }
            Event::CleaningEnded { by } => {
                next.cleaning = next.cleaning.filter(|cleaning| cleaning.by != *by);
            }
            Event::ErasureBegan {
                suppression,
                erasing,
            } => {
                next.refuse_while_cleaning(erasing.at_ms)?;
                next.refuse_erased(suppression.erasures.saturating_sub(1))?;
                next.erasing.insert(suppression.erasures, erasing.clone());
                next.suppression = Some(suppression.clone());
            }
            Event::ErasureRewritten { erasure, at_ms } => {
                for (_, erasing) in next.erasing.range_mut(..=*erasure) {
                    erasing.rewritten_ms.get_or_insert(*at_ms);
                }
            }
            Event::ErasureEnded { erasure } => {
                next.erasing.remove(erasure);
            }
        }
        Ok((next != *self).then_some(next))
    }

    fn tag(&mut self, tag: &str, number: u64, moved: bool) -> Result<(), Refused> {
        check_tag(tag).map_err(Refused::Conflict)?;
        self.refuse_expired(number)?;
        match self.tags.get(tag) {
            Some(other) if *other != number && !moved => Err(Refused::Conflict(
                Failure::config(format!("tag {tag} names snapshot {other} already"))
                    .code(ErrorCode::TagTaken)
                    .remedy("choose another name, or add --move to take it from there"),
            )),
            _ => {
                self.tags.insert(tag.to_owned(), number);
                Ok(())
            }
        }
    }

    /// That a tag is absent, with the tags that there are.
    pub fn no_tag(&self, tag: &str) -> Refused {
        let known: Vec<&str> = self.tags.keys().map(String::as_str).collect();
        let remedy = match known.is_empty() {
            true => "there are no tags yet: `tenfold snapshot tag N NAME` makes one".to_owned(),
            false => format!("the tags are: {}", known.join(", ")),
        };
        let failure = Failure::config(format!("there is no tag {tag}"));
        Refused::Absent(failure.code(ErrorCode::UnknownMark).remedy(remedy))
    }

    fn refuse_expired(&self, number: u64) -> Result<(), Refused> {
        match self.is_expired(number) {
            false => Ok(()),
            true => Err(Refused::Absent(expired(number))),
        }
    }

    /// Refuses what does not honour all erasures that there were.
    fn refuse_erased(&self, honoured: u64) -> Result<(), Refused> {
        match honoured == erasures(self.suppression.as_ref()) {
            true => Ok(()),
            false => Err(Refused::Conflict(erased_since())),
        }
    }

    /// The first erasure of people whom snapshots may still show.
    pub fn unfinished_erasure(&self) -> Option<u64> {
        let mut erasing = self.erasing.iter();
        let found = erasing.find(|(_, erasing)| erasing.rewritten_ms.is_none());
        found.map(|(erasure, _)| *erasure)
    }

    fn expire(&mut self, numbers: &[u64], at_ms: i64) -> Result<(), Refused> {
        for number in numbers {
            if self.is_kept(*number) {
                let what = format!("snapshot {number} is pinned or tagged");
                let failure = Failure::config(what).code(ErrorCode::SnapshotKept);
                return Err(Refused::Conflict(failure.remedy("unpin or untag it first")));
            }
            if !self.is_expired(*number) {
                self.expiring.insert(*number, at_ms);
            }
        }
        Ok(())
    }

    fn refuse_while_cleaning(&self, at_ms: i64) -> Result<(), Refused> {
        match &self.cleaning {
            Some(cleaning) if at_ms < cleaning.until_ms => Err(Refused::Busy {
                until_ms: cleaning.until_ms,
            }),
            _ => Ok(()),
        }
    }

    fn begin_cleaning(&mut self, cleaning: &Cleaning) {
        for number in &cleaning.of {
            if self.expiring.remove(number).is_some() {
                self.deleted.push((*number, *number));
            }
        }
        self.deleted.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (first, last) in self.deleted.drain(..) {
            match joined.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        self.deleted = joined;
        self.cleaning = Some(cleaning.clone());
    }
}

/// That a snapshot has expired.
pub fn expired(number: u64) -> Failure {
    let failure = Failure::config(format!("snapshot {number} has expired"));
    failure.code(ErrorCode::SnapshotExpired).remedy(
        "its files are deleted or about to be; `tenfold snapshot ls` lists what can be read, and \
         `tenfold snapshot pin N` keeps a snapshot in future",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refresh::part::PartRef;

    fn after(marks: &Marks, event: Event) -> Marks {
        marks.after(&event).unwrap().expect("a change")
    }

    fn tagged(tag: &str, number: u64, moved: bool) -> Event {
        Event::Tagged {
            tag: tag.to_owned(),
            number,
            moved,
        }
    }

    fn pinned(number: u64) -> Event {
        Event::Pinned {
            number,
            reason: "audit".to_owned(),
        }
    }

    fn expired(numbers: &[u64]) -> Event {
        Event::Expired {
            numbers: numbers.to_vec(),
            at_ms: 5,
        }
    }

    fn cleaning(at_ms: i64, of: &[u64]) -> Event {
        Event::CleaningBegan(Cleaning {
            by: format!("at {at_ms}"),
            at_ms,
            until_ms: at_ms + 100,
            of: of.to_vec(),
        })
    }

    fn announced(run: &str, number: u64, at_ms: i64) -> Event {
        let manifest = ObjectRef {
            path: format!("_announced/{run}.json"),
            sha256: String::new(),
            bytes: 1,
        };
        Event::Announced {
            run: run.to_owned(),
            announcement: Announcement {
                number,
                manifest,
                erasures: 0,
            },
            at_ms,
        }
    }

    fn erasure(number: u64) -> Event {
        Event::ErasureBegan {
            suppression: Suppression {
                erasures: number,
                list: PartRef {
                    path: String::new(),
                    sha256: String::new(),
                    checksum: 0,
                    bytes: 0,
                    rows: 1,
                },
            },
            erasing: Erasing {
                people: 1,
                at_ms: 0,
                rewritten_ms: None,
            },
        }
    }

    #[test]
    fn a_tag_moves_only_when_told_to() {
        let marks = after(&Marks::default(), tagged("easter", 3, false));
        assert_eq!(marks.tags_of(3), ["easter"]);
        assert_eq!(marks.after(&tagged("easter", 3, false)), Ok(None));
        let refused = marks.after(&tagged("easter", 4, false)).unwrap_err();
        assert!(matches!(&refused, Refused::Conflict(why) if why.message.contains("snapshot 3")));
        let moved = after(&marks, tagged("easter", 4, true));
        assert_eq!(moved.tags["easter"], 4);
        let none = after(
            &moved,
            Event::Untagged {
                tag: "easter".to_owned(),
            },
        );
        assert!(none.tags.is_empty());
        let gone = none.no_tag("easter").failure();
        assert!(gone.remedy.contains("no tags yet"));
    }

    #[test]
    fn what_is_kept_does_not_expire_and_what_expired_is_not_kept() {
        let marks = after(&Marks::default(), pinned(1));
        let marks = after(&marks, tagged("two", 2, false));
        for kept in [1, 2] {
            assert!(matches!(
                marks.after(&expired(&[kept])),
                Err(Refused::Conflict(_))
            ));
        }
        let marks = after(&marks, expired(&[3, 4]));
        assert!(marks.is_expired(3) && !marks.is_deleted(3));
        for late in [pinned(3), tagged("three", 3, true)] {
            assert!(matches!(marks.after(&late), Err(Refused::Absent(_))));
        }
        let marks = after(&marks, Event::Unpinned { number: 1 });
        assert!(matches!(
            marks.after(&Event::Unpinned { number: 1 }),
            Err(Refused::Absent(_))
        ));
        assert_eq!(marks.after(&expired(&[3])), Ok(None), "once is enough");
    }

    #[test]
    fn deleted_snapshots_are_kept_as_ranges() {
        let mut marks = after(&Marks::default(), expired(&[1, 2, 3, 5, 6, 9]));
        for (at, of) in [(0, vec![2, 5]), (200, vec![1, 6]), (400, vec![3, 9, 4])] {
            marks = after(&marks, cleaning(at, &of));
        }
        assert_eq!(marks.deleted, [(1, 3), (5, 6), (9, 9)]);
        assert!(marks.expiring.is_empty());
        assert!(!marks.is_expired(4), "it never expired");
        assert!(marks.is_deleted(2) && marks.is_deleted(9) && !marks.is_expired(8));
    }

    #[test]
    fn nobody_publishes_or_cleans_while_somebody_cleans() {
        let marks = after(&Marks::default(), cleaning(10, &[]));
        for busy in [announced("a", 1, 50), cleaning(50, &[])] {
            assert_eq!(marks.after(&busy), Err(Refused::Busy { until_ms: 110 }));
        }
        // One that never ended counts as given up.
        assert!(marks.after(&announced("a", 1, 110)).is_ok());
        let other = Event::CleaningEnded {
            by: "somebody else".to_owned(),
        };
        assert_eq!(marks.after(&other), Ok(None));
        let ended = Event::CleaningEnded {
            by: "at 10".to_owned(),
        };
        assert!(after(&marks, ended).cleaning.is_none());
    }

    #[test]
    fn nobody_publishes_what_counts_the_erased() {
        let marks = after(&Marks::default(), erasure(1));
        assert!(matches!(
            marks.after(&erasure(1)),
            Err(Refused::Conflict(_))
        ));
        let refused = marks.after(&announced("a", 1, 0)).unwrap_err().failure();
        assert!(refused.remedy.contains("without them"), "{refused}");
        let Event::Announced {
            run,
            announcement,
            at_ms,
        } = announced("a", 1, 0)
        else {
            unreachable!()
        };
        let honest = Event::Announced {
            run,
            announcement: Announcement {
                erasures: 1,
                ..announcement
            },
            at_ms,
        };
        assert_eq!(after(&marks, honest).announced.len(), 1);
    }

    #[test]
    fn nobody_cleans_up_while_snapshots_are_written_anew() {
        let marks = after(&Marks::default(), cleaning(0, &[]));
        assert_eq!(
            marks.after(&erasure(1)),
            Err(Refused::Busy { until_ms: 100 })
        );
        let ended = Event::CleaningEnded {
            by: "at 0".to_owned(),
        };
        let marks = after(&after(&marks, ended), erasure(1));
        assert!(matches!(
            marks.after(&cleaning(5, &[])),
            Err(Refused::Conflict(_))
        ));
        let rewritten = Event::ErasureRewritten {
            erasure: 1,
            at_ms: 6,
        };
        assert!(after(&marks, rewritten).after(&cleaning(7, &[])).is_ok());
    }

    #[test]
    fn an_erasure_is_rewritten_with_those_before_it_and_ends_by_itself() {
        let marks = after(&after(&Marks::default(), erasure(1)), erasure(2));
        assert_eq!(marks.unfinished_erasure(), Some(1));
        let rewritten = Event::ErasureRewritten {
            erasure: 2,
            at_ms: 7,
        };
        let marks = after(&marks, rewritten.clone());
        assert_eq!(marks.unfinished_erasure(), None);
        assert_eq!(marks.after(&rewritten), Ok(None));
        let marks = after(&marks, Event::ErasureEnded { erasure: 1 });
        assert_eq!(marks.erasing.keys().collect::<Vec<_>>(), [&2]);
        assert_eq!(marks.suppression.map(|known| known.erasures), Some(2));
    }

    #[test]
    fn an_announcement_lasts_until_its_number_is_taken() {
        let marks = after(&Marks::default(), announced("a", 7, 0));
        let marks = after(&marks, announced("b", 7, 0));
        assert_eq!(marks.announced.len(), 2);
        let marks = after(&marks, announced("c", 8, 0));
        assert_eq!(marks.announced.keys().collect::<Vec<_>>(), ["c"]);
    }
}
