//! Fetching activities: which are asked for, of which time, and what the batch is called that holds them.
//!
//! There is no record of how far fetching is but the batches themselves: their names say of which account and
//! time they are.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::failure::{ErrorCode, Failure};
use crate::hash::sha256_hex;
use crate::ingest::{Stage, State};
use crate::response::ResponseType;

/// How names of batches of activities begin.
const BEGINS: &str = "eloqua-";

/// Instants in names of batches.
const INSTANT: &str = "%Y%m%dT%H%M%SZ";

/// A type of activities that are responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// A mail was opened.
    EmailOpen,
    /// A link in it was clicked.
    EmailClickthrough,
    /// It came back.
    Bounceback,
    /// Somebody wants no more of them.
    Unsubscribe,
}

impl Activity {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::EmailOpen,
        Self::EmailClickthrough,
        Self::Bounceback,
        Self::Unsubscribe,
    ];

    /// Eloqua's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::EmailOpen => "EmailOpen",
            Self::EmailClickthrough => "EmailClickthrough",
            Self::Bounceback => "Bounceback",
            Self::Unsubscribe => "Unsubscribe",
        }
    }

    /// What it is among responses.
    pub fn response(self) -> ResponseType {
        match self {
            Self::EmailOpen => ResponseType::Open,
            Self::EmailClickthrough => ResponseType::Click,
            Self::Bounceback => ResponseType::Bounce,
            Self::Unsubscribe => ResponseType::Unsubscribe,
        }
    }

    /// How long after it happened it may still appear. Bouncebacks are written down days later, and clicks once
    /// Eloqua knows whose they are. A day at least also covers filters whose times Eloqua would take for those of
    /// its own zone.
    fn late(self) -> SignedDuration {
        let days = match self {
            Self::Bounceback => 7,
            Self::EmailOpen | Self::EmailClickthrough | Self::Unsubscribe => 2,
        };
        SignedDuration::from_hours(24 * days)
    }
}

/// The time of one fetch of an account: whole seconds, the end not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    account: String,
    /// Whether it goes on where an earlier one ended: what appeared late is then asked for, too.
    goes_on: bool,
    from: Timestamp,
    to: Timestamp,
}

impl Fetch {
    /// The next fetch of a company's account into a source whose batches are these.
    ///
    /// # Errors
    /// When nothing says where it begins, or activities would be left out for ever.
    pub fn next(
        state: &State,
        company: &str,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let account = account(company);
        let ended = ended(state, &account);
        let to = whole_seconds(now);
        let (goes_on, from) = match (since, ended) {
            (None, Some(ended)) => (true, ended),
            (Some(since), ended) => {
                let since = whole_seconds(since);
                if let Some(ended) = ended.filter(|ended| *ended < since) {
                    return Err(wrong(format!(
                        "activities from {ended} to {since} would never be fetched"
                    ))
                    .remedy(format!(
                        "leave --since out, which goes on at {ended}, or name an earlier instant"
                    )));
                }
                (false, since)
            }
            (None, None) => {
                return Err(wrong(format!(
                    "nothing was fetched of the company {company} before, so nothing says where to begin"
                ))
                .remedy("say it with --since, such as --since 2026-11-01T00:00:00Z"));
            }
        };
        if from >= to {
            return Err(
                wrong(format!("it is {to}, and fetching would begin at {from}"))
                    .remedy("name an earlier instant as --since, and check this machine's clock"),
            );
        }
        Ok(Self {
            account,
            goes_on,
            from,
            to,
        })
    }

    /// Where it begins, but for what appeared late.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Where it ends.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    /// From when on activities of a type are asked for.
    pub fn begins(&self, activity: Activity) -> Timestamp {
        match self.goes_on {
            true => {
                let begins = self.from.checked_sub(activity.late());
                begins.unwrap_or(Timestamp::MIN)
            }
            false => self.from,
        }
    }

    /// The name of its batch: the same for the same account, types and times.
    pub fn batch(&self) -> String {
        let how = if self.goes_on { "after" } else { "since" };
        let [from, to] = [self.from, self.to].map(|at| at.strftime(INSTANT));
        format!("{BEGINS}{}-{how}-{from}-{to}", self.account)
    }

    /// The fetch whose batch has this name.
    fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(BEGINS)?.split('-');
        let account = parts.next()?.to_owned();
        let goes_on = match parts.next()? {
            "after" => true,
            "since" => false,
            _ => return None,
        };
        let mut instant = || {
            let at = DateTime::strptime(INSTANT, parts.next()?).ok()?;
            Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        let (from, to) = (instant()?, instant()?);
        parts.next().is_none().then_some(Self {
            account,
            goes_on,
            from,
            to,
        })
    }
}

/// Whether a batch of this name holds fetched activities.
pub fn is_fetched(name: &str) -> bool {
    Fetch::of(name).is_some()
}

/// Where the last fetch of an account ended whose rows, or others in their place, are visible.
fn ended(state: &State, account: &str) -> Option<Timestamp> {
    let batches = state.batches.iter();
    let there = batches.filter(|(_, batch)| matches!(batch.stage, Stage::Active | Stage::Replaced));
    let fetches = there.filter_map(|(name, _)| Fetch::of(name));
    let ours = fetches.filter(|fetch| fetch.account == account);
    ours.map(|fetch| fetch.to).max()
}

