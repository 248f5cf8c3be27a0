//! Accounts: one row per customer with an event before `as_of`, and the unique keys that the models
//! are fitted on.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{MergeClv, MergeOutput, MergeTask, TotalsSpec};
use tenfold_store::part::{Layout, STATE, put_ipc, put_parquet};

use super::codes::CustomerCodes;
use super::days::{Days, Sums, fitting, total};
use crate::TaskContext;

/// Stands for NULL where a dimension partitions a decile.
const NONE: &str = "(none)";

/// Writes accounts, keys and long-form sums of a shard.
pub fn write(
    task: &MergeTask,
    days: &BTreeMap<String, Days>,
    codes: &CustomerCodes,
    context: &TaskContext,
    output: &mut MergeOutput,
) -> Result<(), Failure> {
    let mut builder = Builder::new(task, days)?;
    for customer in customers(task.as_of, days) {
        builder.add(customer)?;
    }
    output.customers = builder.customers.len() as u64;
    output.first_day = builder.first_day.map(Day);
    if builder.customers.is_empty() {
        return Ok(());
    }
    for (spec, long) in builder
        .long
        .iter()
        .filter(|(_, long)| !long.customers.is_empty())
    {
        let part = context.wait(put_ipc(&context.store, &long.batch(spec, codes)?))?;
        output.totals.insert(spec.name.clone(), part);
    }
    if let Some(purchases) = &mut builder.purchases {
        output.buyers = purchases.transactions.len() as u64;
        let first = purchases.first.iter().flatten().min().copied();
        output.first_purchase = first.map(|day| {
            (
                Day(day),
                purchases
                    .first
                    .iter()
                    .filter(|first| **first == Some(day))
                    .count() as u64,
            )
        });
        output.transaction_keys = purchases.write_transaction_keys(context)?;
        output.spend_keys = purchases.write_spend_keys(context)?;
        output.holdout_keys = purchases.write_holdout_keys(context)?;
    }
    let accounts = builder.batch(codes)?;
    let layout = Layout {
        sorted: &["customer"],
        identity: &["customer"],
        ..Layout::default()
    };
    let directory = format!("{STATE}/accounts");
    let part = context.wait(put_parquet(&context.store, &directory, &accounts, layout))?;
    output.state.accounts = Some(part);
    Ok(())
}

/// Codes of the customers with an event before `as_of`, ascending.
fn customers(as_of: Day, days: &BTreeMap<String, Days>) -> Vec<i64> {
    let mut all = Vec::new();
    for days in days.values() {
        let counting = (0..days.len()).filter(|row| days.day[*row] < as_of.0);
        let first = all.len();
        for row in counting {
            if all.len() == first || all.last() != Some(&days.customer[row]) {
                all.push(days.customer[row]);
            }
        }
    }
    if days.len() > 1 {
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// The rows of one source, walked customer by customer.
struct Cursor<'a> {
    days: &'a Days,
    next: usize,
}

impl Cursor<'_> {
    /// The rows of a customer, of which only those before `as_of` count.
    fn rows_of(&mut self, customer: i64, as_of: Day) -> std::ops::Range<usize> {
        let customers = &self.days.customer;
        while customers
            .get(self.next)
            .is_some_and(|other| *other < customer)
        {
            self.next += 1;
        }
        let start = self.next;
        while customers.get(self.next) == Some(&customer) {
            self.next += 1;
        }
        // Rows of a customer are sorted by day.
        let counting = self.days.day[start..self.next].partition_point(|day| *day < as_of.0);
        start..start + counting
    }
}

