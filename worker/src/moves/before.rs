//! The snapshot before, as far as moves need it: the tiles and values of a shard's customers.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use tenfold_core::decile::MigrationError;
use tenfold_core::failure::Failure;
use tenfold_core::money::to_minor;
use tenfold_core::refresh::task::{BeforeShard, DecileSpec};
use tenfold_core::snapshot::ObjectRef;
use tenfold_store::part::decode_columns;
use tenfold_store::publish::get_object;

use super::mistaken;
use crate::TaskContext;
use crate::arrays::{arrow_bug, column, text};
use crate::cut::AllCuts;
use crate::keys::of_shard;
use crate::ranking::Rows;

/// (measure, look-back, value of the dimension).
type RunKey = (String, String, String);

/// What the snapshot before says, read.
pub struct BeforeBatches<'a> {
    /// What the task says of it.
    pub shard: &'a BeforeShard,
    value: Option<RecordBatch>,
    decile: Option<RecordBatch>,
    /// The rows of each group in `decile`.
    runs: BTreeMap<RunKey, Range<usize>>,
    /// Its cuts.
    pub cuts: Option<AllCuts>,
}

/// The customers of a group, ascending, with their tiles and values before.
pub struct Side<'a> {
    customers: &'a ArrayRef,
    rows: Rows,
    /// Their tiles.
    pub tiles: ScalarBuffer<i32>,
    /// Their values, in units that all deciles share.
    pub values: Vec<i128>,
}

impl<'a> BeforeBatches<'a> {
    /// Reads what is needed to compare these deciles.
    pub fn read(
        shard: &'a BeforeShard,
        deciles: &[DecileSpec],
        context: &TaskContext,
    ) -> Result<Self, Failure> {
        let mut wanted: BTreeSet<String> = BTreeSet::from(["customer".to_owned()]);
        for decile in deciles.iter().filter(|decile| decile.by.is_none()) {
            for suffix in &decile.lookbacks {
                wanted.insert(decile.tile_column(suffix));
                wanted.insert(decile.total_column(suffix));
            }
        }
        let decile = rows_of(shard, &shard.customer_decile, &|_| true, context)?;
        let cuts = match &shard.cuts {
            Some(object) => Some(read_cuts(object, context)?),
            None => None,
        };
        Ok(Self {
            shard,
            value: rows_of(
                shard,
                &shard.customer_value,
                &|name| wanted.contains(name),
                context,
            )?,
            runs: match &decile {
                Some(rows) => runs(rows)?,
                None => BTreeMap::new(),
            },
            decile,
            cuts,
        })
    }

    /// Where the customers stood in a decile without dimension.
    pub fn of_customers(
        &self,
        decile: &DecileSpec,
        suffix: &str,
        scale: u8,
    ) -> Result<Side<'_>, Failure> {
        let Some(rows) = &self.value else {
            return Ok(Side::empty());
        };
        let customers = column(rows, "customer")?;
        let tiles = column(rows, &decile.tile_column(suffix))?;
        let values = column(rows, &decile.total_column(suffix))?;
        Side::of(customers, tiles, values, 0..rows.num_rows(), scale)
    }

    /// Where the customers of one value of the dimension stood.
    pub fn of_dimension(
        &self,
        decile: &DecileSpec,
        suffix: &str,
        value: &str,
        scale: u8,
    ) -> Result<Side<'_>, Failure> {
        let key = (decile.name.clone(), suffix.to_owned(), value.to_owned());
        let (Some(rows), Some(run)) = (&self.decile, self.runs.get(&key)) else {
            return Ok(Side::empty());
        };
        let customers = column(rows, "customer")?;
        let (tiles, values) = (column(rows, "decile")?, column(rows, "total")?);
        Side::of(customers, tiles, values, run.clone(), scale)
    }

    /// The values of the dimension that had customers.
    pub fn dimension_values<'b>(
        &'b self,
        measure: &'b str,
        lookback: &'b str,
    ) -> impl Iterator<Item = &'b str> {
        let of = move |key: &&RunKey| key.0 == measure && key.1 == lookback;
        self.runs.keys().filter(of).map(|key| key.2.as_str())
    }
}

