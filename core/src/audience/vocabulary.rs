//! What rules of a project may name, for pages that put rules together.

use serde::Serialize;

use super::columns::{Columns, Kind};
use crate::project::{Project, SourceKind};

/// Names that rules may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vocabulary {
    /// Columns of a customer.
    pub columns: Vec<NamedColumn>,
    /// Sources of events.
    pub sources: Vec<NamedSource>,
}

/// A column of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedColumn {
    /// Its name.
    pub name: String,
    /// `whole`, `float`, `decimal`, `text`, `bool`, `date` or `tiles`.
    pub kind: &'static str,
    /// Whether its values identify people: such values stand in lists alone.
    pub names_people: bool,
    /// Whether it holds tiles.
    pub is_tile: bool,
}

/// A source of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedSource {
    /// Its name.
    pub name: String,
    /// Whether its events have ids.
    pub event_id: bool,
    /// What can be added up.
    pub measures: Vec<String>,
    /// What events can be chosen by.
    pub dimensions: Vec<String>,
}

/// What rules of a project may name.
pub fn vocabulary(project: &Project) -> Vocabulary {
    let known = Columns::of(project);
    let columns = known.names().filter_map(|name| {
        let column = known.get(name)?;
        Some(NamedColumn {
            name: name.to_owned(),
            kind: word(column.kind),
            names_people: column.names_people.is_some(),
            is_tile: column.is_tile,
        })
    });
    let sources = project.sources.iter();
    let sources = sources.filter(|(_, source)| source.kind != SourceKind::Attributes);
    let sources = sources.map(|(name, source)| NamedSource {
        name: name.clone(),
        event_id: source.event_id.is_some(),
        measures: source.measures.keys().cloned().collect(),
        dimensions: source.dimensions.keys().cloned().collect(),
    });
    Vocabulary {
        columns: columns.collect(),
        sources: sources.collect(),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Whole => "whole",
        Kind::Float => "float",
        Kind::Decimal(_) => "decimal",
        Kind::Text => "text",
        Kind::Bool => "bool",
        Kind::Date => "date",
        Kind::Tiles => "tiles",
    }
}
