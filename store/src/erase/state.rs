//! The state for the next night without people who were erased: as if their events had never been.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::short_hash;
use tenfold_core::refresh::copies::chains;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::restate::Span;
use tenfold_core::refresh::state::{ShardState, Slices, StateIndex, StateRun, Unsettled};
use tenfold_core::snapshot::{ERASED, Manifest};

use super::Eraser;
use super::parquet::{File, without};
use crate::part::Layout;
use crate::sliced::encode_run;

/// A run that was looked at.
#[derive(Clone)]
pub struct CheckedRun {
    /// What is left of it, if anything.
    run: Option<StateRun>,
    theirs: Vec<Their>,
    /// The earliest day that is left.
    first_day: Option<i32>,
    /// Rows and objects that were taken out or written anew.
    rows: u64,
    objects: u64,
    bytes: u64,
}

/// An event: its id, its customer and its time.
type Event = (String, String, i64);

/// A row of theirs: a day, or an event with an id.
#[derive(Clone)]
struct Their {
    id: Option<String>,
    /// Whose event it is; of days nobody asks.
    customer: String,
    time: i64,
    day: i32,
    /// The last day of its copies.
    until: i32,
    rows: i64,
    refunds: i64,
}

impl Eraser<'_> {
    /// Takes them out of the state of their shards.
    pub(super) async fn state(
        &mut self,
        manifest: &Manifest,
        index: &mut StateIndex,
        shards: &BTreeSet<u32>,
    ) -> Result<(), Failure> {
        for shard in shards {
            let Some(state) = index.state.get_mut(*shard as usize) else {
                continue;
            };
            self.accounts(state).await?;
            let lost = self.lost(state).await?;
            let removed = self.all_runs(manifest, state, &lost).await?;
            // Whoever lost against them may count now.
            if index.unsettled == Unsettled::None && !removed.is_empty() {
                index.unsettled = Unsettled::Lost;
            }
            for (source, counts) in removed {
                let totals = index.totals.entry(source).or_default();
                totals.counted -= counts.counted;
                totals.pending -= counts.pending;
                totals.refunds -= counts.refunds;
                *totals.filtered.entry(ERASED.to_owned()).or_default() +=
                    counts.counted + counts.pending;
            }
        }
        Ok(())
    }

    async fn accounts(&mut self, state: &mut ShardState) -> Result<(), Failure> {
        let (Some(accounts), Some(basis)) = (&state.accounts, &state.basis) else {
            return Ok(());
        };
        let file = self.read(accounts).await?;
        if let Some(theirs) = file.theirs(&self.gone)? {
            self.taken.customers += theirs.true_count() as u64;
            self.taken.state_rows += theirs.true_count() as u64;
            if theirs.true_count() == theirs.len() {
                self.taken.objects += 1;
                (state.accounts, state.basis) = (None, None);
                state.groups.clear();
                return Ok(());
            }
            // Row by row beside the accounts, without naming them.
            let beside = self.read(basis).await?;
            let basis = self.put_rows(&basis.path, &beside, &theirs).await?;
            let accounts = self.put_rows(&accounts.path, &file, &theirs).await?;
            (state.accounts, state.basis) = (Some(accounts), Some(basis));
        }
        for (name, part) in std::mem::take(&mut state.groups) {
            let file = self.read(&part).await?;
            let left = match file.theirs(&self.gone)? {
                None => Some(part),
                Some(theirs) => {
                    self.taken.state_rows += theirs.true_count() as u64;
                    let left = self.put_rows(&part.path, &file, &theirs).await?;
                    Some(left).filter(|left| left.rows > 0)
                }
            };
            state.groups.extend(left.map(|part| (name, part)));
        }
        Ok(())
    }

    /// Takes them out of the events that do not count; gives theirs, by source.
    async fn lost(
        &mut self,
        state: &mut ShardState,
    ) -> Result<BTreeMap<String, BTreeSet<Event>>, Failure> {
        let mut lost = BTreeMap::new();
        for (source, part) in std::mem::take(&mut state.lost) {
            let file = self.read(&part).await?;
            let left = match file.theirs(&self.gone)? {
                None => Some(part),
                Some(theirs) => {
                    self.taken.state_rows += theirs.true_count() as u64;
                    let events = rows_of(&file.batch, &theirs, None)?.into_iter();
                    let events = events.filter_map(|their| their.event());
                    lost.insert(source.clone(), events.collect());
                    let left = self.put_rows(&part.path, &file, &theirs).await?;
                    Some(left).filter(|left| left.rows > 0)
                }
            };
            state.lost.extend(left.map(|part| (source, part)));
        }
        Ok(lost)
    }

    /// Takes them out of the runs of a shard; gives what their rows counted for, by source. Those of
    /// their events that are lost had not counted.
    async fn all_runs(
        &mut self,
        manifest: &Manifest,
        state: &mut ShardState,
        lost: &BTreeMap<String, BTreeSet<Event>>,
    ) -> Result<BTreeMap<String, Counts>, Failure> {
        let mut removed = BTreeMap::new();
        let mut first_day: Option<i32> = None;
        for (source, runs) in state.days.iter_mut().chain(&mut state.events) {
            let clv = manifest.declarations.clv.as_ref();
            let clv = clv.filter(|clv| clv.source == *source);
            let value = clv.map(|clv| format!("m.{}", clv.value));
            let declared = manifest.declarations.sources.get(source);
            let is_events = declared.is_none_or(|source| source.kind.is_events());
            let mut theirs = Vec::new();
            for run in std::mem::take(runs) {
                let checked = self.run(&run, value.as_deref()).await?;
                self.taken.state_rows += checked.rows;
                self.taken.objects += checked.objects;
                self.taken.bytes += checked.bytes;
                if is_events {
                    first_day = first_day.into_iter().chain(checked.first_day).min();
                }
                theirs.extend(checked.theirs);
                runs.extend(checked.run);
            }
            if !theirs.is_empty() {
                let horizon = declared.and_then(|source| source.event_id_horizon);
                let counts = counted(&theirs, lost.get(source), manifest.as_of, horizon);
                if let Some(standing) = state.standing.get_mut(source) {
                    standing.counted -= counts.counted;
                    standing.pending -= counts.pending;
                    standing.refunds -= counts.refunds;
                }
                removed.insert(source.clone(), counts);
            }
        }
        if !removed.is_empty() {
            let counts = first_day.filter(|day| *day < manifest.as_of.0);
            state.first_day = counts.map(Day);
        }
        Ok(removed)
    }

    async fn run(&mut self, run: &StateRun, value: Option<&str>) -> Result<CheckedRun, Failure> {
        if let Some(checked) = self.runs.get(&run.part.path) {
            return Ok(checked.clone());
        }
        let taken = self.taken.clone();
        let checked = self.check_run(run, value).await?;
        let checked = CheckedRun {
            objects: self.taken.objects - taken.objects,
            bytes: self.taken.bytes - taken.bytes,
            ..checked
        };
        self.taken = taken;
        self.runs.insert(run.part.path.clone(), checked.clone());
        Ok(checked)
    }

    async fn check_run(
        &mut self,
        run: &StateRun,
        value: Option<&str>,
    ) -> Result<CheckedRun, Failure> {
        let file = self.read(&run.part).await?;
        let none = BooleanArray::from(vec![false; file.batch.num_rows()]);
        let found = file.theirs(&self.gone)?;
        let theirs = found.as_ref().unwrap_or(&none);
        let mut checked = CheckedRun {
            run: Some(run.clone()),
            theirs: rows_of(&file.batch, theirs, value)?,
            first_day: first_day(&file.batch, theirs)?,
            rows: theirs.true_count() as u64,
            objects: 0,
            bytes: 0,
        };
        if found.is_some() {
            checked.run = self
                .rewrite_run(run, &file, theirs, &checked.theirs)
                .await?;
        }
        Ok(checked)
    }

    async fn rewrite_run(
        &mut self,
        run: &StateRun,
        file: &File,
        theirs: &BooleanArray,
        removed: &[Their],
    ) -> Result<Option<StateRun>, Failure> {
        let mut months = Vec::new();
        let mut start = 0;
        for slice in &run.months {
            let rows = slice.rows as usize;
            let of_month = file.batch.slice(start, rows);
            let left = without(&of_month, &theirs.slice(start, rows))?;
            if left.num_rows() > 0 {
                months.push((slice.month, left));
            }
            start += rows;
        }
        if months.is_empty() {
            self.taken.objects += 1;
            return Ok(None);
        }
        let encode = |layout: Layout<'_>| encode_run(&file.batch.schema(), &months, layout);
        let (bytes, footer, slices) = file.with_layout(encode)?;
        let rows = slices.iter().map(|slice| slice.rows).sum();
        let part = self.put(&run.part.path, "parquet", rows, bytes).await?;
        let (ids, ids_by_month) = match (&run.ids, &run.ids_by_month) {
            (None, _) => (None, None),
            (Some(ids), None) => (Some(self.ids(ids, removed).await?), None),
            (Some(ids), Some(slices)) => {
                let (ids, slices) = self.ids_by_month(ids, slices, removed).await?;
                (Some(ids), Some(slices))
            }
        };
        Ok(Some(StateRun {
            part,
            footer,
            months: slices,
            ids,
            ids_by_month,
        }))
    }

    /// Takes the short hashes of removed events out of those of a run.
    async fn ids(&mut self, part: &PartRef, removed: &[Their]) -> Result<PartRef, Failure> {
        let file = self.read(part).await?;
        let theirs = hashes_of(removed.iter(), &file.batch)?;
        self.put_rows(&part.path, &file, &theirs).await
    }

    /// The same where each month has a place of its own, and an event may be in several.
    async fn ids_by_month(
        &mut self,
        part: &PartRef,
        slices: &Slices,
        removed: &[Their],
    ) -> Result<(PartRef, Slices), Failure> {
        let file = self.read(part).await?;
        let mut months = Vec::new();
        let mut start = 0;
        for slice in &slices.months {
            let rows = slice.rows as usize;
            let of_month = file.batch.slice(start, rows);
            let reaches = |their: &&Their| {
                let span = month(their.day)..=month(their.until);
                span.contains(&slice.month)
            };
            let theirs = hashes_of(removed.iter().filter(reaches), &of_month)?;
            let left = without(&of_month, &theirs)?;
            if left.num_rows() > 0 {
                months.push((slice.month, left));
            }
            start += rows;
        }
        let encode = |layout: Layout<'_>| encode_run(&file.batch.schema(), &months, layout);
        let (bytes, footer, months) = file.with_layout(encode)?;
        let rows = months.iter().map(|slice| slice.rows).sum();
        let part = self.put(&part.path, "parquet", rows, bytes).await?;
        Ok((part, Slices { footer, months }))
    }
}

