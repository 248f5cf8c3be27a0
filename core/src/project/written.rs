//! The written form of `tenfold.yaml`: what a user may leave out is optional or has its default
//! here. The JSON Schema is generated from these types, and a file is held against that schema,
//! so editors and the reader cannot disagree. The comments are the schema's descriptions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::{
    Changed, ClvModel, CustomerType, Discount, EpochUnit, Format, Holdout, Inactive, Layout,
    Lookback, MonthLength, Normalize, Refunds, SharedIdentity, SourceKind, Ties, TimeUnit, ValueAt,
    Vanished, Window,
};
use super::model_stream::Mail;
use super::model_table::Engine;
use super::written_responses::{Campaigns, Responses};

/// Declarations of a Tenfold project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tenfold.yaml")]
pub(super) struct Project {
    /// Identifier of the project: lower-case letters, digits and `_`.
    #[schemars(extend("pattern" = IDENTIFIER))]
    pub project: String,
    /// IANA time zone in which civil days begin and end.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Who the customers are.
    pub customer: Customer,
    /// Sources by name.
    #[schemars(extend("minProperties" = 1))]
    pub sources: BTreeMap<String, Source>,
    /// Customer lifetime value.
    pub clv: Option<Clv>,
    /// Rankings of customers. With `clv`, `clv_12m` is ranked without being declared.
    #[serde(default)]
    pub deciles: Vec<Decile>,
    /// How many bad rows a refresh bears; it fails when a limit is passed. One percent of the rows by default.
    pub quarantine: Option<Quarantine>,
    /// How long snapshots are kept; the newest 35 by default. Pinned and tagged ones and the newest are always kept.
    pub retention: Option<Retention>,
    /// Where snapshots are loaded to when they are published. A load that fails fails no run, and is tried again.
    #[serde(default)]
    pub publish: super::publish::Publish,
    /// When a run warns that a distribution drifted since the snapshot before.
    #[serde(default)]
    pub drift: Drift,
    /// What campaigns are measured by, where a source has responses.
    #[serde(default)]
    pub campaigns: Campaigns,
    /// What computes the tables that are declared by SQL, unless their heads say something else: one process, or several workers. Views and incremental tables are always local.
    #[serde(default)]
    pub engine: Engine,
}

/// Identifiers: they become names of columns, so they fit PostgreSQL unquoted.
pub(super) const IDENTIFIER: &str = "^[a-z][a-z0-9_]{0,62}$";

fn utc() -> String {
    "UTC".to_owned()
}

/// Who the customers are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Customer {
    /// Type of the customer key: numbers are ordered as numbers, text by its bytes.
    #[serde(rename = "type")]
    pub key_type: CustomerType,
    /// Identity namespace of the key.
    #[serde(default = "customer_id")]
    pub namespace: String,
}

fn customer_id() -> String {
    "customer_id".to_owned()
}

/// A set of files with the mapping of their columns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// What the rows are: events, attributes of customers, or responses to campaigns.
    #[serde(default)]
    pub kind: SourceKind,
    /// A file, a folder or prefix, or a pattern with `*`: relative to the project, absolute, or a URL such as `s3://bucket/prefix/`. `${NAME}` is replaced from the environment.
    pub path: Option<String>,
    /// In place of a path: files are sent to Tenfold, which checks and keeps them.
    pub ingest: Option<Ingest>,
    /// Encoding of the files; by the ending of the path when left out, else parquet.
    pub format: Option<Format>,
    /// How the files lie under the path: plain files, `key=value` folders, or a Delta table.
    #[serde(default)]
    pub layout: Layout,
    /// Pinned version of a Delta table.
    pub version: Option<u64>,
    /// Types of CSV and JSON lines columns and of hive keys: int64, float64, decimal(p,s), string, date, timestamp or bool.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// Column of the customer key; `customer` for responses when it is left out.
    pub customer: Option<String>,
    /// Column that says when the event happened, or from when on the attributes hold; `time` for responses when it is left out.
    pub time: Option<Time>,
    /// Column that identifies an event, so that a second delivery is not counted again; `event_id` for responses when it is left out.
    pub event_id: Option<EventId>,
    /// SQL predicate over source columns; other rows are left out.
    pub filter: Option<String>,
    /// Numbers of an event that are summed per customer, by name. Names are unique over all sources.
    #[serde(default)]
    pub measures: BTreeMap<String, Measure>,
    /// Dimensions: name to column.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    /// Attributes of a customer, by name: a column, or a column with a type.
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    /// Attributes that identify a customer beside the key, by namespace.
    #[serde(default)]
    pub identities: BTreeMap<String, Identity>,
    /// Columns of responses that are not called as Tenfold calls them.
    #[serde(default)]
    pub responses: Responses,
    /// What becomes of files that changed after they were taken in: the refresh is refused, or it takes their rows out and what they hold now in.
    #[serde(default)]
    pub changed: Changed,
    /// What becomes of files that are gone after they were taken in: the refresh is refused, their rows are taken out, or they go on counting.
    #[serde(default)]
    pub vanished: Vanished,
}

