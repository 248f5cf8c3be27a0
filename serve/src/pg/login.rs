//! From a new connection to a session of somebody who may ask.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tenfold_coordinator::serve::access::{Role, random};
use tenfold_coordinator::serve::{TlsAcceptor, identity};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::Shared;
use super::refused::Refused;
use super::scram::{Exchange, METHOD, Verifier};
use super::session::Session;
use super::settings::Settings;
use super::wire::{Greeting, Message, Wire, put, put_setting, put_text};

/// A connection has so long to show who it is.
const GREETING: Duration = Duration::from_secs(30);
/// Somebody with a certificate shows it again after so long.
const AGE: Duration = Duration::from_secs(3600);

/// How somebody was let in.
enum Known {
    /// Only this machine reaches the server.
    Anybody,
    /// By a client certificate, at this time.
    Certificate(Instant),
    /// By a password.
    Password(String, Verifier),
}

/// Serves a connection to its end.
pub async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    // Without it answers are slower, and no worse.
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::new(stream);
    let until = tokio::time::Instant::now() + GREETING;
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let greeting = timeout_at(until, encryption(&mut wire, tls.is_some()));
    let greeting = greeting.await.map_err(late)??;
    match (greeting, tls) {
        (Greeting::Cancel { process, secret }, _) => {
            cancel(&shared, process, secret);
            Ok(())
        }
        (Greeting::Tls, Some(tls)) => {
            let stream = timeout_at(until, tls.accept(wire.into_stream()?));
            let stream = stream.await.map_err(late)??;
            let certified = identity(&stream);
            let mut wire = Wire::new(stream);
            let greeting = timeout_at(until, wire.greeting()).await.map_err(late)??;
            match greeting {
                Greeting::Cancel { process, secret } => {
                    cancel(&shared, process, secret);
                    Ok(())
                }
                greeting => session(wire, greeting, certified, until, address, shared).await,
            }
        }
        (_, Some(_)) => {
            let refused = Refused::new(
                "28000",
                "this server speaks only TLS",
                "connect with sslmode=verify-full",
            );
            refused.fatal().put(wire.out());
            wire.flush().await
        }
        (greeting, None) => session(wire, greeting, None, until, address, shared).await,
    }
}

/// Agrees on encryption, or that there is none.
async fn encryption(wire: &mut Wire<TcpStream>, tls: bool) -> io::Result<Greeting> {
    loop {
        match wire.greeting().await? {
            Greeting::Tls if tls => {
                wire.answer(b'S').await?;
                return Ok(Greeting::Tls);
            }
            Greeting::Tls | Greeting::Gss => wire.answer(b'N').await?,
            other => return Ok(other),
        }
    }
}

fn cancel(shared: &Shared, process: i32, secret: i32) {
    if let Some(query) = shared.cancels.query(process, secret) {
        shared.server.queries.stop(&query);
    }
}

async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    mut wire: Wire<S>,
    greeting: Greeting,
    certified: Option<(String, Role)>,
    until: tokio::time::Instant,
    address: SocketAddr,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let Greeting::Startup(minor, told) = greeting else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let begun = timeout_at(until, begin(&mut wire, minor, told, certified, &shared)).await;
    let begun = begun.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (user, known, settings) = match begun {
        Ok(begun) => begun,
        Err(refused) => {
            tracing::warn!(%address, message = refused.message, "a session was refused");
            refused.fatal().put(wire.out());
            return wire.flush().await;
        }
    };
    let secret = secret()?;
    let process = shared.cancels.enter(secret);
    let guard = Leaves(&shared, process);
    put_greeting(wire.out(), &settings, process, secret);
    let may = || match &known {
        Known::Anybody => shared.passwords.borrow().is_open(),
        Known::Certificate(since) => since.elapsed() < AGE,
        Known::Password(user, verifier) => shared.passwords.borrow().verifier(user) == *verifier,
    };
    // Where everybody may ask, they are told apart by their addresses: names are what they like.
    let counts_for = match &known {
        Known::Anybody => address.ip().to_string(),
        _ => user.clone(),
    };
    let _counted = shared.server.queries.metrics.session();
    let who = (user, counts_for);
    let mut session = Session::new(wire, shared.clone(), who, process, settings);
    let served = session.serve(may).await;
    drop(guard);
    served
}

/// Forgets a session when it is over, however it ends.
struct Leaves<'a>(&'a Shared, i32);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.cancels.leave(self.1);
    }
}

/// A number that nobody can guess.
fn secret() -> io::Result<i32> {
    let random = random().map_err(|failure| io::Error::other(failure.message))?;
    let number = random
        .get(..8)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    Ok(number.unwrap_or_default() as i32)
}

type Begun = Result<(String, Known, Settings), Refused>;

