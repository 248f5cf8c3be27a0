//! Activities of an account: for each type an export is defined and synced, and its data are read by pages.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use tenfold_core::activation::{Eloqua as Declared, Next, SendError, SendErrorKind, next};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::intake::{Activity, fields};
use tokio::time::sleep;

use super::VENDOR;
use super::job::End;
use super::session::Session;
use crate::vendors::Pace;
use crate::vendors::pace::Waiting;

/// Activities of a page: Eloqua gives 50,000, which is much to hold at a time.
const PAGE: usize = 10_000;
/// Activities that Eloqua exports by one sync: when there are as many, others may be missing.
const MOST: u64 = 5_000_000;

/// Fetches the activities of an account.
pub struct Activities {
    destination: String,
    company: String,
    session: Session,
    pace: Pace,
    most: u64,
}

/// What was fetched of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// How many activities.
    pub activities: u64,
    /// What syncs warned of: Eloqua's codes.
    pub warnings: Vec<String>,
}

/// An export whose data are there.
struct Synced {
    definition: String,
    sync: String,
    warnings: Vec<String>,
}

/// What became of reading data.
enum Read {
    All(u64),
    /// There are more than one sync exports.
    TooMany,
}

impl Activities {
    /// Of a destination's account; nothing is asked yet.
    ///
    /// # Errors
    /// When the password cannot be read, or the address is none.
    pub fn new(destination: &str, to: &Declared, pace: Pace) -> Result<Self, Failure> {
        Ok(Self {
            destination: destination.to_owned(),
            company: to.company.clone(),
            session: Session::new(to)?,
            pace,
            most: MOST,
        })
    }

    /// The company whose account it is.
    pub fn company(&self) -> &str {
        &self.company
    }

