//! Deliveries over HTTP: which there are, how far they are, what the next number would send, and what became of rows.
//! Nothing is sent from here.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use hyper::Request;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use tenfold_activation::declared::declared_files;
use tenfold_activation::ledger::{Ledger, PlanRecord};
use tenfold_activation::planned::Wanted;
use tenfold_activation::told::{RowEnd, Told, WantedRows, told_rows};
use tenfold_coordinator::serve::access::Role;
use tenfold_core::activation::{Declared, DeliverySpec, Identify, Members, lint_deliveries};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Severity;
use tenfold_core::project::near::did_you_mean;
use tenfold_query::delivery_members;
use tenfold_store::erase::gone;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Server;
use crate::http::{check_json, decoded, queried, whole};
use crate::ingest::{Folders, Projects};
use crate::queries::{Ticket, cancelled};
use crate::routes::{Route, at, read};

/// Numbers of a delivery that are listed when nothing is said, and at most.
const RUNS: u64 = 20;
const MOST_RUNS: u64 = 200;
/// Rows that are shown when nothing is said, and at most.
const ROWS: u64 = 100;
const MOST_ROWS: u64 = 1_000;
/// Plans and ledgers that are read at a time: each is whole in memory.
const READING: usize = 1;
/// Numbers whose records are read at a time.
const AT_ONCE: usize = 16;

/// What can be asked about deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// All of them.
    Ls,
    /// One.
    Get,
    /// What the next number would send.
    Plan,
    /// What became of rows.
    Rows,
}

impl Verb {
    /// The role that it needs. Rows are personal.
    pub fn role(self) -> Role {
        match self {
            Self::Ls | Self::Get | Self::Plan => Role::Viewer,
            Self::Rows => Role::Operator,
        }
    }
}

/// The body of `POST /v1/deliveries/{name}/plan`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanRequest {
    #[serde(default)]
    at: Option<Value>,
}

/// What a request says behind the `?`.
#[derive(Debug, Default)]
struct Asked {
    limit: Option<u64>,
    before: Option<u64>,
    number: Option<u64>,
    from: Option<u64>,
    state: Option<RowEnd>,
}

impl Asked {
    fn of(pairs: Vec<(String, String)>) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in pairs {
            let place = match name.as_str() {
                "limit" => &mut asked.limit,
                "before" => &mut asked.before,
                "number" => &mut asked.number,
                "from" => &mut asked.from,
                _ => {
                    let mut all = RowEnd::ALL.into_iter();
                    asked.state = Some(all.find(|end| end.word() == value).ok_or_else(|| {
                        let words = RowEnd::ALL.map(RowEnd::word);
                        Failure::config(format!("rows are never {value:?}"))
                            .remedy(did_you_mean(&value, words))
                    })?);
                    continue;
                }
            };
            *place = Some(value.parse().map_err(|_| {
                Failure::config(format!("{name} is no whole number: {value:?}"))
                    .remedy(format!("give {name} as a whole number"))
            })?);
        }
        Ok(asked)
    }
}

/// Answers requests about deliveries.
pub struct Deliveries {
    projects: Projects,
    folders: Folders,
    reading: Arc<Semaphore>,
}

impl Deliveries {
    /// Those of a project.
    pub fn new(projects: Projects, folders: Folders) -> Self {
        Self {
            projects,
            folders,
            reading: Arc::new(Semaphore::new(READING)),
        }
    }

