//! Messages of PostgreSQL's protocol, version 3: what clients send, and what they are sent.
//!
//! A message of a client is read only up to a length that is bounded before anything else is known of
//! it, and taken apart without trusting any number in it.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a message before the client is known.
const GREETING_MAX: usize = 10_000;
/// Bytes of a message of a client that is known: a query and its values.
const MESSAGE_MAX: usize = 4 << 20;
/// Bytes that are read ahead while a query runs.
const AHEAD: usize = 1 << 20;

/// What a connection may begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It asks for TLS.
    Tls,
    /// It asks for encryption by GSSAPI.
    Gss,
    /// It asks for another connection's query to be stopped.
    Cancel {
        /// The number of that connection.
        process: i32,
        /// What only its client knows.
        secret: i32,
    },
    /// It begins a session: minor version, and settings.
    Startup(u16, Vec<(String, String)>),
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A step of a password exchange.
    Password(Bytes),
    /// Statements whose answers are text.
    Query(String),
    /// A statement to be asked later.
    Parse {
        /// Its name.
        name: String,
        /// Its text.
        text: String,
        /// Types of its values; 0 where they are open.
        types: Vec<u32>,
    },
    /// Values for a statement.
    Bind(Bind),
    /// What a statement (true) or portal gives.
    Describe(bool, String),
    /// Rows of a portal: so many at most, 0 for all.
    Execute(String, u32),
    /// Forgets a statement (true) or portal.
    Close(bool, String),
    /// What was answered so far is to be sent.
    Flush,
    /// What belongs together ends here.
    Sync,
    /// The session ends.
    Terminate,
    /// Something that nobody asked for, such as data of a copy.
    Other(u8),
}

/// Values for a statement.
#[derive(Debug, PartialEq, Eq)]
pub struct Bind {
    /// Name of the portal.
    pub portal: String,
    /// Name of the statement.
    pub statement: String,
    /// Forms of the values: none for text, one for all, or one for each.
    pub forms: Vec<i16>,
    /// The values; none for NULL.
    pub values: Vec<Option<Bytes>>,
    /// Forms of the columns of the answer, alike.
    pub results: Vec<i16>,
}

/// Whether the value at a place is binary, by forms as `Bind` has them.
pub fn is_binary(forms: &[i16], place: usize) -> bool {
    let form = match forms {
        [] => None,
        [all] => Some(all),
        each => each.get(place),
    };
    form == Some(&1)
}

/// A connection that speaks the protocol.
pub struct Wire<S> {
    stream: S,
    read: BytesMut,
    written: BytesMut,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Speaks over a stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            written: BytesMut::new(),
        }
    }

    /// The stream, when nothing was read beyond what was taken: whoever sent something ahead of an
    /// encryption is not who asked for it.
    pub fn into_stream(self) -> io::Result<S> {
        match self.read.is_empty() {
            true => Ok(self.stream),
            false => Err(broken("data was sent before the encryption was agreed on")),
        }
    }

    /// Reads what a connection begins with.
    pub async fn greeting(&mut self) -> io::Result<Greeting> {
        self.until(4).await?;
        let length = Self::length(&self.read[..4], GREETING_MAX)?;
        self.until(length).await?;
        let mut body = self.read.split_to(length).freeze();
        body.advance(4);
        greeting(body)
    }

    /// Reads a message. None when the connection has ended.
    pub async fn message(&mut self, known: bool) -> io::Result<Option<Message>> {
        if self.read.is_empty() && !self.more().await? {
            return Ok(None);
        }
        self.until(5).await?;
        let max = if known { MESSAGE_MAX } else { GREETING_MAX };
        let length = Self::length(&self.read[1..5], max)?;
        self.until(length + 1).await?;
        let mut body = self.read.split_to(length + 1).freeze();
        let kind = body[0];
        body.advance(5);
        message(kind, body).map(Some)
    }

    /// Reads ahead until the connection ends: for as long as it is polled.
    pub async fn gone(&mut self) {
        while self.read.len() < AHEAD {
            if !matches!(self.more().await, Ok(true)) {
                return;
            }
        }
        std::future::pending().await
    }

    fn length(bytes: &[u8], max: usize) -> io::Result<usize> {
        let length = usize::try_from((&bytes[..4]).get_i32()).unwrap_or_default();
        match (4..=max).contains(&length) {
            true => Ok(length),
            false => Err(broken("a message is longer than it may be")),
        }
    }

    async fn until(&mut self, bytes: usize) -> io::Result<()> {
        while self.read.len() < bytes {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    async fn more(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.read).await? > 0)
    }

    /// What will be sent next.
    pub fn out(&mut self) -> &mut BytesMut {
        &mut self.written
    }

    /// Sends what there is to send.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.written).await?;
        self.written.clear();
        self.stream.flush().await
    }

    /// Answers one byte: whether an encryption is accepted.
    pub async fn answer(&mut self, byte: u8) -> io::Result<()> {
        self.written.put_u8(byte);
        self.flush().await
    }
}

fn greeting(mut body: Bytes) -> io::Result<Greeting> {
    let code = number(&mut body)?;
    match code {
        80_877_103 => Ok(Greeting::Tls),
        80_877_104 => Ok(Greeting::Gss),
        80_877_102 => Ok(Greeting::Cancel {
            process: number(&mut body)?,
            secret: number(&mut body)?,
        }),
        code if code >> 16 == 3 => {
            let mut settings = Vec::new();
            loop {
                let name = text(&mut body)?;
                if name.is_empty() {
                    break;
                }
                settings.push((name, text(&mut body)?));
            }
            Ok(Greeting::Startup((code & 0xffff) as u16, settings))
        }
        _ => Err(broken("this is not version 3 of the protocol")),
    }
}

