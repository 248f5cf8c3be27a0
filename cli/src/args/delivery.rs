//! The verbs of `destination` and `delivery`.

use clap::Subcommand;

use super::At;

/// Destinations of the project.
#[derive(Debug, Clone, Subcommand)]
pub enum Destination {
    /// List the destinations that the project declares
    Ls,
    /// Show a destination as it is declared, with every default
    Get {
        /// Its name
        name: String,
    },
    /// Try out whether a destination would take rows, without sending anybody
    Test {
        /// Its name
        name: String,
    },
    /// Check the files of destinations and deliveries
    Lint,
}

/// Deliveries to destinations.
#[derive(Debug, Clone, Subcommand)]
pub enum Delivery {
    /// Show what would be sent, with masked samples, and send nothing
    Plan {
        /// Name of the delivery
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Plan a delivery from a snapshot, and send it
    Run {
        /// Name of the delivery
        name: String,
        #[command(flatten)]
        at: At,
        /// Send it even when it removes or changes more than its guard lets it
        #[arg(long)]
        force: bool,
        /// End with 0 also when the destination rejected rows
        #[arg(long)]
        allow_partial: bool,
    },
    /// Send the deliveries that are declared `run: after_refresh` and have not had the newest snapshot, and
    /// what those that are declared `run: live` lack by now
    Due,
    /// Go on with a delivery that was stopped, with the rows that it was planned with
    Resume {
        /// Name of the delivery
        name: String,
        /// End with 0 also when the destination rejected rows
        #[arg(long)]
        allow_partial: bool,
    },
    /// List the deliveries of the project and how far they are, or the numbers of one
    Ls {
        /// Name of a delivery
        name: Option<String>,
    },
    /// Show one number of a delivery
    Get {
        /// Name of the delivery
        name: String,
        /// Which; the newest when left out
        number: Option<u64>,
    },
    /// Show the rows that the destination rejected, with code and reason
    Rejects {
        /// Name of the delivery
        name: String,
        /// Which; the newest when left out
        number: Option<u64>,
    },
    /// Give up the rows of a delivery that have no outcome yet
    Cancel {
        /// Name of the delivery
        name: String,
    },
}
