//! What is passed on to a coordinator: runs, backfills, schedules, workers. Requests and answers are the
//! messages of its protocol as JSON, and it is asked in the name of whoever asks here.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_proto::{self as proto, MESSAGE_MAX, failure, unanswered};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// A coordinator has so long to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The coordinators that calls are passed on to: the one in office and its standby, or none.
pub type Coordinators = Vec<Channel>;

/// Who asks, as a coordinator reads it.
pub type Token = Option<MetadataValue<Ascii>>;

macro_rules! calls {
    ($($name:ident $how:ident $request:ident => $answer:ident;)*) => {
        /// A call of the `Operator` service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Call {
            $(#[doc = concat!("`", stringify!($name), "`.")] $name,)*
        }

        impl Call {
            /// All of them.
            #[cfg(test)]
            pub const ALL: &[Call] = &[$(Call::$name,)*];

            /// Its address in the protocol.
            pub fn method(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("/tenfold.v1.Operator/", stringify!($name)),)*
                }
            }

            /// Its message, and what is answered with.
            pub fn messages(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => (stringify!($request), stringify!($answer)),)*
                }
            }

            /// Asks the coordinators one after the other until one answers.
            ///
            /// # Errors
            /// When the message is none, none answers, or the one that does refuses.
            pub async fn pass(
                self,
                to: &Coordinators,
                message: Value,
                token: Token,
            ) -> Result<Value, Failure> {
                match self {
                    $(Self::$name => {
                        let asking = Asking::<proto::$request>::new(self, message, token)?;
                        asking.$how::<proto::$answer>(to).await
                    })*
                }
            }
        }
    };
}

calls! {
    SubmitRun one SubmitRunRequest => SubmitRunResponse;
    Plan one PlanRequest => PlanResponse;
    GetRun one GetRunRequest => Run;
    ListRuns one ListRunsRequest => ListRunsResponse;
    RunEvents events RunEventsRequest => RunEvent;
    CancelRun one CancelRunRequest => Run;
    RetryRun one RetryRunRequest => Run;
    ListTasks one ListTasksRequest => ListTasksResponse;
    PlanBackfill one PlanBackfillRequest => BackfillPlan;
    CreateBackfill one CreateBackfillRequest => Backfill;
    GetBackfill one BackfillRequest => Backfill;
    ListBackfills one ListBackfillsRequest => ListBackfillsResponse;
    CancelBackfill one CancelBackfillRequest => Backfill;
    ListWorkers one ListWorkersRequest => ListWorkersResponse;
    DrainWorker one WorkerRequest => Worker;
    UncordonWorker one WorkerRequest => Worker;
    ApplySchedule one ApplyScheduleRequest => ApplyScheduleResponse;
    GetSchedule one ScheduleRequest => Schedule;
    ListSchedules one ListSchedulesRequest => ListSchedulesResponse;
    DeleteSchedule one ScheduleRequest => DeleteScheduleResponse;
    PauseSchedule one PauseScheduleRequest => Schedule;
    ResumeSchedule one ScheduleRequest => Schedule;
    TriggerSchedule one ScheduleRequest => Run;
    PreviewSchedule one PreviewScheduleRequest => PreviewScheduleResponse;
    ScheduleHistory one ScheduleHistoryRequest => ScheduleHistoryResponse;
    ClusterStatus one ClusterStatusRequest => ClusterStatusResponse;
}

/// A call that is ready to be made.
struct Asking<Q> {
    call: Call,
    message: Q,
    token: Token,
}

impl<Q> Asking<Q>
where
    Q: Message + Default + Clone + DeserializeOwned + 'static,
{
    fn new(call: Call, message: Value, token: Token) -> Result<Self, Failure> {
        let message = serde_json::from_value(message).map_err(|error| {
            Failure::config(format!("the request cannot be understood: {error}"))
                .remedy("GET /v1/openapi.json describes what a request may hold")
        })?;
        Ok(Self {
            call,
            message,
            token,
        })
    }

    fn request(&self) -> Request<Q> {
        let mut request = Request::new(self.message.clone());
        request.set_timeout(PATIENCE);
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        request
    }

    fn path(&self) -> PathAndQuery {
        PathAndQuery::from_static(self.call.method())
    }

    /// The one message of an answer.
    async fn one<A>(self, to: &Coordinators) -> Result<Value, Failure>
    where
        A: Message + Default + Serialize + 'static,
    {
        let asking = &self;
        let answer: A = first(to, |mut client| {
            let asked = async move {
                let codec = ProstCodec::default();
                client.unary(asking.request(), asking.path(), codec).await
            };
            asked.boxed()
        })
        .await?;
        written(&answer)
    }

    /// All messages of an answer: what happened.
    async fn events<A>(self, to: &Coordinators) -> Result<Value, Failure>
    where
        A: Message + Default + Serialize + 'static,
    {
        let asking = &self;
        let answers: Vec<A> = first(to, |mut client| {
            let asked = async move {
                let codec = ProstCodec::default();
                let streamed = client.server_streaming(asking.request(), asking.path(), codec);
                let answers = streamed.await?.into_inner().try_collect().await?;
                Ok(Response::new(answers))
            };
            asked.boxed()
        })
        .await?;
        let answers: Result<Vec<Value>, Failure> = answers.iter().map(written).collect();
        Ok(json!({ "events": answers? }))
    }
}

