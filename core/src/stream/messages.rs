//! `{"messages": [...]}` taken apart without changing a byte of the messages: a number keeps all of its
//! digits.

use serde::de::IgnoredAny;

use crate::failure::{ErrorCode, Failure};

/// Messages that a request may have: each has an answer of its own, which may be longer than the message.
const MESSAGES: usize = 10_000;

/// Whether a text of JSON is one object.
pub fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
        && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The texts of the messages of a body.
///
/// # Errors
/// When the body is anything but an object with a list of messages, or they are too many.
pub fn messages(body: &[u8]) -> Result<Vec<&[u8]>, Failure> {
    let mut scan = Scan { body, at: 0 };
    let found = scan.whole().ok_or_else(|| {
        Failure::config(format!(
            "the request's body is no list of messages: it ends to be one at byte {}",
            scan.at
        ))
        .remedy("send {\"messages\": [{…}, {…}]} as JSON")
    })?;
    match found.len() {
        0..=MESSAGES => Ok(found),
        many => Err(Failure::config(format!(
            "the request has {many} messages, and may have {MESSAGES}"
        ))
        .code(ErrorCode::WrongMessage)
        .remedy("send them in several requests")),
    }
}

/// A place in a body.
struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn whole(&mut self) -> Option<Vec<&'a [u8]>> {
        self.sign(b'{')?;
        let key = self.value()?;
        let key: String = serde_json::from_slice(key).ok()?;
        (key == "messages").then_some(())?;
        self.sign(b':')?;
        let found = self.list()?;
        self.sign(b'}')?;
        self.blanks();
        (self.at == self.body.len()).then_some(found)
    }

    fn list(&mut self) -> Option<Vec<&'a [u8]>> {
        let mut found = Vec::new();
        self.sign(b'[')?;
        if self.sign(b']').is_some() {
            return Some(found);
        }
        loop {
            found.push(self.value()?);
            if self.sign(b',').is_none() {
                self.sign(b']')?;
                return Some(found);
            }
        }
    }

    /// The next value, whatever it is.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.blanks();
        let rest = &self.body[self.at..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let value = &rest[..values.byte_offset()];
        self.at += value.len();
        Some(value)
    }

    /// Goes on behind a sign, if it is the next.
    fn sign(&mut self, sign: u8) -> Option<()> {
        self.blanks();
        (self.body.get(self.at) == Some(&sign)).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let rest = self.body.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| blank(byte)).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Option<Vec<String>> {
        let found = messages(body.as_bytes()).ok()?;
        let text = |found: &[u8]| String::from_utf8(found.to_vec()).unwrap();
        Some(found.into_iter().map(text).collect())
    }

    #[test]
    fn messages_keep_their_bytes() {
        let body = r#" {"messages" : [ {"a": 1.10, "b": [1, "]},"]}, 12345678901234567890123 ,"x"
            ,{}] } "#;
        let expected = [
            r#"{"a": 1.10, "b": [1, "]},"]}"#,
            "12345678901234567890123",
            r#""x""#,
            "{}",
        ];
        assert_eq!(texts(body).unwrap(), expected);
        assert_eq!(texts(r#"{"messages":[]}"#).unwrap(), [""; 0]);
    }

    #[test]
    fn a_request_has_so_many_messages_and_no_more() {
        let of = |many: usize| format!("{{\"messages\": [{}]}}", vec!["1"; many].join(","));
        assert_eq!(texts(&of(MESSAGES)).unwrap().len(), MESSAGES);
        let refused = messages(of(MESSAGES + 1).as_bytes()).unwrap_err();
        assert_eq!(refused.number(), "E2120", "{refused}");
    }

    #[test]
    fn what_is_no_list_of_messages_is_refused() {
        let deep = format!("{{\"messages\": [{}", "[".repeat(100_000));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"messages": {}}"#,
            r#"{"message": []}"#,
            r#"{"messages": [{}"#,
            r#"{"messages": [{} {}]}"#,
            r#"{"messages": [{},]}"#,
            r#"{"messages": [nul]}"#,
            r#"{"messages": [], "more": 1}"#,
            r#"{"messages": []} x"#,
            &deep,
        ] {
            assert_eq!(texts(body), None, "{body:.40}");
        }
        assert!(is_object(b" {\"a\": 1} "));
        for text in ["[]", "{", "{} {}", "1", ""] {
            assert!(!is_object(text.as_bytes()), "{text}");
        }
    }
}