/// The rows of the shard's customers in some files of a table, in the order that each file has.
fn rows_of(
    shard: &BeforeShard,
    files: &[ObjectRef],
    wanted: &dyn Fn(&str) -> bool,
    context: &TaskContext,
) -> Result<Option<RecordBatch>, Failure> {
    let mut batches = Vec::with_capacity(files.len());
    for file in files {
        let bytes = context.wait_for_store(get_object(&context.store, file))?;
        let within = |failure: Failure| failure.within(context.store.locate(&file.path));
        let rows = decode_columns(bytes, wanted).map_err(within)?;
        batches.push(match shard.among {
            Some((shard, shards)) => of_shard(&rows, shard, shards)?,
            None => rows,
        });
    }
    match batches.as_slice() {
        [] => Ok(None),
        [rows] => Ok(Some(rows.clone())),
        several => in_order(several).map(Some),
    }
}

/// Rows of several files by what each of them is sorted by: the group, if there is one, and the
/// customer.
fn in_order(files: &[RecordBatch]) -> Result<RecordBatch, Failure> {
    let rows = concat_batches(&files[0].schema(), files).map_err(arrow_bug)?;
    let keys = ["measure", "lookback", "dimension_value", "customer"];
    let keys = keys.iter().filter_map(|name| rows.column_by_name(name));
    let keys: Vec<SortColumn> = keys
        .map(|values| SortColumn {
            values: values.clone(),
            options: None,
        })
        .collect();
    let order = lexsort_to_indices(&keys, None).map_err(arrow_bug)?;
    take_record_batch(&rows, &order).map_err(arrow_bug)
}

fn read_cuts(object: &ObjectRef, context: &TaskContext) -> Result<AllCuts, Failure> {
    let bytes = context.wait_for_store(get_object(&context.store, object))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::dependency(format!("cannot decode {}: {error}", object.path)))
}

/// The rows of each group of `customer_decile`, which is in the order of its groups.
fn runs(rows: &RecordBatch) -> Result<BTreeMap<RunKey, Range<usize>>, Failure> {
    let measures = text(rows, "measure")?;
    let lookbacks = text(rows, "lookback")?;
    let values = text(rows, "dimension_value")?;
    let key = |row: usize| (measures.value(row), lookbacks.value(row), values.value(row));
    let mut runs = BTreeMap::new();
    let mut start = 0;
    for row in 1..=rows.num_rows() {
        if row == rows.num_rows() || key(row) != key(start) {
            let (measure, lookback, value) = key(start);
            let owned = (measure.to_owned(), lookback.to_owned(), value.to_owned());
            runs.insert(owned, start..row);
            start = row;
        }
    }
    Ok(runs)
}

impl<'a> Side<'a> {
    /// Nobody.
    pub fn empty() -> Self {
        static NOBODY: std::sync::LazyLock<ArrayRef> =
            std::sync::LazyLock::new(|| arrow::array::new_empty_array(&DataType::Int64));
        Self {
            customers: &NOBODY,
            rows: Rows::All(0),
            tiles: ScalarBuffer::default(),
            values: Vec::new(),
        }
    }

    /// The rows of a range that have a tile; values in units of 10^-scale.
    fn of(
        customers: &'a ArrayRef,
        tiles: &ArrayRef,
        values: &ArrayRef,
        rows: Range<usize>,
        scale: u8,
    ) -> Result<Self, Failure> {
        let known = tiles.as_primitive_opt::<Int32Type>();
        let known = known.ok_or_else(|| Failure::bug("a column of tiles is no int32"))?;
        let rows = match known.null_count() == 0 && rows == (0..known.len()) {
            true => Rows::All(known.len()),
            false => {
                let ranked = rows.filter(|row| known.is_valid(*row));
                Rows::Some(ranked.map(|row| row as u32).collect())
            }
        };
        Ok(Self {
            customers,
            tiles: match &rows {
                Rows::All(_) => known.values().clone(),
                rows => rows.iter().map(|row| known.value(row)).collect(),
            },
            values: amounts(values, &rows, scale)?,
            rows,
        })
    }

