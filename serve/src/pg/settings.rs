//! Settings of a session, as `SET` and `SHOW` know them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use tenfold_core::snapshot::At;

use super::refused::Refused;

/// The version of PostgreSQL whose ways these are.
pub const VERSION: &str = "16.6";
const VERSION_NUMBER: &str = "160006";

/// What a setting may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// It is kept and has no effect.
    Anything,
    /// One of these beginnings, in any case; there is only one way here.
    Only(&'static [&'static str]),
    /// It tells something and cannot be set.
    Fixed,
    /// A time zone.
    Zone,
    /// A time.
    Time,
    /// A snapshot.
    Snapshot,
}

use Takes::{Anything, Fixed, Only, Snapshot, Time, Zone};

/// A setting: its name, its value at the beginning, what it takes, and its name where clients are told
/// of each change.
type Known = (&'static str, &'static str, Takes, Option<&'static str>);

/// All settings, by name.
const KNOWN: &[Known] = &[
    ("application_name", "", Anything, Some("application_name")),
    ("bytea_output", "hex", Only(&["hex"]), None),
    // Where the locale names no encoding, psql asks for the last one: texts as they are.
    (
        "client_encoding",
        "UTF8",
        Only(&["utf8", "utf-8", "unicode", "sql_ascii"]),
        Some("client_encoding"),
    ),
    ("client_min_messages", "notice", Anything, None),
    ("datestyle", "ISO, MDY", Only(&["iso"]), Some("DateStyle")),
    ("default_table_access_method", "heap", Fixed, None),
    ("default_transaction_deferrable", "off", Anything, None),
    (
        "default_transaction_isolation",
        "repeatable read",
        Anything,
        None,
    ),
    (
        "default_transaction_read_only",
        "on",
        Only(&["on", "true", "1", "yes"]),
        Some("default_transaction_read_only"),
    ),
    ("escape_string_warning", "on", Anything, None),
    ("extra_float_digits", "1", Anything, None),
    ("idle_in_transaction_session_timeout", "0", Anything, None),
    ("in_hot_standby", "off", Fixed, Some("in_hot_standby")),
    ("integer_datetimes", "on", Fixed, Some("integer_datetimes")),
    (
        "intervalstyle",
        "postgres",
        Only(&["postgres"]),
        Some("IntervalStyle"),
    ),
    ("is_superuser", "off", Fixed, Some("is_superuser")),
    ("jit", "off", Anything, None),
    ("lc_collate", "C", Fixed, None),
    ("lc_ctype", "C", Fixed, None),
    ("lc_messages", "C", Anything, None),
    ("lc_monetary", "C", Anything, None),
    ("lock_timeout", "0", Anything, None),
    ("max_identifier_length", "63", Fixed, None),
    ("max_index_keys", "32", Fixed, None),
    ("row_security", "on", Anything, None),
    ("search_path", "insights", Anything, None),
    ("server_encoding", "UTF8", Fixed, Some("server_encoding")),
    ("server_version", VERSION, Fixed, Some("server_version")),
    ("server_version_num", VERSION_NUMBER, Fixed, None),
    (
        "session_authorization",
        "",
        Fixed,
        Some("session_authorization"),
    ),
    (
        "standard_conforming_strings",
        "on",
        Only(&["on"]),
        Some("standard_conforming_strings"),
    ),
    ("statement_timeout", "0", Time, None),
    ("synchronous_commit", "on", Anything, None),
    ("tenfold.snapshot", "latest", Snapshot, None),
    ("timezone", "UTC", Zone, Some("TimeZone")),
    ("transaction_deferrable", "off", Anything, None),
    ("transaction_isolation", "repeatable read", Anything, None),
    (
        "transaction_read_only",
        "on",
        Only(&["on", "true", "1", "yes"]),
        None,
    ),
    ("work_mem", "4MB", Anything, None),
];

/// The settings of a session.
pub struct Settings {
    begun: BTreeMap<String, String>,
    now: BTreeMap<String, String>,
    at: At,
    zone: TimeZone,
    timeout: Option<Duration>,
}

impl Settings {
    /// The settings of a session of somebody.
    pub fn new(user: &str) -> Self {
        let mut now: BTreeMap<String, String> = KNOWN
            .iter()
            .map(|(name, value, ..)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        now.insert("session_authorization".to_owned(), user.to_owned());
        Self {
            begun: now.clone(),
            now,
            at: At::Latest,
            zone: TimeZone::UTC,
            timeout: None,
        }
    }

    /// What is set now is what `RESET` goes back to.
    pub fn begin(&mut self) {
        self.begun = self.now.clone();
    }

    /// All of them.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.now
    }

    /// The snapshot that queries read.
    pub fn at(&self) -> &At {
        &self.at
    }

    /// The zone that times are shown in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// How long a statement may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Gives a setting a value, or back the one that it had at the beginning. What a client is told
    /// of it, where it is: its name as clients know it, and the value.
    pub fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
    ) -> Result<Option<(&'static str, String)>, Refused> {
        let name = name.to_ascii_lowercase();
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let Some((key, _, takes, told)) = known else {
            return Err(unknown(&name));
        };
        let begun = || self.begun.get(*key).cloned().unwrap_or_default();
        let value = value.map_or_else(begun, |value| value.trim().to_owned());
        let current = self.now.get(*key);
        let wrong = |hint: &str| {
            let message = format!("invalid value for parameter {key:?}: {value:?}");
            Refused::new("22023", message, hint)
        };
        match takes {
            Anything => {}
            Fixed if current == Some(&value) => {}
            Fixed => {
                let message = format!("parameter {key:?} cannot be changed");
                return Err(Refused::new("55P02", message, "leave it as it is"));
            }
            Only(ways) => {
                // Some clients send it in quotes when they begin.
                let lower = value.trim_matches('\'').to_ascii_lowercase();
                if !ways.iter().any(|way| lower.starts_with(way)) {
                    return Err(wrong(&format!("{} is all there is here", ways[0])));
                }
            }
            Zone => {
                self.zone = zone(&value)
                    .ok_or_else(|| wrong("give a name such as Europe/Berlin, or UTC"))?
            }
            Time => {
                let time = time(&value)
                    .ok_or_else(|| wrong("give milliseconds, or a number with ms, s, min or h"))?;
                self.timeout = (!time.is_zero()).then_some(time);
            }
            Snapshot => {
                let at = value.parse::<At>();
                self.at = at.map_err(|failure| wrong(&failure.remedy))?;
            }
        }
        // Clients compare with the ways that they know.
        let value = match *key {
            "client_encoding" => encoding(&value).to_owned(),
            "datestyle" => "ISO, MDY".to_owned(),
            // Queries know zones by these names alone.
            "timezone" => self.zone.iana_name().unwrap_or("UTC").to_owned(),
            _ => value,
        };
        self.now.insert((*key).to_owned(), value.clone());
        Ok(told.map(|told| (told, value)))
    }

    /// What clients are told of at the beginning.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        let told = KNOWN.iter().filter_map(|(name, _, _, told)| {
            let value = self.now.get(*name)?;
            Some(((*told)?, value.clone()))
        });
        told.collect()
    }

    /// The names that can be given back the value of the beginning.
    pub fn resettable() -> impl Iterator<Item = &'static str> {
        KNOWN
            .iter()
            .filter(|(_, _, takes, _)| *takes != Fixed)
            .map(|(name, ..)| *name)
    }

    /// The value of a setting.
    pub fn show(&self, name: &str) -> Result<&str, Refused> {
        let value = self.now.get(&name.to_ascii_lowercase());
        value.map(String::as_str).ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> Refused {
    Refused::new(
        "42704",
        format!("unrecognized configuration parameter {name:?}"),
        "SHOW ALL lists the settings",
    )
}

/// The name of an encoding as PostgreSQL tells it. Texts are in UTF-8 under either.
fn encoding(name: &str) -> &'static str {
    match name.to_ascii_lowercase().contains("ascii") {
        true => "SQL_ASCII",
        false => "UTF8",
    }
}

