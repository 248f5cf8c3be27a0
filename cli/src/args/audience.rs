//! The verbs of `audience`.

use clap::{Args, Subcommand};

use super::At;

#[derive(Debug, Subcommand)]
pub enum Audience {
    /// List the audiences of a snapshot: members, held back, entered and left since the snapshot before
    Ls {
        #[command(flatten)]
        at: At,
    },
    /// Show an audience of a snapshot: its rule, its members by decile
    Get(AudienceOf),
    /// Check the files of audiences/
    Lint,
    /// Show the SQL that an audience of the project, or a rule, is compiled to
    Explain(Rule),
    /// Count those whom an audience of the project, or a rule, chooses from a snapshot, by decile
    Count {
        #[command(flatten)]
        rule: Rule,
        #[command(flatten)]
        at: At,
    },
    /// Show some of those whom an audience of the project, or a rule, chooses: the same ones each time
    Sample {
        #[command(flatten)]
        rule: Rule,
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rows: u32,
        #[command(flatten)]
        at: At,
    },
    /// Choose by an audience as the project declares it now, with groups; nothing is published
    Evaluate(AudienceOf),
    /// Show members that an audience has in a snapshot
    Members {
        #[command(flatten)]
        of: AudienceOf,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Count whom two audiences of a snapshot have in common
    Overlap {
        /// An audience
        first: String,
        /// Another one
        second: String,
        #[command(flatten)]
        at: At,
    },
    /// Write all members that an audience has in a snapshot, with columns of theirs
    Export {
        #[command(flatten)]
        of: AudienceOf,
        /// A column of customer_value, or an attribute; may be repeated
        #[arg(long, value_name = "COLUMN")]
        with: Vec<String>,
    },
}

/// An audience of a snapshot.
#[derive(Debug, Clone, Args)]
pub struct AudienceOf {
    /// Its name
    pub name: String,
    #[command(flatten)]
    pub at: At,
}

/// An audience of the project, or a rule.
#[derive(Debug, Clone, Args)]
pub struct Rule {
    /// Name of an audience that the project declares
    #[arg(required_unless_present = "rule", conflicts_with = "rule")]
    pub name: Option<String>,
    /// A rule instead: text such as "all(decile_clv_12m <= 3, p_alive < 0.5)", or YAML in braces
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
}