/// How files are taken in that Tenfold keeps itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ingest {
    /// The share of the rows of a batch that may be refused, such as 5% (the default) or 0.25%: with more the batch fails whole.
    pub max_bad_rows: Option<String>,
    /// Messages are sent one by one too, and become visible together.
    pub stream: Option<Stream>,
    /// Senders of mail tell what became of it.
    pub mail: Option<Mail>,
}

/// How messages are taken in one by one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stream {
    /// Messages become visible after so long, such as 30s, 5m (the default) or 1h.
    pub every: Option<String>,
    /// So many MiB of messages become visible at once; 64 when left out.
    #[schemars(range(min = 1, max = 1024))]
    pub megabytes: Option<u32>,
    /// Messages a second that one sender may send; 10000 when left out.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate: Option<u32>,
}

/// An attribute: a column of texts, or a column with a type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Attribute {
    Column(String),
    Detailed(AttributeDetails),
}

/// A column with a type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeDetails {
    /// Name of the column.
    pub column: String,
    /// Type in the table: int64, float64, decimal(p,s), string, date or bool.
    #[serde(rename = "type", default = "string")]
    pub column_type: String,
}

fn string() -> String {
    "string".to_owned()
}

/// An attribute that identifies a customer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    /// The attribute.
    pub attribute: String,
    /// What is done to its values before they are compared: blanks around them taken off and letters made small, blanks alone, or nothing.
    #[serde(default)]
    pub normalize: Normalize,
    /// Who is meant where several customers have one value: nobody, the one whose attributes changed last, or all of them.
    #[serde(default)]
    pub duplicates: SharedIdentity,
}

/// A column of event ids, or how far apart copies of one event may lie.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum EventId {
    Column(String),
    Detailed(EventIdDetails),
}

/// A column of event ids, and how far apart copies of one event may lie.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventIdDetails {
    /// Name of the column.
    pub column: String,
    /// Days that may lie between an event and a copy of it, by their times: an id that comes later than that counts again. Any number of days when left out.
    #[schemars(range(min = 1, max = 36500))]
    pub horizon_days: Option<u32>,
}

/// A column of dates or timestamps, or how to read it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Time {
    Column(String),
    Detailed(TimeDetails),
}

/// A column of times and how to read it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeDetails {
    /// Name of the column.
    pub column: String,
    /// IANA time zone of values that carry none; such values are refused when it is left out.
    pub zone: Option<String>,
    /// Unit of integers that count from 1970-01-01T00:00:00Z.
    pub unit: Option<EpochUnit>,
    /// `strptime` format of text, such as `%d/%m/%Y %H:%M`.
    pub format: Option<String>,
}

/// A number of an event: a column or an expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Measure {
    /// Column with the number.
    pub column: Option<String>,
    /// SQL expression over source columns.
    pub expression: Option<String>,
    /// ISO 4217 code when the measure is money; one currency in a project.
    #[schemars(extend("pattern" = "^[A-Z]{3}$"))]
    pub currency: Option<String>,
    /// Decimal digits that are kept: those of the currency when left out, else none.
    #[schemars(range(max = 9))]
    pub scale: Option<u8>,
}