/// Which short hashes of a part are those of removed events: one for each of them.
fn hashes_of<'a>(
    removed: impl Iterator<Item = &'a Their>,
    batch: &RecordBatch,
) -> Result<BooleanArray, Failure> {
    let mut gone: BTreeMap<(i32, i64), usize> = BTreeMap::new();
    for row in removed {
        if let Some(id) = &row.id {
            *gone.entry((month(row.day), short_hash(id))).or_default() += 1;
        }
    }
    let months = numbers::<Int32Type>(batch, "month")?;
    let hashes = numbers::<Int64Type>(batch, "hash")?;
    let mut theirs = Vec::with_capacity(months.len());
    for key in months.iter().copied().zip(hashes.iter().copied()) {
        let left = gone.get_mut(&key).filter(|left| **left > 0);
        theirs.push(left.is_some());
        left.into_iter().for_each(|left| *left -= 1);
    }
    Ok(theirs.into())
}

fn month(day: i32) -> i32 {
    Day(day).month_index()
}

impl Their {
    fn event(&self) -> Option<Event> {
        Some((self.id.clone()?, self.customer.clone(), self.time))
    }
}

/// What rows count for. Of the copies of an event the earliest counts, as everywhere, unless it is lost.
fn counted(
    theirs: &[Their],
    lost: Option<&BTreeSet<Event>>,
    as_of: Day,
    horizon: Option<u32>,
) -> Counts {
    let mut counts = Counts::default();
    let mut by_id: BTreeMap<(&str, &str), Vec<&Their>> = BTreeMap::new();
    let is_lost = |row: &Their| {
        let event = row.event();
        event.is_some_and(|event| lost.is_some_and(|lost| lost.contains(&event)))
    };
    let mut add = |row: &Their| {
        match row.day < as_of.0 {
            true => counts.counted += row.rows,
            false => counts.pending += row.rows,
        }
        counts.refunds += row.refunds;
    };
    for row in theirs {
        match &row.id {
            None => add(row),
            Some(id) => by_id.entry((id, &row.customer)).or_default().push(row),
        }
    }
    for mut rows in by_id.into_values() {
        rows.sort_by_key(|row| row.time);
        let span = |row: &&Their| Span {
            first: Day(row.day),
            last: Day(row.until),
        };
        let spans: Vec<Span> = rows.iter().map(span).collect();
        let chains = chains(&spans, horizon).into_iter();
        let firsts = chains.map(|chain| rows[chain.start]);
        firsts.filter(|row| !is_lost(row)).for_each(&mut add);
    }
    counts
}

