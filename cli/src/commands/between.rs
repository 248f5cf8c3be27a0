//! Two snapshots side by side: who moved between tiles, who came and went, whose value moved most.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::literal;
use tenfold_core::refresh::steps::decile_specs;
use tenfold_core::refresh::task::{DecileSpec, RankedValue};
use tenfold_core::snapshot::Manifest;
use tenfold_store::object::Store;

use super::sql::answer;
use crate::machine::Machine;
use crate::output::TextTable;

/// Two snapshots of one store.
pub struct Between<'a> {
    pub store: &'a Store,
    pub before: &'a Manifest,
    pub after: &'a Manifest,
    pub machine: &'a Machine,
}

/// Which decile, by what a person says of it.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    pub measure: Option<String>,
    pub lookback: Option<String>,
    pub by: Option<String>,
}

/// A snapshot as others speak of it.
#[derive(Debug, Clone, Serialize)]
pub struct Named {
    number: u64,
    as_of: String,
    published_at: String,
    snapshot_hash: String,
}

impl Named {
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            number: manifest.number,
            as_of: manifest.as_of.to_string(),
            published_at: manifest.published_at.clone(),
            snapshot_hash: manifest.snapshot_hash.clone(),
        }
    }
}

/// Who went from which tile to which.
#[derive(Debug, Serialize)]
pub struct Matrix {
    before: Named,
    after: Named,
    measure: String,
    lookback: String,
    dimension: Option<String>,
    tiles: u32,
    cells: Vec<Cell>,
}

/// Customers of one tile before and one after; no tile is none.
#[derive(Debug, Serialize)]
struct Cell {
    dimension_value: Option<String>,
    from: Option<u32>,
    to: Option<u32>,
    customers: u64,
    /// Of those that came from the same tile.
    share: f64,
    value_before: f64,
    value_after: f64,
}

/// Who came and went, and how the value of all moved.
#[derive(Debug, Serialize)]
pub struct Customers {
    pub value: String,
    pub came: u64,
    pub went: u64,
    pub stayed: u64,
    pub value_before: f64,
    pub value_after: f64,
    pub value_of_those_who_came: f64,
    pub value_of_those_who_went: f64,
    pub gained: f64,
    pub lost: f64,
}

/// A customer whose value moved much.
#[derive(Debug, Serialize)]
pub struct Mover {
    pub customer: String,
    pub before: Option<f64>,
    pub after: Option<f64>,
    pub change: f64,
}

