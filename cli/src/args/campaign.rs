//! Arguments of `tenfold campaign`.

use clap::Subcommand;
use tenfold_core::campaign::By;
use tenfold_core::failure::Failure;

use super::At;

#[derive(Debug, Subcommand)]
pub enum Campaign {
    /// List the campaigns
    Ls {
        #[command(flatten)]
        at: At,
    },
    /// Show a campaign
    Get {
        /// Name of the campaign, as the responses have it
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Show what a campaign came to: rates, and what those who were written to did beyond those who
    /// were held out, with 95 % intervals
    Report {
        /// Name of the campaign, as the responses have it
        name: String,
        /// A line for each audience, decile or group (holdout) at the send; one for all when left out
        #[arg(long, value_name = "WHAT", value_parser = by, default_value = "campaign")]
        by: By,
        #[command(flatten)]
        at: At,
    },
}

fn by(text: &str) -> Result<By, Failure> {
    text.parse()
}
