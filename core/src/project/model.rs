//! The resolved declarations of a project: every default spelled out, names canonical, ready to
//! be hashed. What a user writes is the `written` form; [`parse`](super::parse) leads from there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audience::Audience;
use crate::snapshot::{
    DIM_CAMPAIGN, DIM_CUSTOMER, DIM_DESTINATION, FACT_CAMPAIGN, FACT_EMAIL_EVENT,
};

pub use super::model_decile::*;
pub use super::model_source::*;
pub use super::model_stream::*;
pub use super::model_table::*;
use super::publish::Publish;

/// Columns of `customer_value` that every project with a CLV has, whatever its deciles are.
pub fn fixed_columns(horizons: &[u32]) -> Vec<String> {
    let plain = [
        "customer",
        "first_purchase",
        "last_purchase",
        "frequency",
        "recency_days",
        "age_days",
        "days_since_last_purchase",
        "purchase_days",
        "monetary_value",
        REVENUE_LIFETIME,
        "p_alive",
        "expected_spend",
    ];
    let of_horizon = |months: &u32| {
        ["expected_purchases", "clv", "total_value"].map(|name| format!("{name}_{months}m"))
    };
    plain
        .into_iter()
        .map(str::to_owned)
        .chain(horizons.iter().flat_map(of_horizon))
        .collect()
}

/// Column with the sum of the CLV's value measure over all days before `as_of`.
pub const REVENUE_LIFETIME: &str = "revenue_lifetime";

/// Name of a source: an identifier, unique in the project.
pub type SourceName = String;

/// Name that stands for the CLV over twelve months where a decile names its measure.
pub const CLV_MEASURE: &str = "clv_12m";

/// The horizon, in months, that is always computed.
pub const ALWAYS_HORIZON: u32 = 12;

/// Days in a month when nothing else is declared: a twelfth of a Julian year of 365.25 days.
pub const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

/// Everything that a project declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Identifier of the project.
    pub project: String,
    /// IANA time zone in which civil days begin and end.
    pub time_zone: String,
    /// Who the customers are.
    pub customer: Customer,
    /// Sources by name; at least one.
    pub sources: BTreeMap<SourceName, Source>,
    /// Customer lifetime value, when it is wanted.
    pub clv: Option<Clv>,
    /// Deciles in their written order. With `clv`, one of them ranks [`CLV_MEASURE`] under that
    /// name: the implied one comes first unless the file declares it.
    pub deciles: Vec<DecileDeclaration>,
    /// How many bad rows a refresh bears.
    pub quarantine: Quarantine,
    /// How long snapshots are kept. It is no part of what a snapshot says, so it is neither written
    /// with one nor hashed.
    #[serde(skip)]
    pub retention: Retention,
    /// Where snapshots are loaded to. Like `retention` it is no part of what a snapshot says.
    #[serde(skip)]
    pub publish: Publish,
    /// When a distribution counts as drifted.
    #[serde(default)]
    pub drift: Drift,
    /// What campaigns are measured by.
    #[serde(default, skip_serializing_if = "Campaigns::is_default")]
    pub campaigns: Campaigns,
    /// What computes the tables that keep rows, all of them anew, and whose heads say nothing of it. Each table says
    /// what came of that.
    #[serde(default, skip_serializing_if = "Engine::is_local")]
    pub engine: Engine,
    /// Tables and views that are declared by SQL, each after those that it reads. They have files
    /// of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<UserTable>,
    /// Audiences by name. They have files of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Audience>,
}

