//! How a source takes messages in one by one, and what senders of mail tell.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::Length;
use super::secret::Secret;
use crate::intake::Sender;

/// How messages are taken in one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Messages become visible after so long.
    pub every: Length,
    /// So many MiB of messages become visible at once.
    pub megabytes: u32,
    /// Messages a second that one sender may send.
    pub rate: u32,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            every: Length(300),
            megabytes: 64,
            rate: 10_000,
        }
    }
}

/// How senders of mail tell what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Namespace of the identity by which customers are found whose key does not come back, such as email.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Campaigns by the names or numbers that senders have for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub campaigns: BTreeMap<String, String>,
    /// SendGrid: where the public key of its signatures is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sendgrid: Option<Secret>,
    /// Mailchimp: where the text is that its address ends with, as `?key=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailchimp: Option<Secret>,
    /// listmonk: where the text is that its address ends with, as `?key=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listmonk: Option<Secret>,
    /// Oracle Eloqua: where the text is that its address ends with, as `?key=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eloqua: Option<Secret>,
    /// Anybody else: where the key of signatures is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generic: Option<Secret>,
}

impl Mail {
    /// Where the secret of a sender is. One without is known by a token, as everybody else.
    pub fn secret(&self, sender: Sender) -> Option<&Secret> {
        match sender {
            Sender::Sendgrid => self.sendgrid.as_ref(),
            Sender::Mailchimp => self.mailchimp.as_ref(),
            Sender::Listmonk => self.listmonk.as_ref(),
            Sender::Eloqua => self.eloqua.as_ref(),
            Sender::Generic => self.generic.as_ref(),
        }
    }
}
