//! Clients that begin requests and never finish them: workers keep their leases, and runs finish.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::processes::{Cluster, PATIENCE};
use crate::support::{Project, SHOP, csv, sales};

/// How far a client goes before it falls silent, or nearly so.
#[derive(Debug, Clone, Copy)]
enum Stops {
    /// It connects.
    Connected,
    /// It sends half of the words that begin HTTP/2.
    Greeting,
    /// It begins a call, and never sends a body.
    Headers,
    /// It sends a body byte by byte, for ever.
    Dripping,
}

/// The kind of frame that holds a part of a body.
const DATA: u8 = 0;
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of HTTP/2. RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Headers of a call, each spelt out. RFC 7541, section 6.2.2.
fn headers() -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/tenfold.v1.Operator/SubmitRun"),
        (":authority", "tenfold"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// Connects, goes so far, and gives the connection.
fn begun(address: &str, stops: Stops) -> TcpStream {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const END_HEADERS: u8 = 4;
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut send = |bytes: &[u8]| stream.write_all(bytes).unwrap();
    match stops {
        Stops::Connected => {}
        Stops::Greeting => send(&GREETING[..GREETING.len() / 2]),
        Stops::Headers | Stops::Dripping => {
            send(GREETING);
            send(&frame(SETTINGS, 0, 0, &[]));
            send(&frame(HEADERS, END_HEADERS, 1, &headers()));
            // The beginning of a message of 100,000 bytes.
            send(&frame(DATA, 0, 1, &[0, 0, 1, 0x86, 0xa0]));
        }
    }
    stream
}

/// Sends a byte of a body that has no end, a frame for each, until told to stop; counts them.
fn drip(mut streams: Vec<TcpStream>, stop: &AtomicBool, dripped: &AtomicU64) {
    for stream in &streams {
        stream.set_nonblocking(true).unwrap();
    }
    while !stop.load(Ordering::SeqCst) {
        streams.retain_mut(|stream| {
            // What the server answers is read, so that it has no reason to wait.
            let mut answers = [0; 1024];
            let read = stream.read(&mut answers);
            let sent = stream.write_all(&frame(DATA, 0, 1, &[0]));
            let goes_on = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
            if sent.is_ok() {
                dripped.fetch_add(1, Ordering::SeqCst);
            }
            !matches!(read, Ok(0)) && sent.as_ref().err().is_none_or(goes_on)
        });
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 3000, 150)));
    project
}

fn the_worker(cluster: &Cluster) -> Value {
    let listed = cluster.ask(&["worker", "ls", "-o", "json"]).json();
    let workers = listed["items"].as_array().unwrap();
    assert_eq!(workers.len(), 1, "{workers:?}");
    workers[0].clone()
}

#[test]
fn requests_that_never_finish_cost_no_lease() {
    // Leases of one second: a heartbeat that waits for others ends one.
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    // Connections from one address are bounded, and worker and operator come from it too.
    let begin = |stops: Stops, many: usize| -> Vec<TcpStream> {
        (0..many).map(|_| begun(&cluster.address, stops)).collect()
    };
    let silent = [
        begin(Stops::Connected, 25),
        begin(Stops::Greeting, 25),
        begin(Stops::Headers, 25),
    ];
    let dripping = begin(Stops::Dripping, 25);
    let (stop, dripped) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let thread = {
        let (stop, dripped) = (stop.clone(), dripped.clone());
        std::thread::spawn(move || drip(dripping, &stop, &dripped))
    };
    let run = cluster.submit("2024-06-01");
    cluster.succeeded(&run);
    // For several leases more the worker is heard of, each time as one that lives.
    let mut reports = Vec::new();
    let begun = Instant::now();
    while reports.len() < 12 {
        let worker = the_worker(&cluster);
        assert_eq!(worker["state"], "live", "{worker}");
        let at = worker["last_report_at"].as_str().unwrap().to_owned();
        if reports.last() != Some(&at) {
            reports.push(at);
        }
        assert!(begun.elapsed() < PATIENCE, "it reported {reports:?}");
    }
    stop.store(true, Ordering::SeqCst);
    thread.join().unwrap();
    drop(silent);
    assert!(dripped.load(Ordering::SeqCst) > 100, "nothing dripped");
    let tasks = cluster.ask(&["run", "tasks", &run, "-o", "json"]).json();
    for task in tasks["items"].as_array().unwrap() {
        let attempts = task["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{task}");
        assert_eq!(attempts[0]["state"], "succeeded", "{task}");
    }
}
