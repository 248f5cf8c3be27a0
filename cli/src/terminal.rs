//! How much a process says, and how it may show it: set once, when the process begins.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::output::Format;

/// What every command understands about showing.
#[derive(Debug, Clone, Default, Args)]
pub struct View {
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on standard error
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Columns of tables and CSV, separated by commas
    #[arg(long, global = true, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Tables and CSV without their first line
    #[arg(long, global = true)]
    pub no_headers: bool,
    /// How tables show times; JSON, YAML and CSV always have RFC 3339 in UTC
    #[arg(long = "time", global = true, value_enum, default_value_t = Times::Iso, env = "TENFOLD_TIME")]
    pub times: Times,
}

/// How times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Times {
    /// RFC 3339 in UTC.
    #[default]
    Iso,
    /// RFC 3339 in the zone of this machine, or the one that TZ names.
    Local,
    /// How long ago.
    Relative,
}

static VIEW: OnceLock<View> = OnceLock::new();

/// Sets how this process shows things; the first call counts.
pub fn begin(view: View) {
    let _ = VIEW.set(view);
}

/// How this process shows things.
pub fn view() -> &'static View {
    VIEW.get_or_init(View::default)
}

/// Says something on standard error, unless nobody wants to hear anything but errors.
macro_rules! say {
    ($($words:tt)*) => {
        if !$crate::terminal::view().quiet {
            eprintln!($($words)*);
        }
    };
}
pub(crate) use say;

/// Whether standard error is a terminal that can draw over a line, and somebody wants to see it.
pub fn draws() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb && !view().quiet
}

/// Whether standard error may have colours: `NO_COLOR` forbids and `CLICOLOR_FORCE` asks for them.
pub fn colours() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    !set("NO_COLOR") && (forced && set("CLICOLOR_FORCE") || draws())
}

/// A time for people, as they want it.
pub fn time(text: &str) -> String {
    match (view().times, text.parse::<Timestamp>()) {
        (Times::Local, Ok(at)) => there(at, TimeZone::system()),
        (Times::Relative, Ok(at)) => ago(at, Timestamp::now()),
        _ => text.to_owned(),
    }
}

/// A time in a table for people, and as it is for programs.
pub fn shown_time(format: Format, text: &str) -> String {
    match format {
        Format::Table | Format::Wide => time(text),
        _ => text.to_owned(),
    }
}

/// What clocks show there, with their offset.
fn there(at: Timestamp, zone: TimeZone) -> String {
    at.to_zoned(zone).strftime("%FT%T%:z").to_string()
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        ..0 => "in the future".to_owned(),
        0..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_another_zone_have_their_offset() {
        let at: Timestamp = "2024-03-31T00:59:59.5Z".parse().unwrap();
        for (zone, shown) in [
            ("Europe/Berlin", "2024-03-31T01:59:59+01:00"),
            ("America/St_Johns", "2024-03-30T22:29:59-02:30"),
            ("UTC", "2024-03-31T00:59:59+00:00"),
        ] {
            assert_eq!(there(at, TimeZone::get(zone).unwrap()), shown);
        }
    }

    #[test]
    fn times_long_ago_are_in_the_unit_that_fits() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (then, now, shown) in [
            (100, 100, "0s ago"),
            (0, 59, "59s ago"),
            (0, 3599, "59m ago"),
            (0, 3600, "1h ago"),
            (0, 200_000, "2d ago"),
            (5, 0, "in the future"),
        ] {
            assert_eq!(ago(at(then), at(now)), shown);
        }
    }
}
