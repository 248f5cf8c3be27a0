//! Days: the sums of one source by (customer, day, dimensions), sorted by these.

use std::ops::Range;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::task::MergeSource;

use super::codes::{CustomerCodes, DimensionCodes};
use crate::arrays::{column, days as days_of, int64, text};
use crate::values::sum_too_large;

/// A column of sums; no value where nothing was added.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// The sums in minor units; zero where there is none.
    pub values: Vec<i64>,
    /// Whether there is one.
    pub valid: Vec<bool>,
}

impl Sums {
    /// The sum of a row.
    pub fn get(&self, row: usize) -> Option<i64> {
        self.valid[row].then_some(self.values[row])
    }

    /// Adds a row.
    pub fn push(&mut self, sum: Option<i64>) {
        self.values.push(sum.unwrap_or_default());
        self.valid.push(sum.is_some());
    }

    /// A column of the sums, NULL where there is none.
    pub fn into_column(self) -> Int64Array {
        let nulls = self.valid.contains(&false);
        let nulls = nulls.then(|| NullBuffer::from(self.valid));
        Int64Array::new(self.values.into(), nulls)
    }

    /// The sum of each group of rows.
    fn of_groups(&self, groups: &Groups, measure: &str) -> Result<Self, Failure> {
        let mut sums = Self {
            values: Vec::with_capacity(groups.len()),
            valid: Vec::with_capacity(groups.len()),
        };
        for group in groups.iter() {
            sums.push(match group {
                [row] => self.get(*row as usize),
                rows => fitting(
                    total(rows.iter().map(|row| self.get(*row as usize))),
                    measure,
                )?,
            });
        }
        Ok(sums)
    }

    fn at(&self, rows: &[usize]) -> Self {
        Self {
            values: at(&self.values, rows),
            valid: at(&self.valid, rows),
        }
    }

    fn extend(&mut self, column: &Int64Array) {
        self.values
            .extend(column.iter().map(Option::unwrap_or_default));
        match column.null_count() {
            0 => self.valid.resize(self.values.len(), true),
            _ => self
                .valid
                .extend((0..column.len()).map(|row| column.is_valid(row))),
        }
    }
}

/// Rows of `days`, column by column.
#[derive(Debug, Clone, Default)]
pub struct Days {
    /// Codes of the customers.
    pub customer: Vec<i64>,
    /// Days since 1970-01-01.
    pub day: Vec<i32>,
    /// Latest instant, where the source has dimensions; empty otherwise.
    pub time: Vec<i64>,
    /// Codes of each dimension.
    pub dimensions: Vec<Vec<u32>>,
    /// What the codes of each dimension mean.
    pub meanings: Vec<DimensionCodes>,
    /// Number of events.
    pub rows: Vec<i64>,
    /// Number of events with a negative value of purchase.
    pub refunds: Vec<i64>,
    /// Sums of each measure.
    pub measures: Vec<Sums>,
    /// Names of the measures, for messages.
    names: Vec<String>,
}

