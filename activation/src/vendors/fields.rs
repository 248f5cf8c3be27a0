//! Fields of deliveries against fields of vendors: the names, and what goes into them.

use tenfold_core::activation::{Row, SendError, Value};

use crate::driver::{DeliveryInfo, FieldKind};

/// A field as a vendor knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// What calls name it.
    pub id: String,
    /// What people call it, where that is something else.
    pub name: String,
    pub takes: Takes,
    /// Characters of a text, where they are bounded.
    pub longest: Option<usize>,
}

/// What goes into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Number,
    Date,
    Nothing,
}

impl Takes {
    fn fits(self, kind: FieldKind) -> bool {
        match self {
            Self::Text => true,
            Self::Number => {
                matches!(kind, FieldKind::Int | FieldKind::Decimal | FieldKind::Float)
            }
            Self::Date => matches!(kind, FieldKind::Date | FieldKind::Time),
            Self::Nothing => false,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Text => "texts",
            Self::Number => "numbers",
            Self::Date => "days",
            Self::Nothing => "nothing",
        }
    }
}

/// The vendor's fields of a delivery, in the delivery's order.
///
/// # Errors
/// With the first one that is not there, or takes something else.
pub(super) fn chosen(
    vendor: &str,
    delivery: &DeliveryInfo,
    known: &[Field],
) -> Result<Vec<(String, Field)>, SendError> {
    let mut chosen: Vec<(String, Field)> = Vec::new();
    for (name, kind) in &delivery.fields {
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        let found = known.iter().find(|field| same(&field.id));
        let found = found.or_else(|| known.iter().find(|field| same(&field.name)));
        let field = found.ok_or_else(|| {
            SendError::refused(format!(
                "{vendor} has no field {name:?}; make it there, or map to one of: {}",
                names(known)
            ))
        })?;
        if !field.takes.fits(*kind) {
            return Err(SendError::refused(format!(
                "field {name:?} of {vendor} takes {}, and the delivery sends {}; map another \
                 column, or another field",
                field.takes.word(),
                kind_word(*kind)
            )));
        }
        if chosen.iter().any(|(_, other)| other.id == field.id) {
            return Err(SendError::refused(format!(
                "two fields of the delivery go into {:?} of {vendor}; leave one out",
                field.id
            )));
        }
        chosen.push((name.clone(), field.clone()));
    }
    Ok(chosen)
}

fn names(known: &[Field]) -> String {
    let names = known.iter().filter(|field| field.takes != Takes::Nothing);
    let names: Vec<&str> = names.take(50).map(|field| field.id.as_str()).collect();
    names.join(", ")
}

fn kind_word(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "texts",
        FieldKind::Int => "whole numbers",
        FieldKind::Decimal => "decimals",
        FieldKind::Float => "numbers",
        FieldKind::Bool => "yes or no",
        FieldKind::Date => "days",
        FieldKind::Time => "instants",
    }
}

/// The vendor's field of a row's field, and its value.
pub(super) fn values<'a>(
    row: &'a Row,
    chosen: &'a [(String, Field)],
) -> impl Iterator<Item = (&'a Field, &'a Value)> {
    row.fields.iter().filter_map(|(name, value)| {
        let found = chosen.iter().find(|(known, _)| known == name);
        found.map(|(_, field)| (field, value))
    })
}

/// A field of the row with a text that is too long for it.
pub(super) fn too_long<'a>(row: &'a Row, chosen: &'a [(String, Field)]) -> Option<&'a Field> {
    let mut long = values(row, chosen).filter(|(field, value)| {
        let longest = field.longest.unwrap_or(usize::MAX);
        field.takes == Takes::Text
            && value
                .text()
                .is_some_and(|text| text.chars().count() > longest)
    });
    long.next().map(|(field, _)| field)
}

/// A value as JSON: numbers where the field takes numbers, texts elsewhere, null for nothing.
pub(super) fn json(field: &Field, value: &Value) -> serde_json::Value {
    match (field.takes, value) {
        (Takes::Number, Value::Decimal(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.json())
        }
        (Takes::Number, _) => value.json(),
        _ => serde_json::json!(value.text()),
    }
}

#[cfg(test)]
mod tests {
    use tenfold_core::activation::Verb;

    use super::*;

    fn field(id: &str, name: &str, takes: Takes) -> Field {
        Field {
            id: id.to_owned(),
            name: name.to_owned(),
            takes,
            longest: Some(5),
        }
    }

    fn delivery(fields: &[(&str, FieldKind)]) -> DeliveryInfo {
        DeliveryInfo {
            delivery: "d".to_owned(),
            number: 1,
            id: "i".to_owned(),
            audience: "a".to_owned(),
            campaign: None,
            list: "l".to_owned(),
            status: None,
            snapshot: 1,
            planned_ms: 0,
            identity: "email".to_owned(),
            fields: fields
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), *kind))
                .collect(),
            rows: 1,
            batches: 1,
        }
    }

    #[test]
    fn fields_are_found_by_id_or_name_and_have_to_fit() {
        let known = [
            field("e1_N", "clv", Takes::Number),
            field("e2_T", "tier", Takes::Text),
        ];
        let fine = delivery(&[("clv", FieldKind::Decimal), ("E2_T", FieldKind::Bool)]);
        let found = chosen("V", &fine, &known).unwrap();
        let ids: Vec<&str> = found.iter().map(|(_, field)| field.id.as_str()).collect();
        assert_eq!(ids, ["e1_N", "e2_T"]);
        for (fields, words) in [
            (vec![("none", FieldKind::Text)], "no field \"none\""),
            (vec![("clv", FieldKind::Text)], "takes numbers"),
            (
                vec![("clv", FieldKind::Int), ("e1_N", FieldKind::Int)],
                "two fields",
            ),
        ] {
            let refused = chosen("V", &delivery(&fields), &known).unwrap_err();
            assert!(refused.message.contains(words), "{}", refused.message);
        }
    }

    #[test]
    fn values_fit_their_fields() {
        let known = [field("n", "n", Takes::Number), field("t", "t", Takes::Text)];
        let info = delivery(&[("n", FieldKind::Decimal), ("t", FieldKind::Text)]);
        let chosen = chosen("V", &info, &known).unwrap();
        let row = |text: &str| Row {
            identity: "a@x.test".to_owned(),
            verb: Verb::Upsert,
            fields: vec![
                ("n".to_owned(), Value::Decimal("812.40".to_owned())),
                ("t".to_owned(), Value::Text(text.to_owned())),
            ],
        };
        let short = row("gold");
        let told: Vec<_> = values(&short, &chosen).map(|(f, v)| json(f, v)).collect();
        assert_eq!(told, [serde_json::json!(812.4), serde_json::json!("gold")]);
        assert_eq!(too_long(&short, &chosen), None);
        assert_eq!(too_long(&row("platinum"), &chosen).unwrap().id, "t");
    }
}
