//! Vendors of e-mail as destinations: Oracle Eloqua, SendGrid, Mailchimp and listmonk.
//!
//! What they have in common: people are known by their e-mail address, fields are looked up and
//! compared with what is delivered before anything is sent, and nothing that a vendor says is kept
//! without the values of rows being taken out of it.

mod call;
mod eloqua;
mod fields;
mod listmonk;
mod mailchimp;
mod pace;
mod sendgrid;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tenfold_core::activation::{Limits, LimitsSpec, Outcome, Row, SendError, Verb, without_values};

use crate::driver::{Batch, DeliveryInfo};
pub(crate) use call::pause;
pub use eloqua::{Activities, Eloqua, Fetched};
pub use listmonk::Listmonk;
pub use mailchimp::Mailchimp;
pub use pace::Pace;
pub use sendgrid::Sendgrid;

use fields::{Field, too_long};

/// What a vendor takes, where its declaration does not say less.
fn narrowed(most: Limits, spec: &LimitsSpec) -> Limits {
    let less = |most: usize, asked: Option<u32>| {
        let asked = asked.and_then(|asked| usize::try_from(asked).ok());
        asked.map_or(most, |asked| asked.clamp(1, most))
    };
    Limits {
        rows: less(most.rows, spec.rows),
        bytes: most.bytes,
        at_once: less(most.at_once, spec.at_once),
        per_second: match (most.per_second, spec.per_second) {
            (Some(most), Some(asked)) => Some(most.min(asked)),
            (most, asked) => asked.or(most),
        },
    }
}

/// Refuses identities that are no e-mail address: these vendors know people by nothing else.
fn check_identity(vendor: &str, delivery: &DeliveryInfo, others: &[&str]) -> Result<(), SendError> {
    let plain: String = delivery
        .identity
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let email = matches!(plain.as_str(), "email" | "emailaddress" | "cemailaddress");
    if email || others.contains(&delivery.identity.as_str()) {
        return Ok(());
    }
    Err(SendError::refused(format!(
        "{vendor} knows people by their e-mail address, and the delivery calls the identity {:?}; \
         give an `identity` whose field is `email`",
        delivery.identity
    )))
}

/// One of several by its id or else by its name; what there is otherwise.
fn by_id_or_name<'a>(
    vendor: &str,
    what: &str,
    wanted: &str,
    all: &'a [(String, String)],
) -> Result<&'a str, SendError> {
    let by_id = all.iter().find(|(id, _)| id == wanted);
    let mut by_name = all.iter().filter(|(_, name)| name == wanted);
    let found = match by_id {
        Some(found) => Some(found),
        None => {
            let found = by_name.next();
            if by_name.next().is_some() {
                return Err(SendError::refused(format!(
                    "{vendor} has several {what}s that are called {wanted:?}; give the id as `list`"
                )));
            }
            found
        }
    };
    found.map(|(id, _)| id.as_str()).ok_or_else(|| {
        let names: Vec<&str> = all.iter().take(20).map(|(_, name)| name.as_str()).collect();
        SendError::refused(format!(
            "{vendor} has no {what} {wanted:?}; make it there or name another one as `list`: {}",
            names.join(", ")
        ))
    })
}

/// A batch before it is sent.
struct Screened {
    /// Outcomes to begin with.
    outcomes: Vec<Outcome>,
    /// Places of those who are to be put on the list.
    upserts: Vec<usize>,
    /// Places of those who are to be taken off it.
    removals: Vec<usize>,
}

/// Whom no vendor would take is rejected at once: texts that are too long for their fields, and
/// addresses that differ from an earlier one in capitals alone. Vendors do not tell those apart, so
/// nobody is taken off a list who is put on it with other capitals.
fn screened(batch: &Batch, fields: &[(String, Field)]) -> Screened {
    let accepted = Outcome::Accepted { remote_id: None };
    let mut screened = Screened {
        outcomes: vec![accepted; batch.rows.len()],
        upserts: Vec::new(),
        removals: Vec::new(),
    };
    let of = |verb| {
        let rows = batch.rows.iter().enumerate();
        rows.filter(move |(_, row)| row.verb == verb)
    };
    let mut seen = HashSet::new();
    for (at, row) in of(Verb::Upsert) {
        let outcomes = &mut screened.outcomes;
        if !seen.insert(row.identity.to_lowercase()) {
            let words = "the address is there twice";
            set(outcomes, batch, at, |row| {
                rejected("DUPLICATE", words, row, false)
            });
        } else if let Some(field) = too_long(row, fields) {
            let words = format!("the text for {} is too long", field.name);
            set(outcomes, batch, at, |row| {
                rejected("TOO_LONG", &words, row, false)
            });
        } else {
            screened.upserts.push(at);
        }
    }
    for (at, row) in of(Verb::Remove) {
        if seen.insert(row.identity.to_lowercase()) {
            screened.removals.push(at);
        }
    }
    screened
}

