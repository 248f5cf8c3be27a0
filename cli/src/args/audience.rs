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
    /// Show who has come and gone since the newest snapshot, by the events that came since
    Live {
        /// Audiences of the snapshot; those that are declared `live` when none is named
        names: Vec<String>,
        /// First day that does not count, at midnight in the project's time zone; without it tomorrow
        #[arg(long, value_name = "DAY")]
        as_of: Option<String>,
    },
    /// Say who comes and goes as events come, until told to stop
    Watch {
        /// Audiences of the snapshot; those that are declared `live` when none is named
        names: Vec<String>,
        /// Seconds between two looks at what has come
        #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
        every: u64,
        /// Send the deliveries of these audiences that are declared `run: live`
        #[arg(long)]
        deliver: bool,
    },
    /// Show members that an audience has in a snapshot, or has by now
    Members {
        #[command(flatten)]
        of: MembersOf,
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
    /// Write all members that an audience has in a snapshot, or has by now, with columns of theirs
    Export {
        #[command(flatten)]
        of: MembersOf,
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

/// The members of an audience.
#[derive(Debug, Clone, Args)]
pub struct MembersOf {
    #[command(flatten)]
    pub of: AudienceOf,
    /// By the events that came since the newest snapshot, too
    #[arg(long, conflicts_with = "at")]
    pub live: bool,
    /// First day that does not count, at midnight in the project's time zone; without it tomorrow
    #[arg(long, value_name = "DAY", requires = "live")]
    pub as_of: Option<String>,
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