impl Days {
    fn empty(source: &MergeSource) -> Self {
        Self {
            dimensions: vec![Vec::new(); source.dimensions.len()],
            meanings: vec![DimensionCodes::default(); source.dimensions.len()],
            measures: vec![Sums::default(); source.measures.len()],
            names: source.measures.clone(),
            ..Self::default()
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether the rows carry instants.
    pub fn has_time(&self) -> bool {
        !self.dimensions.is_empty()
    }

    /// The net of the rows of one customer and day, if that is a day of purchase: those are the days
    /// whose net is positive, or that hold no refund. Days without a value are none.
    pub fn purchase(&self, rows: Range<usize>, values: &Sums) -> Option<i128> {
        let net = total(rows.clone().map(|row| values.get(row)))?;
        let refunds: i64 = self.refunds[rows].iter().sum();
        (net > 0 || refunds == 0).then_some(net)
    }

    /// Events on some days.
    pub fn events_on(&self, days: &Spans) -> u64 {
        let rows = self.day.iter().zip(&self.rows);
        let inside = rows.filter(|(day, _)| days.contains(Day(**day)));
        inside.map(|(_, rows)| rows.unsigned_abs()).sum()
    }

    /// The rows of other days than some.
    pub fn without(self, days: &Spans) -> Self {
        let outside = |row: &usize| !days.contains(Day(self.day[*row]));
        let rows: Vec<usize> = (0..self.len()).filter(outside).collect();
        Self {
            customer: at(&self.customer, &rows),
            day: at(&self.day, &rows),
            time: match self.has_time() {
                true => at(&self.time, &rows),
                false => Vec::new(),
            },
            dimensions: self
                .dimensions
                .iter()
                .map(|codes| at(codes, &rows))
                .collect(),
            rows: at(&self.rows, &rows),
            refunds: at(&self.refunds, &rows),
            measures: self.measures.iter().map(|sums| sums.at(&rows)).collect(),
            meanings: self.meanings,
            names: self.names,
        }
    }

    /// The rows of these and other days, added up.
    pub fn plus(self, other: Days) -> Result<Self, Failure> {
        if self.len() == 0 {
            return Ok(other);
        }
        let mut all = self;
        let recoded = other.dimensions.iter().zip(&other.meanings).enumerate();
        let recoded: Vec<Vec<u32>> = recoded
            .map(|(place, (codes, meaning))| recode(&mut all, place, codes, meaning))
            .collect();
        all.customer.extend(other.customer);
        all.day.extend(other.day);
        all.time.extend(other.time);
        all.rows.extend(other.rows);
        all.refunds.extend(other.refunds);
        for (mine, theirs) in all.dimensions.iter_mut().zip(recoded) {
            mine.extend(theirs);
        }
        for (mine, theirs) in all.measures.iter_mut().zip(other.measures) {
            mine.values.extend(theirs.values);
            mine.valid.extend(theirs.valid);
        }
        all.added_up()
    }

    /// Sorts the rows by (customer, day, dimensions) and adds up those that agree in these.
    fn added_up(self) -> Result<Self, Failure> {
        let groups = self.groups();
        let firsts = || groups.iter().map(|group| group[0] as usize);
        let latest = |group: &[u32]| group.iter().map(|row| self.time[*row as usize]).max();
        let sum = |values: &[i64]| -> Vec<i64> {
            // Refunds are rare, and most groups are of one row.
            if values.iter().all(|value| *value == 0) {
                return vec![0; groups.len()];
            }
            let sum = |group: &[u32]| match group {
                [row] => values[*row as usize],
                rows => rows.iter().map(|row| values[*row as usize]).sum(),
            };
            groups.iter().map(sum).collect()
        };
        let mut measures = Vec::with_capacity(self.measures.len());
        for (sums, name) in self.measures.iter().zip(&self.names) {
            measures.push(sums.of_groups(&groups, name)?);
        }
        let codes = |codes: &Vec<u32>| firsts().map(|row| codes[row]).collect();
        Ok(Self {
            customer: firsts().map(|row| self.customer[row]).collect(),
            day: firsts().map(|row| self.day[row]).collect(),
            time: match self.has_time() {
                true => groups.iter().filter_map(latest).collect(),
                false => Vec::new(),
            },
            dimensions: self.dimensions.iter().map(codes).collect(),
            rows: sum(&self.rows),
            refunds: sum(&self.refunds),
            measures,
            meanings: self.meanings.clone(),
            names: self.names.clone(),
        })
    }

    /// The rows in order of (customer, day, dimensions), by what they agree in.
    fn groups(&self) -> Groups {
        let (mut order, days) = self.by_day();
        if self.dimensions.is_empty() {
            return Groups {
                order,
                starts: days,
            };
        }
        let mut starts = Vec::with_capacity(order.len() + 1);
        for day in days.windows(2) {
            starts.push(day[0]);
            let rows = &mut order[day[0] as usize..day[1] as usize];
            rows.sort_by_key(|row| self.dimension_codes(*row as usize));
            let next = (day[0] + 1..day[1]).zip(rows.windows(2));
            let new = next.filter(|(_, pair)| {
                self.dimension_codes(pair[0] as usize) != self.dimension_codes(pair[1] as usize)
            });
            starts.extend(new.map(|(place, _)| place));
        }
        starts.push(order.len() as u32);
        Groups { order, starts }
    }

    /// The rows in order of (customer, day), and where each day of a customer starts, with the end of
    /// all.
    fn by_day(&self) -> (Vec<u32>, Vec<u32>) {
        let customers = Scale::of(self.customer.iter().copied());
        let days = Scale::of(self.day.iter().copied().map(i64::from));
        let rows = usize::BITS - self.len().leading_zeros();
        let keys = || self.customer.iter().zip(&self.day).enumerate();
        let parts = move |(row, (customer, day)): (usize, (&i64, &i32))| {
            (row, customers.place(*customer), days.place(i64::from(*day)))
        };
        // Those of customers mostly fit 64 bits, whose few digits sort faster than they compare. Rows of equal ones keep
        // their order, which is that of the rows; rows of one run of the state are sorted already.
        if customers.bits + days.bits + rows <= u64::BITS {
            let key = |(row, customer, day)| (customer << days.bits | day) << rows | row as u64;
            let mut keys: Vec<u64> = keys().map(parts).map(key).collect();
            if !keys.is_sorted() {
                radsort::sort_by_key(&mut keys, |key| key >> rows);
            }
            starts(keys, |key| (key >> rows, (key & ((1 << rows) - 1)) as u32))
        } else {
            let key = |(row, customer, day): (usize, u64, u64)| {
                u128::from(customer) << 64 | u128::from(day) << 32 | row as u128
            };
            let mut keys: Vec<u128> = keys().map(parts).map(key).collect();
            keys.sort();
            starts(keys, |key| (key >> 32, key as u32))
        }
    }

    fn dimension_codes(&self, row: usize) -> Vec<u32> {
        self.dimensions.iter().map(|codes| codes[row]).collect()
    }
}

/// The places of numbers above the least of them.
#[derive(Debug, Clone, Copy)]
struct Scale {
    least: i64,
    /// Bits of the greatest place.
    bits: u32,
}

impl Scale {
    fn of(numbers: impl Iterator<Item = i64> + Clone) -> Self {
        let least = numbers.clone().min().unwrap_or_default();
        let greatest = numbers.max().unwrap_or_default();
        Self {
            least,
            bits: u64::BITS - least.abs_diff(greatest).leading_zeros(),
        }
    }

    fn place(self, number: i64) -> u64 {
        self.least.abs_diff(number)
    }
}

/// The rows that sorted keys end with, and where each other key starts, with the end of all; `split` takes the row from
/// a key.
fn starts<K: Copy, P: PartialEq>(
    keys: Vec<K>,
    split: impl Fn(K) -> (P, u32),
) -> (Vec<u32>, Vec<u32>) {
    let mut starts = Vec::with_capacity(keys.len() + 1);
    let mut last = None;
    for (place, key) in keys.iter().enumerate() {
        let (key, _) = split(*key);
        if last.as_ref() != Some(&key) {
            starts.push(place as u32);
        }
        last = Some(key);
    }
    starts.push(keys.len() as u32);
    (keys.into_iter().map(|key| split(key).1).collect(), starts)
}

/// Rows in order, and where those begin that are added up.
struct Groups {
    order: Vec<u32>,
    /// One more than there are groups.
    starts: Vec<u32>,
}

impl Groups {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of each group; none is empty.
    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let bounds = self.starts.windows(2);
        bounds.map(|bounds| &self.order[bounds[0] as usize..bounds[1] as usize])
    }
}

fn at<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| values[*row]).collect()
}