impl Project {
    /// The tables that every snapshot of the project has, apart from those that it declares by SQL.
    pub fn built_in_tables(&self) -> Vec<&'static str> {
        let mut tables = vec!["customer_value"];
        if self.deciles.iter().any(|decile| decile.by.is_some()) {
            tables.extend(["customer_decile", "dim_dimension_value"]);
        }
        if self.has(SourceKind::Attributes) {
            tables.push(DIM_CUSTOMER);
        }
        if self.has(SourceKind::Responses) {
            tables.extend([
                FACT_EMAIL_EVENT,
                FACT_CAMPAIGN,
                DIM_CAMPAIGN,
                DIM_DESTINATION,
            ]);
        }
        tables.extend([
            "fact_value_by_decile",
            "fact_decile_migration",
            "fact_drift",
        ]);
        if self.clv.is_some() {
            tables.extend([
                "fact_cohort",
                "fact_cohort_retention",
                "fact_customers_by_day",
                "fact_model_quality",
                "dim_model_parameter",
            ]);
        }
        tables.push("dim_date");
        tables
    }

    /// Whether it has a source of a kind.
    pub fn has(&self, kind: SourceKind) -> bool {
        self.sources.values().any(|source| source.kind == kind)
    }

    /// The table or view of a name that is declared by SQL.
    pub fn user_table(&self, name: &str) -> Option<&UserTable> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The measure of that name, with the source it belongs to. Measure names are unique over all
    /// sources.
    pub fn measure(&self, name: &str) -> Option<(&SourceName, &Source, &Measure)> {
        self.sources.iter().find_map(|(source_name, source)| {
            let measure = source.measures.get(name)?;
            Some((source_name, source, measure))
        })
    }

    /// The source that a decile's values come from; for [`CLV_MEASURE`] the source of the CLV.
    pub fn decile_source(&self, decile: &DecileDeclaration) -> Option<(&SourceName, &Source)> {
        if decile.ranks_clv() {
            return self.sources.get_key_value(&self.clv.as_ref()?.source);
        }
        let (name, source, _) = self.measure(&decile.measure)?;
        Some((name, source))
    }

    /// The source of what customers are like, with its name.
    pub fn attributes(&self) -> Option<(&SourceName, &Source)> {
        let mut sources = self.sources.iter();
        sources.find(|(_, source)| source.kind == SourceKind::Attributes)
    }

    /// The one currency that amounts are declared in, if any is.
    pub fn currency(&self) -> Option<&str> {
        let mut measures = self.sources.values().flat_map(|s| s.measures.values());
        measures.find_map(|measure| measure.currency.as_deref())
    }

    /// One line of JSON with sorted keys: equal declarations give equal bytes, so this is what a
    /// plan or a snapshot hashes.
    pub fn canonical_json(&self) -> String {
        // Strings, finite numbers and string-keyed maps only: serialising them cannot fail.
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut out = String::new();
        write_sorted(&value, &mut out);
        out
    }
}

/// Writes JSON with keys in byte order. `serde_json::Map` keeps either sorted or insertion order
/// by a cargo feature that any crate of the build may switch, so its own order is not relied on.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            write_separated(out, '{', '}', sorted, |(key, value), out| {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_sorted(value, out);
            });
        }
        Value::Array(items) => write_separated(out, '[', ']', items, write_sorted),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_separated<T>(
    out: &mut String,
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

/// Who the customers are, over all sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Type of the customer key.
    #[serde(rename = "type")]
    pub key_type: CustomerType,
    /// Identity namespace of the key.
    pub namespace: String,
}

/// Type of the customer key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerType {
    /// Whole numbers, ordered as numbers.
    Int64,
    /// Text, ordered by its bytes.
    String,
}

/// How customer lifetime value is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clv {
    /// Source of the purchases.
    pub source: SourceName,
    /// Measure of that source that a purchase is worth.
    pub value: String,
    /// Time unit that model parameters are stated in.
    pub unit: TimeUnit,
    /// CLV models: all are fitted, the first one scores.
    pub models: Vec<ClvModel>,
    /// Horizons in months, ascending, with [`ALWAYS_HORIZON`] among them.
    pub horizons: Vec<u32>,
    /// Rate at which future value is discounted.
    pub discount: Discount,
    /// Length of a month.
    pub month: MonthLength,
    /// Share of revenue that counts as value.
    pub margin: f64,
    /// What a refund does.
    pub refunds: Refunds,
    /// What is kept back each night to compare predictions with.
    pub holdout: Holdout,
    /// Customers that the models are fitted on, at least: with twice as many or more, a sample.
    #[serde(default = "default_fit_customers")]
    pub fit_customers: u64,
}