    /// Goes through the customers of this side and of another, each customer once, with the place
    /// of each on either side.
    pub fn walk(
        &self,
        customers: &ArrayRef,
        rows: &Rows,
        each: impl FnMut(Option<usize>, Option<usize>) -> Result<(), MigrationError>,
    ) -> Result<(), Failure> {
        let lengths = (self.rows.len(), rows.len());
        if self.rows.len() == 0 {
            // Of any type: nobody is compared.
            return walk(lengths, |_, _| Ordering::Greater, each).map_err(mistaken);
        }
        match customers.as_primitive_opt::<Int64Type>() {
            Some(now) => {
                let then = self.customers.as_primitive_opt::<Int64Type>();
                let then = then.ok_or_else(|| Failure::bug("customers changed their type"))?;
                let (then, now) = (then.values(), now.values());
                let order = |was: usize, is: usize| then[self.rows.at(was)].cmp(&now[rows.at(is)]);
                walk(lengths, order, each)
            }
            None => {
                let then = self.customers.as_string_opt::<i32>();
                let then = then.ok_or_else(|| Failure::bug("customers changed their type"))?;
                let now = customers.as_string::<i32>();
                let order = |was: usize, is: usize| {
                    let was = then.value(self.rows.at(was));
                    was.cmp(now.value(rows.at(is)))
                };
                walk(lengths, order, each)
            }
        }
        .map_err(mistaken)
    }
}

/// Goes through two ascending lists together; `order` compares places in them.
fn walk(
    (before, after): (usize, usize),
    order: impl Fn(usize, usize) -> Ordering,
    mut each: impl FnMut(Option<usize>, Option<usize>) -> Result<(), MigrationError>,
) -> Result<(), MigrationError> {
    let (mut was, mut is) = (0, 0);
    while was < before || is < after {
        let order = match (was < before, is < after) {
            (true, true) => order(was, is),
            (true, false) => Ordering::Less,
            _ => Ordering::Greater,
        };
        each(order.is_le().then_some(was), order.is_ge().then_some(is))?;
        was += usize::from(order.is_le());
        is += usize::from(order.is_ge());
    }
    Ok(())
}

/// Published amounts at some rows, in units of 10^-scale. NULL, of customers that rank as zero,
/// is 0.
fn amounts(values: &ArrayRef, rows: &Rows, scale: u8) -> Result<Vec<i128>, Failure> {
    match values.data_type() {
        DataType::Int64 => {
            let factor = 10_i128.pow(u32::from(scale));
            let whole = values.as_primitive::<Int64Type>();
            Ok(at(whole, rows, |amount| i128::from(amount) * factor))
        }
        DataType::Float64 => {
            let major = values.as_primitive::<Float64Type>();
            Ok(at(major, rows, |amount| to_minor(amount, scale)))
        }
        DataType::Decimal128(_, own) => {
            let minor = values.as_primitive::<Decimal128Type>();
            let power = i32::from(scale) - i32::from(*own);
            let factor = 10_i128.pow(power.unsigned_abs());
            Ok(match power {
                0.. => at(minor, rows, |amount| amount * factor),
                _ => at(minor, rows, |amount| amount / factor),
            })
        }
        other => Err(Failure::bug(format!("amounts are of type {other}"))),
    }
}

fn at<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    rows: &Rows,
    amount: impl Fn(T::Native) -> i128,
) -> Vec<i128> {
    let amount = |row: usize| match values.is_valid(row) {
        true => amount(values.value(row)),
        false => 0,
    };
    rows.iter().map(amount).collect()
}