fn zone(name: &str) -> Option<TimeZone> {
    match name.to_ascii_lowercase().as_str() {
        "utc" | "gmt" | "z" | "zulu" | "default" | "local" => Some(TimeZone::UTC),
        _ => TimeZone::get(name).ok(),
    }
}

/// A time: a number of milliseconds, or one with its unit.
fn time(text: &str) -> Option<Duration> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().ok()?;
    let millis = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_told_and_given_back() {
        let mut settings = Settings::new("jane");
        assert_eq!(settings.show("session_authorization").unwrap(), "jane");
        settings.set("application_name", Some("psql")).unwrap();
        settings.begin();
        let told = settings.set("TimeZone", Some("Europe/Berlin")).unwrap();
        assert_eq!(told, Some(("TimeZone", "Europe/Berlin".to_owned())));
        for (written, name) in [
            ("europe/berlin", "Europe/Berlin"),
            ("utc", "UTC"),
            ("Zulu", "UTC"),
        ] {
            settings.set("timezone", Some(written)).unwrap();
            assert_eq!(settings.show("timezone").unwrap(), name);
        }
        for (written, name) in [
            ("sql_ascii", "SQL_ASCII"),
            ("'SQL_ASCII'", "SQL_ASCII"),
            ("utf-8", "UTF8"),
        ] {
            let told = settings.set("client_encoding", Some(written)).unwrap();
            assert_eq!(told, Some(("client_encoding", name.to_owned())));
        }
        settings.set("application_name", Some("other")).unwrap();
        settings.set("application_name", None).unwrap();
        assert_eq!(settings.show("application_name").unwrap(), "psql");
        settings.set("statement_timeout", Some("2min")).unwrap();
        assert_eq!(settings.timeout(), Some(Duration::from_secs(120)));
        settings.set("statement_timeout", Some("0")).unwrap();
        assert_eq!(settings.timeout(), None);
        settings.set("tenfold.snapshot", Some("3")).unwrap();
        assert_eq!(settings.at(), &At::Number(3));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_code() {
        let mut settings = Settings::new("jane");
        for (name, value, state) in [
            ("nothing", "1", "42704"),
            ("timezone", "Nowhere/Else", "22023"),
            ("statement_timeout", "soon", "22023"),
            ("tenfold.snapshot", "-1", "22023"),
            ("client_encoding", "LATIN1", "22023"),
            ("datestyle", "German", "22023"),
            ("transaction_read_only", "off", "22023"),
            ("server_version", "17", "55P02"),
        ] {
            let refused = settings.set(name, Some(value)).unwrap_err();
            assert_eq!(refused.state, state, "{name}");
            assert!(!refused.hint.is_empty(), "{name}");
        }
    }
}
