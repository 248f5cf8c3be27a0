//! The verbs of `dashboard`.

use clap::Subcommand;

/// Dashboards of the project, and those that come with Tenfold.
#[derive(Debug, Clone, Subcommand)]
pub enum Dashboard {
    /// List the dashboards of the project and those that come with Tenfold
    Ls,
    /// Print the file of a dashboard; one of Tenfold's is changed by a file of its name in dashboards/
    Get {
        /// Its name
        name: String,
        /// The draft of it instead
        #[arg(long)]
        draft: bool,
    },
    /// Check the files of dashboards/
    Lint,
}
