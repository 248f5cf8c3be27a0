//! Customers made by chance, with NULLs, and the tables of a snapshot that has them.

use arrow::array::{BooleanArray, Date32Array, Float64Array, Int32Array};

use super::*;

pub(super) const COUNTRIES: [&str; 3] = ["DE", "o'fr", "x"];

/// A customer: what the tables have of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Who {
    pub(super) key: i64,
    /// In `customer_value`: chance of being alive in tenths, cents, decile now and before, last purchase, tiles.
    pub(super) value: Option<Value>,
    /// In `dim_customer`: status, consent, birth.
    pub(super) attributes: Option<(Option<&'static str>, Option<bool>, Option<i32>)>,
    /// Day, cents, country.
    pub(super) events: Vec<(i32, Option<i64>, Option<&'static str>)>,
    /// Points and kind.
    pub(super) loyalty: Vec<(Option<i64>, Option<&'static str>)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub(super) alive: Option<i64>,
    pub(super) cents: Option<i64>,
    pub(super) decile: Option<i32>,
    pub(super) before: Option<i32>,
    pub(super) last: Option<i32>,
    pub(super) tiles: BTreeMap<&'static str, i32>,
}

pub(super) fn people(draw: &mut Draw) -> Vec<Who> {
    let mut who = |key: i64| {
        let value = (draw.below(6) > 0).then(|| Value {
            alive: draw.some(&[1, 3, 5, 9]),
            cents: draw.some(&[-50, 0, 1_010, 500_010]),
            decile: draw.some(&[1, 2, 3, 10]),
            before: draw.some(&[1, 2, 3, 10]),
            last: draw.some(&[AS_OF.0 - 3, AS_OF.0 - 40, AS_OF.0 - 400]),
            tiles: COUNTRIES
                .into_iter()
                .filter_map(|country| Some((country, draw.some(&[1, 4])?)))
                .collect(),
        });
        let attributes = (draw.below(4) > 0).then(|| {
            (
                draw.some(&["gold", "silver", "old gold"]),
                draw.some(&[true, false]),
                draw.some(&[0, 9_000]),
            )
        });
        let events = (0..draw.below(5)).map(|_| {
            let day = AS_OF.0 - 1 - draw.one(&[0, 1, 2, 5, 30, 100]);
            (day, draw.some(&[0, 100, 2_550]), draw.some(&COUNTRIES))
        });
        let events = events.collect();
        let loyalty = (0..draw.below(3)).map(|_| (draw.some(&[1, 5]), draw.some(&["a", "b"])));
        Who {
            key,
            value,
            attributes,
            events,
            loyalty: loyalty.collect(),
        }
    };
    let people: Vec<Who> = (1..=40).map(&mut who).collect();
    let known = |who: &Who| who.value.is_some() || who.attributes.is_some();
    people.into_iter().filter(known).collect()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn values(people: &[Who], before: bool) -> RecordBatch {
    let rows: Vec<(i64, &Value)> = people
        .iter()
        .filter_map(|who| Some((who.key, who.value.as_ref()?)))
        .collect();
    let keys = Int64Array::from_iter_values(rows.iter().map(|(key, _)| *key));
    let tenths = rows.iter().map(|(_, value)| value.alive);
    let alive: Float64Array = tenths
        .map(|tenths| tenths.map(|tenths| tenths as f64 / 10.0))
        .collect();
    let cents = rows.iter().map(|(_, value)| value.cents.map(i128::from));
    let cents = Decimal128Array::from_iter(cents);
    let cents = cents.with_precision_and_scale(18, 2).unwrap();
    let decile: Int32Array = rows
        .iter()
        .map(|(_, value)| if before { value.before } else { value.decile })
        .collect();
    let last: Date32Array = rows.iter().map(|(_, value)| value.last).collect();
    let mut tiles = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (_, value) in &rows {
        for (country, tile) in &value.tiles {
            tiles.keys().append_value(country);
            tiles.values().append_value(*tile);
        }
        tiles.append(true).unwrap();
    }
    batch(vec![
        ("customer", Arc::new(keys)),
        ("p_alive", Arc::new(alive)),
        ("revenue_lifetime", Arc::new(cents)),
        ("decile_clv_12m", Arc::new(decile)),
        ("last_purchase", Arc::new(last)),
        (
            "decile_revenue_by_country_lifetime",
            Arc::new(tiles.finish()),
        ),
    ])
}

pub(super) async fn tables(store: &Store, people: &[Who]) -> BTreeMap<String, TableEntry> {
    let with = people
        .iter()
        .filter_map(|who| Some((who.key, who.attributes?)));
    let with: Vec<_> = with.collect();
    let keys = Int64Array::from_iter_values(with.iter().map(|(key, _)| *key));
    let status: StringArray = with.iter().map(|(_, of)| of.0).collect();
    let agreed: BooleanArray = with.iter().map(|(_, of)| of.1).collect();
    let born: Date32Array = with.iter().map(|(_, of)| of.2).collect();
    let current: BooleanArray = with.iter().map(|_| Some(true)).collect();
    let attributes = batch(vec![
        ("customer", Arc::new(keys)),
        ("status", Arc::new(status)),
        ("agreed", Arc::new(agreed)),
        ("born", Arc::new(born)),
        ("is_current", Arc::new(current)),
    ]);
    let events: Vec<_> = people
        .iter()
        .flat_map(|who| who.events.iter().map(|event| (who.key, *event)))
        .collect();
    let keys = Int64Array::from_iter_values(events.iter().map(|(key, _)| *key));
    let days = Date32Array::from_iter_values(events.iter().map(|(_, event)| event.0));
    let counts = Int64Array::from_iter_values(events.iter().map(|_| 1));
    let cents: Int64Array = events.iter().map(|(_, event)| event.1).collect();
    let countries: StringArray = events.iter().map(|(_, event)| event.2).collect();
    let events = batch(vec![
        ("customer", Arc::new(keys)),
        ("day", Arc::new(days)),
        ("events", Arc::new(counts)),
        ("m_revenue", Arc::new(cents)),
        ("d_country", Arc::new(countries)),
    ]);
    let rows: Vec<_> = people
        .iter()
        .flat_map(|who| who.loyalty.iter().map(|row| (who.key, *row)))
        .collect();
    let keys = Int64Array::from_iter_values(rows.iter().map(|(key, _)| *key));
    let points: Int64Array = rows.iter().map(|(_, row)| row.0).collect();
    let kinds: StringArray = rows.iter().map(|(_, row)| row.1).collect();
    let loyalty = batch(vec![
        ("customer", Arc::new(keys)),
        ("points", Arc::new(points)),
        ("order", Arc::new(kinds)),
    ]);
    let mut tables = BTreeMap::new();
    for (name, rows) in [
        ("customer_value", values(people, false)),
        ("_customer_value_before", values(people, true)),
        ("dim_customer", attributes),
        ("_events_sales", events),
        ("loyalty", loyalty),
    ] {
        let entry = table(store, &format!("tables/{name}"), &[(None, rows)]).await;
        tables.insert(name.to_owned(), entry);
    }
    tables
}
