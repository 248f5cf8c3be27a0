//! Paths of sources: variables, patterns, and what an ending says about the format.

use super::model::Format;

/// Why the variables of a text could not be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The environment has no such variable.
    #[error(
        "`${{{0}}}` is not set: set {0} in the environment of every process that reads the source"
    )]
    Unset(String),
    /// A `${` without its `}`.
    #[error("`{0}` has a `${{` that does not close: write `${{NAME}}`")]
    Unclosed(String),
    /// Something other than a name between the braces.
    #[error("`${{{0}}}` names no variable: use letters, digits and `_`, not starting with a digit")]
    BadName(String),
}

/// Replaces every `${NAME}` of a text by what `lookup` gives for it. A replacement is not searched
/// for further variables.
///
/// # Errors
/// When a variable is not set, or a `${` does not close or holds no name.
pub fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once("${") {
        let unclosed = || ExpandError::Unclosed(text.to_owned());
        let (name, after) = opened.split_once('}').ok_or_else(unclosed)?;
        if !is_variable(name) {
            return Err(ExpandError::BadName(name.to_owned()));
        }
        out.push_str(before);
        out.push_str(&lookup(name).ok_or_else(|| ExpandError::Unset(name.to_owned()))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The format that the path's ending tells. A folder, or an ending that tells nothing, is taken as
/// Parquet; a known ending of something else gives that ending back.
pub(super) fn format_by_ending(path: &str) -> Result<Format, String> {
    let file = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let plain = [".gz", ".zst", ".bz2"]
        .iter()
        .find_map(|ending| file.strip_suffix(ending));
    let ending = plain
        .unwrap_or(&file)
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending);
    match ending {
        "csv" => Ok(Format::Csv),
        "jsonl" | "ndjson" | "json" => Ok(Format::Jsonl),
        "tsv" | "txt" | "xls" | "xlsx" | "avro" | "orc" | "arrow" | "feather" | "zip" | "xml" => {
            Err(ending.to_owned())
        }
        _ => Ok(Format::Parquet),
    }
}

/// What is wrong with a path as it is written, and its remedy.
pub(super) fn slip(path: &str) -> Option<(String, String)> {
    let slip = |message: &str, remedy: &str| Some((message.to_owned(), remedy.to_owned()));
    if let Err(error) = expand(path, |_| Some(String::new())) {
        let text = error.to_string();
        let (message, remedy) = text.split_once(": ").unwrap_or((&text, ""));
        return slip(message, remedy);
    }
    if path.trim() != path || path.contains(['\n', '\0']) {
        return slip(
            "the path starts or ends with blanks, or holds a line break",
            "write it plainly",
        );
    }
    if path.contains("**") {
        return slip(
            "the path has `**`",
            "end it at the folder: a folder is read with everything under it",
        );
    }
    let (_, after_scheme) = path.split_once("://")?;
    let host = after_scheme.split('/').next().unwrap_or_default();
    if host.contains('*') {
        return slip(
            "`*` stands for a bucket",
            "name the bucket; `*` may follow in the path",
        );
    }
    if host
        .split_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
    {
        return slip(
            "the URL holds a password",
            "take it out: credentials come from the environment or the process settings",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_once() {
        let lookup = |name: &str| match name {
            "BUCKET" => Some("s3://b".to_owned()),
            "ODD" => Some("${BUCKET}".to_owned()),
            _ => None,
        };
        assert_eq!(
            expand("${BUCKET}/x/$y", lookup).as_deref(),
            Ok("s3://b/x/$y")
        );
        assert_eq!(
            expand("${ODD}${ODD}", lookup).as_deref(),
            Ok("${BUCKET}${BUCKET}")
        );
        assert_eq!(expand("plain", lookup).as_deref(), Ok("plain"));
        assert_eq!(
            expand("${NOPE}", lookup),
            Err(ExpandError::Unset("NOPE".into()))
        );
        assert_eq!(
            expand("a${B", lookup),
            Err(ExpandError::Unclosed("a${B".into()))
        );
        assert_eq!(
            expand("${}", lookup),
            Err(ExpandError::BadName(String::new()))
        );
        assert_eq!(
            expand("${1A}", lookup),
            Err(ExpandError::BadName("1A".into()))
        );
    }

    #[test]
    fn an_unset_variable_says_what_to_do() {
        let error = ExpandError::Unset("LAKE".into()).to_string();
        assert!(
            error.starts_with("`${LAKE}` is not set: set LAKE"),
            "{error}"
        );
    }

    #[test]
    fn endings() {
        for (path, format) in [
            ("data/", Ok(Format::Parquet)),
            ("s3://my.bucket/v1.2/", Ok(Format::Parquet)),
            ("data/*.parquet", Ok(Format::Parquet)),
            ("a.CSV", Ok(Format::Csv)),
            ("a/*.csv.gz", Ok(Format::Csv)),
            ("a.ndjson", Ok(Format::Jsonl)),
            ("a.xlsx", Err("xlsx".to_owned())),
        ] {
            assert_eq!(format_by_ending(path), format, "{path}");
        }
    }

    #[test]
    fn slips() {
        for good in [
            "data/",
            "s3://b/x/*/part-*.parquet",
            "abfss://c@a.dfs.core.windows.net/x",
            "${A}/b",
        ] {
            assert_eq!(slip(good), None, "{good}");
        }
        for bad in [
            "${A",
            " data",
            "s3://*/x",
            "s3://key:secret@bucket/x",
            "a/**/b",
        ] {
            assert!(slip(bad).is_some(), "{bad}");
        }
    }
}