/// The answer of the first coordinator that gives one.
async fn first<'a, A>(
    to: &Coordinators,
    ask: impl Fn(Grpc<Channel>) -> BoxFuture<'a, Result<Response<A>, Status>>,
) -> Result<A, Failure> {
    let mut silent = None;
    for channel in to {
        let mut client = Grpc::new(channel.clone()).max_decoding_message_size(MESSAGE_MAX);
        let answered = match client.ready().await {
            Ok(()) => ask(client).await,
            Err(error) => Err(Status::unavailable(error.to_string())),
        };
        match answered {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if unanswered(&status) => silent = Some(status),
            Err(status) => return Err(failure(&status)),
        }
    }
    Err(nobody(silent.as_ref()))
}

fn nobody(silent: Option<&Status>) -> Failure {
    let failure = match silent {
        Some(status) if !status.details().is_empty() => return failure(status),
        Some(status) => {
            Failure::dependency(format!("no coordinator answers: {}", status.message()))
                .remedy("check that it runs, and what --coordinator names")
        }
        None => Failure::dependency("this server knows no coordinator")
            .remedy("start it with --coordinator URL, or ask a server that was started so"),
    };
    failure.code(ErrorCode::NoCoordinator)
}

fn written(answer: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer)
        .map_err(|error| Failure::bug(format!("cannot write an answer as JSON: {error}")))
}

/// The message that a request stands for: its body, with what its path and query say.
///
/// # Errors
/// When the body is no object, or a value of the query is not of its kind.
pub fn message(
    body: &Bytes,
    said: impl IntoIterator<Item = (String, String)>,
) -> Result<Value, Failure> {
    let mut message: Map<String, Value> = match body.is_empty() {
        true => Map::new(),
        false => serde_json::from_slice(body).map_err(|error| {
            Failure::config(format!("the request's body is no JSON object: {error}"))
                .remedy("send an object, or nothing")
        })?,
    };
    for (name, text) in said {
        let value = value(&name, &text)?;
        message.insert(name, value);
    }
    Ok(Value::Object(message))
}

/// A value of a path or query.
fn value(name: &str, text: &str) -> Result<Value, Failure> {
    let wrong = |kind: &str| {
        Failure::config(format!("{name} is no {kind}: {text:?}"))
            .remedy(format!("give {name} as a {kind}"))
    };
    match name {
        "limit" => {
            let number: u32 = text.parse().map_err(|_| wrong("whole number"))?;
            Ok(json!(number))
        }
        "failed_only" => {
            let flag: bool = text.parse().map_err(|_| wrong("true or false"))?;
            Ok(json!(flag))
        }
        "states" => Ok(text.split(',').collect()),
        _ => Ok(json!(text)),
    }
}

#[cfg(test)]
mod tests {
    use tenfold_coordinator::serve::access::needs;

    use super::*;

    #[test]
    fn every_call_is_one_of_the_protocol() {
        for call in Call::ALL {
            assert!(needs(call.method()).is_some(), "{}", call.method());
        }
    }

    #[test]
    fn a_message_holds_what_body_path_and_query_say() {
        let said = [
            ("limit", "7"),
            ("states", "failed,partial"),
            ("run", "@latest"),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let body = Bytes::from_static(br#"{"reason": "why", "run": "another"}"#);
        let message = message(&body, said).unwrap();
        let expected = json!({"reason": "why", "run": "@latest", "limit": 7,
                              "states": ["failed", "partial"]});
        assert_eq!(message, expected);
    }

    #[test]
    fn what_is_no_message_is_refused_with_a_remedy() {
        let empty = Bytes::new();
        let wrong = |name: &str, text: &str| {
            message(&empty, [(name.to_owned(), text.to_owned())]).unwrap_err()
        };
        let body = message(&Bytes::from_static(b"[1]"), []).unwrap_err();
        for refused in [wrong("limit", "many"), wrong("failed_only", "1"), body] {
            assert!(!refused.remedy.is_empty(), "{refused}");
        }
    }
}
