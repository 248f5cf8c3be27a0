//! Deciles in their resolved form, and the names of the columns that they are written to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::CLV_MEASURE;

/// One ranking of customers, over one or more look-backs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecileDeclaration {
    /// A measure of some source, or [`CLV_MEASURE`].
    pub measure: String,
    /// Name in output columns, unique among the deciles.
    pub name: String,
    /// Look-backs, months ascending and lifetime last; empty for [`CLV_MEASURE`].
    pub lookbacks: Vec<Lookback>,
    /// What a look-back's months are.
    pub window: Window,
    /// Dimension, or attribute, whose values are ranked apart.
    pub by: Option<String>,
    /// Whether `by` is an attribute of the customers: what it is just before `as_of` counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_attribute: bool,
    /// Which value of that dimension counts; always the latest for [`CLV_MEASURE`] and for attributes.
    pub value_at: ValueAt,
    /// Number of tiles: 10 for deciles.
    pub tiles: u32,
    /// What becomes of customers without activity in a window.
    pub inactive: Inactive,
    /// SQL predicate over `customer_value` columns: who is ranked.
    pub population: Option<String>,
    /// What becomes of equal values at a cut.
    pub ties: Ties,
}

impl DecileDeclaration {
    /// The declaration with every option at its default.
    pub fn of(measure: &str, name: &str) -> Self {
        let (lookbacks, value_at) = if measure == CLV_MEASURE {
            (Vec::new(), ValueAt::Latest)
        } else {
            (Lookback::standard(), ValueAt::default())
        };
        Self {
            measure: measure.to_owned(),
            name: name.to_owned(),
            lookbacks,
            window: Window::default(),
            by: None,
            by_attribute: false,
            value_at,
            tiles: 10,
            inactive: Inactive::default(),
            population: None,
            ties: Ties::default(),
        }
    }

    /// Whether the CLV is ranked rather than a measure over look-backs.
    pub fn ranks_clv(&self) -> bool {
        self.measure == CLV_MEASURE
    }

    /// The dimension of events whose values are ranked apart.
    pub fn dimension(&self) -> Option<&String> {
        self.by.as_ref().filter(|_| !self.by_attribute)
    }

    /// The attribute of customers whose values are ranked apart.
    pub fn attribute(&self) -> Option<&String> {
        self.by.as_ref().filter(|_| self.by_attribute)
    }

    /// The word for a tile, first part of output columns: `decile` for 10 tiles, `ntile20` for 20.
    pub fn tile_word(&self) -> String {
        match self.tiles {
            4 => "quartile".to_owned(),
            5 => "quintile".to_owned(),
            10 => "decile".to_owned(),
            100 => "percentile".to_owned(),
            tiles => format!("ntile{tiles}"),
        }
    }

    /// Column with the value over a look-back: `<name>_<look-back>`.
    pub fn value_column(&self, lookback: Lookback) -> String {
        format!("{}_{}", self.name, lookback.suffix())
    }

    /// Column with the tile: `<word>_<name>_<look-back>`, and `<word>_<name>` for the CLV, which
    /// has no look-backs (`None`).
    pub fn tile_column(&self, lookback: Option<Lookback>) -> String {
        match lookback {
            Some(lookback) => format!("{}_{}", self.tile_word(), self.value_column(lookback)),
            None => format!("{}_{}", self.tile_word(), self.name),
        }
    }

    /// All columns that this declaration adds to `customer_value`, in order.
    pub fn columns(&self) -> Vec<String> {
        if self.ranks_clv() {
            return vec![self.tile_column(None)];
        }
        let of = |lookback: &Lookback| {
            [
                self.value_column(*lookback),
                self.tile_column(Some(*lookback)),
            ]
        };
        self.lookbacks.iter().flat_map(of).collect()
    }
}

/// How far a window looks back from `as_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lookback {
    /// Everything before `as_of`.
    Lifetime,
    /// So many months.
    #[serde(untagged)]
    Months(#[schemars(range(min = 1, max = 600))] u32),
}

impl Lookback {
    /// The six look-backs of a declaration that names none.
    pub fn standard() -> Vec<Self> {
        let months = [1, 3, 6, 9, 12].map(Self::Months);
        months.into_iter().chain([Self::Lifetime]).collect()
    }

    /// Last part of output columns: `1m`, `lifetime`.
    pub fn suffix(self) -> String {
        match self {
            Self::Months(months) => format!("{months}m"),
            Self::Lifetime => "lifetime".to_owned(),
        }
    }
}

impl Ord for Lookback {
    /// Shorter before longer, lifetime last.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let months = |lookback: &Self| match lookback {
            Self::Months(months) => u64::from(*months),
            Self::Lifetime => u64::MAX,
        };
        months(self).cmp(&months(other))
    }
}

impl PartialOrd for Lookback {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What a look-back's months are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The months up to `as_of`, from the same day of the month.
    #[default]
    Trailing,
    /// Whole months before the month of `as_of`.
    CalendarMonths,
}

/// Which value of a dimension counts for a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueAt {
    /// The value of each event: a customer may be ranked under several.
    #[default]
    Event,
    /// The value of the customer's latest event.
    Latest,
}

/// What becomes of customers without activity in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inactive {
    /// They have no tile there.
    #[default]
    Exclude,
    /// They are ranked with zero.
    Zero,
}

/// What becomes of equal values at a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Tiles have the sizes of SQL's `NTILE`; the customer key decides among equals.
    #[default]
    Split,
    /// Equal values stay in the better tile.
    Together,
}