/// The exact sum of the values that are there.
pub fn total(values: impl Iterator<Item = Option<i64>>) -> Option<i128> {
    values.flatten().fold(None, |sum, value| {
        Some(sum.unwrap_or(0) + i128::from(value))
    })
}

/// A sum as it is kept, if it fits.
pub fn fitting(sum: Option<i128>, measure: &str) -> Result<Option<i64>, Failure> {
    let kept = sum.map(i64::try_from).transpose();
    kept.map_err(|_| sum_too_large(measure, "64 bits"))
}

/// Gives the codes of another dictionary a meaning in this one.
fn recode(all: &mut Days, place: usize, codes: &[u32], meaning: &DimensionCodes) -> Vec<u32> {
    let texts = |codes: &[u32], meaning: &DimensionCodes| -> StringArray {
        codes.iter().map(|code| meaning.text(*code)).collect()
    };
    let mine = texts(&all.dimensions[place], &all.meanings[place]);
    let theirs = texts(codes, meaning);
    let joint = DimensionCodes::new(&[&mine, &theirs]);
    let mut recoded = Vec::with_capacity(codes.len());
    joint.encode(&theirs, &mut recoded);
    all.dimensions[place].clear();
    joint.encode(&mine, &mut all.dimensions[place]);
    all.meanings[place] = joint;
    recoded
}