impl Between<'_> {
    /// The decile that was chosen; that of CLV, or else the first, when nothing is said.
    fn decile(&self, chosen: &Chosen) -> Result<(DecileSpec, String), Failure> {
        let specs = decile_specs(&self.after.declarations);
        let declared = self.after.declarations.deciles.iter();
        let fits = |spec: &DecileSpec, measure: &str| {
            let named = chosen
                .measure
                .as_deref()
                .is_none_or(|wanted| spec.name == wanted || measure == wanted);
            named && spec.by == chosen.by
        };
        let mut found: Vec<&DecileSpec> = specs
            .iter()
            .zip(declared)
            .filter(|(spec, declared)| fits(spec, &declared.measure))
            .map(|(spec, _)| spec)
            .collect();
        found.sort_by_key(|spec| !spec.ranks_clv());
        let Some(spec) = found.first() else {
            let known = specs.iter().map(|spec| match &spec.by {
                Some(by) => format!("{} (by {by})", spec.name),
                None => spec.name.clone(),
            });
            let known: Vec<String> = known.collect();
            return Err(Failure::config("no decile is like that")
                .code(ErrorCode::UnknownDecile)
                .remedy(format!("the deciles are: {}", known.join(", "))));
        };
        let wanted = chosen.lookback.as_deref().unwrap_or("12m");
        let lookback = spec.lookbacks.iter().find(|suffix| *suffix == wanted);
        let lookback = match (lookback, &chosen.lookback) {
            (Some(lookback), _) => Some(lookback),
            (None, None) => spec.lookbacks.last(),
            (None, Some(_)) => None,
        };
        let lookback = lookback.ok_or_else(|| {
            Failure::config(format!("decile {} has no look-back {wanted}", spec.name))
                .code(ErrorCode::UnknownDecile)
                .remedy(format!("its look-backs are {}", spec.lookbacks.join(", ")))
        })?;
        Ok(((*spec).clone(), lookback.clone()))
    }

    /// Who moved between the tiles of the chosen decile.
    pub fn matrix(&self, chosen: &Chosen) -> Result<Matrix, Failure> {
        let (spec, lookback) = self.decile(chosen)?;
        let before = decile_specs(&self.before.declarations)
            .into_iter()
            .find(|other| other.name == spec.name && other.by == spec.by)
            .filter(|other| other.lookbacks.contains(&lookback));
        let before = before.ok_or_else(|| {
            Failure::config(format!(
                "snapshot {} has no decile {} over {lookback}",
                self.before.number, spec.name
            ))
            .code(ErrorCode::UnknownDecile)
            .remedy("choose another with --measure and --lookback, or a newer snapshot")
        })?;
        let query = match &spec.by {
            None => self.flat_query(&before, &spec, &lookback),
            Some(_) => self.dimension_query(&spec, &lookback),
        };
        let rows = self.rows(&query)?;
        let mut cells: Vec<Cell> = rows.iter().map(Cell::of).collect::<Result<_, _>>()?;
        share_out(&mut cells);
        Ok(Matrix {
            before: Named::of(self.before),
            after: Named::of(self.after),
            measure: spec.name,
            lookback,
            dimension: spec.by,
            tiles: spec.tiles.max(before.tiles),
            cells,
        })
    }

    fn flat_query(&self, before: &DecileSpec, after: &DecileSpec, lookback: &str) -> String {
        let (number, latest) = (self.before.number, self.after.number);
        let (from, was) = (before.tile_column(lookback), value_column(before, lookback));
        let (to, is) = (after.tile_column(lookback), value_column(after, lookback));
        format!(
            "SELECT CAST(NULL AS VARCHAR), b.{from}, a.{to}, COUNT(*), \
               {}, {} \
             FROM snapshot('customer_value', {number}) AS b \
             FULL JOIN snapshot('customer_value', {latest}) AS a ON b.customer = a.customer \
             WHERE b.{from} IS NOT NULL OR a.{to} IS NOT NULL \
             GROUP BY b.{from}, a.{to} ORDER BY 2 NULLS FIRST, 3 NULLS FIRST",
            total_where(&format!("b.{from}"), &format!("b.{was}")),
            total_where(&format!("a.{to}"), &format!("a.{is}")),
        )
    }

    fn dimension_query(&self, spec: &DecileSpec, lookback: &str) -> String {
        let side = |number: u64| {
            format!(
                "(SELECT customer, dimension_value, decile, total \
                  FROM snapshot('customer_decile', {number}) \
                  WHERE measure = {} AND lookback = {})",
                literal(&spec.name),
                literal(lookback)
            )
        };
        format!(
            "SELECT COALESCE(a.dimension_value, b.dimension_value), b.decile, a.decile, COUNT(*), \
               {}, {} \
             FROM {} AS b FULL JOIN {} AS a \
               ON b.customer = a.customer AND b.dimension_value = a.dimension_value \
             GROUP BY 1, 2, 3 ORDER BY 1, 2 NULLS FIRST, 3 NULLS FIRST",
            total_where("b.decile", "b.total"),
            total_where("a.decile", "a.total"),
            side(self.before.number),
            side(self.after.number)
        )
    }

    /// The column of `customer_value` that says what a customer is worth: CLV over twelve months
    /// where both snapshots have it, else the sum of the first decile.
    fn value(&self) -> Option<String> {
        let column = |manifest: &Manifest| {
            if manifest.fits.is_some() {
                return Some("clv_12m".to_owned());
            }
            let specs = decile_specs(&manifest.declarations);
            let spec = specs.into_iter().find(|spec| spec.by.is_none())?;
            Some(spec.total_column(spec.lookbacks.last()?))
        };
        column(self.before).filter(|known| Some(known) == column(self.after).as_ref())
    }

    /// Who came and went, and what became of the value; none when the two have no value in common.
    pub fn customers(&self) -> Result<Option<Customers>, Failure> {
        let Some(value) = self.value() else {
            return Ok(None);
        };
        let (was, is) = (amount(&format!("b.{value}")), amount(&format!("a.{value}")));
        let sum = |what: &str, who: &str| format!("COALESCE(SUM({what}) FILTER (WHERE {who}), 0)");
        let (came, went) = ("b.customer IS NULL", "a.customer IS NULL");
        let both = "a.customer IS NOT NULL AND b.customer IS NOT NULL";
        let query = format!(
            "SELECT COUNT(*) FILTER (WHERE {came}), COUNT(*) FILTER (WHERE {went}), \
               COUNT(*) FILTER (WHERE {both}), {}, {}, {}, {}, {}, {} FROM {}",
            sum(&was, "true"),
            sum(&is, "true"),
            sum(&is, came),
            sum(&was, went),
            sum(
                &format!("{is} - {was}"),
                &format!("{both} AND {is} > {was}")
            ),
            sum(
                &format!("{was} - {is}"),
                &format!("{both} AND {is} < {was}")
            ),
            self.joined(),
        );
        let rows = self.rows(&query)?;
        let row = rows
            .first()
            .ok_or_else(|| Failure::bug("a sum has no row"))?;
        Ok(Some(Customers {
            value,
            came: row.count(0)?,
            went: row.count(1)?,
            stayed: row.count(2)?,
            value_before: row.amount(3)?,
            value_after: row.amount(4)?,
            value_of_those_who_came: row.amount(5)?,
            value_of_those_who_went: row.amount(6)?,
            gained: row.amount(7)?,
            lost: row.amount(8)?,
        }))
    }

    /// The customers whose value moved most, up or down.
    pub fn movers(&self, top: u32) -> Result<Vec<Mover>, Failure> {
        let Some(value) = self.value() else {
            return Ok(Vec::new());
        };
        let change = format!(
            "{} - {}",
            amount(&format!("a.{value}")),
            amount(&format!("b.{value}"))
        );
        let query = format!(
            "SELECT COALESCE(a.customer, b.customer) AS who, b.{value}, a.{value}, {change} \
             FROM {} WHERE {change} <> 0 ORDER BY abs({change}) DESC, who LIMIT {top}",
            self.joined(),
        );
        let mover = |row: &Row<'_>| {
            Ok(Mover {
                customer: row.text(0).unwrap_or_default(),
                before: row.text(1).map(|_| row.amount(1)).transpose()?,
                after: row.text(2).map(|_| row.amount(2)).transpose()?,
                change: row.amount(3)?,
            })
        };
        self.rows(&query)?.iter().map(mover).collect()
    }

    fn joined(&self) -> String {
        format!(
            "snapshot('customer_value', {}) AS b \
             FULL JOIN snapshot('customer_value', {}) AS a ON b.customer = a.customer",
            self.before.number, self.after.number
        )
    }

    fn rows(&self, query: &str) -> Result<Vec<Row<'static>>, Failure> {
        let (_, batches) = answer(query, self.store, self.after, self.machine)?;
        let rows = batches.into_iter().flat_map(|batch: RecordBatch| {
            let columns = batch.columns().to_vec();
            (0..batch.num_rows()).map(move |row| Row {
                columns: columns.clone().into(),
                row,
            })
        });
        Ok(rows.collect())
    }
}

