//! Requests and answers of the doubles, as plain values: handlers see no connection.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::form_urlencoded;

/// A request with all of its body.
pub(super) struct Asked {
    pub method: Method,
    /// The parts of the path without escapes; empty ones are left out, as the vendors do.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How the double is reached: `http://127.0.0.1:PORT`.
    pub base: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub media_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// An answer either way: errors of vendors are answers too.
pub(super) type Handled = Result<Answer, Answer>;

impl Asked {
    pub fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes, base: &str) -> Self {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let parts = uri.path().split('/').filter(|part| !part.is_empty());
        let query = uri.query().unwrap_or_default();
        Self {
            method,
            path: parts.map(decoded).collect(),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            body,
            base: base.to_owned(),
        }
    }

    /// Method and parts of the path behind the first `skipped`, to match on.
    pub fn route(&self, skipped: usize) -> (&str, Vec<&str>) {
        let parts = self.path.iter().skip(skipped).map(String::as_str);
        (self.method.as_str(), parts.collect())
    }

    /// A value behind the `?`.
    pub fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A number behind the `?`, or else the usual one.
    pub fn number(&self, name: &str, usual: usize) -> usize {
        let given = self.asked(name).and_then(|text| text.parse().ok());
        given.unwrap_or(usual)
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether the body is declared as this media type.
    pub fn is(&self, media_type: &str) -> bool {
        let declared = self.header(CONTENT_TYPE.as_str());
        let declared = declared.split(';').next().unwrap_or_default().trim();
        declared.eq_ignore_ascii_case(media_type)
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Name and password of Basic authentication.
    pub fn basic(&self) -> Option<(String, String)> {
        let encoded = self.header(AUTHORIZATION.as_str()).strip_prefix("Basic ")?;
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (name, password) = text.split_once(':')?;
        Some((name.to_owned(), password.to_owned()))
    }

    /// What follows a word in the header of authentication.
    pub fn authorization(&self, word: &str) -> Option<&str> {
        let value = self.header(AUTHORIZATION.as_str()).strip_prefix(word)?;
        Some(value.trim())
    }
}

impl Answer {
    pub fn json(status: u16, value: &Value) -> Self {
        Self::of(status, "application/json; charset=utf-8", value.to_string())
    }

    pub fn of(status: u16, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            media_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::of(status, "", Bytes::new())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A page of a list: the part of it, and whether there is more.
pub(super) fn page<T: Clone>(all: &[T], offset: usize, limit: usize) -> (Vec<T>, bool) {
    let part: Vec<T> = all.iter().skip(offset).take(limit).cloned().collect();
    let more = all.len() > offset.saturating_add(part.len());
    (part, more)
}

/// A value as the text that vendors make of it; nothing for null.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Whether a text has the form of an address: what vendors check before they take one.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let labels = || domain.split('.');
    !local.is_empty()
        && text.len() <= 254
        && local.chars().all(plain)
        && labels().count() >= 2
        && labels().all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in ["a@x.test", "o'neil+tag@mail.x-y.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@x",
            "@x.test",
            "a b@x.test",
            "a@x..test",
            "a@@x.test",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
