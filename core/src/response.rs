//! Responses: what became of what was sent to customers. One row is one event of one customer and one
//! campaign: sent, held out, delivered, opened, and so on.
//!
//! Whoever writes responses writes them in these columns, and a source of `kind: responses` has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::project::ColumnType;

/// The group of those who are written to.
pub const TREATED: &str = "treated";

/// The group of those who are held out, to compare with.
pub const CONTROL: &str = "control";

/// A customer by its key, of the type that the project declares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CustomerKey {
    /// A whole number.
    Int64(i64),
    /// A text.
    String(String),
}

/// What happened.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ResponseType {
    /// A destination accepted the customer.
    Sent,
    /// The mail arrived.
    Delivered,
    /// It was opened.
    Open,
    /// A link in it was followed.
    Click,
    /// It did not arrive.
    Bounce,
    /// The customer wants no more.
    Unsubscribe,
    /// The customer calls it spam.
    Complaint,
    /// The customer was left out, to compare with.
    HeldOut,
}

impl ResponseType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Sent,
        Self::Delivered,
        Self::Open,
        Self::Click,
        Self::Bounce,
        Self::Unsubscribe,
        Self::Complaint,
        Self::HeldOut,
    ];

    /// Its word in rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Open => "open",
            Self::Click => "click",
            Self::Bounce => "bounce",
            Self::Unsubscribe => "unsubscribe",
            Self::Complaint => "complaint",
            Self::HeldOut => "held_out",
        }
    }

    /// The type of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }

    /// Whether it says to whom a campaign went, or on purpose did not.
    pub fn assigns(self) -> bool {
        matches!(self, Self::Sent | Self::HeldOut)
    }
}

/// One response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Tells it from all others of its source: a second row with it counts once.
    pub event_id: String,
    /// Whose it is.
    pub customer: CustomerKey,
    /// When it happened: microseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: ResponseType,
    /// The campaign.
    pub campaign: String,
    /// The delivery.
    pub delivery: Option<String>,
    /// The audience that the customer was in when the campaign went out.
    pub audience: Option<String>,
    /// Their group then: [`TREATED`] or [`CONTROL`].
    pub holdout: Option<String>,
    /// Their decile then.
    pub decile: Option<i32>,
    /// The snapshot that said so.
    pub snapshot: Option<i64>,
    /// Where it was sent to.
    pub destination: Option<String>,
    /// The message, as its sender names it.
    pub message: Option<String>,
    /// Whether a machine did it, such as one that opens mails before people do.
    pub machine: Option<bool>,
    /// The link that was followed.
    pub url: Option<String>,
}

/// A column of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type; none for that of the project's customer key. `decile` is written with 32 bits.
    pub column_type: Option<ColumnType>,
    /// Whether rows may be without it.
    pub nullable: bool,
}

/// How many of the columns every event has: its id, its customer and its time.
pub const RESPONSE_KEYS: usize = 3;

/// The columns of responses, in the order in which they are written.
pub const RESPONSE_COLUMNS: [ResponseColumn; 14] = [
    required("event_id", Some(ColumnType::String)),
    required("customer", None),
    required("time", Some(ColumnType::Timestamp)),
    required("type", Some(ColumnType::String)),
    required("campaign", Some(ColumnType::String)),
    optional("delivery", ColumnType::String),
    optional("audience", ColumnType::String),
    optional("holdout", ColumnType::String),
    optional("decile", ColumnType::Int64),
    optional("snapshot", ColumnType::Int64),
    optional("destination", ColumnType::String),
    optional("message", ColumnType::String),
    optional("machine", ColumnType::Bool),
    optional("url", ColumnType::String),
];

const fn required(name: &'static str, column_type: Option<ColumnType>) -> ResponseColumn {
    ResponseColumn {
        name,
        column_type,
        nullable: false,
    }
}

const fn optional(name: &'static str, column_type: ColumnType) -> ResponseColumn {
    ResponseColumn {
        name,
        column_type: Some(column_type),
        nullable: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_types_are_those_that_rows_have() {
        for known in ResponseType::ALL {
            let written = serde_json::to_value(known).unwrap();
            assert_eq!(written, known.word());
            assert_eq!(ResponseType::of(known.word()), Some(known));
        }
        assert_eq!(ResponseType::of("opened"), None);
    }

    #[test]
    fn a_response_has_the_columns_of_responses() {
        let response = Response {
            event_id: "e1".to_owned(),
            customer: CustomerKey::Int64(7),
            time: 0,
            kind: ResponseType::Sent,
            campaign: "spring".to_owned(),
            delivery: None,
            audience: None,
            holdout: Some(TREATED.to_owned()),
            decile: Some(2),
            snapshot: None,
            destination: None,
            message: None,
            machine: None,
            url: None,
        };
        let written = serde_json::to_value(&response).unwrap();
        let mut names: Vec<&str> = RESPONSE_COLUMNS.iter().map(|column| column.name).collect();
        names.sort_unstable();
        let mut fields: Vec<&String> = written.as_object().unwrap().keys().collect();
        fields.sort_unstable();
        assert_eq!(fields, names);
        assert_eq!(written["type"], "sent");
        assert_eq!(written["customer"], 7);
        assert_eq!(
            serde_json::from_value::<Response>(written).unwrap(),
            response
        );
    }
}
