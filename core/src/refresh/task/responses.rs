//! Responses: what is written of what became of campaigns.

use serde::{Deserialize, Serialize};

use super::{MergeSource, TablePart};
use crate::calendar::Day;
use crate::project::CustomerType;
use crate::refresh::part::PartRef;
use crate::refresh::state::StateRun;

/// The rows that the state of a shard has of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRows {
    /// The source.
    pub source: MergeSource,
    /// Its runs.
    pub runs: Vec<StateRun>,
    /// Events that do not count, since another customer's have their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<PartRef>,
}

/// Write the responses of the customers of one shard, and add up what campaigns came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponsesTask {
    /// The shard.
    pub shard: u32,
    /// Type of the customer key.
    pub customer_type: CustomerType,
    /// The sources of responses.
    pub sources: Vec<ShardRows>,
    /// The purchases, where a CLV says which they are.
    pub purchases: Option<PurchaseRows>,
    /// Days for which purchases count, from that of the send on.
    pub window_days: u32,
    /// First day whose purchases do not count.
    pub as_of: Day,
    /// Where the tables lie.
    pub tables: String,
}

/// The rows of a shard that have purchases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseRows {
    /// The rows.
    pub rows: ShardRows,
    /// The measure of their value.
    pub value: String,
}

/// What a responses task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponsesOutput {
    /// The file of `fact_email_event`.
    pub table: TablePart,
    /// What the campaigns came to in this shard.
    pub campaigns: PartRef,
}

/// Write what campaigns came to over all shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignsTask {
    /// What they came to in each shard.
    pub shards: Vec<PartRef>,
    /// Decimal places of the value of purchases, where there are any.
    pub scale: Option<u8>,
    /// Days for which purchases count, from that of the send on.
    pub window_days: u32,
    /// First day whose purchases do not count.
    pub as_of: Day,
    /// Where the tables lie.
    pub tables: String,
}

/// What a campaigns task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignsOutput {
    /// The files of `fact_campaign` and `dim_campaign`.
    pub tables: Vec<TablePart>,
}