    /// The same with fewer activities by one sync.
    #[must_use]
    pub fn by(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Gives the activities of a type from one instant to another, which is not in it, page by page: each once.
    ///
    /// # Errors
    /// When the account cannot be asked, or a page cannot be taken.
    pub async fn fetch(
        &self,
        activity: Activity,
        from: Timestamp,
        to: Timestamp,
        take: &mut impl AsyncFnMut(Vec<Json>) -> Result<(), Failure>,
    ) -> Result<Fetched, Failure> {
        let mut fetched = Fetched::default();
        let mut waiting = vec![(from, to)];
        while let Some((from, to)) = waiting.pop() {
            let synced = self.synced(activity, from, to).await;
            let synced = synced.map_err(|error| self.failed(&error))?;
            let read = self.read(&synced.sync, take).await;
            self.forget(&synced.definition).await;
            match read? {
                Read::All(activities) => {
                    fetched.activities += activities;
                    fetched.warnings.extend(synced.warnings);
                }
                Read::TooMany => waiting.extend(self.halves(activity, from, to)?),
            }
        }
        fetched.warnings.sort();
        fetched.warnings.dedup();
        Ok(fetched)
    }

    /// The halves of a time, the first one last.
    fn halves(
        &self,
        activity: Activity,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<[(Timestamp, Timestamp); 2], Failure> {
        let seconds = to.as_second().saturating_sub(from.as_second());
        let middle = from.checked_add(SignedDuration::from_secs(seconds / 2));
        match middle {
            Ok(middle) if seconds > 1 => Ok([(middle, to), (from, middle)]),
            _ => Err(self.failed(&SendError::refused(format!(
                "{VENDOR} has more activities of type {} in the second {from} than it exports at once",
                activity.word()
            )))),
        }
    }

    /// An export that is done. One that fails, or whose answer was lost, is followed by another.
    async fn synced(
        &self,
        activity: Activity,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Synced, SendError> {
        let mut tries = Tries::new(self.pace);
        loop {
            let define = async || self.define(activity, from, to).await;
            let definition = self.patiently(define).await?;
            let error = match self.once(&definition).await {
                Ok((sync, warnings)) => {
                    return Ok(Synced {
                        definition,
                        sync,
                        warnings,
                    });
                }
                Err(error) => error,
            };
            self.forget(&definition).await;
            tries.again(error).await?;
        }
    }

    /// Syncs a definition once: the sync, and what it warned of.
    async fn once(&self, definition: &str) -> Result<(String, Vec<String>), SendError> {
        let sync = self.session.begin(definition).await?;
        let warnings = match self.session.ended(self.pace, &sync).await? {
            End::Success => Vec::new(),
            End::Warning => self.session.codes(&sync, "warning").await?,
            End::Error => return Err(self.session.why(&sync).await?),
        };
        Ok((sync, warnings))
    }

    /// Defines an export; its uri.
    async fn define(
        &self,
        activity: Activity,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<String, SendError> {
        let word = activity.word();
        let [from, to] = [from, to].map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
        let statements = fields(activity).into_iter();
        let statements = statements.map(|(name, statement)| (name.to_owned(), json!(statement)));
        let definition = json!({
            "name": format!("tenfold {word} {from}"),
            "fields": statements.collect::<Map<_, _>>(),
            "filter": format!(
                "'{{{{Activity.Type}}}}' = '{word}' AND '{{{{Activity.CreatedAt}}}}' >= '{from}' \
                 AND '{{{{Activity.CreatedAt}}}}' < '{to}'"
            ),
            "areSystemTimestampsInUTC": true,
            "dataRetentionDuration": "P1D", "autoDeleteDuration": "P1D",
        });
        let what = "defining an export";
        let path = ["activities", "exports"];
        let defined = self
            .session
            .post(&path, definition.to_string(), what)
            .await?;
        let uri = defined["uri"].as_str().filter(|uri| !uri.is_empty());
        let uri = uri.map(str::to_owned);
        uri.ok_or_else(|| SendError::transient(format!("{VENDOR}: {what}: it gave no uri")))
    }

    async fn read(
        &self,
        sync: &str,
        take: &mut impl AsyncFnMut(Vec<Json>) -> Result<(), Failure>,
    ) -> Result<Read, Failure> {
        let mut given: u64 = 0;
        loop {
            let ask = async || self.page(sync, given).await;
            let page = self.patiently(ask).await;
            let (items, total) = page.map_err(|error| self.failed(&error))?;
            if total >= self.most {
                return Ok(Read::TooMany);
            }
            if items.is_empty() && given < total {
                return Err(self.failed(&SendError::transient(format!(
                    "{VENDOR}: reading data: it gave {given} activities of {total}"
                ))));
            }
            given += items.len() as u64;
            if !items.is_empty() {
                take(items).await?;
            }
            if given >= total {
                return Ok(Read::All(given));
            }
        }
    }

    /// The activities from a place on, and how many there are in all.
    async fn page(&self, sync: &str, from: u64) -> Result<(Vec<Json>, u64), SendError> {
        let what = "reading data";
        let (limit, offset) = (PAGE.to_string(), from.to_string());
        let query = [("limit", limit.as_str()), ("offset", offset.as_str())];
        let path = ["syncs", sync, "data"];
        let mut page = self.session.get(&path, &query, what).await?;
        let total = page["totalResults"].as_u64().ok_or_else(|| {
            SendError::transient(format!(
                "{VENDOR}: {what}: it did not say how many there are"
            ))
        })?;
        // A page without items may lack them.
        match page["items"].take() {
            Json::Array(items) => Ok((items, total)),
            _ => Ok((Vec::new(), total)),
        }
    }

    /// Deletes a definition. One that stays goes by itself after a day.
    async fn forget(&self, definition: &str) {
        let path: Vec<&str> = definition
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let what = "deleting an export";
        let deleted = self.session.call(Method::DELETE, &path, &[], None, what);
        let _ = deleted.await;
    }

    /// Does something until it succeeds, or cannot.
    async fn patiently<T>(
        &self,
        doing: impl AsyncFn() -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let mut tries = Tries::new(self.pace);
        loop {
            match doing().await {
                Ok(done) => return Ok(done),
                Err(error) => tries.again(error).await?,
            }
        }
    }

    fn failed(&self, error: &SendError) -> Failure {
        let message = format!("destination {}: {}", self.destination, error.message);
        Failure::new(error.kind.class(), message)
            .code(ErrorCode::DestinationFailed)
            .remedy("nothing was taken in: fetch again once the destination answers, or correct what it says")
    }
}

/// How often something was tried.
struct Tries {
    waiting: Waiting,
    tries: u32,
}

impl Tries {
    fn new(pace: Pace) -> Self {
        Self {
            waiting: pace.begin(),
            tries: 0,
        }
    }

    /// Waits before the next try, or gives the error back when there is none.
    async fn again(&mut self, error: SendError) -> Result<(), SendError> {
        self.tries += 1;
        match (next(error.kind, self.tries, 0, &error.message), error.kind) {
            (
                Next::Again(asked),
                SendErrorKind::RateLimited {
                    retry_after: Some(_),
                },
            ) => {
                sleep(asked).await;
                Ok(())
            }
            // After a sync that took as long as may be waited, there is no other.
            (Next::Again(_), _) => {
                let paused = self.waiting.pause(VENDOR, "what was asked").await;
                paused.map_err(|_| error)
            }
            _ => Err(error),
        }
    }
}