/// The rows that are theirs.
fn rows_of(
    batch: &RecordBatch,
    theirs: &BooleanArray,
    value: Option<&str>,
) -> Result<Vec<Their>, Failure> {
    let places: Vec<usize> = (0..theirs.len()).filter(|row| theirs.value(*row)).collect();
    let days = numbers::<Date32Type>(batch, "day")?;
    if batch.column_by_name("event_id").is_none() {
        let (rows, refunds) = (
            numbers::<Int64Type>(batch, "rows")?,
            numbers::<Int64Type>(batch, "refunds")?,
        );
        let their = |row: usize| Their {
            id: None,
            customer: String::new(),
            time: 0,
            day: days[row],
            until: days[row],
            rows: rows[row],
            refunds: refunds[row],
        };
        return Ok(places.into_iter().map(their).collect());
    }
    let ids = batch.column_by_name("event_id");
    let ids = ids.and_then(|ids| ids.as_string_opt::<i32>());
    let ids = ids.ok_or_else(|| Failure::bug("ids of events are no text"))?;
    let times = numbers::<Int64Type>(batch, "time")?;
    let until = match batch.column_by_name("until") {
        Some(_) => numbers::<Date32Type>(batch, "until")?,
        None => days,
    };
    let values = value.and_then(|name| batch.column_by_name(name));
    let values = values.and_then(|values| values.as_primitive_opt::<Int64Type>());
    let is_refund =
        |row: usize| values.is_some_and(|values| values.is_valid(row) && values.value(row) < 0);
    let their = |(row, customer): (usize, String)| Their {
        id: Some(ids.value(row).to_owned()),
        customer,
        time: times[row],
        day: days[row],
        until: until[row],
        rows: 1,
        refunds: i64::from(is_refund(row)),
    };
    let customers = customers(batch, &places)?;
    Ok(places.into_iter().zip(customers).map(their).collect())
}

/// The customers of some rows, as text.
fn customers(batch: &RecordBatch, rows: &[usize]) -> Result<Vec<String>, Failure> {
    let column = batch.column_by_name("customer");
    if let Some(numbers) = column.and_then(|column| column.as_primitive_opt::<Int64Type>()) {
        let number = |row: &usize| numbers.value(*row).to_string();
        return Ok(rows.iter().map(number).collect());
    }
    let texts = column.and_then(|column| column.as_string_opt::<i32>());
    let texts = texts.ok_or_else(|| Failure::bug("customers are neither int64 nor text"))?;
    let text = |row: &usize| texts.value(*row).to_owned();
    Ok(rows.iter().map(text).collect())
}

/// The earliest day of the rows that are left.
fn first_day(batch: &RecordBatch, theirs: &BooleanArray) -> Result<Option<i32>, Failure> {
    let days = numbers::<Date32Type>(batch, "day")?.iter();
    let left = days.zip(theirs.values()).filter(|(_, theirs)| !theirs);
    Ok(left.map(|(day, _)| *day).min())
}

fn numbers<'a, T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a [T::Native], Failure> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<T>());
    let column = column.ok_or_else(|| Failure::bug(format!("a run lacks {name}")))?;
    Ok(column.values())
}
