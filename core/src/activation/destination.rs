//! A destination's declaration: `destinations/NAME.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::vendor::{Eloqua, Listmonk, Mailchimp, Sendgrid};
use crate::hash::sha256_hex;
use crate::project::Secret;

/// Where rows go: an account, and how much it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tenfold destination")]
pub struct DestinationSpec {
    /// Name of the destination: that of its file. Lower-case letters, digits and `_`.
    pub destination: String,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What kind of destination it is, and how it is reached.
    pub to: Target,
    /// What it takes, where that is less than its kind takes.
    #[serde(default, skip_serializing_if = "LimitsSpec::is_empty")]
    pub limits: LimitsSpec,
}

/// Kinds of destinations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Files below a prefix of an object store or in a folder.
    Files(Files),
    /// Files on a server that speaks SFTP.
    Sftp(Sftp),
    /// A program that takes rows over HTTP.
    Webhook(Webhook),
    /// Oracle Eloqua.
    Eloqua(Eloqua),
    /// Twilio SendGrid.
    Sendgrid(Sendgrid),
    /// Mailchimp.
    Mailchimp(Mailchimp),
    /// listmonk.
    Listmonk(Listmonk),
}

impl Target {
    /// Word for the kind, as it is declared.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::Sftp(_) => "sftp",
            Self::Webhook(_) => "webhook",
            Self::Eloqua(_) => "eloqua",
            Self::Sendgrid(_) => "sendgrid",
            Self::Mailchimp(_) => "mailchimp",
            Self::Listmonk(_) => "listmonk",
        }
    }

    /// Whether it is a vendor of mail, which knows people by their address and tells no capitals apart.
    pub fn knows_addresses(&self) -> bool {
        matches!(
            self,
            Self::Eloqua(_) | Self::Sendgrid(_) | Self::Mailchimp(_) | Self::Listmonk(_)
        )
    }

    /// What tells its account from others: the parts of a declaration that say whose it is, and where a key
    /// is, never the key.
    pub fn account(&self) -> String {
        let kind = self.kind();
        match self {
            Self::Files(to) => format!("{kind} {}", to.path),
            Self::Sftp(to) => format!("{kind} {}@{}:{}", to.user, to.host, to.port),
            Self::Webhook(to) => format!("{kind} {}", to.url),
            Self::Eloqua(to) => format!("{kind} {} {}", to.login, to.company),
            Self::Sendgrid(to) => format!("{kind} {} {:?}", to.url, to.key),
            Self::Mailchimp(to) => {
                let url = to.url.as_deref().unwrap_or_default();
                format!("{kind} {url} {:?}", to.key)
            }
            Self::Listmonk(to) => format!("{kind} {}", to.url),
        }
    }

    /// What tells the place that rows go to from others, whatever key it is reached with: a hash, since a
    /// secret may be in an address.
    pub fn place(&self) -> String {
        let place = match self {
            Self::Files(to) => to.path.clone(),
            Self::Sftp(to) => format!("{}@{}:{} {}", to.user, to.host, to.port, to.path),
            Self::Webhook(to) => to.url.clone(),
            Self::Eloqua(to) => format!("{} {}", to.company, to.login),
            Self::Sendgrid(to) => to.url.clone(),
            Self::Mailchimp(to) => to.url.clone().unwrap_or_default(),
            Self::Listmonk(to) => to.url.clone(),
        };
        let place = place.trim_end_matches('/');
        sha256_hex(format!("{} {place}", self.kind()).as_bytes())
    }

    /// Whether it takes files, not rows.
    pub fn takes_files(&self) -> bool {
        matches!(self, Self::Files(_) | Self::Sftp(_))
    }
}

/// Bounds of a destination that are narrower than those of its kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// Rows of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rows: Option<u32>,
    /// Batches at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub at_once: Option<u32>,
    /// Calls per second of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001, max = 10_000.0))]
    pub per_second: Option<f64>,
}

impl LimitsSpec {
    /// Whether it narrows nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Files below a prefix of an object store or in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The prefix or folder. Credentials come from the environment, as those of the store do.
    pub path: String,
    /// How the files are.
    #[serde(default)]
    pub file: FileSettings,
}

/// Files on a server that speaks SFTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sftp {
    /// Name of the server.
    pub host: String,
    /// Its port.
    #[serde(default = "ssh_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// How they log in.
    pub login: SftpLogin,
    /// The server's key, as a line of `known_hosts` has it: `ssh-ed25519 AAAA...`.
    pub host_key: String,
    /// The folder, which has to be there.
    pub path: String,
    /// How the files are.
    #[serde(default)]
    pub file: FileSettings,
}

/// How somebody logs in to a server that speaks SFTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SftpLogin {
    /// With a password.
    Password(Secret),
    /// With a private key in OpenSSH's form, without a passphrase.
    Key(Secret),
}

/// How files of rows are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Their format.
    #[serde(default)]
    pub format: FileFormat,
    /// How they are compressed; Parquet is by itself.
    #[serde(default)]
    pub compression: Compression,
    /// Their names, without an ending: `{delivery}`, `{number}`, `{snapshot}`, `{date}`, `{time}`
    /// and `{audience}` stand for those of the delivery. `{number}` or `{time}` has to be there.
    #[serde(default = "file_name")]
    pub name: String,
    /// After so many rows the next file begins.
    #[serde(default = "file_rows")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rows: u32,
    /// What stands between fields of CSV.
    #[serde(default = "comma")]
    pub delimiter: String,
    /// Whether texts of CSV that a spreadsheet would compute (`=`, `+`, `-`, `@`) get a `'` before.
    #[serde(default = "yes")]
    pub guard_formulas: bool,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            format: FileFormat::default(),
            compression: Compression::default(),
            name: file_name(),
            rows: file_rows(),
            delimiter: comma(),
            guard_formulas: true,
        }
    }
}

/// Formats of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// CSV by RFC 4180, UTF-8, with a line of names.
    #[default]
    Csv,
    /// A JSON object on each line.
    Jsonl,
    /// Parquet.
    Parquet,
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By gzip.
    Gzip,
}

/// A program that takes rows over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where batches are posted.
    pub url: String,
    /// The key that they are signed with.
    pub secret: Secret,
}

fn ssh_port() -> u16 {
    22
}

fn file_name() -> String {
    "{delivery}-{number}".to_owned()
}

fn file_rows() -> u32 {
    500_000
}

fn comma() -> String {
    ",".to_owned()
}

fn yes() -> bool {
    true
}
