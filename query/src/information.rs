//! `information_schema` as tools expect it: PostgreSQL's names of types, and the keys and references
//! of the tables beside what they mean. What is not about tables is DataFusion's own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemTable, MemoryCatalogProvider,
    MemoryCatalogProviderList, SchemaProvider, TableProvider,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use tenfold_core::project::UserTable;
use tenfold_core::snapshot::Meaning;

/// The tables of a catalog's schema, by name.
pub(crate) struct Described<'a> {
    /// Name of the catalog.
    pub catalog: &'a str,
    /// Name of the schema that the tables are in.
    pub schema: &'a str,
    /// Their columns.
    pub tables: &'a BTreeMap<String, SchemaRef>,
    /// Those that the project declares by SQL.
    pub declared: &'a [UserTable],
}

/// Gives a context its `information_schema`. Its own has to be off.
pub(crate) fn register(context: &SessionContext, described: &Described<'_>) -> Result<()> {
    let none = |what: &str| DataFusionError::Internal(format!("there is no {what}"));
    let catalog = context.catalog(described.catalog);
    let catalog = catalog.ok_or_else(|| none(described.catalog))?;
    let tables = catalog.schema(described.schema);
    let tables = tables.ok_or_else(|| none(described.schema))?;
    // Of the tables alone: a provider that knew its own catalog would never be let go of.
    let beside = MemoryCatalogProvider::new();
    beside.register_schema(described.schema, tables)?;
    let beside_list = MemoryCatalogProviderList::new();
    beside_list.register_catalog(described.catalog.to_owned(), Arc::new(beside));
    let functions = context.state().table_functions().clone();
    let others = InformationSchemaProvider::new(Arc::new(beside_list));
    let ours = [
        ("tables", described.tables_view()),
        ("columns", described.columns_view()),
        ("table_constraints", described.constraints_view()),
        ("key_column_usage", described.key_columns_view()),
        ("referential_constraints", described.references_view()),
    ];
    let ours: Result<BTreeMap<&'static str, Arc<dyn TableProvider>>> = ours
        .into_iter()
        .map(|(name, view)| {
            let batch = view.batch()?;
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
            Ok((name, Arc::new(table) as Arc<dyn TableProvider>))
        })
        .collect();
    let schema = Information {
        ours: ours?,
        others: others.with_table_functions(functions),
    };
    catalog.register_schema(INFORMATION_SCHEMA, Arc::new(schema))?;
    Ok(())
}

struct Information {
    ours: BTreeMap<&'static str, Arc<dyn TableProvider>>,
    others: InformationSchemaProvider,
}

impl fmt::Debug for Information {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Information").finish_non_exhaustive()
    }
}

/// Names of our own views and of DataFusion's that are about functions and settings.
const VIEWS: [&str; 9] = [
    "columns",
    "df_settings",
    "key_column_usage",
    "parameters",
    "referential_constraints",
    "routines",
    "schemata",
    "table_constraints",
    "tables",
];

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        VIEWS.map(str::to_owned).to_vec()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.ours.get(name) {
            Some(view) => Ok(Some(view.clone())),
            None if VIEWS.contains(&name) || name == "views" => self.others.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        VIEWS.contains(&name) || name == "views"
    }
}

