//! Versions of records: each says with which form it was written, and a reader refuses what is
//! newer than itself by name.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::{ErrorCode, Failure};

/// The form of records that say none: they are older than the rule.
pub fn first() -> u32 {
    1
}

#[derive(Deserialize)]
struct Form {
    #[serde(default = "first")]
    format: u32,
}

/// Reads a record of JSON that was written with `newest` or an older form.
///
/// # Errors
/// When it is damaged, or newer than `newest`: see [`is_newer`].
pub fn read<T: DeserializeOwned>(bytes: &[u8], newest: u32, place: &str) -> Result<T, Failure> {
    let damaged = |error: serde_json::Error| {
        Failure::dependency(format!("cannot read {place}: {error}"))
            .code(ErrorCode::Damaged)
            .remedy("it is damaged: restore it from a copy of the store")
    };
    let Form { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format > newest {
        return Err(Failure::config(format!(
            "{place} has format {format}, newer than {newest}, the newest that this program knows"
        ))
        .code(ErrorCode::NewerRecord)
        .remedy("use the version of Tenfold that wrote it, or a later one"));
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Whether a record was refused for being newer, not for being damaged.
pub fn is_newer(failure: &Failure) -> bool {
    failure.code == Some(ErrorCode::NewerRecord)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Thing {
        size: u32,
    }

    #[test]
    fn older_records_are_read_and_newer_ones_refused_by_name() {
        let read = |text: &str| read::<Thing>(text.as_bytes(), 2, "a/b.json");
        for text in [
            r#"{"size": 3}"#,
            r#"{"format": 1, "size": 3}"#,
            r#"{"format": 2, "size": 3}"#,
        ] {
            assert_eq!(read(text).unwrap(), Thing { size: 3 });
        }
        let newer = read(r#"{"format": 3, "sizes": [3]}"#).unwrap_err();
        assert!(is_newer(&newer));
        assert!(newer.message.contains("a/b.json has format 3"), "{newer}");
        let damaged = read(r#"{"format": 2, "si"#).unwrap_err();
        assert!(!is_newer(&damaged));
        assert!(damaged.message.contains("a/b.json"), "{damaged}");
    }
}
