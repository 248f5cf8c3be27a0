//! The file of those who may ask over PostgreSQL's protocol.

use std::collections::BTreeMap;

use tenfold_coordinator::serve::access::random;
use tenfold_core::failure::{ErrorCode, Failure};

use super::scram::Verifier;

/// Who may ask, and what their passwords are checked by.
#[derive(Debug)]
pub struct Passwords {
    /// Whether everybody may who reaches the server: on this machine alone.
    open: bool,
    of: BTreeMap<String, Verifier>,
    /// What verifiers of unknown names are made from.
    secret: String,
}

/// The line of a file that lets somebody in.
///
/// # Errors
/// When the machine has no randomness.
pub fn password_line(name: &str, password: &str) -> Result<String, Failure> {
    Ok(format!("{name} {}", Verifier::new(password)?.written()))
}

impl Passwords {
    /// Everybody may ask: for a server that only this machine reaches.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn open() -> Result<Self, Failure> {
        Ok(Self {
            open: true,
            ..Self::read("", "")?
        })
    }

    /// Reads a file: lines of a name and a verifier; `#` begins a remark.
    ///
    /// # Errors
    /// With the line that cannot be understood.
    pub fn read(text: &str, file: &str) -> Result<Self, Failure> {
        let mut of = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let read = line.split_once(char::is_whitespace);
            let read = read.and_then(|(name, rest)| Some((name, Verifier::read(rest.trim())?)));
            let (name, verifier) = read.ok_or_else(|| {
                Failure::config(format!("{file}, line {number} is no name with a verifier"))
                    .code(ErrorCode::TokensFile)
                    .remedy("`tenfold token new NAME --role viewer --pg-passwords FILE` adds one")
            })?;
            if of.insert(name.to_owned(), verifier).is_some() {
                return Err(Failure::config(format!(
                    "{file}, line {number}: {name} is there twice"
                ))
                .code(ErrorCode::TokensFile)
                .remedy("remove the line that is not meant"));
            }
        }
        Ok(Self {
            open: false,
            of,
            secret: random()?,
        })
    }

    /// Reads the file again. Names that are unknown are answered as before: a change would tell that
    /// they are.
    ///
    /// # Errors
    /// As [`Passwords::read`].
    pub fn again(&self, text: &str, file: &str) -> Result<Self, Failure> {
        Ok(Self {
            secret: self.secret.clone(),
            ..Self::read(text, file)?
        })
    }

    /// Whether everybody may ask.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What to check somebody's password by.
    pub fn verifier(&self, name: &str) -> Verifier {
        let known = self.of.get(name).cloned();
        known.unwrap_or_else(|| Verifier::of_nobody(name, self.secret.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_by_lines_and_a_wrong_one_is_named() {
        let line = password_line("metabase", "secret").unwrap();
        let read = Passwords::read(&format!("# who\n\n{line}\n"), "f").unwrap();
        assert!(!read.is_open());
        assert!(line.ends_with(&read.verifier("metabase").written()));
        assert_ne!(read.verifier("other"), read.verifier("another"));
        let again = read.again(&line, "f").unwrap();
        assert_eq!(again.verifier("metabase"), read.verifier("metabase"));
        assert_eq!(again.verifier("other"), read.verifier("other"));
        for wrong in ["metabase", "metabase md5", "a b c"] {
            let failure = Passwords::read(&format!("\n{wrong}"), "f").unwrap_err();
            assert!(failure.message.contains("f, line 2"), "{failure}");
        }
        assert!(Passwords::read(&format!("{line}\n{line}"), "f").is_err());
    }
}
