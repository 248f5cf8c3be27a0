//! A destination over HTTP that keeps rows, checks signatures, and fails as it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

#[derive(Default)]
struct State {
    rows: BTreeMap<String, i64>,
    /// Rows that were accepted, those that were sent again too.
    sent: usize,
    /// Bodies by their idempotency keys.
    bodies: BTreeMap<String, String>,
    answers: VecDeque<(u16, String)>,
    poison: BTreeSet<String>,
    refused: BTreeSet<String>,
    requests: usize,
    /// Which request is kept waiting, who is told, and who lets it go.
    held: Option<(usize, Sender<()>, Receiver<()>)>,
    release: Option<Sender<()>>,
}

/// A destination over HTTP.
pub struct Double {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Double {
    pub fn new(secret: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/rows", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let serving = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = serving.clone();
                // A connection that is cut in the middle was of a process that was killed.
                std::thread::spawn(move || drop(serve(stream, &state, secret)));
            }
        });
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn rows(&self) -> BTreeMap<String, i64> {
        self.state().rows.clone()
    }

    pub fn sent(&self) -> usize {
        self.state().sent
    }

    /// The next requests are answered with these statuses and headers.
    pub fn answers<const N: usize>(&self, answers: [(u16, &str); N]) {
        let answers = answers.map(|(status, headers)| (status, headers.to_owned()));
        self.state().answers.extend(answers);
    }

    /// Batches with these rows are refused as a whole.
    pub fn poison<const N: usize>(&self, rows: [&str; N]) {
        self.state().poison.extend(rows.map(str::to_owned));
    }

    /// This row is refused, not its batch.
    pub fn refuse(&self, row: &str) {
        self.state().refused.insert(row.to_owned());
    }

    pub fn heal(&self) {
        let mut state = self.state();
        state.poison.clear();
        state.refused.clear();
    }

    /// Forgets everything.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    /// The n-th request from now is carried out and not answered until it is let go; who listens is
    /// told that it arrived.
    pub fn holds(&self, request: usize) -> Receiver<()> {
        let (tell, arrived) = channel();
        let (release, released) = channel();
        let mut state = self.state();
        state.requests = 0;
        state.held = Some((request, tell, released));
        state.release = Some(release);
        arrived
    }

    pub fn lets_go(&self) {
        let mut state = self.state();
        state.held = None;
        state.release = None;
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, secret: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    assert_signed(&header("tenfold-signature").unwrap(), &body, secret);
    let key = header("idempotency-key").unwrap();
    let (status, headers, answer, held) = take(&mut state.lock().unwrap(), &key, &body);
    if let Some((tell, released)) = held {
        let _ = tell.send(());
        let _ = released.recv();
    }
    let answer = format!(
        "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    reader.get_mut().write_all(answer.as_bytes())
}

fn assert_signed(signature: &str, body: &str, secret: &str) {
    let (seconds, signed) = signature.split_once(",v1=").unwrap();
    let seconds = seconds.strip_prefix("t=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signed, expected);
}

type Held = Option<(Sender<()>, Receiver<()>)>;

fn take(state: &mut State, key: &str, body: &str) -> (u16, String, String, Held) {
    let number = state.requests;
    state.requests += 1;
    let held = match state.held.take() {
        Some((request, tell, released)) if request == number => Some((tell, released)),
        other => {
            state.held = other;
            None
        }
    };
    if let Some((status, headers)) = state.answers.pop_front()
        && status != 200
    {
        return (status, headers, String::new(), held);
    }
    let rows: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let name = |row: &Value| row["identity"].as_str().unwrap().to_owned();
    if rows.iter().any(|row| state.poison.contains(&name(row))) {
        return (422, String::new(), String::new(), held);
    }
    let before = state.bodies.insert(key.to_owned(), body.to_owned());
    assert!(
        before.is_none_or(|before| before == body),
        "a key stands for other rows"
    );
    let mut results = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let name = name(row);
        if state.refused.contains(&name) {
            let message = format!("bad address {name}");
            results.push(json!({"index": index, "status": "rejected", "code": "invalid", "message": message}));
            continue;
        }
        state.sent += 1;
        match row["verb"].as_str().unwrap() {
            "upsert" => drop(
                state
                    .rows
                    .insert(name, row["fields"]["n"].as_i64().unwrap()),
            ),
            "remove" => drop(state.rows.remove(&name)),
            other => panic!("{other}"),
        }
    }
    let answer = json!({ "results": results }).to_string();
    (200, String::new(), answer, held)
}