/// Customers to fit on, unless declared: earlier versions wrote none. `docs/performance.md` has what the
/// sample costs in accuracy.
pub(super) fn default_fit_customers() -> u64 {
    250_000
}

/// Time unit of model parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Days.
    Day,
    /// Weeks of seven days.
    #[default]
    Week,
    /// Months of 30.4375 days, a twelfth of a year.
    Month,
}

/// A CLV model of how often customers buy and when they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClvModel {
    /// Pareto/NBD (Schmittlein, Morrison and Colombo 1987).
    ParetoNbd,
    /// BG/NBD (Fader, Hardie and Lee 2005).
    BgNbd,
    /// MBG/NBD (Batislam, Denizel and Filiztekin 2007).
    MbgNbd,
}

/// Rate at which future value is discounted, as an effective rate: 0.10 is ten percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discount {
    /// Effective rate of a year.
    Annual(#[schemars(extend("exclusiveMinimum" = -1.0), range(max = 10.0))] f64),
    /// Effective rate of a month.
    Monthly(#[schemars(extend("exclusiveMinimum" = -1.0), range(max = 10.0))] f64),
}

impl Default for Discount {
    fn default() -> Self {
        Self::Annual(0.10)
    }
}

/// Length of a month in the CLV's horizons.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MonthLength {
    /// In days, 28 to 31.
    Days(#[schemars(range(min = 28.0, max = 31.0))] f64),
    /// In weeks, 4 to 4.5.
    Weeks(#[schemars(range(min = 4.0, max = 4.5))] f64),
}

impl MonthLength {
    /// The length in days.
    pub fn days(self) -> f64 {
        match self {
            Self::Days(days) => days,
            Self::Weeks(weeks) => weeks * 7.0,
        }
    }
}

impl Default for MonthLength {
    fn default() -> Self {
        Self::Days(DAYS_PER_MONTH)
    }
}

/// What a refund does. A row is a refund when the CLV's value measure is negative there; no other
/// measure makes one, and rows of other sources never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// A refund lowers revenue and window sums of its day.
    #[default]
    Net,
    /// Refund rows are left out.
    Ignore,
}

/// What is kept back each night: parameters are fitted up to a past month boundary and compared
/// with what happened since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holdout {
    /// Nothing is kept back.
    None,
    /// The last so many months.
    Months(#[schemars(range(min = 1, max = 120))] u32),
}

impl Default for Holdout {
    fn default() -> Self {
        Self::Months(3)
    }
}

/// How long snapshots are kept: each as long as one of the two says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Newest snapshots that are kept.
    pub keep_last: u64,
    /// Days since publication for which every snapshot is kept.
    pub keep_days: Option<u32>,
}

impl Retention {
    /// Newest snapshots that are kept when nothing else is declared: five weeks of nights.
    pub const KEEP_LAST: u64 = 35;
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep_last: Self::KEEP_LAST,
            keep_days: None,
        }
    }
}

/// How many bad rows a refresh bears; it fails when either limit is passed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Share of the rows read, 0 to 1.
    pub max_share: Option<f64>,
    /// Number of rows.
    pub max_rows: Option<u64>,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            max_share: Some(0.01),
            max_rows: None,
        }
    }
}

/// What campaigns are measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaigns {
    /// Days for which purchases count as those after a campaign, from the day of the send on.
    pub window_days: u32,
}

impl Campaigns {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Campaigns {
    fn default() -> Self {
        Self { window_days: 14 }
    }
}

/// When a distribution counts as drifted since the snapshot before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// From which population stability index on.
    pub psi: f64,
}

impl Default for Drift {
    fn default() -> Self {
        Self { psi: 0.2 }
    }
}