struct Builder<'a> {
    as_of: Day,
    cursors: BTreeMap<&'a str, Cursor<'a>>,
    customers: Vec<i64>,
    events: Vec<i64>,
    first_day: Option<i32>,
    purchases: Option<Purchases<'a>>,
    totals: Vec<(&'a TotalsSpec, usize, Vec<Sums>)>,
    long: Vec<(&'a TotalsSpec, Long)>,
}

impl<'a> Builder<'a> {
    fn new(task: &'a MergeTask, days: &'a BTreeMap<String, Days>) -> Result<Self, Failure> {
        let cursors = days
            .iter()
            .map(|(name, days)| (name.as_str(), Cursor { days, next: 0 }))
            .collect();
        let purchases = match &task.clv {
            Some(clv) => Some(Purchases::new(clv, measure(task, &clv.source, &clv.value)?)),
            None => None,
        };
        let mut totals = Vec::new();
        let mut long = Vec::new();
        for spec in &task.totals {
            let measure = match &spec.measure {
                Some(name) => Some(measure(task, &spec.source, name)?),
                None => None,
            };
            let sums = vec![Sums::default(); spec.windows.len()];
            match (&spec.by, measure) {
                (Some(by), measure) => {
                    let dimension = dimension(task, &spec.source, &by.dimension)?;
                    long.push((spec, Long::new(measure, dimension, by.latest, sums)));
                }
                (None, Some(measure)) => totals.push((spec, measure, sums)),
                (None, None) => {}
            }
        }
        Ok(Self {
            as_of: task.as_of,
            cursors,
            customers: Vec::new(),
            events: Vec::new(),
            first_day: None,
            purchases,
            totals,
            long,
        })
    }

    fn add(&mut self, customer: i64) -> Result<(), Failure> {
        let mut events = 0;
        for (name, cursor) in &mut self.cursors {
            let rows = cursor.rows_of(customer, self.as_of);
            let days = cursor.days;
            events += days.rows[rows.clone()].iter().sum::<i64>();
            if let Some(first) = days.day.get(rows.start).filter(|_| !rows.is_empty()) {
                self.first_day = Some(self.first_day.map_or(*first, |day| day.min(*first)));
            }
            if let Some(purchases) = self.purchases.as_mut().filter(|p| p.clv.source == *name) {
                purchases.add(days, rows.clone(), self.as_of)?;
            }
            for (spec, measure, sums) in self.totals.iter_mut().filter(|t| t.0.source == *name) {
                add_totals(
                    spec,
                    &days.measures[*measure],
                    &days.day,
                    rows.clone(),
                    sums,
                )?;
            }
            for (spec, long) in self.long.iter_mut().filter(|l| l.0.source == *name) {
                long.add(spec, customer, days, rows.clone())?;
            }
        }
        self.customers.push(customer);
        self.events.push(events);
        Ok(())
    }

    fn batch(self, codes: &CustomerCodes) -> Result<RecordBatch, Failure> {
        let mut columns: Vec<(String, ArrayRef, bool)> = vec![
            ("customer".to_owned(), codes.decode(&self.customers), false),
            (
                "events".to_owned(),
                Arc::new(Int64Array::from(self.events)),
                false,
            ),
        ];
        if let Some(purchases) = self.purchases {
            columns.extend(purchases.columns());
        }
        for (spec, _, sums) in self.totals {
            for ((suffix, _), sums) in spec.windows.iter().zip(sums) {
                let name = format!("{}_{suffix}", spec.name);
                columns.push((name, sums_array(&sums), true));
            }
        }
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column, nullable)| Field::new(name, column.data_type().clone(), *nullable))
            .collect();
        let arrays = columns.into_iter().map(|(_, column, _)| column).collect();
        crate::arrays::batch(Arc::new(Schema::new(fields)), arrays)
    }
}

fn measure(task: &MergeTask, source: &str, measure: &str) -> Result<usize, Failure> {
    let source = task.sources.iter().find(|known| known.source == source);
    source
        .and_then(|source| source.measures.iter().position(|known| known == measure))
        .ok_or_else(|| Failure::bug(format!("a merge task lacks measure {measure}")))
}

fn dimension(task: &MergeTask, source: &str, dimension: &str) -> Result<usize, Failure> {
    let source = task.sources.iter().find(|known| known.source == source);
    source
        .and_then(|source| {
            source
                .dimensions
                .iter()
                .position(|known| known == dimension)
        })
        .ok_or_else(|| Failure::bug(format!("a merge task lacks dimension {dimension}")))
}

fn sums_array(sums: &Sums) -> ArrayRef {
    let values = (0..sums.values.len()).map(|row| sums.get(row));
    Arc::new(values.collect::<Int64Array>())
}

fn add_totals(
    spec: &TotalsSpec,
    measure: &Sums,
    days: &[i32],
    rows: std::ops::Range<usize>,
    sums: &mut [Sums],
) -> Result<(), Failure> {
    for ((_, window), sums) in spec.windows.iter().zip(sums) {
        let inside = rows.clone().filter(|row| window.contains(Day(days[*row])));
        sums.push(fitting(
            total(inside.map(|row| measure.get(row))),
            &spec.name,
        )?);
    }
    Ok(())
}

/// Sums of a decile that a dimension partitions: a row per customer and value.
struct Long {
    measure: Option<usize>,
    dimension: usize,
    latest: bool,
    customers: Vec<i64>,
    values: Vec<String>,
    sums: Vec<Sums>,
}

