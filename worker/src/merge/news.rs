//! What is new to a shard: events of this night, and those that begin or cease to count.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::reach;
use tenfold_core::refresh::task::{MergeTask, PieceSegment};
use tenfold_store::part::{decode_segment, get_segment};

use super::AllLosses;
use super::ids::Asked;
use super::within::Within;
use crate::TaskContext;
use crate::arrays::days;

/// Rows by source.
pub type Pieces = BTreeMap<String, Vec<RecordBatch>>;

/// What is new to a shard.
pub struct News<'a> {
    /// The task.
    pub task: &'a MergeTask,
    /// Where it runs.
    pub context: &'a TaskContext,
    /// Events that do not count for another customer's.
    pub losses: AllLosses,
    /// New events, where all of them have room.
    held: Option<Pieces>,
}

/// What new events of a source ask of the state.
#[derive(Debug, Default)]
pub struct Arriving {
    /// Their months.
    pub months: BTreeSet<i32>,
    /// Their ids, where these may have been seen before.
    pub asked: Asked,
}

impl<'a> News<'a> {
    /// Reads new events once, and keeps them where they have room.
    pub fn of(
        task: &'a MergeTask,
        losses: AllLosses,
        context: &'a TaskContext,
    ) -> Result<(Self, BTreeMap<String, Arriving>), Failure> {
        let mut news = Self {
            task,
            context,
            losses,
            held: None,
        };
        let rows = task.pieces.iter().map(|piece| piece.segment.rows).sum();
        let room = reach::bytes_of(rows) <= news.memory();
        let mut held = news.none();
        let mut arriving: BTreeMap<String, Arriving> = BTreeMap::new();
        for piece in &task.pieces {
            let rows = news.piece(piece)?;
            let arriving = arriving.entry(piece.source.clone()).or_default();
            arriving.add(task, piece, &rows)?;
            if room {
                held.entry(piece.source.clone()).or_default().push(rows);
            }
        }
        news.held = room.then_some(held);
        Ok((news, arriving))
    }

    /// Lets go of new events that would stand beside each of the ranges.
    pub fn make_room(&mut self, parts: u64) {
        let rows = self
            .task
            .pieces
            .iter()
            .map(|piece| piece.segment.rows)
            .sum();
        if parts > 1 && reach::bytes_of(rows) > self.memory() / 4 {
            self.held = None;
        }
    }

    /// Memory that rows may take, in bytes.
    pub fn memory(&self) -> u64 {
        reach::memory(self.task).min(self.context.memory)
    }

    /// How many new events a source has.
    pub fn rows(&self, source: &str) -> u64 {
        let pieces = self.task.pieces.iter();
        let pieces = pieces.filter(|piece| piece.source == source);
        pieces.map(|piece| piece.segment.rows).sum()
    }

    /// One piece of new events.
    pub fn piece(&self, piece: &PieceSegment) -> Result<RecordBatch, Failure> {
        let bytes = get_segment(&self.context.store, &piece.path, &piece.segment);
        decode_segment(self.context.wait_briefly(bytes)?)
    }

    /// New events that are looked at.
    pub fn pieces(&self, within: &Within) -> Result<Cow<'_, Pieces>, Failure> {
        if let (Some(held), Within::All) = (&self.held, within) {
            return Ok(Cow::Borrowed(held));
        }
        let mut pieces = self.none();
        for (source, pieces) in &mut pieces {
            *pieces = self.pieces_of(source, within)?;
        }
        Ok(Cow::Owned(pieces))
    }

    /// New events of a source that are looked at.
    pub fn pieces_of(&self, source: &str, within: &Within) -> Result<Vec<RecordBatch>, Failure> {
        if let Some(held) = &self.held {
            let held = held.get(source).into_iter().flatten();
            return held.map(|rows| within.of(rows)).collect();
        }
        let pieces = self.task.pieces.iter();
        let pieces = pieces.filter(|piece| piece.source == source);
        pieces.map(|piece| within.of(&self.piece(piece)?)).collect()
    }

    fn none(&self) -> Pieces {
        let sources = self.task.sources.iter();
        sources
            .map(|source| (source.source.clone(), Vec::new()))
            .collect()
    }
}

impl Arriving {
    fn add(
        &mut self,
        task: &MergeTask,
        piece: &PieceSegment,
        rows: &RecordBatch,
    ) -> Result<(), Failure> {
        let mut last = None;
        for day in days(rows)? {
            if last != Some(day) {
                self.months.insert(Day(*day).month_index());
            }
            last = Some(day);
        }
        let sources = task.sources.iter();
        let mut source = sources.filter(|source| source.source == piece.source && source.event_ids);
        let known = task.previous_spec.is_some() && !task.previous.runs(&piece.source).is_empty();
        match source.next().filter(|_| known) {
            Some(source) => self.asked.add(rows, source.horizon),
            None => Ok(()),
        }
    }
}
