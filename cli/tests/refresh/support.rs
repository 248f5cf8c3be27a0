//! A project in a folder of its own, the binary run on it, and events to put into it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use tempfile::TempDir;
use tenfold_core::snapshot::AGAINST_PARENT;

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Answer {
    pub fn of(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(!stderr.contains("mistake in Tenfold"), "{stderr}");
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Standard output as one JSON document, of a run that succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The rows that were printed as JSON.
    pub fn rows(&self) -> Vec<Value> {
        serde_json::from_value(self.json()).unwrap()
    }

    /// A run that failed with a remedy, and whose message names all of these.
    pub fn refused(&self, named: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.text(), "", "nothing goes to standard output");
        for text in named {
            assert!(
                self.stderr.contains(text),
                "`{text}` is not in:\n{}",
                self.stderr
            );
        }
        assert!(
            self.stderr.contains("\n  remedy: "),
            "no remedy in:\n{}",
            self.stderr
        );
    }
}

/// A project in a temporary folder.
pub struct Project {
    folder: TempDir,
    /// Where the store is and how it is reached, when it is not a folder of the project.
    pub elsewhere: Vec<(String, String)>,
}

impl Project {
    pub fn new(declarations: &str) -> Self {
        let project = Self {
            folder: TempDir::new().unwrap(),
            elsewhere: Vec::new(),
        };
        project.write("tenfold.yaml", declarations);
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn write_parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>) {
        self.write(name, parquet_bytes(columns));
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(arguments)
            .arg("-p")
            .arg(self.folder.path())
            .envs(self.elsewhere.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    pub fn tenfold(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    /// A refresh with two shards.
    pub fn refresh(&self, as_of: &str) -> Answer {
        self.tenfold(&["refresh", "--as-of", as_of, "--shards", "2", "-o", "json"])
    }

    /// The record of a refresh that has to publish.
    pub fn published(&self, as_of: &str) -> Value {
        let run = self.refresh(as_of).json();
        assert_eq!(run["status"], "succeeded");
        run
    }

    /// The rows that answer a query.
    pub fn sql(&self, query: &str) -> Vec<Value> {
        let answer = self.tenfold(&["sql", query, "-o", "json"]).json();
        answer.as_array().unwrap().clone()
    }

    /// The one number that answers a query.
    pub fn number(&self, query: &str) -> i64 {
        let rows = self.sql(query);
        assert_eq!(rows.len(), 1, "{query}");
        let row = rows[0].as_object().unwrap();
        row.values().next().unwrap().as_i64().unwrap()
    }

    pub fn manifest(&self) -> Value {
        self.tenfold(&["snapshot", "get", "-o", "json"]).json()
    }

    /// Content hashes of the newest snapshot's tables, but of those that say what changed: they
    /// depend on the snapshot before.
    pub fn contents(&self) -> BTreeMap<String, String> {
        let manifest = self.manifest();
        let tables = manifest["tables"].as_object().unwrap().iter();
        tables
            .filter(|(name, _)| !AGAINST_PARENT.contains(&name.as_str()))
            .map(|(name, table)| {
                let hash = table["content_hash"].as_str().unwrap();
                (name.clone(), hash.to_owned())
            })
            .collect()
    }

    pub fn snapshot_hash(&self) -> String {
        self.manifest()["snapshot_hash"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The bytes of every file of the newest snapshot, by their place in the store.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.tenfold(&["snapshot", "files", "-o", "json"]).json();
        let root = self.path("store");
        let file = |file: &Value| {
            let location = Path::new(file["location"].as_str().unwrap());
            let inside = location.strip_prefix(&root).unwrap();
            let bytes = fs::read(location).unwrap();
            assert_eq!(Some(bytes.len() as u64), file["bytes"].as_u64());
            (inside.display().to_string(), bytes)
        };
        files.as_array().unwrap().iter().map(file).collect()
    }

    /// The rows in quarantine.
    pub fn quarantine(&self) -> Vec<Value> {
        let rows = self.tenfold(&["quarantine", "ls", "-o", "json"]).json();
        rows.as_array().unwrap().clone()
    }
}

/// The folder of real data, when it has this file; otherwise it is said that a test skips.
pub fn data(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TENFOLD_DATA_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    if folder.join(file).exists() {
        return Some(fs::canonicalize(folder).unwrap());
    }
    eprintln!("skipped: {} has no {file}", folder.display());
    None
}

/// The binary, without anything from the environment that it would listen to.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold"));
    for name in ["PROJECT", "STORE", "STATE", "MEMORY", "THREADS", "SHARDS"] {
        command.env_remove(format!("TENFOLD_{name}"));
    }
    command.env("TENFOLD_CONFIG", "");
    command
}

/// A Parquet file with one row group.
pub fn parquet_bytes(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// An array behind a pointer.
pub fn array(array: impl arrow::array::Array + 'static) -> ArrayRef {
    Arc::new(array)
}

/// A stream of numbers that is the same every time (splitmix64).
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

/// A sale of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    pub id: String,
    pub customer: i64,
    /// Day of 2024, from 0.
    pub day: u32,
    pub cents: i64,
    pub region: &'static str,
}

const REGIONS: [&str; 4] = ["north", "south", "west", ""];

/// The date of a day of 2024, from 0.
pub fn date(day: u32) -> String {
    let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut left = day;
    for (month, length) in lengths.into_iter().enumerate() {
        if left < length {
            return format!("2024-{:02}-{:02}", month + 1, left + 1);
        }
        left -= length;
    }
    panic!("2024 has no day {day}")
}

/// Sales of about sixty customers over the first `days` days of 2024, some of them refunds.
pub fn sales(seed: u64, count: usize, days: u32) -> Vec<Sale> {
    let mut draw = Draw(seed);
    let mut sale = |number: usize| {
        let sign = if draw.below(12) == 0 { -1 } else { 1 };
        Sale {
            id: format!("s{number}"),
            customer: (draw.below(8) * draw.below(9)) as i64,
            day: draw.below(u64::from(days)) as u32,
            cents: sign * (draw.below(40) * 125) as i64,
            region: REGIONS[draw.below(4) as usize],
        }
    };
    (0..count).map(&mut sale).collect()
}

/// Sales as a CSV file.
pub fn csv(sales: &[Sale]) -> String {
    let mut text = String::from("id,customer,day,amount,region\n");
    for sale in sales {
        let sign = if sale.cents < 0 { "-" } else { "" };
        let (whole, cents) = (sale.cents.abs() / 100, sale.cents.abs() % 100);
        let day = date(sale.day);
        writeln!(
            text,
            "{},{},{day},{sign}{whole}.{cents:02},{}",
            sale.id, sale.customer, sale.region
        )
        .unwrap();
    }
    text
}

/// Declarations of the shop, whose sales lie in `sales/`.
pub const SHOP: &str = r#"
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales/
    format: csv
    types: {customer: int64, day: date, amount: "decimal(12,2)"}
    customer: customer
    time: day
    event_id: id
    measures:
      revenue: {column: amount, currency: EUR}
    dimensions: {region: region}
clv: {source: sales, value: revenue, models: [bg_nbd, pareto_nbd], holdout: none}
deciles:
  - measure: revenue
    lookbacks: [1, 3, lifetime]
  - measure: revenue
    by: region
    lookbacks: [3, lifetime]
"#;

/// The shop without event ids.
pub fn without_ids() -> String {
    SHOP.replace("    event_id: id\n", "")
}

/// The shop as Parquet.
pub fn as_parquet(declarations: &str) -> String {
    declarations
        .replace("format: csv", "format: parquet")
        .replace(
            "    types: {customer: int64, day: date, amount: \"decimal(12,2)\"}\n",
            "",
        )
}

/// A project with one measure of points, ranked over a look-back.
pub fn points_project(lookback: &str) -> String {
    let text = "
project: points
customer: {type: int64}
sources:
  entries:
    path: entries/
    format: csv
    types: {customer: int64, day: date, points: int64}
    customer: customer
    time: day
    measures: {points: {column: points}}
deciles: [{measure: points, lookbacks: [LOOKBACK]}]
";
    text.replace("LOOKBACK", lookback)
}
