//! The columns of a customer that rules may name: those of `customer_value`, and attributes.

use std::collections::BTreeMap;

use crate::project::{
    ALWAYS_HORIZON, ColumnType, CustomerType, Normalize, Project, REVENUE_LIFETIME, Source,
};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers.
    Whole,
    /// Numbers.
    Float,
    /// Numbers with so many decimal places.
    Decimal(u8),
    /// Texts.
    Text,
    /// True or false.
    Bool,
    /// Days.
    Date,
    /// Tiles by the values of a dimension.
    Tiles,
}

impl Kind {
    /// How messages call such a column.
    pub fn called(self) -> &'static str {
        match self {
            Self::Whole => "a whole number",
            Self::Float | Self::Decimal(_) => "a number",
            Self::Text => "a text",
            Self::Bool => "true or false",
            Self::Date => "a day",
            Self::Tiles => "tiles by a dimension",
        }
    }
}

/// A column of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// How SQL calls it.
    pub sql: String,
    /// What its values are.
    pub kind: Kind,
    /// What is done to its values where they identify people: such values stand in lists alone.
    pub names_people: Option<Normalize>,
    /// Whether it holds tiles.
    pub is_tile: bool,
}

/// The columns of a customer by name. One that both tables have is there by its long name alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns(BTreeMap<String, Column>);

/// How SQL calls `customer_value`.
pub(super) const VALUE: &str = "v";
/// How SQL calls the current rows of `dim_customer`.
pub(super) const ATTRIBUTES: &str = "d";

/// The source of attributes of a project.
pub(super) fn attributes(project: &Project) -> Option<&Source> {
    let mut sources = project.sources.values();
    sources.find(|source| source.kind == crate::project::SourceKind::Attributes)
}

/// How SQL calls the key of a customer.
pub(super) fn customer(project: &Project) -> String {
    match attributes(project) {
        Some(_) => format!("COALESCE({VALUE}.customer, {ATTRIBUTES}.customer)"),
        None => format!("{VALUE}.customer"),
    }
}

impl Columns {
    /// The columns that a project's customers have.
    pub fn of(project: &Project) -> Self {
        let mut columns = Self::default();
        for (name, kind, is_tile) in of_value(project) {
            let column = Column {
                sql: format!("{VALUE}.{name}"),
                kind,
                names_people: None,
                is_tile,
            };
            columns.add("customer_value", &name, column);
        }
        for (name, kind, names_people) in of_attributes(project) {
            let column = Column {
                sql: format!("{ATTRIBUTES}.{name}"),
                kind,
                names_people,
                is_tile: false,
            };
            columns.add("dim_customer", &name, column);
        }
        let key = Column {
            sql: customer(project),
            kind: match project.customer.key_type {
                CustomerType::Int64 => Kind::Whole,
                CustomerType::String => Kind::Text,
            },
            names_people: Some(Normalize::Trim),
            is_tile: false,
        };
        columns.0.insert("customer".to_owned(), key);
        columns
    }

    fn add(&mut self, table: &str, name: &str, column: Column) {
        self.0.insert(format!("{table}.{name}"), column.clone());
        if self.0.remove(name).is_none() {
            self.0.insert(name.to_owned(), column);
        }
    }

    /// The column of a name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.0.get(name)
    }

    /// All names that a rule may use.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }
}

fn of_value(project: &Project) -> Vec<(String, Kind, bool)> {
    let mut found = Vec::new();
    let mut add = |name: &str, kind| found.push((name.to_owned(), kind, false));
    if let Some(clv) = &project.clv {
        for day in ["first_purchase", "last_purchase"] {
            add(day, Kind::Date);
        }
        for count in [
            "frequency",
            "recency_days",
            "age_days",
            "days_since_last_purchase",
            "purchase_days",
        ] {
            add(count, Kind::Whole);
        }
        for number in ["monetary_value", "p_alive", "expected_spend", "dert"] {
            add(number, Kind::Float);
        }
        add(REVENUE_LIFETIME, amount(project, &clv.value));
        let horizons = clv.horizons.iter().chain([&ALWAYS_HORIZON]);
        let mut horizons: Vec<u32> = horizons.copied().collect();
        horizons.sort_unstable();
        horizons.dedup();
        for months in horizons {
            for name in ["total_value", "expected_purchases", "clv"] {
                add(&format!("{name}_{months}m"), Kind::Float);
            }
        }
    }
    add("events", Kind::Whole);
    for decile in &project.deciles {
        let kind = match decile.by {
            Some(_) => Kind::Tiles,
            None => Kind::Whole,
        };
        if decile.ranks_clv() {
            found.push((decile.tile_column(None), kind, true));
            continue;
        }
        for lookback in &decile.lookbacks {
            let value = decile.value_column(*lookback);
            if decile.by.is_none() && !found.iter().any(|(name, ..)| *name == value) {
                found.push((value, amount(project, &decile.measure), false));
            }
            found.push((decile.tile_column(Some(*lookback)), kind, true));
        }
    }
    found
}

fn amount(project: &Project, measure: &str) -> Kind {
    match project.measure(measure) {
        Some((_, _, measure)) if measure.scale > 0 => Kind::Decimal(measure.scale),
        _ => Kind::Whole,
    }
}

fn of_attributes(project: &Project) -> Vec<(String, Kind, Option<Normalize>)> {
    let Some(source) = attributes(project) else {
        return Vec::new();
    };
    let identity = |name: &String| {
        let mut identities = source.identities.values();
        let found = identities.find(|identity| identity.attribute == *name);
        found.map(|identity| identity.normalize)
    };
    let column = |name: &String| {
        let declared = source.attribute_types.get(name);
        let kind = declared.map_or(Kind::Text, |declared| of_type(*declared));
        (name.clone(), kind, identity(name))
    };
    let mut found: Vec<_> = source.dimensions.keys().map(column).collect();
    for day in ["valid_from", "valid_to"] {
        found.push((day.to_owned(), Kind::Date, None));
    }
    found
}

fn of_type(declared: ColumnType) -> Kind {
    match declared {
        ColumnType::Int64 => Kind::Whole,
        ColumnType::Float64 => Kind::Float,
        ColumnType::Decimal { scale, .. } => Kind::Decimal(scale),
        // No attribute is a timestamp: its declaration is refused.
        ColumnType::String | ColumnType::Timestamp => Kind::Text,
        ColumnType::Date => Kind::Date,
        ColumnType::Bool => Kind::Bool,
    }
}
