//! What goes wrong on purpose: which requests, how often, and how.

use serde::Deserialize;
use tenfold_core::failure::Failure;

/// A file of faults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultFile {
    /// The faults; the first one that fits a request happens.
    pub faults: Vec<Fault>,
}

/// Something that goes wrong with some requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Method and path, such as `POST /eloqua/**/data`: `*` stands for one part of a path or any
    /// method, `**` for any number of parts.
    pub on: String,
    /// So many requests pass before.
    #[serde(default)]
    pub after: u64,
    /// Then each of so many.
    #[serde(default = "each")]
    pub every: u64,
    /// So many times in all; without end when left out.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens.
    #[serde(rename = "do")]
    pub deed: Deed,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// It is not looked at; this status is answered.
    Status {
        /// The status.
        code: u16,
        /// Seconds in the header `Retry-After`.
        #[serde(default)]
        retry_after: Option<u64>,
        /// A page of HTML as a proxy in between answers, in place of the vendor's JSON.
        #[serde(default)]
        html: bool,
    },
    /// The connection ends before the request is looked at.
    DropBefore,
    /// The request is carried out, and the connection ends without an answer.
    DropAfter,
    /// The request is carried out twice, as by a proxy that asks again; the second answer counts.
    Twice,
    /// It waits so many milliseconds before it is looked at.
    WaitMs(u64),
    /// The body of the answer comes in pieces with so many milliseconds between them.
    TrickleMs(u64),
    /// What the request starts ends with this code: syncs of Eloqua, imports of SendGrid and
    /// listmonk.
    JobError(String),
    /// The sync of Eloqua that the request starts is carried out, and warns of this code.
    JobWarning(String),
    /// Eloqua moves the account to its other pod before the request.
    MovePod,
    /// Tokens that were given out do not count any more.
    ExpireTokens,
}

fn each() -> u64 {
    1
}

/// Faults with what happened so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    faults: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    fault: Fault,
    seen: u64,
    done: u64,
}

impl FaultFile {
    /// Reads a file of faults.
    ///
    /// # Errors
    /// When it is not one, naming it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Failure> {
        let parsed: Self = serde_saphyr::from_str(text).map_err(|error| {
            Failure::config(format!("{file} is no file of faults: {error}"))
                .remedy("docs/vendors.md shows how faults are declared")
        })?;
        for fault in &parsed.faults {
            if fault.on.split_once(' ').is_none() || fault.every == 0 {
                return Err(Failure::config(format!(
                    "{file}: the fault on {:?} fits no request",
                    fault.on
                ))
                .remedy(
                    "`on` is a method and a path, such as `POST /eloqua/**`; `every` is 1 or more",
                ));
            }
        }
        Ok(parsed)
    }
}

impl Faults {
    pub fn new(faults: Vec<Fault>) -> Self {
        let counted = |fault| Counted {
            fault,
            seen: 0,
            done: 0,
        };
        Self {
            faults: faults.into_iter().map(counted).collect(),
        }
    }

    /// What happens to this request. Every fault that fits counts it, the first that is due happens.
    pub fn next(&mut self, method: &str, path: &[String]) -> Option<Deed> {
        // What no vendor has never goes wrong.
        if path.first().is_none_or(|part| part.starts_with("__")) {
            return None;
        }
        let mut chosen = None;
        for counted in &mut self.faults {
            if counted.fault.fits(method, path) && counted.due() && chosen.is_none() {
                counted.done += 1;
                chosen = Some(counted.fault.deed.clone());
            }
        }
        chosen
    }
}

impl Counted {
    fn due(&mut self) -> bool {
        let fault = &self.fault;
        self.seen += 1;
        let behind = self.seen.saturating_sub(fault.after);
        let left = fault.times.is_none_or(|times| self.done < times);
        behind > 0 && behind.is_multiple_of(fault.every.max(1)) && left
    }
}

impl Fault {
    fn fits(&self, method: &str, path: &[String]) -> bool {
        let Some((wanted, pattern)) = self.on.split_once(' ') else {
            return false;
        };
        let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        (wanted == "*" || wanted.eq_ignore_ascii_case(method)) && matches(&pattern, path)
    }
}

/// Matches in one pass: on a mismatch the last `**` takes one part more.
fn matches(pattern: &[&str], path: &[String]) -> bool {
    let (mut at, mut part) = (0, 0);
    let mut retry = None;
    while part < path.len() {
        let (wanted, given) = (pattern.get(at), path.get(part));
        let equal = wanted
            .zip(given)
            .is_some_and(|(wanted, given)| *wanted == "*" || wanted.eq_ignore_ascii_case(given));
        if wanted == Some(&"**") {
            retry = Some((at, part));
            at += 1;
        } else if equal {
            (at, part) = (at + 1, part + 1);
        } else if let Some((star, taken)) = retry {
            retry = Some((star, taken + 1));
            (at, part) = (star + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == "**")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_pattern_fits_parts_of_a_path() {
        for (pattern, text, fits) in [
            ("a/b", "a/b", true),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("**", "a/b/c", true),
            ("**/data", "a/b/data", true),
            ("a/**/data", "a/data", true),
            ("a/**/data", "a/data/1/data", true),
            ("a/**/data", "a/b", false),
            ("a", "a/b", false),
        ] {
            let parts: Vec<&str> = pattern.split('/').collect();
            assert_eq!(matches(&parts, &path(text)), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_fault_happens_as_often_as_it_says() {
        let file = "faults:\n- on: POST /a\n  after: 1\n  every: 2\n  times: 2\n  do: {status: {code: 503, retry_after: 2}}\n- {on: '* /**', do: drop_after}\n";
        let file = FaultFile::parse(file, "f.yaml").unwrap();
        let mut faults = Faults::new(file.faults);
        let deeds: Vec<bool> = (0..8)
            .map(|_| matches!(faults.next("POST", &path("a")), Some(Deed::Status { .. })))
            .collect();
        assert_eq!(
            deeds,
            [false, false, true, false, true, false, false, false]
        );
        assert_eq!(faults.next("GET", &path("b")), Some(Deed::DropAfter));
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let failure = FaultFile::parse("faults: [{on: POST}]", "f.yaml").unwrap_err();
        assert!(failure.message.contains("f.yaml"), "{failure}");
        let failure = FaultFile::parse("faults: [{on: POST, do: twice}]", "f.yaml").unwrap_err();
        assert!(failure.message.contains("\"POST\""), "{failure}");
    }
}
