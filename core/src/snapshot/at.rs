//! How people name a snapshot, on every surface that reads one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::calendar::Day;
use crate::failure::Failure;

/// Which snapshot is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum At {
    /// The newest one.
    #[default]
    Latest,
    /// The one with this number.
    Number(u64),
    /// The one that carries this tag.
    Tag(String),
    /// The newest that was published at this instant or before it.
    Published(Timestamp),
    /// The newest that looks back from this day.
    AsOf(Day),
}

/// What stands for the newest snapshot.
const LATEST: &str = "latest";

/// Words that the bounds of ranges of snapshots are written with: no tag may be called so.
const RESERVED: [&str; 3] = [LATEST, "earliest", "head"];

const AS_OF: &str = "as-of:";

impl FromStr for At {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        if text == LATEST || text == "@latest" {
            return Ok(At::Latest);
        }
        if let Ok(number) = text.parse() {
            return Ok(At::Number(number));
        }
        if let Some(date) = text.strip_prefix(AS_OF) {
            return date.parse().map(At::AsOf).map_err(|error| {
                Failure::config(format!("{text} names no snapshot: {error}"))
                    .remedy("write as-of:2024-02-29, with a date that the calendar has")
            });
        }
        if let Ok(instant) = text.parse() {
            return Ok(At::Published(instant));
        }
        if text.parse::<Day>().is_ok() {
            return Err(
                Failure::config(format!("{text} is a day, and names no snapshot")).remedy(format!(
                    "write {AS_OF}{text} for the snapshot that looks back from that day"
                )),
            );
        }
        check_tag(text).map(|()| At::Tag(text.to_owned()))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Latest => f.write_str(LATEST),
            At::Number(number) => write!(f, "{number}"),
            At::Tag(tag) => f.write_str(tag),
            At::Published(instant) => write!(f, "{instant}"),
            At::AsOf(day) => write!(f, "{AS_OF}{day}"),
        }
    }
}

/// Whether a text can be a tag: lower-case letters, digits, `-`, `_` and `.`, a letter first, so
/// that it is never taken for a number or a time.
///
/// # Errors
/// When it cannot.
pub fn check_tag(text: &str) -> Result<(), Failure> {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
    if first && rest && text.len() <= 63 && !RESERVED.contains(&text) {
        return Ok(());
    }
    Err(Failure::config(format!("{text:?} names no snapshot")).remedy(
        "write a number, a tag (up to 63 lower-case letters, digits, `-`, `_` and `.`, a letter \
         first), an instant such as 2024-02-29T18:30:00Z, as-of:2024-02-29, or latest",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written() {
        let day = Day::from_ymd(2024, 2, 29).unwrap();
        let instant = "2024-02-29T18:30:00Z".parse().unwrap();
        for (text, at) in [
            ("latest", At::Latest),
            ("17", At::Number(17)),
            ("before-easter.2", At::Tag("before-easter.2".to_owned())),
            ("2024-02-29T18:30:00Z", At::Published(instant)),
            ("as-of:2024-02-29", At::AsOf(day)),
        ] {
            assert_eq!(text.parse::<At>().unwrap(), at);
            assert_eq!(at.to_string(), text);
        }
        let offset: At = "2024-02-29T19:30:00+01:00".parse().unwrap();
        assert_eq!(offset, At::Published(instant));
        assert_eq!("@latest".parse::<At>().unwrap(), At::Latest);
    }

    #[test]
    fn what_names_nothing_is_refused_with_a_remedy() {
        for text in [
            "",
            "-1",
            "Easter",
            "1st",
            "a b",
            "earliest",
            "head",
            "as-of:",
            "as-of:2023-02-29",
            "x/y",
            "2024-02-29",
            "2024-02-30T00:00:00Z",
        ] {
            let refused = text.parse::<At>().unwrap_err();
            assert!(!refused.remedy.is_empty(), "{text}");
        }
        let day = "2024-02-29".parse::<At>().unwrap_err();
        assert!(day.remedy.contains("as-of:2024-02-29"));
        assert!(check_tag(&"a".repeat(64)).is_err());
    }
}
