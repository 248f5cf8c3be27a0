//! A delivery's declaration: `deliveries/NAME.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who is sent where, with which fields, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tenfold delivery")]
pub struct DeliverySpec {
    /// Name of the delivery: that of its file. Lower-case letters, digits and `_`.
    pub delivery: String,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The destination.
    pub destination: String,
    /// Who is sent.
    pub from: Members,
    /// The campaign that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The list, group or the like at the destination; named after where the members come from
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// What is sent of what the destination has already.
    #[serde(default)]
    pub mode: DeliveryMode,
    /// How the destination knows people; by the key of the customer when left out.
    #[serde(default)]
    pub identity: IdentitySpec,
    /// What is told of each of them, in this order.
    #[serde(default)]
    pub fields: Vec<FieldSpec>,
    /// What becomes of fields without a value.
    #[serde(default)]
    pub nulls: Nulls,
    /// What becomes of several customers with one identity.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// Name of a field of files that says `realized` of who belongs to the audience, and `exited`
    /// of who does not any more. Without it those who leave are in no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What stops a delivery that would change too much.
    #[serde(default)]
    pub guard: Guard,
    /// The source of responses that is told who was sent and who was held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responses: Option<String>,
    /// When it is sent.
    #[serde(default, skip_serializing_if = "Run::is_by_hand")]
    pub run: Run,
}

impl DeliverySpec {
    /// The list, group or the like at the destination.
    pub fn list(&self) -> &str {
        self.list.as_deref().unwrap_or(self.from.name())
    }
}

/// When a delivery is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// When somebody says so: `tenfold delivery run`.
    #[default]
    ByHand,
    /// Once of each newest snapshot, by whoever published it.
    AfterRefresh,
    /// Whenever members of a live audience come, or change, or go: of each newest snapshot, and in between by
    /// `tenfold audience watch --deliver`.
    Live,
}

impl Run {
    /// Whether somebody has to say so.
    pub fn is_by_hand(&self) -> bool {
        *self == Self::ByHand
    }
}

/// Who is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Members {
    /// The members of an audience, but for those who are held out.
    Audience(String),
    /// The rows of a table of the snapshot with a column `customer`.
    Table(String),
    /// The rows of a query with a column `customer`.
    Sql(String),
}

impl Members {
    /// A name for them.
    pub fn name(&self) -> &str {
        match self {
            Self::Audience(name) | Self::Table(name) => name,
            Self::Sql(_) => "query",
        }
    }
}

/// What is sent of what the destination has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Rows that are new or changed. Nobody is removed.
    #[default]
    Upsert,
    /// Rows that are new or changed, and removals: the destination becomes equal to the audience.
    Mirror,
    /// Every row, whether or not the destination has it. Nobody is removed.
    Full,
    /// Files with every row.
    FileFull,
    /// Files with rows that are new, changed or gone since the last one; at first every row.
    FileIncremental,
}

impl DeliveryMode {
    /// Whether every row is sent, whatever the destination has.
    pub fn sends_all(self) -> bool {
        matches!(self, Self::Full | Self::FileFull)
    }

    /// Whether it makes files.
    pub fn makes_files(self) -> bool {
        matches!(self, Self::FileFull | Self::FileIncremental)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Mirror => "mirror",
            Self::Full => "full",
            Self::FileFull => "file_full",
            Self::FileIncremental => "file_incremental",
        }
    }
}

/// How the destination knows people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentitySpec {
    /// The namespace of an identity that a source of attributes declares, such as `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// One column of the members, or two for files: together they tell rows apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What the destination calls it; the namespace or column when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// One thing that is told: a column under its own name, or more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldSpec {
    /// A column, under its own name.
    Column(String),
    /// Everything there is to say.
    Detailed(FieldDetail),
}

/// One thing that is told, in full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldDetail {
    /// What the destination calls it.
    pub field: String,
    /// The column that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The same text for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// How days and instants are written, by strftime: `%d.%m.%Y`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Whether rows without a value here are left out.
    #[serde(default)]
    pub required: bool,
}

impl FieldSpec {
    /// The field in full.
    pub fn detail(&self) -> FieldDetail {
        match self {
            Self::Column(name) => FieldDetail {
                field: name.clone(),
                column: Some(name.clone()),
                ..FieldDetail::default()
            },
            Self::Detailed(detail) => detail.clone(),
        }
    }
}

/// What becomes of fields without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// They are left out: the destination keeps what it has.
    #[default]
    Skip,
    /// The destination is told to clear them.
    Clear,
}

/// What becomes of several customers with one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// The delivery is refused.
    #[default]
    Refuse,
    /// The one with the latest value of this column is sent.
    Newest(String),
    /// The one with the highest value of this column is sent.
    Highest(String),
}

impl Duplicates {
    /// The column that decides.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Refuse => None,
            Self::Newest(column) | Self::Highest(column) => Some(column),
        }
    }
}

/// What stops a delivery that would change too much, as shares of what the destination has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The largest share that may be removed.
    #[serde(default = "one_in_twenty")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_removals: f64,
    /// The largest share that may be changed; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_changes: Option<f64>,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            max_removals: one_in_twenty(),
            max_changes: None,
        }
    }
}

fn one_in_twenty() -> f64 {
    0.05
}