/// An account in names. The types are in it: with others, other activities are in the batch.
fn account(company: &str) -> String {
    let types = Activity::ALL.map(Activity::word).join(",");
    let hash = sha256_hex(format!("{}:{company} {types}", company.len()).as_bytes());
    hash[..12].to_owned()
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    // Floored, so that an end is never ahead of the clock.
    let second = at.as_nanosecond().div_euclid(1_000_000_000);
    let second = i64::try_from(second).ok();
    second
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or(at)
}

fn wrong(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::WrongFetch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Event, Outcome};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn completed(state: &mut State, batch: &str) {
        let event = Event::Completed {
            batch: batch.to_owned(),
            outcome: Outcome::default(),
            replaces: Vec::new(),
        };
        assert_eq!(state.allows(&event), Ok(true));
        state.apply(&event, 0);
    }

    #[test]
    fn a_fetch_goes_on_where_the_last_one_ended() {
        let mut state = State::default();
        let first = Fetch::next(
            &state,
            "Tenfold",
            Some(at("2026-11-01T00:00:00.7Z")),
            at("2026-11-20T10:00:00.9Z"),
        );
        let first = first.unwrap();
        assert_eq!(
            (first.from(), first.to()),
            (at("2026-11-01T00:00:00Z"), at("2026-11-20T10:00:00Z"))
        );
        for activity in Activity::ALL {
            assert_eq!(first.begins(activity), first.from(), "it was asked for so");
        }
        let name = first.batch();
        let account = account("Tenfold");
        assert_eq!(
            name,
            format!("eloqua-{account}-since-20261101T000000Z-20261120T100000Z")
        );
        assert_eq!(Fetch::of(&name), Some(first));
        assert!(crate::ingest::check_id(&name).is_ok());
        completed(&mut state, &name);
        let now = at("2026-11-21T10:00:00Z");
        let second = Fetch::next(&state, "Tenfold", None, now).unwrap();
        assert_eq!(second.from(), at("2026-11-20T10:00:00Z"));
        assert_eq!(
            second.begins(Activity::Bounceback),
            at("2026-11-13T10:00:00Z")
        );
        assert_eq!(
            second.begins(Activity::EmailOpen),
            at("2026-11-18T10:00:00Z")
        );
        assert_eq!(Fetch::of(&second.batch()), Some(second.clone()));
        // What was taken back is fetched again, and what was replaced is not.
        completed(&mut state, &second.batch());
        let third = Fetch::next(&state, "Tenfold", None, at("2026-11-22T10:00:00Z")).unwrap();
        assert_eq!(third.from(), second.to());
        let batch = second.batch();
        state.batches.get_mut(&batch).unwrap().stage = Stage::Replaced;
        let same = Fetch::next(&state, "Tenfold", None, at("2026-11-22T10:00:00Z")).unwrap();
        assert_eq!(same, third);
        state.batches.get_mut(&batch).unwrap().stage = Stage::Reverted;
        let again = Fetch::next(&state, "Tenfold", None, at("2026-11-22T10:00:00Z")).unwrap();
        assert_eq!(again.from(), second.from());
        assert!(
            Fetch::next(&state, "Other", None, now).is_err(),
            "accounts are apart"
        );
    }

    #[test]
    fn nothing_is_left_out_without_a_word() {
        let mut state = State::default();
        let now = at("2026-11-20T10:00:00Z");
        let refused = |state: &State, since: Option<&str>, words: &str| {
            let failure = Fetch::next(state, "Tenfold", since.map(at), now).unwrap_err();
            assert_eq!(failure.code, Some(ErrorCode::WrongFetch));
            assert!(failure.message.contains(words), "{failure}");
        };
        refused(&state, None, "nothing was fetched of the company Tenfold");
        refused(&state, Some("2026-11-20T10:00:00.5Z"), "would begin at");
        let since = Some(at("2026-11-01T00:00:00Z"));
        let first = Fetch::next(&state, "Tenfold", since, at("2026-11-10T00:00:00Z"));
        completed(&mut state, &first.unwrap().batch());
        refused(
            &state,
            Some("2026-11-10T00:00:01Z"),
            "from 2026-11-10T00:00:00Z to 2026-11-10T00:00:01Z would never be fetched",
        );
        let earlier = Some(at("2026-10-01T00:00:00Z"));
        let earlier = Fetch::next(&state, "Tenfold", earlier, now).unwrap();
        assert_eq!(earlier.begins(Activity::Bounceback), earlier.from());
    }

    #[test]
    fn other_names_are_no_fetches() {
        for name in [
            "eloqua-2026",
            "eloqua-0123456789ab-since-20261101T000000Z",
            "eloqua-0123456789ab-until-20261101T000000Z-20261120T100000Z",
            "eloqua-0123456789ab-since-20261101T000000Z-20261120T100000Z-x",
            "stream-1-2",
        ] {
            assert!(!is_fetched(name), "{name}");
        }
    }
}
