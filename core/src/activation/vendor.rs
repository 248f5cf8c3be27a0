//! Accounts with vendors of e-mail, as destinations declare them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::project::Secret;

/// Oracle Eloqua, by its Bulk API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eloqua {
    /// The company's name at Eloqua.
    pub company: String,
    /// The user who logs in.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// Where the user logs in; that of Eloqua when left out.
    #[serde(default = "eloqua_login")]
    pub login: String,
}

/// Twilio SendGrid, by its Marketing API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sendgrid {
    /// The API key.
    pub key: Secret,
    /// Address of the API; that of SendGrid when left out.
    #[serde(default = "sendgrid_url")]
    pub url: String,
}

/// Mailchimp Marketing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mailchimp {
    /// The API key, which ends with the data centre.
    pub key: Secret,
    /// Address of the API; that of the key's data centre when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// listmonk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listmonk {
    /// Address of the server.
    pub url: String,
    /// The user of the API.
    pub user: String,
    /// The user's token.
    pub token: Secret,
}

fn eloqua_login() -> String {
    "https://login.eloqua.com".to_owned()
}

fn sendgrid_url() -> String {
    "https://api.sendgrid.com".to_owned()
}
