//! How long the words and times of a request may be: what is acknowledged is kept for ever.

use std::collections::BTreeMap;

use tenfold_core::failure::Failure;
use tenfold_core::project::Length;
use tenfold_proto::{CancelRunRequest, SubmitRunRequest};

/// Labels of a run.
const LABELS: usize = 64;
/// Bytes of a label's key.
const LABEL_KEY: usize = 64;
/// Bytes of a label's value.
const LABEL_VALUE: usize = 256;
/// Bytes of a name: idempotency key, run, worker, hash, day.
const NAME: usize = 256;
/// Bytes of a reason.
const REASON: usize = 1024;

/// Checks what a run is asked for with.
pub(super) fn submission(request: &SubmitRunRequest) -> Result<(), Failure> {
    name("the idempotency key", &request.idempotency_key)?;
    name("the plan hash", &request.plan_hash)?;
    name("the day to look back from", &request.as_of)?;
    timeout(request.timeout_seconds)?;
    labels(&request.labels)
}

/// Checks the words that are kept with a run.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> Result<(), Failure> {
    if labels.len() > LABELS {
        let labels = labels.len();
        return Err(too_much(format!("{labels} labels"), format!("{LABELS}")));
    }
    for (key, value) in labels {
        if key.is_empty() {
            return Err(Failure::config("a label has no key").remedy("write KEY=VALUE"));
        }
        within("the key of a label", key, LABEL_KEY)?;
        within(&format!("label {key:?}"), value, LABEL_VALUE)?;
    }
    Ok(())
}

/// Checks what a run is cancelled with.
pub(super) fn cancel(request: &CancelRunRequest) -> Result<(), Failure> {
    reason(&request.reason)
}

/// Checks why something is stopped.
pub(super) fn reason(words: &str) -> Result<(), Failure> {
    within("the reason", words, REASON)
}

/// Checks a name that something is looked up by.
pub(super) fn name(what: &str, name: &str) -> Result<(), Failure> {
    within(what, name, NAME)
}

fn timeout(seconds: u64) -> Result<(), Failure> {
    match seconds > Length::LONGEST {
        true => Err(
            Failure::config(format!("a timeout of {seconds} s is longer than a century"))
                .remedy("give a shorter one, or none: then the run takes as long as it takes"),
        ),
        false => Ok(()),
    }
}

fn within(what: &str, text: &str, most: usize) -> Result<(), Failure> {
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Failure::config(format!("{what} has control characters"))
            .remedy("write it as plain text"));
    }
    match text.len() > most {
        true => Err(too_much(
            format!("{what} has {} bytes", text.len()),
            format!("{most} bytes"),
        )),
        false => Ok(()),
    }
}

fn too_much(message: String, most: String) -> Failure {
    Failure::config(message).remedy(format!("at most {most} are kept: make it shorter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: &SubmitRunRequest, words: &str) {
        let failure = submission(request).unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
        assert!(!failure.remedy.is_empty());
    }

    #[test]
    fn what_is_too_long_is_refused_by_name() {
        let long = "k".repeat(NAME + 1);
        let request = SubmitRunRequest {
            idempotency_key: long.clone(),
            ..SubmitRunRequest::default()
        };
        refused(&request, "the idempotency key has 257 bytes");
        let request = SubmitRunRequest {
            plan_hash: long,
            ..SubmitRunRequest::default()
        };
        refused(&request, "the plan hash has 257 bytes");
        let reason = "r".repeat(REASON + 1);
        let cancelled = CancelRunRequest {
            run: "@latest".to_owned(),
            reason,
        };
        assert!(cancel(&cancelled).unwrap_err().message.contains("reason"));
    }

    #[test]
    fn a_timeout_is_no_longer_than_a_century() {
        let within = |timeout_seconds: u64| SubmitRunRequest {
            timeout_seconds,
            ..SubmitRunRequest::default()
        };
        for seconds in [Length::LONGEST + 1, u64::MAX] {
            refused(&within(seconds), &format!("{seconds} s is longer"));
        }
        assert_eq!(submission(&within(Length::LONGEST)), Ok(()));
    }

    #[test]
    fn labels_are_bounded() {
        let labelled = |labels: Vec<(String, String)>| SubmitRunRequest {
            labels: labels.into_iter().collect(),
            ..SubmitRunRequest::default()
        };
        let many = (0..=LABELS).map(|n| (n.to_string(), String::new()));
        refused(&labelled(many.collect()), "65 labels");
        let long = labelled(vec![("team".into(), "x".repeat(LABEL_VALUE + 1))]);
        refused(&long, "label \"team\" has 257 bytes");
        let long = labelled(vec![("k".repeat(LABEL_KEY + 1), String::new())]);
        refused(&long, "the key of a label has 65 bytes");
        refused(&labelled(vec![(String::new(), "v".into())]), "no key");
        refused(
            &labelled(vec![("a".into(), "b\0".into())]),
            "control characters",
        );
        let fits = labelled(vec![("k".repeat(LABEL_KEY), "v".repeat(LABEL_VALUE))]);
        assert_eq!(submission(&fits), Ok(()));
    }
}
