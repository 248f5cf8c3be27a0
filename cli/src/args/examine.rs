//! `tenfold doctor` and `tenfold audit …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::service::client::Remote;

/// What a doctor looks at beside the store.
#[derive(Debug, Args)]
pub struct Examined {
    #[command(flatten)]
    pub remote: Remote,
    /// Certificate of a coordinator, PEM
    #[arg(long, env = "TENFOLD_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Authority whose client certificates a coordinator believes, PEM
    #[arg(long, env = "TENFOLD_CLIENT_CA", value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Directory of a coordinator for copies of the ledger
    #[arg(long, env = "TENFOLD_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// List records, newest first
    Ls {
        /// Only calls that were refused
        #[arg(long)]
        refused: bool,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Say which records are missing, changed or doubled
    Verify {
        /// Hash of the newest record of an earlier time, which has to be there
        #[arg(long, value_name = "HASH")]
        noted: Option<String>,
    },
}