fn message(kind: u8, mut body: Bytes) -> io::Result<Message> {
    let body = &mut body;
    Ok(match kind {
        b'p' => Message::Password(body.split_to(body.len())),
        b'Q' => Message::Query(text(body)?),
        b'P' => Message::Parse {
            name: text(body)?,
            text: text(body)?,
            types: many(body, |body| number(body).map(|oid| oid as u32))?,
        },
        b'B' => Message::Bind(Bind {
            portal: text(body)?,
            statement: text(body)?,
            forms: many(body, small)?,
            values: many(body, value)?,
            results: many(body, small)?,
        }),
        b'D' => Message::Describe(is_statement(body)?, text(body)?),
        b'E' => Message::Execute(
            text(body)?,
            u32::try_from(number(body)?).unwrap_or_default(),
        ),
        b'C' => Message::Close(is_statement(body)?, text(body)?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        other => Message::Other(other),
    })
}

fn number(body: &mut Bytes) -> io::Result<i32> {
    body.try_get_i32().map_err(|_| short())
}

fn small(body: &mut Bytes) -> io::Result<i16> {
    body.try_get_i16().map_err(|_| short())
}

fn is_statement(body: &mut Bytes) -> io::Result<bool> {
    match body.try_get_u8() {
        Ok(b'S') => Ok(true),
        Ok(b'P') => Ok(false),
        _ => Err(broken("neither a statement nor a portal is meant")),
    }
}

fn value(body: &mut Bytes) -> io::Result<Option<Bytes>> {
    match usize::try_from(number(body)?) {
        Err(_) => Ok(None),
        Ok(length) if length <= body.len() => Ok(Some(body.split_to(length))),
        Ok(_) => Err(short()),
    }
}

fn many<T>(body: &mut Bytes, one: impl Fn(&mut Bytes) -> io::Result<T>) -> io::Result<Vec<T>> {
    let count = small(body)? as u16;
    (0..count).map(|_| one(body)).collect()
}

fn text(body: &mut Bytes) -> io::Result<String> {
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(short)?;
    let text = body.split_to(end);
    body.advance(1);
    String::from_utf8(text.to_vec()).map_err(|_| broken("a text is not UTF-8"))
}

fn short() -> io::Error {
    broken("a message ends too early")
}

/// Adds a message to what is sent: its kind, and what `fill` writes.
pub fn put(out: &mut BytesMut, kind: u8, fill: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let start = out.len();
    out.put_i32(0);
    fill(out);
    let length = i32::try_from(out.len() - start).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Adds a text as the protocol has it. A text with a zero byte would end there: it has none.
pub fn put_text(out: &mut BytesMut, text: &str) {
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.put_u8(0);
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The number of its type.
    pub oid: u32,
    /// What modifies the type, or -1.
    pub modifier: i32,
    /// Bytes of a value, or -1.
    pub len: i16,
    /// Whether values are binary.
    pub binary: bool,
}

/// Says which columns an answer has.
pub fn put_columns(out: &mut BytesMut, columns: &[Column]) {
    put(out, b'T', |out| {
        out.put_i16(columns.len() as i16);
        for column in columns {
            put_text(out, &column.name);
            out.put_i32(0);
            out.put_i16(0);
            out.put_u32(column.oid);
            out.put_i16(column.len);
            out.put_i32(column.modifier);
            out.put_i16(i16::from(column.binary));
        }
    });
}

/// Says that a statement is done.
pub fn put_done(out: &mut BytesMut, tag: &str) {
    put(out, b'C', |out| put_text(out, tag));
}

/// Says the value of a setting.
pub fn put_setting(out: &mut BytesMut, name: &str, value: &str) {
    put(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_lie_about_themselves_are_refused() {
        let read = |kind, body: &'static [u8]| message(kind, Bytes::from_static(body));
        assert_eq!(
            read(b'Q', b"SELECT 1\0").unwrap(),
            Message::Query("SELECT 1".to_owned())
        );
        let bound = read(b'B', b"\0\0\0\0\0\x01\0\0\0\x02ab\0\0").unwrap();
        let Message::Bind(bound) = bound else {
            panic!("{bound:?}");
        };
        assert_eq!(bound.values, [Some(Bytes::from_static(b"ab"))]);
        for (kind, body) in [
            (b'Q', &b"no end"[..]),
            (b'Q', b"\xff\0"),
            (b'P', b"\0\0"),
            (b'P', b"\0\0\0\x09"),
            (b'B', b"\0\0\0\0\0\x01\0\0\0\x09ab\0\0"),
            (b'B', b"\0\0\xff\xff"),
            (b'D', b"X\0"),
            (b'D', b""),
            (b'E', b"\0\0"),
        ] {
            assert!(read(kind, body).is_err(), "{kind} {body:?}");
        }
        for body in [&b""[..], b"\0\x03", b"\0\x02\0\0\0", b"\0\x03\0\0user"] {
            assert!(greeting(Bytes::from_static(body)).is_err(), "{body:?}");
        }
    }

    #[tokio::test]
    async fn a_length_is_bounded_before_anything_is_read() {
        for (known, bytes) in [
            (false, &b"p\0\x10\0\0"[..]),
            (true, b"Q\x7f\xff\xff\xff"),
            (true, b"Q\0\0\0\x03"),
            (true, b"Q\xff\xff\xff\xff"),
        ] {
            let mut wire = Wire::new(tokio::io::join(bytes, tokio::io::sink()));
            assert!(wire.message(known).await.is_err(), "{bytes:?}");
        }
    }
}