impl Long {
    fn new(measure: Option<usize>, dimension: usize, latest: bool, sums: Vec<Sums>) -> Self {
        let (customers, values) = (Vec::new(), Vec::new());
        Self {
            measure,
            dimension,
            latest,
            customers,
            values,
            sums,
        }
    }

    fn add(
        &mut self,
        spec: &TotalsSpec,
        customer: i64,
        days: &Days,
        rows: std::ops::Range<usize>,
    ) -> Result<(), Failure> {
        let codes = &days.dimensions[self.dimension];
        let latest = rows
            .clone()
            .max_by_key(|row| (days.time[*row], codes[*row]));
        let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for row in rows {
            let code = match latest.filter(|_| self.latest) {
                Some(latest) => codes[latest],
                None => codes[row],
            };
            groups.entry(code).or_default().push(row);
        }
        for (code, rows) in groups {
            self.customers.push(customer);
            let meaning = days.meanings[self.dimension].text(code);
            self.values.push(meaning.unwrap_or(NONE).to_owned());
            let Some(measure) = self.measure.map(|measure| &days.measures[measure]) else {
                continue;
            };
            for ((_, window), sums) in spec.windows.iter().zip(&mut self.sums) {
                let inside = rows
                    .iter()
                    .filter(|row| window.contains(Day(days.day[**row])));
                sums.push(fitting(
                    total(inside.map(|row| measure.get(*row))),
                    &spec.name,
                )?);
            }
        }
        Ok(())
    }

    fn batch(&self, spec: &TotalsSpec, codes: &CustomerCodes) -> Result<RecordBatch, Failure> {
        let customers = codes.decode(&self.customers);
        let values: ArrayRef = Arc::new(StringArray::from_iter_values(&self.values));
        let mut fields = vec![
            Field::new("customer", customers.data_type().clone(), false),
            Field::new("dimension_value", values.data_type().clone(), false),
        ];
        let mut columns = vec![customers, values];
        for ((suffix, _), sums) in spec.windows.iter().zip(&self.sums) {
            let sums = sums_array(sums);
            fields.push(Field::new(suffix, sums.data_type().clone(), true));
            columns.push(sums);
        }
        crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
    }
}

/// What the CLV models need of each customer.
struct Purchases<'a> {
    clv: &'a MergeClv,
    measure: usize,
    first: Vec<Option<i32>>,
    last: Vec<Option<i32>>,
    purchase_days: Vec<i64>,
    repeat: Sums,
    revenue: Sums,
    transactions: Vec<(u32, u32, u32)>,
    spend: Vec<(u32, i64)>,
    holdout: Vec<(u32, u32, u32, u64)>,
}

/// A day of purchase and its value.
type Purchase = (i32, i128);

impl<'a> Purchases<'a> {
    fn new(clv: &'a MergeClv, measure: usize) -> Self {
        Self {
            clv,
            measure,
            first: Vec::new(),
            last: Vec::new(),
            purchase_days: Vec::new(),
            repeat: Sums::default(),
            revenue: Sums::default(),
            transactions: Vec::new(),
            spend: Vec::new(),
            holdout: Vec::new(),
        }
    }

    fn add(
        &mut self,
        days: &Days,
        rows: std::ops::Range<usize>,
        as_of: Day,
    ) -> Result<(), Failure> {
        let values = &days.measures[self.measure];
        let revenue = fitting(
            total(rows.clone().map(|row| values.get(row))),
            &self.clv.value,
        )?;
        self.revenue.push(revenue);
        let purchases = purchases(days, values, rows);
        let first = purchases.first().map(|purchase| purchase.0);
        let last = purchases.last().map(|purchase| purchase.0);
        let repeat = purchases
            .iter()
            .skip(1)
            .map(|purchase| purchase.1)
            .sum::<i128>();
        let repeat = fitting(first.map(|_| repeat), &self.clv.value)?;
        self.first.push(first);
        self.last.push(last);
        self.purchase_days.push(purchases.len() as i64);
        self.repeat.push(repeat);
        if let (Some(first), Some(last), Some(repeat)) = (first, last, repeat) {
            let key = key(purchases.len(), first, last, as_of);
            self.transactions.push(key);
            self.spend.push((key.0, repeat));
            self.add_holdout(&purchases);
        }
        Ok(())
    }

    fn add_holdout(&mut self, purchases: &[Purchase]) {
        let Some(from) = self.clv.holdout_from else {
            return;
        };
        let before = purchases.partition_point(|purchase| purchase.0 < from.0);
        if before == 0 {
            return;
        }
        let (x, t_x, age) = key(before, purchases[0].0, purchases[before - 1].0, from);
        self.holdout
            .push((x, t_x, age, (purchases.len() - before) as u64));
    }

