//! Clients that want too much: workers are answered all the same, and memory stays bounded.

use std::time::{Duration, Instant};

use tenfold_coordinator::serve::access::{Access, Role};
use tenfold_proto::operator_client::OperatorClient;
use tenfold_proto::worker_link_client::WorkerLinkClient;
use tenfold_proto::{GetRunRequest, MESSAGE_MAX, SubmitRunRequest, WorkRequest};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::support::{Served, call, token, tokens};

const STATUS: &str = "/tenfold.v1.Operator/ClusterStatus";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// A worker hears within this time whatever others do; leases last ten seconds.
const HEARTBEAT: Duration = Duration::from_secs(3);

async fn served() -> Served {
    Served::start(Access::from_tokens(&tokens(), "tokens").unwrap(), None).await
}

fn with_token<T>(message: T, role: Role) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {}", token(role)).parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// Reports as a worker; gives how long the answer took.
async fn heartbeat(channel: &Channel) -> Duration {
    let begun = Instant::now();
    let report = WorkRequest {
        worker: "w".to_owned(),
        version: "1".to_owned(),
        slots: 1,
        memory_bytes: 1 << 30,
        ..WorkRequest::default()
    };
    let mut link = WorkerLinkClient::new(channel.clone());
    link.work(with_token(report, Role::Worker)).await.unwrap();
    begun.elapsed()
}

/// Memory of this process, server and clients together.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_keep_no_heartbeat_waiting() {
    let served = served().await;
    let worker = served.plain();
    heartbeat(&worker).await;
    let before = resident_bytes();
    let hostile: Vec<Channel> = (0..50).map(|_| served.plain()).collect();
    let mut streams = tokio::task::JoinSet::new();
    for number in 0..10_000 {
        let channel = hostile[number % hostile.len()].clone();
        // Some may look, some may not, and the watches of health never end by themselves.
        streams.spawn(async move {
            match number % 3 {
                0 => call(&channel, STATUS, Some(&token(Role::Viewer))).await,
                1 => call(&channel, STATUS, Some("wrong")).await,
                _ => call(&channel, WATCH, None).await,
            }
        });
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        slowest = slowest.max(heartbeat(&worker).await);
    }
    assert!(slowest < HEARTBEAT, "a heartbeat took {slowest:?}");
    if let (Some(before), Some(now)) = (before, resident_bytes()) {
        let grown = now.saturating_sub(before);
        assert!(grown < 256 << 20, "{} MiB more", grown >> 20);
    }
    streams.abort_all();
    while streams.join_next().await.is_some() {}
    heartbeat(&worker).await;
    let live = served.records().await.len();
    assert!(live < 20, "{live} records of refused calls");
    served.stop().await;
}

#[tokio::test]
async fn calls_that_never_end_have_places_of_their_own() {
    let served = served().await;
    let channel = served.plain();
    let mut client = tonic::client::Grpc::new(channel.clone());
    let mut watches = Vec::new();
    let refused = loop {
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let request = Request::new(futures::stream::iter([()]));
        let path = WATCH.parse().unwrap();
        match client.streaming(request, path, codec).await {
            Ok(stream) => watches.push(stream),
            Err(status) => break status,
        }
        assert!(watches.len() < 1000, "there is no end to it");
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let operator = call(&channel, STATUS, Some(&token(Role::Viewer))).await;
    assert_eq!(operator, Code::Ok, "others are answered");
    heartbeat(&channel).await;
    drop(watches);
    // A place is free again once the server has seen that its stream is gone.
    let health = "/grpc.health.v1.Health/Check";
    while call(&channel, health, None).await == Code::ResourceExhausted {}
    served.stop().await;
}

#[tokio::test]
async fn messages_that_are_too_long_are_refused() {
    let served = served().await;
    let channel = served.plain();
    let mut operator = OperatorClient::new(channel.clone()).max_encoding_message_size(1 << 30);
    let long = SubmitRunRequest {
        plan_hash: "h".repeat(2 << 20),
        ..SubmitRunRequest::default()
    };
    let refused = operator.submit_run(with_token(long, Role::Operator)).await;
    assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
    let mut link = WorkerLinkClient::new(channel.clone()).max_encoding_message_size(1 << 30);
    let long = WorkRequest {
        worker: "w".repeat(MESSAGE_MAX + 1),
        ..WorkRequest::default()
    };
    let refused = link.work(with_token(long, Role::Worker)).await;
    assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
    let named = GetRunRequest {
        run: "r".repeat(1000),
    };
    let refused = operator.get_run(with_token(named, Role::Viewer)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("1000 bytes"), "{refused}");
    heartbeat(&channel).await;
    served.stop().await;
}

#[tokio::test]
async fn headers_that_are_too_long_are_refused() {
    let served = served().await;
    let mut operator = OperatorClient::new(served.plain());
    let mut request = with_token(GetRunRequest::default(), Role::Viewer);
    let value = "x".repeat(64 << 10).parse().unwrap();
    request.metadata_mut().insert("x-long", value);
    assert!(operator.get_run(request).await.is_err());
    heartbeat(&served.plain()).await;
    served.stop().await;
}

#[tokio::test]
async fn an_address_gets_so_many_connections() {
    let served = served().await;
    let worker = served.plain();
    heartbeat(&worker).await;
    let mut connections = Vec::new();
    for _ in 0..300 {
        connections.push(TcpStream::connect(served.address).await.unwrap());
    }
    // Those without a place are closed at once; the others may take longer to begin.
    let read = connections.iter_mut().map(|connection| async move {
        let mut all = Vec::new();
        let read = connection.read_to_end(&mut all);
        let ended = tokio::time::timeout(Duration::from_secs(4), read).await;
        usize::from(ended.is_ok())
    });
    let closed: usize = futures::future::join_all(read).await.iter().sum();
    assert!((150..300).contains(&closed), "{closed} of 300 were closed");
    heartbeat(&worker).await;
    served.stop().await;
}
