//! Where secrets are: declarations name their places, never the secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is. It is read each time that it is used, and is nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Secret {
    /// In a variable of the environment.
    Env(String),
    /// In a file.
    File(String),
}