fn value_column(spec: &DecileSpec, lookback: &str) -> String {
    match spec.value {
        RankedValue::Clv | RankedValue::ClvHeld => "clv_12m".to_owned(),
        RankedValue::Measure { .. } => spec.total_column(lookback),
    }
}

/// An amount as an exact number: sums of floats would depend on their order.
fn amount(column: &str) -> String {
    format!("COALESCE(CAST({column} AS DECIMAL(38, 2)), 0)")
}

/// The sum of a value over those that have a tile.
fn total_where(tile: &str, value: &str) -> String {
    format!(
        "COALESCE(SUM({}) FILTER (WHERE {tile} IS NOT NULL), 0)",
        amount(value)
    )
}

/// A row of an answer.
struct Row<'a> {
    columns: std::borrow::Cow<'a, [ArrayRef]>,
    row: usize,
}

impl Row<'_> {
    /// The value of a column as text; NULL is none.
    fn text(&self, column: usize) -> Option<String> {
        let values = &self.columns[column];
        let valid = values.is_valid(self.row);
        valid.then(|| array_value_to_string(values, self.row).unwrap_or_default())
    }

    fn number<T: std::str::FromStr>(&self, column: usize) -> Result<T, Failure> {
        let text = self.text(column).unwrap_or_default();
        let parsed = text.parse();
        parsed.map_err(|_| Failure::bug(format!("column {column} of an answer is {text:?}")))
    }

    fn count(&self, column: usize) -> Result<u64, Failure> {
        self.number(column)
    }

    fn amount(&self, column: usize) -> Result<f64, Failure> {
        self.number(column)
    }
}

