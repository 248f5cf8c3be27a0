//! `pg_catalog` of a snapshot: the tables that clients look into to learn what there is, with the
//! keys and references of our tables as constraints, and what they mean as comments.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use super::relations::{EMPTY, FILLED, Relation};
use super::types::{PgType, TYPES, type_of};
use crate::information::{Constraint, Described};

/// The schema that these tables are in.
pub(crate) const PG_CATALOG: &str = "pg_catalog";

/// Numbers of what PostgreSQL has under the same ones.
const NAMESPACE: i64 = 11;
const OWNER: i64 = 10;
const HEAP: i64 = 2;
const BTREE: i64 = 403;
/// Number of the schema of our tables.
const OURS: i64 = 2200;
/// Number of `information_schema`.
const INFORMATION: i64 = 13000;
/// Where numbers of our tables, keys and references begin.
const FIRST: i64 = 16384;

/// Tables of the catalog that comments are about, by their numbers in PostgreSQL.
const CLASSES: [(&str, i64); 16] = [
    ("pg_class", 1259),
    ("pg_type", 1247),
    ("pg_proc", 1255),
    ("pg_namespace", 2615),
    ("pg_constraint", 2606),
    ("pg_database", 1262),
    ("pg_extension", 3079),
    ("pg_language", 2612),
    ("pg_largeobject", 2613),
    ("pg_collation", 3456),
    ("pg_trigger", 2620),
    ("pg_rewrite", 2618),
    ("pg_tablespace", 1213),
    ("pg_foreign_server", 1417),
    ("pg_foreign_data_wrapper", 2328),
    ("pg_subscription", 6100),
];

/// Settings that are the same in every session; `SHOW ALL` has the others.
const SETTINGS: [(&str, &str); 4] = [
    ("integer_datetimes", "on"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("server_encoding", "UTF8"),
];

/// What functions need to know of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Numbers of tables and indexes by name.
    pub oids: BTreeMap<String, i64>,
    /// What tables (0) and their columns mean.
    pub comments: HashMap<(i64, i64), String>,
    /// What constraints say, by number.
    pub constraints: HashMap<i64, String>,
    /// What indexes are on, by number: the statement that would make it, and its columns.
    pub indexes: HashMap<i64, (String, Vec<String>)>,
}

impl Catalog {
    /// The number of a table or index, however it is qualified, or by that number.
    pub fn oid(&self, name: &str) -> Option<i64> {
        if let Ok(oid) = name.parse() {
            return Some(oid);
        }
        let name = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
        let known = CLASSES.iter().find(|(class, _)| *class == name);
        let known = known.map(|(_, oid)| *oid);
        known.or_else(|| self.oids.get(name).copied())
    }

    /// The name of a table or index.
    pub fn name(&self, oid: i64) -> Option<&str> {
        let mut ours = self.oids.iter();
        let ours = ours.find(|(_, known)| **known == oid);
        ours.map(|(name, _)| name.as_str())
    }
}

/// Whether the catalog has a table of a name.
pub(crate) fn is_relation(name: &str) -> bool {
    all().any(|relation| relation.name == name)
}

/// Whether the catalog has a table of a name, and that one never has a row.
pub(crate) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|relation| relation.name == name)
}

fn all() -> impl Iterator<Item = &'static Relation> {
    FILLED.iter().chain(EMPTY)
}

/// Gives a context the catalog of its tables.
pub(crate) fn register(
    context: &SessionContext,
    described: &Described<'_>,
) -> Result<Arc<Catalog>> {
    let none = || DataFusionError::Internal("there is no catalog".to_owned());
    let mut rows = Rows::default();
    rows.fixed(described);
    rows.tables(described);
    let schema = MemorySchemaProvider::new();
    for relation in all() {
        let of_it = rows.of.remove(relation.name).unwrap_or_default();
        let batch = batch(relation, &of_it)?;
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        schema.register_table(relation.name.to_owned(), Arc::new(table))?;
    }
    let catalog = context.catalog(described.catalog).ok_or_else(none)?;
    catalog.register_schema(PG_CATALOG, Arc::new(schema))?;
    Ok(Arc::new(rows.catalog))
}