/// The rows of a view, column by column.
#[derive(Default)]
struct View(Vec<(&'static str, Cells)>);

enum Cells {
    Texts(Vec<Option<String>>),
    Numbers(Vec<Option<i32>>),
}

impl View {
    fn texts(&mut self, name: &'static str, cells: impl Iterator<Item = Option<String>>) {
        self.0.push((name, Cells::Texts(cells.collect())));
    }

    fn numbers(&mut self, name: &'static str, cells: impl Iterator<Item = Option<i32>>) {
        self.0.push((name, Cells::Numbers(cells.collect())));
    }

    fn batch(self) -> Result<RecordBatch> {
        let columns = self.0.into_iter().map(|(name, cells)| {
            let array: ArrayRef = match cells {
                Cells::Texts(texts) => Arc::new(StringArray::from(texts)),
                Cells::Numbers(numbers) => Arc::new(Int32Array::from(numbers)),
            };
            (name, array, true)
        });
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// A key of a table, or a reference from it.
pub(crate) struct Constraint<'a> {
    /// The table.
    pub table: &'a str,
    /// Its own name.
    pub name: String,
    /// `PRIMARY KEY`, `UNIQUE` or `FOREIGN KEY`.
    pub kind: &'static str,
    /// The columns that it is on.
    pub columns: Vec<&'a str>,
    /// The key that it refers to.
    pub refers: Option<String>,
    /// The columns of that key, in the order of `columns`.
    pub keys: Vec<&'a str>,
}

impl Constraint<'_> {
    /// The table that it refers to, with the columns of its key.
    pub fn leads_to<'a>(&self, described: &'a Described<'_>) -> Option<(&'a str, Vec<&'a str>)> {
        let refers = self.refers.as_ref()?;
        described.tables.keys().find_map(|name| {
            let meaning = described.meaning(name)?;
            (key_name(&meaning) == *refers).then(|| (name.as_str(), meaning.key()))
        })
    }
}

impl Described<'_> {
    fn tables_view(&self) -> View {
        let own = self.tables.keys().map(|name| (self.schema, name.as_str()));
        let all = own.chain(VIEWS.map(|name| (INFORMATION_SCHEMA, name)));
        let mut view = View::default();
        let rows = || all.clone();
        view.texts("table_catalog", rows().map(|_| text(self.catalog)));
        view.texts("table_schema", rows().map(|(schema, _)| text(schema)));
        view.texts("table_name", rows().map(|(_, name)| text(name)));
        let is_kept = |name: &str| self.meaning(name).is_none_or(|meaning| meaning.is_table());
        let kind = |(schema, name): (&str, &str)| match schema == self.schema && is_kept(name) {
            true => text("BASE TABLE"),
            false => text("VIEW"),
        };
        view.texts("table_type", rows().map(kind));
        let about = |name: &str| self.meaning(name).and_then(|table| text(table.about()?));
        view.texts("description", rows().map(|(_, name)| about(name)));
        view
    }

    fn columns_view(&self) -> View {
        let rows = || {
            self.tables.iter().flat_map(|(table, schema)| {
                let fields = schema.fields().iter().enumerate();
                fields.map(move |(place, field)| (table.as_str(), place, field))
            })
        };
        let types = || rows().map(|(_, _, field)| PgType::of(field.data_type()));
        let mut view = View::default();
        view.texts("table_catalog", rows().map(|_| text(self.catalog)));
        view.texts("table_schema", rows().map(|_| text(self.schema)));
        view.texts("table_name", rows().map(|(table, ..)| text(table)));
        view.texts(
            "column_name",
            rows().map(|(_, _, field)| text(field.name())),
        );
        let places = rows().map(|(_, place, _)| i32::try_from(place + 1).ok());
        view.numbers("ordinal_position", places);
        view.texts("column_default", rows().map(|_| None));
        let nullable = |nullable: bool| text(if nullable { "YES" } else { "NO" });
        let is_nullable = rows().map(|(_, _, field)| nullable(field.is_nullable()));
        view.texts("is_nullable", is_nullable);
        view.texts("data_type", types().map(|pg| text(pg.name)));
        view.numbers("character_maximum_length", rows().map(|_| None));
        view.numbers("numeric_precision", types().map(|pg| pg.precision));
        view.numbers("numeric_scale", types().map(|pg| pg.scale));
        view.numbers("datetime_precision", types().map(|pg| pg.fraction));
        view.texts("udt_name", types().map(|pg| text(pg.short)));
        let arrow = rows().map(|(_, _, field)| Some(field.data_type().to_string()));
        view.texts("arrow_type", arrow);
        let about = rows().map(|(table, _, field)| {
            let meaning = self.meaning(table)?;
            text(meaning.column(field.name())?)
        });
        view.texts("description", about);
        view
    }

    /// The places of columns in their table, from 1.
    pub fn places(&self, table: &str, columns: &[&str]) -> Vec<usize> {
        let schema = self.tables.get(table);
        let place = |name: &&str| schema?.index_of(name).ok().map(|index| index + 1);
        columns.iter().filter_map(place).collect()
    }

    /// Keys and references of all tables.
    pub fn constraints(&self) -> Vec<Constraint<'_>> {
        let mut all = Vec::new();
        for (name, schema) in self.tables {
            let Some(meaning) = self.meaning(name) else {
                continue;
            };
            let columns = meaning.key();
            if !columns.is_empty() {
                all.push(Constraint {
                    table: name,
                    name: key_name(&meaning),
                    kind: if meaning.null_in_key() {
                        "UNIQUE"
                    } else {
                        "PRIMARY KEY"
                    },
                    columns,
                    refers: None,
                    keys: Vec::new(),
                });
            }
            // Earlier versions may have published fewer columns and tables.
            let references = meaning.references().into_iter();
            let there = references
                .filter(|refers| {
                    let mut columns = refers.columns.iter();
                    columns.all(|column| schema.field_with_name(column).is_ok())
                })
                .filter_map(|refers| Some((self.other(refers.table)?, refers)));
            all.extend(there.map(|(other, refers)| Constraint {
                table: name,
                name: format!("{name}_{}_fkey", refers.columns.join("_")),
                kind: "FOREIGN KEY",
                columns: refers.columns,
                refers: Some(key_name(&other)),
                keys: refers.keys,
            }));
        }
        all
    }

    /// What is known of a table.
    pub fn meaning(&self, table: &str) -> Option<Meaning<'_>> {
        Meaning::of(table, self.declared)
    }

    /// The table that a reference leads to, when this snapshot has it.
    fn other(&self, table: &str) -> Option<Meaning<'_>> {
        self.tables.get(table)?;
        self.meaning(table)
    }

    fn constraints_view(&self) -> View {
        let all = self.constraints();
        let rows = || all.iter();
        let mut view = View::default();
        self.named(&mut view, &all);
        view.texts("table_catalog", rows().map(|_| text(self.catalog)));
        view.texts("table_schema", rows().map(|_| text(self.schema)));
        view.texts("table_name", rows().map(|one| text(one.table)));
        view.texts("constraint_type", rows().map(|one| text(one.kind)));
        view.texts("is_deferrable", rows().map(|_| text("NO")));
        view.texts("initially_deferred", rows().map(|_| text("NO")));
        view.texts("enforced", rows().map(|_| text("YES")));
        // NULL is a value of its own in such keys.
        let nulls = |one: &Constraint<'_>| (one.kind == "UNIQUE").then(|| "NO".to_owned());
        view.texts("nulls_distinct", rows().map(nulls));
        view
    }

    fn key_columns_view(&self) -> View {
        let all = self.constraints();
        let rows = || {
            all.iter().flat_map(|one| {
                let columns = one.columns.iter().enumerate();
                columns.map(move |(place, column)| (one, place, *column))
            })
        };
        let mut view = View::default();
        view.texts("constraint_catalog", rows().map(|_| text(self.catalog)));
        view.texts("constraint_schema", rows().map(|_| text(self.schema)));
        view.texts("constraint_name", rows().map(|(one, ..)| text(&one.name)));
        view.texts("table_catalog", rows().map(|_| text(self.catalog)));
        view.texts("table_schema", rows().map(|_| text(self.schema)));
        view.texts("table_name", rows().map(|(one, ..)| text(one.table)));
        view.texts("column_name", rows().map(|(_, _, column)| text(column)));
        let places = rows().map(|(_, place, _)| i32::try_from(place + 1).ok());
        view.numbers("ordinal_position", places);
        let in_key = rows().map(|(one, place, _)| {
            let (_, key) = one.leads_to(self)?;
            let named = one.keys.get(place)?;
            let place = key.iter().position(|column| column == named)?;
            i32::try_from(place + 1).ok()
        });
        view.numbers("position_in_unique_constraint", in_key);
        view
    }

    fn references_view(&self) -> View {
        let mut all = self.constraints();
        all.retain(|one| one.refers.is_some());
        let rows = || all.iter();
        let mut view = View::default();
        self.named(&mut view, &all);
        view.texts(
            "unique_constraint_catalog",
            rows().map(|_| text(self.catalog)),
        );
        view.texts(
            "unique_constraint_schema",
            rows().map(|_| text(self.schema)),
        );
        view.texts(
            "unique_constraint_name",
            rows().map(|one| one.refers.clone()),
        );
        view.texts("match_option", rows().map(|_| text("NONE")));
        view.texts("update_rule", rows().map(|_| text("NO ACTION")));
        view.texts("delete_rule", rows().map(|_| text("NO ACTION")));
        view
    }

    fn named(&self, view: &mut View, all: &[Constraint<'_>]) {
        view.texts("constraint_catalog", all.iter().map(|_| text(self.catalog)));
        view.texts("constraint_schema", all.iter().map(|_| text(self.schema)));
        view.texts("constraint_name", all.iter().map(|one| text(&one.name)));
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn key_name(table: &Meaning<'_>) -> String {
    let kind = if table.null_in_key() { "key" } else { "pkey" };
    format!("{}_{kind}", table.name())
}

/// A type as PostgreSQL calls it.
struct PgType {
    name: &'static str,
    short: &'static str,
    precision: Option<i32>,
    scale: Option<i32>,
    fraction: Option<i32>,
}

impl PgType {
    fn of(data_type: &DataType) -> Self {
        let numeric = |precision: u8, scale: i8| Self {
            precision: Some(i32::from(precision)),
            scale: Some(i32::from(scale)),
            ..Self::plain("numeric", "numeric")
        };
        let time = |name, short, unit: &TimeUnit| Self {
            fraction: Some(match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond | TimeUnit::Nanosecond => 6,
            }),
            ..Self::plain(name, short)
        };
        match data_type {
            DataType::Boolean => Self::plain("boolean", "bool"),
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::plain("smallint", "int2"),
            DataType::Int32 | DataType::UInt16 => Self::plain("integer", "int4"),
            DataType::Int64 | DataType::UInt32 => Self::plain("bigint", "int8"),
            DataType::UInt64 => numeric(20, 0),
            DataType::Float16 | DataType::Float32 => Self::plain("real", "float4"),
            DataType::Float64 => Self::plain("double precision", "float8"),
            DataType::Decimal32(p, s)
            | DataType::Decimal64(p, s)
            | DataType::Decimal128(p, s)
            | DataType::Decimal256(p, s) => numeric(*p, *s),
            DataType::Date32 | DataType::Date64 => Self::plain("date", "date"),
            DataType::Timestamp(unit, None) => {
                time("timestamp without time zone", "timestamp", unit)
            }
            DataType::Timestamp(unit, Some(_)) => {
                time("timestamp with time zone", "timestamptz", unit)
            }
            DataType::Time32(unit) | DataType::Time64(unit) => {
                time("time without time zone", "time", unit)
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Self::plain("bytea", "bytea")
            }
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                Self::plain("ARRAY", "anyarray")
            }
            DataType::Map(..) | DataType::Struct(_) => Self::plain("json", "json"),
            _ => Self::plain("text", "text"),
        }
    }

    fn plain(name: &'static str, short: &'static str) -> Self {
        Self {
            name,
            short,
            precision: None,
            scale: None,
            fraction: None,
        }
    }
}
