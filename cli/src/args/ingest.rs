//! `tenfold ingest`, which sends files, and its verbs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use tenfold_core::project::Format;

/// Files to send, or a verb.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Ingest {
    #[command(subcommand)]
    pub verb: Option<IngestVerb>,
    /// Files to take in as one batch: Parquet, CSV or JSON lines
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub sending: Sending,
    /// Name of the batch: sending again under it goes on with it. When left out, one that follows from
    /// the files, so that the same files are taken in once
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
    /// Take the rows of this batch away in the same moment; may be repeated
    #[arg(long = "replaces", value_name = "BATCH")]
    pub replaces: Vec<String>,
    #[command(flatten)]
    pub allowing: Allowing,
}

/// How files are sent.
#[derive(Debug, Clone, Args)]
pub struct Sending {
    #[command(flatten)]
    pub of: OfSource,
    /// Format of the files; by the endings of their names when left out
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
}

/// Which source.
#[derive(Debug, Clone, Args)]
pub struct OfSource {
    /// The source; the only one that takes files in when left out
    #[arg(short, long, value_name = "NAME")]
    pub source: Option<String>,
}

/// What counts as a success.
#[derive(Debug, Clone, Copy, Args)]
pub struct Allowing {
    /// A batch of which rows were refused is a success
    #[arg(long)]
    pub allow_partial: bool,
}

/// A batch of a source.
#[derive(Debug, Clone, Args)]
pub struct OneBatch {
    /// The batch, the beginning of its name, or @latest
    pub batch: String,
    #[command(flatten)]
    pub of: OfSource,
}

/// How a file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Apache Parquet
    Parquet,
    /// Comma separated values with a header line
    Csv,
    /// One JSON object per line
    Jsonl,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Parquet => Self::Parquet,
            FileFormat::Csv => Self::Csv,
            FileFormat::Jsonl => Self::Jsonl,
        }
    }
}

/// What is fetched, and from when on.
#[derive(Debug, Clone, Args)]
pub struct Fetch {
    /// The destination whose account is asked: one of Oracle Eloqua
    pub destination: String,
    #[command(flatten)]
    pub of: OfSource,
    /// Activities from this instant on (RFC 3339); where the last fetch ended when left out, and those that
    /// appeared late
    #[arg(long, value_name = "INSTANT")]
    pub since: Option<Timestamp>,
    #[command(flatten)]
    pub allowing: Allowing,
}

#[derive(Debug, Subcommand)]
pub enum IngestVerb {
    /// Open a batch, and print its name
    Open {
        #[command(flatten)]
        of: OfSource,
        /// Name of the batch; a new one when left out
        #[arg(long, value_name = "NAME")]
        batch: Option<String>,
        /// Take the rows of this batch away when the new ones come; may be repeated
        #[arg(long = "replaces", value_name = "BATCH")]
        replaces: Vec<String>,
    },
    /// Send files to a batch; pieces that came before a crash are not sent again
    Put {
        /// The batch, the beginning of its name, or @latest
        batch: String,
        /// Files: Parquet, CSV or JSON lines
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        sending: Sending,
    },
    /// Check the files of a batch, and make its rows visible all at once
    Complete {
        #[command(flatten)]
        one: OneBatch,
        #[command(flatten)]
        allowing: Allowing,
    },
    /// Give up a batch that is not complete
    Abort(OneBatch),
    /// Send files whose rows take the place of those of a batch, in one moment
    Replace {
        /// The batch to replace, the beginning of its name, or @latest
        batch: String,
        /// Files: Parquet, CSV or JSON lines
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        sending: Sending,
        #[command(flatten)]
        allowing: Allowing,
    },
    /// Make messages visible that are kept: each source that takes messages, or one
    Gather {
        /// The source
        #[arg(short, long, value_name = "NAME")]
        source: Option<String>,
    },
    /// Fetch what became of mails from a vendor that tells nobody by itself, as one batch
    Fetch(Fetch),
    /// Take the rows of a batch back: the next refresh takes them out
    Revert(OneBatch),
    /// List the batches of a source, the newest first
    Ls(OfSource),
    /// Describe a batch, with the files of which pieces are missing
    Get(OneBatch),
    /// Print the refused rows of a batch as JSON lines, to mend and send again
    Errors(OneBatch),
}
