//! Days: the sums of one source by (customer, day, dimensions), sorted by these.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Int32Type};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::MergeSource;

use super::codes::{CustomerCodes, DimensionCodes};
use crate::arrays::{column, int64, text};

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

    /// The rows of these and other days, added up.
    pub fn plus(self, other: Days) -> Result<Self, Failure> {
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
        let order = self.order();
        let mut sums = Self {
            dimensions: vec![Vec::new(); self.dimensions.len()],
            meanings: self.meanings.clone(),
            measures: vec![Sums::default(); self.measures.len()],
            names: self.names.clone(),
            ..Self::default()
        };
        let mut start = 0;
        while start < order.len() {
            let first = order[start];
            let mut end = start + 1;
            while end < order.len() && self.same(first, order[end]) {
                end += 1;
            }
            sums.push_sum(&self, &order[start..end])?;
            start = end;
        }
        Ok(sums)
    }

    /// The rows in order of (customer, day, dimensions).
    fn order(&self) -> Vec<usize> {
        let key = |row: usize| {
            // Signed numbers keep their order when the sign bit is flipped.
            let customer = u128::from(self.customer[row] as u64 ^ (1 << 63));
            let day = u128::from(self.day[row] as u32 ^ (1 << 31));
            customer << 64 | day << 32 | row as u128
        };
        let mut keys: Vec<u128> = (0..self.len()).map(key).collect();
        keys.sort_unstable();
        let mut order: Vec<usize> = keys.iter().map(|key| *key as u32 as usize).collect();
        if !self.dimensions.is_empty() {
            let same_day = |a: &usize, b: &usize| {
                self.customer[*a] == self.customer[*b] && self.day[*a] == self.day[*b]
            };
            for group in order.chunk_by_mut(same_day) {
                group.sort_by_key(|row| self.dimension_codes(*row));
            }
        }
        order
    }

    fn dimension_codes(&self, row: usize) -> Vec<u32> {
        self.dimensions.iter().map(|codes| codes[row]).collect()
    }

    fn same(&self, a: usize, b: usize) -> bool {
        self.customer[a] == self.customer[b]
            && self.day[a] == self.day[b]
            && self.dimensions.iter().all(|codes| codes[a] == codes[b])
    }

    fn push_sum(&mut self, from: &Self, group: &[usize]) -> Result<(), Failure> {
        let first = group[0];
        self.customer.push(from.customer[first]);
        self.day.push(from.day[first]);
        for (mine, theirs) in self.dimensions.iter_mut().zip(&from.dimensions) {
            mine.push(theirs[first]);
        }
        if from.has_time() {
            self.time.push(
                group
                    .iter()
                    .map(|row| from.time[*row])
                    .max()
                    .unwrap_or_default(),
            );
        }
        self.rows
            .push(group.iter().map(|row| from.rows[*row]).sum());
        self.refunds
            .push(group.iter().map(|row| from.refunds[*row]).sum());
        for (place, theirs) in from.measures.iter().enumerate() {
            let sum = total(group.iter().map(|row| theirs.get(*row)));
            let sum = fitting(sum, &from.names[place])?;
            self.measures[place].push(sum);
        }
        Ok(())
    }
}

/// The exact sum of the values that are there.
pub fn total(values: impl Iterator<Item = Option<i64>>) -> Option<i128> {
    values.flatten().fold(None, |sum, value| {
        Some(sum.unwrap_or(0) + i128::from(value))
    })
}

/// A sum as it is kept, if it fits.
pub fn fitting(sum: Option<i128>, measure: &str) -> Result<Option<i64>, Failure> {
    sum.map(i64::try_from).transpose().map_err(|_| {
        Failure::data(format!(
            "the sum of measure {measure} of one customer does not fit 64 bits"
        ))
        .remedy("declare the measure with a smaller `scale`, or filter the rows that are too large")
    })
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
        extend_days(&mut days.day, column(batch, "day")?)?;
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
        return Err(Failure::data("one shard has more than 4,294,967,295 rows")
            .remedy("start a store with more shards"));
    }
    Ok(days)
}

fn extend_days(days: &mut Vec<i32>, column: &ArrayRef) -> Result<(), Failure> {
    let values = match column.data_type() {
        DataType::Date32 => column.as_primitive::<Date32Type>().values(),
        DataType::Int32 => column.as_primitive::<Int32Type>().values(),
        other => return Err(Failure::bug(format!("days of a part are {other}"))),
    };
    days.extend_from_slice(values);
    Ok(())
}