/// The days of events: `value` is the measure whose negative values are refunds.
pub fn from_events(
    source: &MergeSource,
    batches: &[RecordBatch],
    codes: &CustomerCodes,
    value: Option<usize>,
) -> Result<Days, Failure> {
    let mut days = read(source, batches, codes)?;
    days.rows = vec![1; days.len()];
    days.refunds = match value.and_then(|value| days.measures.get(value)) {
        Some(values) => values
            .values
            .iter()
            .map(|value| i64::from(*value < 0))
            .collect(),
        None => vec![0; days.len()],
    };
    days.added_up()
}

/// The days of earlier nights, as they were kept.
pub fn from_state(
    source: &MergeSource,
    batches: &[RecordBatch],
    codes: &CustomerCodes,
) -> Result<Days, Failure> {
    let mut days = read(source, batches, codes)?;
    for batch in batches {
        days.rows.extend(int64(batch, "rows")?.values());
        days.refunds.extend(int64(batch, "refunds")?.values());
    }
    days.added_up()
}

/// The columns that events and days have in common.
fn read(
    source: &MergeSource,
    batches: &[RecordBatch],
    codes: &CustomerCodes,
) -> Result<Days, Failure> {
    let mut days = Days::empty(source);
    for batch in batches {
        days.customer
            .extend(codes.encode(column(batch, "customer")?)?);
        days.day.extend_from_slice(days_of(batch)?);
        if days.has_time() {
            days.time.extend(int64(batch, "time")?.values());
        }
        for (sums, measure) in days.measures.iter_mut().zip(&source.measures) {
            sums.extend(int64(batch, &format!("m.{measure}"))?);
        }
    }
    for (place, dimension) in source.dimensions.iter().enumerate() {
        let name = format!("d.{dimension}");
        let columns: Result<Vec<&StringArray>, _> =
            batches.iter().map(|batch| text(batch, &name)).collect();
        let columns = columns?;
        let meaning = DimensionCodes::new(&columns);
        for column in columns {
            meaning.encode(column, &mut days.dimensions[place]);
        }
        days.meanings[place] = meaning;
    }
    if u32::try_from(days.len()).is_err() {
        return Err(Failure::data(
            "more than 4,294,967,295 rows of one shard are merged at a time",
        )
        .code(ErrorCode::ShardTooLarge)
        .remedy("give the store more shards: `tenfold refresh --shards N`"));
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_by_customer_and_day_however_far_apart_these_are() {
        for [a, b, c] in [[-1, 5, 7], [i64::MIN, 0, i64::MAX]] {
            let days = Days {
                customer: vec![c, a, b, a, a],
                day: vec![2, 9, -3, 9, 1],
                ..Days::default()
            };
            let (rows, starts) = days.by_day();
            assert_eq!(rows, [4, 1, 3, 2, 0]);
            assert_eq!(starts, [0, 1, 3, 4, 5]);
        }
        assert_eq!(Days::default().by_day(), (vec![], vec![0]));
    }
}
