//! Attributes: what is written of the customers of one shard.

use serde::{Deserialize, Serialize};

use super::TablePart;
use crate::calendar::Day;
use crate::project::{ColumnType, CustomerType};
use crate::refresh::state::StateRun;

/// Write what the customers of one shard are like, and were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributesTask {
    /// The shard.
    pub shard: u32,
    /// Type of the customer key.
    pub customer_type: CustomerType,
    /// The attributes in the order of their names; text without a type.
    pub columns: Vec<(String, Option<ColumnType>)>,
    /// Their rows.
    pub runs: Vec<StateRun>,
    /// First day that does not count.
    pub as_of: Day,
    /// Where the tables lie.
    pub tables: String,
}

/// What an attributes task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributesOutput {
    /// The file of `dim_customer`.
    pub table: TablePart,
}
