//! Parts of deliveries: everybody whom one is about, and those whom a destination has.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use tenfold_core::activation::{Acknowledged, Act, Work};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_store::object::Store;
use tenfold_store::part::{Layout, get_parquet, put_parquet};

const ACTS: [Act; 4] = [Act::Upsert, Act::Remove, Act::Forget, Act::HoldOut];

/// The word for what is done about somebody.
pub fn word(act: Act) -> &'static str {
    match act {
        Act::Upsert => "upsert",
        Act::Remove => "remove",
        Act::Forget => "forget",
        Act::HoldOut => "hold_out",
    }
}

/// Writes a part, and makes it last. None for no rows.
pub async fn put(
    store: &Store,
    folder: &str,
    batch: &RecordBatch,
) -> Result<Option<PartRef>, Failure> {
    if batch.num_rows() == 0 {
        return Ok(None);
    }
    let part = put_parquet(store, folder, batch, Layout::default()).await?;
    store.secure(vec![part.path.clone()]).await?;
    Ok(Some(part))
}

/// Reads everybody whom a delivery is about.
pub async fn work(store: &Store, part: Option<&PartRef>) -> Result<Vec<Work>, Failure> {
    match part {
        Some(part) => decode_work(&get_parquet(store, part).await?),
        None => Ok(Vec::new()),
    }
}

/// Reads those whom a destination has, by identity.
pub async fn acknowledged(
    store: &Store,
    part: Option<&PartRef>,
) -> Result<Vec<Acknowledged>, Failure> {
    match part {
        Some(part) => decode_acknowledged(&get_parquet(store, part).await?),
        None => Ok(Vec::new()),
    }
}

/// Everybody whom a delivery is about, as a part holds them.
pub fn encode_work(work: &[Work]) -> Result<RecordBatch, Failure> {
    let fields = |work: &Work| {
        serde_json::to_string(&work.fields).map_err(|error| Failure::bug(error.to_string()))
    };
    let fields: Vec<String> = work.iter().map(fields).collect::<Result<_, _>>()?;
    let acts = work.iter().map(|work| word(work.act));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("act", texts(acts), false),
        (
            "identity",
            texts(work.iter().map(|work| &work.identity)),
            false,
        ),
        (
            "customer",
            texts(work.iter().map(|work| &work.customer)),
            false,
        ),
        ("fields", texts(fields.iter()), false),
        ("hash", texts(work.iter().map(|work| &work.hash)), false),
        (
            "holdout",
            Arc::new(
                work.iter()
                    .map(|work| work.holdout.as_deref())
                    .collect::<StringArray>(),
            ),
            true,
        ),
        (
            "decile",
            Arc::new(work.iter().map(|work| work.decile).collect::<Int32Array>()),
            true,
        ),
    ];
    batch(columns)
}

fn decode_work(batch: &RecordBatch) -> Result<Vec<Work>, Failure> {
    let text = |name: &str| text_column(batch, name);
    let (acts, identities, customers) = (text("act")?, text("identity")?, text("customer")?);
    let (fields, hashes, holdouts) = (text("fields")?, text("hash")?, text("holdout")?);
    let deciles = batch
        .column_by_name("decile")
        .and_then(|column| column.as_primitive_opt::<Int32Type>())
        .ok_or_else(|| unlike("decile"))?;
    let row = |row: usize| {
        let mut known = ACTS.into_iter();
        let act = known.find(|act| word(*act) == acts.value(row));
        Ok(Work {
            act: act.ok_or_else(|| unlike("act"))?,
            identity: identities.value(row).to_owned(),
            customer: customers.value(row).to_owned(),
            fields: serde_json::from_str(fields.value(row)).map_err(|_| unlike("fields"))?,
            hash: hashes.value(row).to_owned(),
            holdout: holdouts
                .is_valid(row)
                .then(|| holdouts.value(row).to_owned()),
            decile: deciles.is_valid(row).then(|| deciles.value(row)),
        })
    };
    (0..batch.num_rows()).map(row).collect()
}

/// Those whom a destination has, as a part holds them.
pub fn encode_acknowledged(rows: &[Acknowledged]) -> Result<RecordBatch, Failure> {
    batch(vec![
        (
            "identity",
            texts(rows.iter().map(|row| &row.identity)),
            false,
        ),
        (
            "customer",
            texts(rows.iter().map(|row| &row.customer)),
            false,
        ),
        ("hash", texts(rows.iter().map(|row| &row.hash)), false),
    ])
}

fn decode_acknowledged(batch: &RecordBatch) -> Result<Vec<Acknowledged>, Failure> {
    let text = |name: &str| text_column(batch, name);
    let (identities, customers, hashes) = (text("identity")?, text("customer")?, text("hash")?);
    let row = |row: usize| Acknowledged {
        identity: identities.value(row).to_owned(),
        customer: customers.value(row).to_owned(),
        hash: hashes.value(row).to_owned(),
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

fn texts<T: AsRef<str>>(texts: impl Iterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

fn batch(columns: Vec<(&str, ArrayRef, bool)>) -> Result<RecordBatch, Failure> {
    let field = |(name, column, nullable): &(&str, ArrayRef, bool)| {
        Field::new(*name, column.data_type().clone(), *nullable)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, column, _)| column).collect();
    RecordBatch::try_new(Arc::new(schema), arrays).map_err(|error| Failure::bug(error.to_string()))
}

fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Failure> {
    let column = batch.column_by_name(name);
    let column = column.filter(|column| *column.data_type() == DataType::Utf8);
    let column = column.and_then(|column| column.as_string_opt());
    column.ok_or_else(|| unlike(name))
}

fn unlike(column: &str) -> Failure {
    Failure::dependency(format!(
        "a part of a delivery has no column {column} as it was written"
    ))
    .remedy("it is damaged: restore it from a copy of the store")
}
