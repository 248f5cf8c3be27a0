//! The written form of what concerns responses: their columns, and the window of campaigns.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::response::ResponseType;

/// Columns of responses. One that is not named here is called as its key is, and only `type` and `campaign` have to be there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Responses {
    /// What happened: a column, or a column with the words that it has.
    #[serde(rename = "type")]
    pub kind: Option<ResponseKind>,
    /// The campaign.
    pub campaign: Option<String>,
    /// The delivery.
    pub delivery: Option<String>,
    /// The audience at the send.
    pub audience: Option<String>,
    /// The group at the send: treated or control.
    pub holdout: Option<String>,
    /// The decile at the send.
    pub decile: Option<String>,
    /// The snapshot at the send.
    pub snapshot: Option<String>,
    /// Where it was sent to.
    pub destination: Option<String>,
    /// The message, as its sender names it.
    pub message: Option<String>,
    /// Whether a machine did it.
    pub machine: Option<String>,
    /// The link that was followed.
    pub url: Option<String>,
}

impl Responses {
    /// The columns that are named, by what they are.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let kind = self.kind.as_ref().map(|kind| match kind {
            ResponseKind::Column(column) => column,
            ResponseKind::Detailed(detailed) => &detailed.column,
        });
        let columns = [
            ("type", kind),
            ("campaign", self.campaign.as_ref()),
            ("delivery", self.delivery.as_ref()),
            ("audience", self.audience.as_ref()),
            ("holdout", self.holdout.as_ref()),
            ("decile", self.decile.as_ref()),
            ("snapshot", self.snapshot.as_ref()),
            ("destination", self.destination.as_ref()),
            ("message", self.message.as_ref()),
            ("machine", self.machine.as_ref()),
            ("url", self.url.as_ref()),
        ];
        let named = columns.into_iter();
        named.filter_map(|(name, column)| Some((name, column?)))
    }

    /// What files call the types, where they call them otherwise.
    pub fn types(self) -> BTreeMap<String, ResponseType> {
        match self.kind {
            Some(ResponseKind::Detailed(detailed)) => detailed.values,
            _ => BTreeMap::new(),
        }
    }
}

/// A column of types, or a column with the words that it has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ResponseKind {
    Column(String),
    Detailed(ResponseKindDetails),
}

/// A column of types, and the words that it has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponseKindDetails {
    /// Name of the column.
    #[serde(default = "kind")]
    pub column: String,
    /// Words of the column, with what they mean: sent, delivered, open, click, bounce, unsubscribe, complaint or held_out. These words themselves need not be named.
    #[serde(default)]
    pub values: BTreeMap<String, ResponseType>,
}

fn kind() -> String {
    "type".to_owned()
}

/// What campaigns are measured by.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Campaigns {
    /// Days for which purchases count as those after a campaign, from the day of the send on.
    #[serde(default = "window_days")]
    #[schemars(range(min = 1, max = 366))]
    pub window_days: u32,
}

fn window_days() -> u32 {
    super::model::Campaigns::default().window_days
}

impl Default for Campaigns {
    fn default() -> Self {
        Self {
            window_days: window_days(),
        }
    }
}
