//! The days of one night: those that were read, with new events and without.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::task::MergeSource;

use super::codes::CustomerCodes;
use super::days::{self, Days};
use super::events::{self, Arrived};
use super::news::{News, Pieces};
use super::value;
use crate::arrays::without_days;

/// The days that were read, by source.
#[derive(Default)]
pub struct Night {
    /// The days as they were, where they are taken away.
    pub before: BTreeMap<String, Days>,
    /// The days with the new events.
    pub after: BTreeMap<String, Days>,
    /// What became of new events with ids.
    pub arrived: BTreeMap<String, Arrived>,
    /// Where the rows stood without the new events: on the new date, and on the old one.
    pub stood: BTreeMap<String, (Counts, Counts)>,
    /// Events that were taken out.
    pub withdrawn: BTreeMap<String, u64>,
    /// How many events more than before do not count for another customer's.
    pub lost: BTreeMap<String, i64>,
}

impl Night {
    /// The days of new events, and of rows that were read.
    pub fn new(
        news: &News<'_>,
        pieces: &Pieces,
        mut kept: Pieces,
        codes: &CustomerCodes,
        forward: bool,
    ) -> Result<Self, Failure> {
        let mut night = Self::default();
        for source in &news.task.sources {
            let kept = kept.remove(&source.source).unwrap_or_default();
            let pieces = pieces.get(&source.source).map_or(&[][..], Vec::as_slice);
            night.add(news, source, pieces, kept, codes, forward)?;
        }
        Ok(night)
    }

    fn add(
        &mut self,
        news: &News<'_>,
        source: &MergeSource,
        pieces: &[RecordBatch],
        kept: Vec<RecordBatch>,
        codes: &CustomerCodes,
        forward: bool,
    ) -> Result<(), Failure> {
        let (task, name) = (news.task, &source.source);
        let losses = news.losses.get(name);
        let value = value(task, source);
        let withdrawn = task.withdrawn.get(name);
        let (before, arrived) = if let Some(losses) = losses {
            let mut kept = events::remaining(source, &kept, task.customer_type)?;
            let (counts, mut lost) = losses.before.without(&kept)?;
            let before = days::from_events(source, std::slice::from_ref(&counts), codes, value)?;
            if withdrawn.is_some() {
                kept = without_days(kept, withdrawn)?;
                (_, lost) = losses.before.without(&kept)?;
            }
            self.lost.insert(name.clone(), -lost);
            let arrived = events::take_in(source, kept, pieces, task.customer_type)?;
            (before, Some(arrived))
        } else {
            (days::from_state(source, &kept, codes)?, None)
        };
        drop(kept);
        let old = task.previous_spec.as_ref().unwrap_or(&task.spec);
        let stood = (
            standing(&before, task.spec.as_of),
            standing(&before, old.as_of),
        );
        self.stood.insert(name.clone(), stood);
        if let Some(days) = withdrawn {
            self.withdrawn.insert(name.clone(), before.events_on(days));
        }
        if forward {
            self.before.insert(name.clone(), before.clone());
        }
        let after = match arrived.as_ref().zip(losses) {
            Some((arrived, losses)) => {
                let (counts, lost) = losses.after.without(&arrived.all)?;
                *self.lost.entry(name.clone()).or_default() += lost;
                let same = arrived.new.num_rows() == 0 && losses.are_the_same();
                match same && withdrawn.is_none() {
                    true => before,
                    false => {
                        drop(before);
                        days::from_events(source, std::slice::from_ref(&counts), codes, value)?
                    }
                }
            }
            None => {
                let left = match withdrawn {
                    Some(days) => before.without(days),
                    None => before,
                };
                match pieces.is_empty() {
                    true => left,
                    false => left.plus(days::from_events(source, pieces, codes, value)?)?,
                }
            }
        };
        self.after.insert(name.clone(), after);
        self.arrived
            .extend(arrived.map(|arrived| (name.clone(), arrived)));
        Ok(())
    }
}

/// Where the rows of days stand on a date.
pub fn standing(days: &Days, as_of: Day) -> Counts {
    let mut counts = Counts::default();
    for row in 0..days.len() {
        match days.day[row] < as_of.0 {
            true => counts.counted += days.rows[row],
            false => counts.pending += days.rows[row],
        }
        counts.refunds += days.refunds[row];
    }
    counts
}
