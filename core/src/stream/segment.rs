//! A segment: one line that says what it is, then a message a line.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::failure::{ErrorCode, Failure};
use crate::format;

/// What a segment says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The form that it is written in.
    pub format: u32,
    /// A name that no other segment has: whoever reads it back knows whose it is.
    pub writer: String,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: i64,
    /// How many messages follow.
    pub messages: u64,
    /// xxh3-64 of all that follows, in hexadecimal.
    pub hash: String,
}

impl Head {
    /// The newest form that this program knows.
    pub const FORMAT: u32 = 1;
}

/// A segment as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What it says about itself.
    pub head: Head,
    /// Its messages, each with the end of its line.
    pub lines: &'a [u8],
}

/// The bytes of a segment with these messages, each of them one object of JSON.
///
/// # Errors
/// When the head cannot be written.
pub fn seal<'a>(
    writer: &str,
    at_ms: i64,
    messages: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Failure> {
    let (mut lines, mut count) = (Vec::new(), 0);
    for message in messages {
        put_line(&mut lines, message);
        count += 1;
    }
    let head = Head {
        format: Head::FORMAT,
        writer: writer.to_owned(),
        at_ms,
        messages: count,
        hash: hash(&lines),
    };
    let mut bytes =
        serde_json::to_vec(&head).map_err(|error| Failure::bug(format!("a segment: {error}")))?;
    bytes.push(b'\n');
    bytes.append(&mut lines);
    Ok(bytes)
}

/// Adds a message as a line. Between two parts of JSON, where alone they may be, ends of lines mean what a
/// blank means.
pub fn put_line(lines: &mut Vec<u8>, message: &[u8]) {
    lines.extend(message.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => *other,
    }));
    lines.push(b'\n');
}

impl<'a> Segment<'a> {
    /// Reads a segment back.
    ///
    /// # Errors
    /// When it is damaged, or of a newer form.
    pub fn read(bytes: &'a [u8], place: &str) -> Result<Self, Failure> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (head, lines) = bytes.split_at(end.unwrap_or(bytes.len()));
        let head: Head = format::read(head, Head::FORMAT, place)?;
        let lines = lines.get(1..).unwrap_or_default();
        match head.hash == hash(lines) {
            true => Ok(Self { head, lines }),
            false => Err(
                Failure::dependency(format!("{place} is not as it was written"))
                    .code(ErrorCode::Damaged)
                    .remedy("restore it from a copy of the store"),
            ),
        }
    }
}

fn hash(lines: &[u8]) -> String {
    format!("{:016x}", xxh3_64(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_comes_back_with_a_message_a_line() {
        let messages: [&[u8]; 2] = [b"{\"a\":\r\n 1.10}", b"{}"];
        let bytes = seal("w", 7, messages).unwrap();
        let segment = Segment::read(&bytes, "s").unwrap();
        assert_eq!(segment.lines, b"{\"a\":   1.10}\n{}\n");
        assert_eq!((segment.head.messages, segment.head.at_ms), (2, 7));
    }

    #[test]
    fn damage_and_newer_forms_are_refused() {
        let bytes = seal("w", 7, [&b"{}"[..]]).unwrap();
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() = b' ';
        for damaged in [&flipped[..], &bytes[..bytes.len() - 2], b"", b"{}"] {
            let refused = Segment::read(damaged, "s").unwrap_err();
            assert_eq!(refused.number(), "E3103", "{refused}");
        }
        let newer = String::from_utf8(bytes).unwrap();
        let newer = newer.replace("\"format\":1", "\"format\":2");
        let refused = Segment::read(newer.as_bytes(), "s").unwrap_err();
        assert_eq!(refused.number(), "E2111");
    }
}
