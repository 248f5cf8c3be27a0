//! What may be asked, by method and path: the one table that requests are dispatched by, and that
//! the documentation is made from.

mod requests;
mod table;

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::intake::Sender;

use crate::calls::Call;
use crate::dashboards;
use crate::deliveries;
use crate::ingest::Verb;

pub use self::requests::{SQL_MAX, SqlRequest, TemplateRequest};
pub(crate) use self::requests::{at, read};
pub use self::table::ROUTES;

/// Something that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Whether the process answers.
    Health,
    /// What Prometheus is told.
    Metrics,
    /// An answer to a query.
    Sql,
    /// The templates.
    Templates,
    /// An answer to a template.
    Template,
    /// The queries.
    Queries,
    /// One query.
    Query,
    /// To stop a query.
    Stop,
    /// The snapshots.
    Snapshots,
    /// The tables of a snapshot.
    Tables,
    /// The campaigns of a snapshot.
    Campaigns,
    /// One campaign.
    Campaign,
    /// What a campaign came to.
    CampaignReport,
    /// The audiences of a snapshot.
    Audiences,
    /// One of them.
    Audience,
    /// What rules may name.
    AudienceNames,
    /// The file that declares one of them.
    AudienceFile,
    /// To keep such a file.
    PutAudience,
    /// Whom a rule chooses.
    CountAudience,
    /// What runs left in the store.
    Records,
    /// A call of a coordinator. The variable part of the path is this field of its message.
    Call(Call, &'static str),
    /// Something about batches of files.
    Ingest(Verb),
    /// Something about dashboards.
    Dashboard(dashboards::Verb),
    /// Something about deliveries.
    Delivery(deliveries::Verb),
    /// A message of a source, or a list of them.
    Messages {
        /// Whether it is a list.
        many: bool,
    },
    /// What a sender of mail tells.
    Mail(Sender),
    /// Whether a sender of mail has the right address.
    MailAddress(Sender),
    /// The page of an error code.
    Error,
    /// The description of all this for programs.
    OpenApi,
    /// The same for people.
    Docs,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path; `{…}` stands for one part.
    pub path: &'static str,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// The same for people.
    pub what: &'static str,
    /// Names in the part of an address behind `?`.
    pub query: &'static [&'static str],
}

impl Route {
    /// Whether a request has a body, which is JSON.
    pub fn takes_body(&self) -> bool {
        self.method == "POST"
    }
}

/// The row for a request, and the part of its path that `{…}` stands for.
///
/// # Errors
/// When there is none.
pub fn find<'a>(method: &str, path: &'a str) -> Result<(&'static Route, &'a str), Failure> {
    let found = ROUTES.iter().find_map(|route| {
        let part = part(route.path, path)?;
        (route.method == method).then_some((route, part))
    });
    found.ok_or_else(|| {
        let others = ROUTES
            .iter()
            .filter(|route| part(route.path, path).is_some());
        let methods: Vec<_> = others.map(|route| route.method).collect();
        let failure = Failure::config(format!("there is no {method} {path}"));
        let failure = failure.code(ErrorCode::UnknownAddress);
        match methods.is_empty() {
            true => failure.remedy("GET /v1/docs lists what there is"),
            false => failure.remedy(format!("there is {} {path}", methods.join(" and "))),
        }
    })
}

/// What `{…}` stands for in a path that fits; nothing where there is none. Where there are several, it
/// is everything from the first to the last.
fn part<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return (pattern == path).then_some("");
    };
    let (named, after) = rest.rsplit_once('}')?;
    let part = path.strip_prefix(before)?.strip_suffix(after)?;
    let mut pairs = named.split('/').zip(part.split('/')).enumerate();
    // Between two variables stand words.
    let fits = pairs.all(|(place, (name, given))| match place % 2 {
        0 => !given.is_empty(),
        _ => name == given,
    });
    let same = named.split('/').count() == part.split('/').count();
    (fits && same).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_by_method_and_path() {
        let found = |method, path| find(method, path).map(|(route, part)| (route.endpoint, part));
        assert_eq!(found("POST", "/v1/sql"), Ok((Endpoint::Sql, "")));
        assert_eq!(
            found("GET", "/v1/queries/a-1"),
            Ok((Endpoint::Query, "a-1"))
        );
        assert_eq!(found("DELETE", "/v1/queries/a"), Ok((Endpoint::Stop, "a")));
        assert_eq!(
            found("POST", "/v1/runs/@latest/cancel"),
            Ok((Endpoint::Call(Call::CancelRun, "run"), "@latest"))
        );
        assert_eq!(
            found("PATCH", "/v1/ingest/s/batches/b/files/f.csv"),
            Ok((Endpoint::Ingest(Verb::Piece), "s/batches/b/files/f.csv"))
        );
        assert_eq!(
            found("POST", "/v1/ingest/s/batches/b/files/f.csv/complete"),
            Ok((Endpoint::Ingest(Verb::Finish), "s/batches/b/files/f.csv"))
        );
        assert_eq!(
            found("POST", "/v1/ingest/s/batches/b/complete"),
            Ok((Endpoint::Ingest(Verb::Complete), "s/batches/b"))
        );
        let other = found("GET", "/v1/sql").unwrap_err();
        assert!(other.remedy.contains("POST /v1/sql"), "{other}");
        for path in [
            "/",
            "/v1/queries/",
            "/v1/queries/a/b",
            "/v1/ingest/s/batches//errors",
            "/v1/ingest/s/other/b/errors",
            "/v1/sql/",
            "/v2/sql",
        ] {
            assert_eq!(found("GET", path).unwrap_err().number(), "E2215", "{path}");
        }
    }
}
