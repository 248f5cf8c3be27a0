//! Secrets, read where declarations say that they are.

use std::env::VarError;

use tenfold_core::failure::Failure;
use tenfold_core::project::Secret;

/// The secret itself.
///
/// # Errors
/// When it is not there or empty, naming its place.
pub fn read(secret: &Secret) -> Result<String, Failure> {
    let (found, place) = match secret {
        Secret::Env(name) => (
            std::env::var(name).map_err(|error| match error {
                // The error shows what is there.
                VarError::NotUnicode(_) => "it is not UTF-8".to_owned(),
                VarError::NotPresent => error.to_string(),
            }),
            format!("variable {name}"),
        ),
        Secret::File(path) => (
            std::fs::read_to_string(path).map_err(|error| error.to_string()),
            format!("file {path}"),
        ),
    };
    let unusable = |reason: &str| {
        Failure::config(format!("the secret in {place} cannot be read: {reason}"))
            .remedy("put it there, readable by this program")
    };
    match found {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().to_owned()),
        Ok(_) => Err(unusable("it is empty")),
        Err(reason) => Err(unusable(&reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_when_it_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let secret = Secret::File(file.display().to_string());
        assert!(read(&secret).unwrap_err().message.contains("secret"));
        std::fs::write(&file, "\n").unwrap();
        assert!(read(&secret).unwrap_err().message.contains("empty"));
        std::fs::write(&file, "key\n").unwrap();
        assert_eq!(read(&secret).unwrap(), "key");
    }
}