    fn columns(self) -> Vec<(String, ArrayRef, bool)> {
        let dates = |days: Vec<Option<i32>>| Arc::new(Date32Array::from(days)) as ArrayRef;
        vec![
            ("first_purchase".to_owned(), dates(self.first), true),
            ("last_purchase".to_owned(), dates(self.last), true),
            (
                "purchase_days".to_owned(),
                Arc::new(Int64Array::from(self.purchase_days)),
                false,
            ),
            ("repeat_sum".to_owned(), sums_array(&self.repeat), true),
            ("revenue_sum".to_owned(), sums_array(&self.revenue), true),
        ]
    }

    fn write_transaction_keys(
        &mut self,
        context: &TaskContext,
    ) -> Result<Option<PartRef>, Failure> {
        let counted = count(&mut self.transactions);
        let keys = || counted.iter().map(|(key, _)| key);
        write_keys(
            context,
            vec![
                ("x", u32s(keys().map(|key| key.0))),
                ("t_x", u32s(keys().map(|key| key.1))),
                ("age", u32s(keys().map(|key| key.2))),
                (
                    "customers",
                    u64s(counted.iter().map(|(_, customers)| *customers)),
                ),
            ],
        )
    }

    fn write_spend_keys(&mut self, context: &TaskContext) -> Result<Option<PartRef>, Failure> {
        let counted = count(&mut self.spend);
        let sums = counted.iter().map(|(key, _)| key.1);
        write_keys(
            context,
            vec![
                ("x", u32s(counted.iter().map(|(key, _)| key.0))),
                ("repeat_sum", Arc::new(Int64Array::from_iter_values(sums))),
                (
                    "customers",
                    u64s(counted.iter().map(|(_, customers)| *customers)),
                ),
            ],
        )
    }

    fn write_holdout_keys(&mut self, context: &TaskContext) -> Result<Option<PartRef>, Failure> {
        let mut by_key: BTreeMap<(u32, u32, u32), (u64, u64)> = BTreeMap::new();
        for (x, t_x, age, actual) in &self.holdout {
            let (customers, purchases) = by_key.entry((*x, *t_x, *age)).or_default();
            *customers += 1;
            *purchases += actual;
        }
        write_keys(
            context,
            vec![
                ("x", u32s(by_key.keys().map(|key| key.0))),
                ("t_x", u32s(by_key.keys().map(|key| key.1))),
                ("age", u32s(by_key.keys().map(|key| key.2))),
                ("customers", u64s(by_key.values().map(|counts| counts.0))),
                ("purchases", u64s(by_key.values().map(|counts| counts.1))),
            ],
        )
    }
}

/// (x, t_x, T) in days: the last observed day is the one before `as_of`.
fn key(purchase_days: usize, first: i32, last: i32, as_of: Day) -> (u32, u32, u32) {
    let between = |from: i32, to: i32| (i64::from(to) - i64::from(from)) as u32;
    (
        (purchase_days - 1) as u32,
        between(first, last),
        between(first, as_of.0 - 1),
    )
}

/// The days of purchase among a customer's rows: those whose net is positive, or that hold no
/// refund. Rows without a value are no purchases.
fn purchases(days: &Days, values: &Sums, rows: std::ops::Range<usize>) -> Vec<Purchase> {
    let mut found = Vec::new();
    let mut start = rows.start;
    while start < rows.end {
        let day = days.day[start];
        let end = start + days.day[start..rows.end].partition_point(|other| *other == day);
        let refunds: i64 = days.refunds[start..end].iter().sum();
        if let Some(net) = total((start..end).map(|row| values.get(row)))
            && (net > 0 || refunds == 0)
        {
            found.push((day, net));
        }
        start = end;
    }
    found
}

/// Unique keys, ascending, with how often each occurs.
fn count<K: Ord + Copy>(keys: &mut [K]) -> Vec<(K, u64)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b)
        .map(|same| (same[0], same.len() as u64))
        .collect()
}

fn u32s(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

fn u64s(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn write_keys(
    context: &TaskContext,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<Option<PartRef>, Failure> {
    if columns[0].1.is_empty() {
        return Ok(None);
    }
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), false);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, column)| column).collect();
    let keys = crate::arrays::batch(Arc::new(schema), arrays)?;
    context.wait(put_ipc(&context.store, &keys)).map(Some)
}