/// Finds out who it is, and what they have set.
async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    minor: u16,
    told: Vec<(String, String)>,
    certified: Option<(String, Role)>,
    shared: &Shared,
) -> io::Result<Begun> {
    let unknown: Vec<&str> = told
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("_pq_."))
        .collect();
    if minor > 0 || !unknown.is_empty() {
        put_older(wire.out(), &unknown);
    }
    let named = |wanted: &str| told.iter().find(|(name, _)| name == wanted);
    let user = named("user")
        .map(|(_, user)| user.clone())
        .unwrap_or_default();
    if user.is_empty() || user.len() > 64 {
        let hint = "name one, in 64 bytes at most";
        return Ok(Err(Refused::new("28000", "no user was named", hint)));
    }
    let (user, known) = match (certified, shared.passwords.borrow().is_open()) {
        (Some((name, role)), _) if role.may(Role::Viewer) => {
            (name, Some(Known::Certificate(Instant::now())))
        }
        (Some(_), _) => {
            let hint = "use a certificate of a viewer";
            return Ok(Err(Refused::new("42501", "this role may not ask", hint)));
        }
        (None, true) => (user, Some(Known::Anybody)),
        (None, false) => (user, None),
    };
    let known = match known {
        Some(known) => known,
        None => match password(wire, &user, shared).await? {
            Ok(verifier) => Known::Password(user.clone(), verifier),
            Err(refused) => return Ok(Err(refused)),
        },
    };
    let mut settings = Settings::new(&user);
    for (name, value) in &told {
        let set = match name.as_str() {
            "user" | "database" | "replication" => Ok(()),
            name if name.starts_with("_pq_.") => Ok(()),
            "options" => options(&mut settings, value),
            name => settings.set(name, Some(value)).map(|_| ()),
        };
        if let Err(refused) = set {
            return Ok(Err(refused));
        }
    }
    settings.begin();
    Ok(Ok((user, known, settings)))
}

/// Settings as a command line has them: `-c name=value` or `--name=value`.
fn options(settings: &mut Settings, line: &str) -> Result<(), Refused> {
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let setting = match word {
            "-c" => words.next().unwrap_or_default(),
            word => word
                .strip_prefix("-c")
                .or(word.strip_prefix("--"))
                .unwrap_or(word),
        };
        let Some((name, value)) = setting.split_once('=') else {
            let message = format!("{word:?} is no option");
            return Err(Refused::new("42601", message, "write -c name=value"));
        };
        // On a command line names have a hyphen where they may have none in SQL.
        settings.set(&name.replace('-', "_"), Some(value))?;
    }
    Ok(())
}

/// Asks for a password, and gives what it was checked by.
async fn password<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    user: &str,
    shared: &Shared,
) -> io::Result<Result<Verifier, Refused>> {
    let refused = || {
        let message = format!("password authentication failed for user {user:?}");
        Refused::new("28P01", message, "`tenfold token new` makes a password")
    };
    put(wire.out(), b'R', |out| {
        out.put_i32(10);
        put_text(out, METHOD);
        out.put_u8(0);
    });
    wire.flush().await?;
    let Some(first) = answer(wire).await?.and_then(first_message) else {
        return Ok(Err(refused()));
    };
    let verifier = shared.passwords.borrow().verifier(user);
    let nonce = random().map_err(|failure| io::Error::other(failure.message))?;
    let Some((exchange, next)) = Exchange::begin(verifier.clone(), &first, &nonce) else {
        return Ok(Err(refused()));
    };
    put(wire.out(), b'R', |out| {
        out.put_i32(11);
        out.put_slice(next.as_bytes());
    });
    wire.flush().await?;
    let last = answer(wire).await?;
    let last = last.and_then(|last| String::from_utf8(last.to_vec()).ok());
    let Some(proof) = last.and_then(|last| exchange.end(&last)) else {
        return Ok(Err(refused()));
    };
    put(wire.out(), b'R', |out| {
        out.put_i32(12);
        out.put_slice(proof.as_bytes());
    });
    Ok(Ok(verifier))
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
) -> io::Result<Option<Bytes>> {
    match wire.message(false).await? {
        Some(Message::Password(bytes)) => Ok(Some(bytes)),
        _ => Ok(None),
    }
}

/// The first message of the exchange, when it is the one that was offered.
fn first_message(mut bytes: Bytes) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let method = bytes.split_to(end);
    bytes.advance(1);
    let length = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    if method != METHOD.as_bytes() || length != bytes.len() {
        return None;
    }
    String::from_utf8(bytes.to_vec()).ok()
}

/// Tells the settings of a session, and how its queries are stopped.
fn put_greeting(out: &mut BytesMut, settings: &Settings, process: i32, secret: i32) {
    put(out, b'R', |out| out.put_i32(0));
    for (name, value) in settings.told() {
        put_setting(out, name, &value);
    }
    put(out, b'K', |out| {
        out.put_i32(process);
        out.put_i32(secret);
    });
}

/// Says that the protocol's newest minor version here is 0, and which settings it does not know.
fn put_older(out: &mut BytesMut, unknown: &[&str]) {
    put(out, b'v', |out| {
        out.put_i32(0);
        out.put_i32(i32::try_from(unknown.len()).unwrap_or_default());
        unknown.iter().for_each(|name| put_text(out, name));
    });
}