impl Cell {
    /// Columns: value of the dimension, tile before, tile after, customers, values.
    fn of(row: &Row<'_>) -> Result<Self, Failure> {
        let tile = |column| row.text(column).map(|_| row.number(column)).transpose();
        Ok(Self {
            dimension_value: row.text(0),
            from: tile(1)?,
            to: tile(2)?,
            customers: row.count(3)?,
            share: 0.0,
            value_before: row.amount(4)?,
            value_after: row.amount(5)?,
        })
    }

    /// The row of the matrix that it is in.
    fn origin(&self) -> (Option<String>, Option<u32>) {
        (self.dimension_value.clone(), self.from)
    }
}

fn share_out(cells: &mut [Cell]) {
    let mut totals = std::collections::BTreeMap::new();
    for cell in cells.iter() {
        *totals.entry(cell.origin()).or_insert(0) += cell.customers;
    }
    for cell in cells {
        let total: u64 = totals[&cell.origin()];
        cell.share = cell.customers as f64 / total as f64;
    }
}

impl Matrix {
    /// From the tiles of the rows to those of the columns, in shares of each row.
    pub fn table(&self) -> TextTable {
        let tiles = 1..=self.tiles;
        let mut headers: Vec<String> = self.dimension.iter().cloned().collect();
        headers.push("from\\to".to_owned());
        headers.extend(tiles.clone().map(|tile| format!("D{tile}")));
        headers.extend(["left", "customers"].map(str::to_owned));
        let mut values: Vec<&Option<String>> = self
            .cells
            .iter()
            .map(|cell| &cell.dimension_value)
            .collect();
        values.dedup();
        let mut rows = Vec::new();
        for value in values {
            for from in tiles.clone().map(Some).chain([None]) {
                rows.extend(self.row(value, from));
            }
        }
        TextTable {
            right_aligned: headers.iter().map(|header| *header != headers[0]).collect(),
            headers,
            rows,
        }
    }

    /// The row of those who came from a tile; none when nobody did.
    fn row(&self, value: &Option<String>, from: Option<u32>) -> Option<Vec<String>> {
        let of_row = |cell: &&Cell| cell.dimension_value == *value && cell.from == from;
        let cells: Vec<&Cell> = self.cells.iter().filter(of_row).collect();
        let customers: u64 = cells.iter().map(|cell| cell.customers).sum();
        let share = |to: Option<u32>| {
            let cell = cells.iter().find(|cell| cell.to == to);
            cell.map_or_else(
                || "0%".to_owned(),
                |cell| format!("{:.1}%", 100.0 * cell.share),
            )
        };
        let mut row: Vec<String> = value.iter().cloned().collect();
        row.push(from.map_or_else(|| "NEW".to_owned(), |tile| format!("D{tile}")));
        row.extend((1..=self.tiles).map(Some).map(share));
        row.push(if from.is_some() {
            share(None)
        } else {
            "-".to_owned()
        });
        row.push(customers.to_string());
        (customers > 0).then_some(row)
    }

    /// What the matrix is of.
    pub fn title(&self) -> String {
        let what = match (&self.dimension, self.measure.ends_with(&self.lookback)) {
            (Some(by), _) => format!("{} {} by {by}", self.measure, self.lookback),
            (None, false) => format!("{} {}", self.measure, self.lookback),
            (None, true) => self.measure.clone(),
        };
        format!(
            "{what} from snapshot {} ({}) to {} ({}): shares of each row",
            self.before.number, self.before.as_of, self.after.number, self.after.as_of
        )
    }
}
