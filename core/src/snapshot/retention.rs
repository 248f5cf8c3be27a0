//! Which snapshots are kept, and which expire.

use super::Marks;
use crate::project::Retention;

/// What has to be known of a snapshot to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub number: u64,
    /// When it was published, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it is a backfill.
    pub backfill: bool,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The snapshots that expire now, ascending. The newest, the pinned and the tagged ones never do;
/// of the others, those that are neither among the newest `keep_last` nor young enough. Backfills are
/// counted apart, so that many of them push no night out.
pub fn expiring(
    published: &[Published],
    marks: &Marks,
    retention: Retention,
    now_ms: i64,
) -> Vec<u64> {
    let keep_last = usize::try_from(retention.keep_last.max(1)).unwrap_or(usize::MAX);
    let young = |snapshot: &Published| match retention.keep_days {
        Some(days) => now_ms - snapshot.at_ms < i64::from(days) * DAY_MS,
        None => false,
    };
    let mut expiring = Vec::new();
    for backfills in [false, true] {
        let mut newest_first: Vec<&Published> = published
            .iter()
            .filter(|snapshot| snapshot.backfill == backfills)
            .filter(|snapshot| !marks.is_expired(snapshot.number))
            .collect();
        newest_first.sort_unstable_by_key(|snapshot| std::cmp::Reverse(snapshot.number));
        let old = newest_first.into_iter().skip(keep_last);
        let unwanted = old.filter(|snapshot| !young(snapshot) && !marks.is_kept(snapshot.number));
        expiring.extend(unwanted.map(|snapshot| snapshot.number));
    }
    expiring.sort_unstable();
    expiring
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Event;

    /// One a night: number N was published on day N.
    fn nights(count: u64) -> Vec<Published> {
        let night = |number| Published {
            number,
            at_ms: number as i64 * DAY_MS,
            backfill: false,
        };
        (1..=count).map(night).collect()
    }

    fn keep(keep_last: u64, keep_days: Option<u32>) -> Retention {
        Retention {
            keep_last,
            keep_days,
        }
    }

    fn marked(events: &[Event]) -> Marks {
        events.iter().fold(Marks::default(), |marks, event| {
            marks.after(event).unwrap().unwrap_or(marks)
        })
    }

    #[test]
    fn the_newest_are_kept() {
        let none = Marks::default();
        let now = 11 * DAY_MS;
        assert_eq!(expiring(&nights(10), &none, keep(7, None), now), [1, 2, 3]);
        assert!(expiring(&nights(7), &none, keep(7, None), now).is_empty());
        assert!(expiring(&[], &none, keep(7, None), now).is_empty());
        // Nobody can give the newest away.
        assert_eq!(expiring(&nights(3), &none, keep(0, None), now), [1, 2]);
    }

    #[test]
    fn days_keep_what_the_count_would_not() {
        let none = Marks::default();
        let now = 11 * DAY_MS;
        assert_eq!(
            expiring(&nights(10), &none, keep(2, Some(5)), now),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(
            expiring(&nights(10), &none, keep(6, Some(5)), now),
            [1, 2, 3, 4]
        );
    }

    #[test]
    fn pins_tags_and_what_expired_before_stay_out() {
        let marks = marked(&[
            Event::Pinned {
                number: 1,
                reason: String::new(),
            },
            Event::Tagged {
                tag: "two".to_owned(),
                number: 2,
                moved: false,
            },
            Event::Expired {
                numbers: vec![9, 3],
                at_ms: 0,
            },
        ]);
        // What expired does not count among the newest, what is kept does.
        let now = 11 * DAY_MS;
        assert_eq!(expiring(&nights(10), &marks, keep(3, None), now), [4, 5, 6]);
    }

    #[test]
    fn backfills_push_no_night_out() {
        let mut published = nights(10);
        for backfill in &mut published[4..9] {
            backfill.backfill = true;
        }
        let expired = expiring(&published, &Marks::default(), keep(2, None), 11 * DAY_MS);
        assert_eq!(expired, [1, 2, 3, 5, 6, 7]);
    }
}