/// How customer lifetime value is computed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Clv {
    /// Source of the purchases.
    pub source: String,
    /// Measure of that source that a purchase is worth.
    pub value: String,
    /// Time unit that model parameters are stated in.
    #[serde(default)]
    pub unit: TimeUnit,
    /// CLV models: all are fitted, the first one scores.
    #[serde(default = "default_models")]
    #[schemars(length(min = 1))]
    pub models: Vec<ClvModel>,
    /// Horizons in months; 12 is always included.
    #[serde(default = "default_horizons")]
    #[schemars(inner(range(min = 1, max = 600)))]
    pub horizons: Vec<u32>,
    /// Effective rate at which future value is discounted, of a year or of a month.
    #[serde(default)]
    pub discount: Discount,
    /// Length of a month; 365.25/12 days by default.
    #[serde(default)]
    pub month: MonthLength,
    /// Share of revenue that counts as value.
    #[serde(default = "default_margin")]
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub margin: f64,
    /// What a refund does: lower the revenue of its day, or nothing. A row is a refund when `value` is negative there.
    #[serde(default)]
    pub refunds: Refunds,
    /// What is kept back each night to compare predictions with.
    #[serde(default)]
    pub holdout: Holdout,
    /// Customers that the models are fitted on, at least: with twice as many or more, a sample of them by hash. All are scored.
    #[serde(default = "super::model::default_fit_customers")]
    #[schemars(range(min = 1000))]
    pub fit_customers: u64,
}

fn default_models() -> Vec<ClvModel> {
    vec![ClvModel::ParetoNbd]
}

fn default_horizons() -> Vec<u32> {
    vec![super::model::ALWAYS_HORIZON]
}

fn default_margin() -> f64 {
    1.0
}

/// One ranking of customers over one or more look-backs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decile {
    /// A measure of some source, or `clv_12m`.
    pub measure: String,
    /// Name in output columns; the measure, or measure_by_dimension, when left out.
    #[schemars(extend("pattern" = IDENTIFIER))]
    pub name: Option<String>,
    /// Look-backs: months, or lifetime.
    #[serde(default = "Lookback::standard")]
    #[schemars(length(min = 1))]
    pub lookbacks: Vec<Lookback>,
    /// Months up to the day of the refresh, or whole calendar months before it.
    #[serde(default)]
    pub window: Window,
    /// Whose values are ranked apart: a dimension of the measure's source, or an attribute of the customers.
    pub by: Option<By>,
    /// Which value of the dimension counts: that of each event, or the customer's latest. Always latest for `clv_12m`.
    pub value_at: Option<ValueAt>,
    /// Number of tiles: 10 makes deciles, 4 quartiles, 100 percentiles.
    #[serde(default = "default_tiles")]
    #[schemars(range(min = 2, max = 1000))]
    pub tiles: u32,
    /// Customers without activity in a window: not ranked there, or ranked with zero.
    #[serde(default)]
    pub inactive: Inactive,
    /// SQL predicate over customer_value columns: who is ranked.
    pub population: Option<String>,
    /// Equal values at a cut: split as SQL's NTILE does, or kept together in the better tile.
    #[serde(default)]
    pub ties: Ties,
}

/// A dimension of the measure's source, or an attribute of the customers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum By {
    Dimension(String),
    Attribute(ByAttribute),
}

/// An attribute of the customers, as it is just before the day that the refresh looks back from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByAttribute {
    /// Name of the attribute.
    pub attribute: String,
}

fn default_tiles() -> u32 {
    10
}

/// How many bad rows a refresh bears; it fails when a limit is passed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Quarantine {
    /// Share of the rows read.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: Option<f64>,
    /// Number of rows.
    pub max_rows: Option<u64>,
}

/// How long snapshots are kept: each as long as one of the two says so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    /// Newest snapshots that are kept.
    #[serde(default = "default_keep_last")]
    #[schemars(range(min = 1))]
    pub keep_last: u64,
    /// Days since publication for which every snapshot is kept.
    #[schemars(range(min = 1, max = 36500))]
    pub keep_days: Option<u32>,
}

fn default_keep_last() -> u64 {
    super::model::Retention::KEEP_LAST
}

/// When a run warns that a distribution drifted since the snapshot before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Drift {
    /// Population stability index from which on a decile's values count as drifted, over bins that the cuts before make.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 10.0))]
    pub psi: f64,
}

impl Default for Drift {
    fn default() -> Self {
        let psi = super::model::Drift::default().psi;
        Self { psi }
    }
}