fn batch(relation: &Relation, rows: &[Value]) -> Result<RecordBatch> {
    let schema: SchemaRef = Arc::new(Schema::new(fields(relation)));
    let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder()?;
    decoder.serialize(rows)?;
    let batch = decoder.flush()?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

fn fields(relation: &Relation) -> Vec<Field> {
    let columns = relation.columns.split_whitespace();
    let columns = columns.filter_map(|column| column.split_once(':'));
    columns
        .map(|(name, letter)| Field::new(name, column_type(letter), true))
        .collect()
}

fn column_type(letter: &str) -> DataType {
    let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
    match letter {
        "b" => DataType::Boolean,
        "o" => DataType::Int64,
        "n" => DataType::Int32,
        "s" => DataType::Int16,
        "f" => DataType::Float32,
        "O" => list(DataType::Int64),
        "S" => list(DataType::Int16),
        "T" => list(DataType::Utf8),
        "V" => DataType::LargeList(Arc::new(Field::new_list_field(DataType::Int16, true))),
        _ => DataType::Utf8,
    }
}

/// The rows of all tables.
#[derive(Default)]
struct Rows {
    of: HashMap<&'static str, Vec<Value>>,
    catalog: Catalog,
    next: i64,
}

impl Rows {
    fn add(&mut self, table: &'static str, row: Value) {
        self.of.entry(table).or_default().push(row);
    }

    fn number(&mut self) -> i64 {
        self.next += 1;
        FIRST + self.next - 1
    }

    /// What does not depend on the tables.
    fn fixed(&mut self, described: &Described<'_>) {
        for (oid, name) in [
            (NAMESPACE, PG_CATALOG),
            (OURS, described.schema),
            (INFORMATION, "information_schema"),
        ] {
            let row = json!({"oid": oid, "nspname": name, "nspowner": OWNER});
            self.add("pg_namespace", row);
        }
        self.add(
            "pg_database",
            json!({
                "oid": 5, "datname": described.catalog, "datdba": OWNER, "encoding": 6,
                "datlocprovider": "c", "datistemplate": false, "datallowconn": true,
                "datconnlimit": -1, "dattablespace": 1663, "datcollate": "C", "datctype": "C",
            }),
        );
        self.add(
            "pg_roles",
            json!({
                "oid": OWNER, "rolname": described.catalog, "rolsuper": false,
                "rolinherit": true, "rolcreaterole": false, "rolcreatedb": false,
                "rolcanlogin": true, "rolreplication": false, "rolconnlimit": -1,
                "rolbypassrls": false,
            }),
        );
        for (name, setting) in SETTINGS {
            let row = json!({
                "name": name, "setting": setting, "context": "internal", "vartype": "string",
                "source": "default", "boot_val": setting, "reset_val": setting,
                "pending_restart": false,
            });
            self.add("pg_settings", row);
        }
        for (oid, name, kind) in [(HEAP, "heap", "t"), (BTREE, "btree", "i")] {
            let row = json!({"oid": oid, "amname": name, "amtype": kind});
            self.add("pg_am", row);
        }
        for one in TYPES {
            self.add("pg_type", type_row(one));
            if one.array != 0 {
                self.add("pg_type", array_row(one));
            }
        }
    }

    fn tables(&mut self, described: &Described<'_>) {
        for (name, schema) in described.tables {
            let oid = self.number();
            self.catalog.oids.insert(name.clone(), oid);
            self.table(described, name, oid, schema);
        }
        let constraints = described.constraints();
        let keys = constraints.iter().filter(|one| one.refers.is_none());
        for key in keys {
            self.key(described, key);
        }
        let references = constraints.iter().filter(|one| one.refers.is_some());
        for reference in references {
            self.reference(described, reference);
        }
    }

    fn table(&mut self, described: &Described<'_>, name: &str, oid: i64, schema: &SchemaRef) {
        let meaning = described.meaning(name);
        let is_table = meaning.as_ref().is_none_or(|meaning| meaning.is_table());
        let has_key = meaning
            .as_ref()
            .is_some_and(|meaning| !meaning.key().is_empty());
        let kind = if is_table { "r" } else { "v" };
        let mut class = class_row(oid, name, kind, schema.fields().len());
        class["relhasindex"] = json!(has_key);
        // References are kept by triggers in PostgreSQL: psql shows none without.
        let refers = meaning.is_some_and(|meaning| !meaning.references().is_empty());
        class["relhastriggers"] = json!(refers);
        self.add("pg_class", class);
        match is_table {
            true => self.add(
                "pg_tables",
                json!({
                    "schemaname": described.schema, "tablename": name,
                    "tableowner": described.catalog, "hasindexes": has_key,
                    "hasrules": false, "hastriggers": false, "rowsecurity": false,
                }),
            ),
            false => self.add(
                "pg_views",
                json!({
                    "schemaname": described.schema, "viewname": name,
                    "viewowner": described.catalog,
                }),
            ),
        }
        if let Some(about) = meaning.as_ref().and_then(|meaning| meaning.about()) {
            self.comment(oid, 0, about);
        }
        for (place, field) in (1..).zip(schema.fields()) {
            self.add("pg_attribute", attribute_row(oid, place, field));
            let meaning = meaning.as_ref();
            let about = meaning.and_then(|meaning| meaning.column(field.name()));
            if let Some(about) = about {
                self.comment(oid, place, about);
            }
        }
    }

    fn comment(&mut self, oid: i64, place: i64, about: &str) {
        self.catalog.comments.insert((oid, place), about.to_owned());
        self.add(
            "pg_description",
            json!({"objoid": oid, "classoid": 1259, "objsubid": place, "description": about}),
        );
    }

    /// A key, and the index that stands for it.
    fn key(&mut self, described: &Described<'_>, key: &Constraint<'_>) {
        let (index, oid) = (self.number(), self.number());
        let primary = key.kind == "PRIMARY KEY";
        let places = described.places(key.table, &key.columns);
        let columns: Vec<String> = key.columns.iter().map(|name| (*name).to_owned()).collect();
        self.catalog.oids.insert(key.name.clone(), index);
        let mut class = class_row(index, &key.name, "i", key.columns.len());
        class["relam"] = json!(BTREE);
        self.add("pg_class", class);
        for (place, name) in (1..).zip(&key.columns) {
            let schema = described.tables.get(key.table);
            let field = schema.and_then(|schema| schema.field_with_name(name).ok());
            if let Some(field) = field {
                self.add("pg_attribute", attribute_row(index, place, field));
            }
        }
        let table = self.catalog.oids.get(key.table).copied();
        let zeros = vec![0; places.len()];
        self.add(
            "pg_index",
            json!({
                "indexrelid": index, "indrelid": table, "indnatts": places.len(),
                "indnkeyatts": places.len(), "indisunique": true,
                "indnullsnotdistinct": !primary, "indisprimary": primary,
                "indisexclusion": false, "indimmediate": true, "indisclustered": false,
                "indisvalid": true, "indcheckxmin": false, "indisready": true,
                "indislive": true, "indisreplident": false, "indkey": places,
                "indcollation": zeros, "indclass": zeros, "indoption": zeros,
            }),
        );
        let on = key.columns.join(", ");
        let nulls = if primary { "" } else { " NULLS NOT DISTINCT" };
        let says = match primary {
            true => format!("PRIMARY KEY ({on})"),
            false => format!("UNIQUE{nulls} ({on})"),
        };
        let makes = format!(
            "CREATE UNIQUE INDEX {} ON {}.{} USING btree ({on}){nulls}",
            key.name, described.schema, key.table
        );
        self.catalog.indexes.insert(index, (makes, columns));
        let kind = if primary { "p" } else { "u" };
        let mut row = constraint_row(oid, key, kind, table);
        row["conindid"] = json!(index);
        row["conkey"] = json!(places);
        self.catalog.constraints.insert(oid, says);
        self.add("pg_constraint", row);
    }

    fn reference(&mut self, described: &Described<'_>, reference: &Constraint<'_>) {
        let oid = self.number();
        let Some((other, _)) = reference.leads_to(described) else {
            return;
        };
        let table = self.catalog.oids.get(reference.table).copied();
        let mut row = constraint_row(oid, reference, "f", table);
        row["confrelid"] = json!(self.catalog.oids.get(other));
        let refers = reference.refers.as_ref();
        row["conindid"] = json!(refers.and_then(|key| self.catalog.oids.get(key)));
        row["conkey"] = json!(described.places(reference.table, &reference.columns));
        row["confkey"] = json!(described.places(other, &reference.keys));
        for (name, value) in [
            ("confupdtype", "a"),
            ("confdeltype", "a"),
            ("confmatchtype", "s"),
        ] {
            row[name] = json!(value);
        }
        let says = format!(
            "FOREIGN KEY ({}) REFERENCES {}.{other}({})",
            reference.columns.join(", "),
            described.schema,
            reference.keys.join(", ")
        );
        self.catalog.constraints.insert(oid, says);
        self.add("pg_constraint", row);
    }
}

fn class_row(oid: i64, name: &str, kind: &str, columns: usize) -> Value {
    json!({
        "oid": oid, "relname": name, "relnamespace": OURS, "reltype": 0, "reloftype": 0,
        "relowner": OWNER, "relam": HEAP, "relfilenode": 0, "reltablespace": 0, "relpages": 0,
        "reltuples": -1.0, "relallvisible": 0, "reltoastrelid": 0, "relhasindex": false,
        "relisshared": false, "relpersistence": "p", "relkind": kind, "relnatts": columns,
        "relchecks": 0, "relhasrules": false, "relhastriggers": false, "relhassubclass": false,
        "relrowsecurity": false, "relforcerowsecurity": false, "relispopulated": true,
        "relreplident": "n", "relispartition": false, "relrewrite": 0, "relfrozenxid": 0,
        "relminmxid": 0, "relacl": ["=r/tenfold"], "xmin": 1,
    })
}

fn attribute_row(table: i64, place: i64, field: &Field) -> Value {
    let (oid, modifier) = type_of(field.data_type());
    let len = PgType::numbered(oid).map_or(-1, |one| one.len);
    let dimensions = i32::from(PgType::numbered(oid).is_none());
    json!({
        "attrelid": table, "attname": field.name(), "atttypid": oid, "attstattarget": -1,
        "attlen": len, "attnum": place, "attndims": dimensions, "attcacheoff": -1,
        "atttypmod": modifier, "attbyval": len > 0, "attalign": "i", "attstorage": "p",
        "attcompression": "", "attnotnull": !field.is_nullable(), "atthasdef": false,
        "atthasmissing": false, "attidentity": "", "attgenerated": "", "attisdropped": false,
        "attislocal": true, "attinhcount": 0, "attcollation": 0,
    })
}

fn type_row(one: &PgType) -> Value {
    json!({
        "oid": one.oid, "typname": one.short, "typnamespace": NAMESPACE, "typowner": OWNER,
        "typlen": one.len, "typbyval": one.len > 0 && one.len <= 8,
        "typtype": if one.category == "X" { "p" } else { "b" }, "typcategory": one.category,
        "typispreferred": false, "typisdefined": true, "typdelim": ",", "typrelid": 0,
        "typsubscript": "-", "typelem": 0, "typarray": one.array,
        "typinput": format!("{}in", one.short), "typoutput": format!("{}out", one.short),
        "typreceive": format!("{}recv", one.short), "typsend": format!("{}send", one.short),
        "typalign": "i", "typstorage": "p", "typnotnull": false, "typbasetype": 0,
        "typtypmod": -1, "typndims": 0, "typcollation": 0,
    })
}

fn array_row(one: &PgType) -> Value {
    let mut row = type_row(one);
    for (name, value) in [
        ("oid", json!(one.array)),
        ("typname", json!(format!("_{}", one.short))),
        ("typlen", json!(-1)),
        ("typbyval", json!(false)),
        ("typtype", json!("b")),
        ("typcategory", json!("A")),
        ("typsubscript", json!("array_subscript_handler")),
        ("typelem", json!(one.oid)),
        ("typarray", json!(0)),
        ("typinput", json!("array_in")),
        ("typoutput", json!("array_out")),
        ("typreceive", json!("array_recv")),
        ("typsend", json!("array_send")),
    ] {
        row[name] = value;
    }
    row
}

fn constraint_row(oid: i64, one: &Constraint<'_>, kind: &str, table: Option<i64>) -> Value {
    json!({
        "oid": oid, "conname": one.name, "connamespace": OURS, "contype": kind,
        "condeferrable": false, "condeferred": false, "convalidated": true, "conrelid": table,
        "contypid": 0, "conindid": 0, "conparentid": 0, "confrelid": 0, "confupdtype": " ",
        "confdeltype": " ", "confmatchtype": " ", "conislocal": true, "coninhcount": 0,
        "connoinherit": true,
    })
}
