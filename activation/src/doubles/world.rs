//! All that the doubles hold, and who answers which path.

use std::collections::BTreeMap;

use super::clock::Clock;
use super::eloqua::Eloqua;
use super::fault::{Fault, Faults};
use super::http::{Answer, Asked, Handled};
use super::listmonk::Listmonk;
use super::mailchimp::Mailchimp;
use super::outgoing::Outgoing;
use super::sendgrid::SendGrid;

/// The company that Eloqua's double knows.
pub const ELOQUA_COMPANY: &str = "Tenfold";
/// Its user.
pub const ELOQUA_USER: &str = "api";
/// The user's password.
pub const ELOQUA_PASSWORD: &str = "double";
/// The key that SendGrid's double knows.
pub const SENDGRID_KEY: &str = "SG.double";
/// The key that Mailchimp's double knows.
pub const MAILCHIMP_KEY: &str = "double-us1";
/// The user that listmonk's double knows.
pub const LISTMONK_USER: &str = "api_user";
/// The user's token.
pub const LISTMONK_TOKEN: &str = "double";

/// What the doubles hold.
pub(super) struct World {
    pub clock: Clock,
    pub faults: Faults,
    pub eloqua: Eloqua,
    pub sendgrid: SendGrid,
    pub mailchimp: Mailchimp,
    pub listmonk: Listmonk,
    /// Requests by vendor, method, path and status.
    pub calls: BTreeMap<String, u64>,
    /// The code that the next thing that is started ends with.
    pub job_error: Option<String>,
    /// The code that the next sync of Eloqua warns of.
    pub job_warning: Option<String>,
    /// What is posted before the request that caused it is answered.
    pub outgoing: Vec<Outgoing>,
}

impl World {
    pub fn new(faults: Vec<Fault>) -> Self {
        Self {
            clock: Clock::default(),
            faults: Faults::new(faults),
            eloqua: Eloqua::new(),
            sendgrid: SendGrid::new(),
            mailchimp: Mailchimp::new(),
            listmonk: Listmonk::new(),
            calls: BTreeMap::new(),
            job_error: None,
            job_warning: None,
            outgoing: Vec::new(),
        }
    }

    /// Answers a request, which counts.
    pub fn answer(&mut self, asked: &Asked) -> Answer {
        let handled = self.handle(asked);
        let answer = handled.unwrap_or_else(|error| error);
        self.count(asked, answer.status);
        answer
    }

    fn handle(&mut self, asked: &Asked) -> Handled {
        match asked.path.first().map(String::as_str) {
            Some("eloqua") => self.eloqua(asked),
            Some("sendgrid") => self.sendgrid(asked),
            Some("mailchimp") => self.mailchimp(asked),
            Some("listmonk") => self.listmonk(asked),
            _ => self.control(asked),
        }
    }

    /// Counts a request. Ids and addresses in paths are left out: they would be a count each.
    pub fn count(&mut self, asked: &Asked, status: u16) {
        if asked
            .path
            .first()
            .is_some_and(|part| part.starts_with("__"))
        {
            return;
        }
        let mut path = String::new();
        for part in &asked.path {
            let id = part.chars().any(|c| c.is_ascii_digit() || c == '@') && part.len() > 3
                || part.chars().all(|c| c.is_ascii_digit());
            path.push('/');
            path.push_str(if id { "*" } else { part });
        }
        let key = format!("{} {path} {status}", asked.method);
        *self.calls.entry(key).or_default() += 1;
    }
}