    /// Answers a request; `part` is the name in its path.
    ///
    /// # Errors
    /// When there is no such delivery, the project cannot be used, or the store does not answer.
    pub async fn answer(
        &self,
        verb: Verb,
        part: &str,
        (route, request): (&Route, Request<Incoming>),
        server: &Arc<Server>,
        ticket: Ticket,
    ) -> Result<Value, Failure> {
        let asked = Asked::of(queried(&request, route)?)?;
        let name = decoded(part);
        match verb {
            Verb::Ls => {
                let declared = self.declared(None).await?;
                let of = server.clone();
                let work = async move { list(&of, &declared, &asked).await };
                server.worked(ticket, work).await
            }
            Verb::Get => {
                let declared = self.declared(None).await?;
                let of = server.clone();
                let work = async move {
                    let (spec, _) = declared.delivery(&name)?;
                    shown(&of, spec, &asked).await
                };
                server.worked(ticket, work).await
            }
            Verb::Plan => {
                let (head, body) = request.into_parts();
                let body = whole(body).await?;
                let request: PlanRequest = match body.is_empty() {
                    true => PlanRequest::default(),
                    false => {
                        check_json(&head.headers)?;
                        read(&body, "send an object with at, or nothing")?
                    }
                };
                let declared = self.declared(Some(&name)).await?;
                let (of, turn) = (server.clone(), self.turn(&ticket).await?);
                let work = async move {
                    let _turn = turn;
                    plan(&of, &declared, &name, request).await
                };
                server.worked(ticket, work).await
            }
            Verb::Rows => {
                self.declared(None).await?.delivery(&name)?;
                let (of, turn) = (server.clone(), self.turn(&ticket).await?);
                let work = async move {
                    let _turn = turn;
                    rows(&of, &name, &asked).await
                };
                server.worked(ticket, work).await
            }
        }
    }

    /// Waits for the turn to read a plan or a ledger, before a place is taken that queries could have meanwhile.
    async fn turn(&self, ticket: &Ticket) -> Result<OwnedSemaphorePermit, Failure> {
        let turn = tokio::select! {
            () = ticket.stopped() => return Err(cancelled()),
            turn = self.reading.clone().acquire_owned() => turn,
        };
        turn.map_err(|_| Failure::bug("the turns of deliveries are gone"))
    }

    /// What the project declares now. Errors in files are told where they concern the delivery that is wanted.
    async fn declared(&self, wanted: Option<&str>) -> Result<Declared, Failure> {
        let project = (self.projects)().await?;
        let files = declared_files(&(self.folders)()?).await?;
        let (declared, findings) = lint_deliveries(&files, &project);
        let Some(name) = wanted else {
            return Ok(declared);
        };
        let (spec, _) = declared.delivery(name)?;
        let concerned = [
            format!("deliveries/{name}.yaml"),
            format!("destinations/{}.yaml", spec.destination),
        ];
        let mut errors = findings.into_iter().filter(|(file, finding)| {
            finding.severity == Severity::Error && concerned.contains(file)
        });
        match errors.next() {
            None => Ok(declared),
            Some((file, finding)) => Err(Failure::config(format!(
                "{file}:{}:{}: {}",
                finding.line, finding.column, finding.message
            ))
            .code(ErrorCode::WrongDelivery)
            .remedy(finding.remedy)),
        }
    }
}

async fn list(server: &Server, declared: &Declared, asked: &Asked) -> Result<Value, Failure> {
    let mut deliveries = Vec::new();
    for spec in declared.deliveries.values() {
        deliveries.push(shown(server, spec, asked).await?);
    }
    Ok(json!({ "deliveries": deliveries }))
}

/// A delivery with its numbers, the newest first.
async fn shown(server: &Server, spec: &DeliverySpec, asked: &Asked) -> Result<Value, Failure> {
    let ledger = Ledger::new(&server.store, &spec.delivery);
    let newest = ledger.newest().await?;
    let last = match asked.before {
        Some(before) => newest.min(before.saturating_sub(1)),
        None => newest,
    };
    let limit = asked.limit.unwrap_or(RUNS).min(MOST_RUNS);
    let numbers = (last.saturating_sub(limit) + 1..=last).rev();
    let ledger = &ledger;
    let read = |number| async move {
        let plan = ledger.plan(number).await?;
        let told = Told::read(ledger, &plan).await?;
        run(&plan, told)
    };
    let reading = futures::stream::iter(numbers.map(read)).buffered(AT_ONCE);
    let runs: Vec<Value> = reading.try_collect().await?;
    let audience = match &spec.from {
        Members::Audience(name) => Some(name),
        Members::Table(_) | Members::Sql(_) => None,
    };
    Ok(json!({
        "name": spec.delivery,
        "audience": audience,
        "destination": spec.destination,
        "campaign": spec.campaign,
        "mode": spec.mode.name(),
        "newest": newest,
        "runs": runs,
    }))
}