/// The rows of a batch at places.
fn rows_at<'a>(batch: &'a Batch, places: &'a [usize]) -> impl Iterator<Item = (usize, &'a Row)> {
    places
        .iter()
        .filter_map(|at| Some((*at, batch.rows.get(*at)?)))
}

/// A row that a vendor did not take, in the vendor's words.
fn rejected(code: &str, words: &str, row: &Row, retryable: bool) -> Outcome {
    Outcome::Rejected {
        code: code.to_owned(),
        message: without_values(words, row),
        retryable,
    }
}

/// Sets the outcome of a row.
fn set(outcomes: &mut [Outcome], batch: &Batch, at: usize, of: impl FnOnce(&Row) -> Outcome) {
    if let (Some(place), Some(row)) = (outcomes.get_mut(at), batch.rows.get(at)) {
        *place = of(row);
    }
}

/// A job is in a state that nobody told us of: it may have done anything.
fn strange(vendor: &str, what: &str, state: &str) -> SendError {
    let state: String = state.chars().take(40).collect();
    SendError::transient(format!("{vendor}: {what} is {state:?}"))
}

/// A listing gave page after page.
fn endless(vendor: &str, what: &str) -> SendError {
    SendError::transient(format!("{vendor}: {what}: the listing has no end"))
}

/// What was looked up for a delivery, before anything is sent of it.
struct Prepared<T>(Mutex<Option<Arc<T>>>);

impl<T> Prepared<T> {
    fn nothing() -> Self {
        Self(Mutex::new(None))
    }

    fn set(&self, ready: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ready));
    }

    /// What was looked up; an error when the driver was asked to send before.
    fn get(&self, vendor: &str) -> Result<Arc<T>, SendError> {
        let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.clone().ok_or_else(|| {
            SendError::refused(format!("{vendor}: nothing was prepared for the delivery"))
        })
    }
}

#[cfg(test)]
mod tests {
    use tenfold_core::activation::Value;

    use super::*;

    #[test]
    fn nobody_is_taken_off_who_is_put_on_with_other_capitals() {
        let row = |identity: &str, verb| Row {
            identity: identity.to_owned(),
            verb,
            fields: vec![("t".to_owned(), Value::Text("x".to_owned()))],
        };
        let rows = vec![
            row("A@x.test", Verb::Remove),
            row("a@x.test", Verb::Upsert),
            row("b@x.test", Verb::Remove),
            row("B@x.test", Verb::Remove),
            row("a@X.test", Verb::Upsert),
        ];
        let batch = Batch {
            number: 0,
            key: "k".to_owned(),
            rows,
        };
        let screened = screened(&batch, &[]);
        assert_eq!((screened.upserts, screened.removals), (vec![1], vec![2]));
        let rejected = screened
            .outcomes
            .iter()
            .map(|o| matches!(o, Outcome::Rejected { .. }));
        let rejected: Vec<bool> = rejected.collect();
        assert_eq!(rejected, [false, false, false, false, true]);
    }

    #[test]
    fn limits_are_narrowed_and_never_widened() {
        let most = Limits {
            rows: 500,
            bytes: None,
            at_once: 2,
            per_second: Some(5.0),
        };
        let spec = LimitsSpec {
            rows: Some(1000),
            at_once: Some(1),
            per_second: Some(1.0),
        };
        let limits = narrowed(most, &spec);
        assert_eq!(limits.rows, 500);
        assert_eq!(limits.at_once, 1);
        assert_eq!(limits.per_second, Some(1.0));
    }

    #[test]
    fn a_list_is_found_by_id_before_name() {
        let all = [("1", "a"), ("2", "1"), ("3", "b"), ("4", "b")];
        let all: Vec<(String, String)> = all.map(|(i, n)| (i.to_owned(), n.to_owned())).to_vec();
        assert_eq!(by_id_or_name("V", "list", "1", &all).unwrap(), "1");
        assert_eq!(by_id_or_name("V", "list", "a", &all).unwrap(), "1");
        let several = by_id_or_name("V", "list", "b", &all).unwrap_err();
        assert!(several.message.contains("several"), "{}", several.message);
        let none = by_id_or_name("V", "list", "c", &all).unwrap_err();
        assert!(none.message.contains("a, 1, b"), "{}", none.message);
    }
}