/// A number, with all that is counted of it in one place.
fn run(plan: &PlanRecord, told: Told) -> Result<Value, Failure> {
    let counts = serde_json::to_value(told.counts);
    let mut counts = counts.map_err(|error| Failure::bug(format!("counts as JSON: {error}")))?;
    counts["accepted"] = json!(told.accepted);
    counts["rejected"] = json!(told.rejected);
    counts["unsent"] = json!(told.unsent);
    Ok(json!({
        "id": plan.id,
        "number": told.number,
        "snapshot": told.snapshot,
        "destination": told.destination,
        "mode": told.mode,
        "started_at": told.planned_at,
        "ended_at": told.ended_at,
        "state": told.state,
        "counts": counts,
    }))
}

/// What the next number would send of a snapshot.
async fn plan(
    server: &Server,
    declared: &Declared,
    name: &str,
    request: PlanRequest,
) -> Result<Value, Failure> {
    let (spec, destination) = declared.delivery(name)?;
    let opened = server.open(&at(request.at.as_ref())?).await?;
    let manifest = &opened.manifest;
    let identify = Identify::of(spec, &destination.to, &manifest.declarations)?;
    let members = delivery_members(&opened.session, manifest, spec, &identify).await?;
    let (schema, members) = members;
    let gone = gone(&server.store).await?;
    let is_erased = |key: &str| gone.as_ref().is_some_and(|gone| gone.has_text(key));
    let wanted = Wanted {
        spec,
        identify: &identify,
        schema: &schema,
        members: &members,
        is_erased: &is_erased,
    };
    let planned = wanted.planned(&Ledger::new(&server.store, name)).await?;
    let guard = match planned.guarded(spec) {
        Ok(()) => json!({ "holds": false }),
        Err(failure) => json!({
            "holds": true, "message": failure.message, "remedy": failure.remedy,
        }),
    };
    Ok(json!({
        "delivery": name,
        "number": planned.number,
        "destination": spec.destination,
        "mode": spec.mode.name(),
        "snapshot": opened.about,
        "counts": planned.counts,
        "guard": guard,
        "samples": planned.samples(),
    }))
}

/// Rows of a number, or of the newest one.
async fn rows(server: &Server, name: &str, asked: &Asked) -> Result<Value, Failure> {
    let ledger = Ledger::new(&server.store, name);
    let newest = ledger.newest().await?;
    let number = asked.number.unwrap_or(newest);
    if number == 0 || number > newest {
        let failure = match newest {
            0 => Failure::config(format!("delivery {name} was never planned"))
                .remedy(format!("`tenfold delivery run {name}` plans and sends it")),
            newest => Failure::config(format!("delivery {name} has no number {number}"))
                .remedy(format!("it has the numbers 1 to {newest}")),
        };
        return Err(failure.code(ErrorCode::UnknownDelivery));
    }
    let plan = ledger.plan(number).await?;
    let wanted = WantedRows {
        state: asked.state,
        from: asked.from.unwrap_or(0),
        limit: usize::try_from(asked.limit.unwrap_or(ROWS).min(MOST_ROWS)).unwrap_or(0),
    };
    let (rows, next) = told_rows(&ledger, &plan, wanted).await?;
    Ok(json!({
        "delivery": name,
        "number": number,
        "snapshot": plan.snapshot,
        "rows": rows,
        "next": next,
    }))
}
