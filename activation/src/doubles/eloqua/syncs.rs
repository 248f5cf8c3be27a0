//! Syncs: what is staged is carried out at once, and told in the vendor's steps, one for each look.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::definitions::{Kind, time};
use super::imports::Done;
use super::{Call, DATA_PAGE, Eloqua, PAGE, invalid, paged};
use crate::doubles::http::{Answer, Handled};
use crate::doubles::outgoing::{Outgoing, near};

/// The states of a sync before its last one.
const STEPS: [&str; 2] = ["pending", "active"];

/// A sync.
pub(super) struct Sync {
    uri: String,
    synced: String,
    user: String,
    at: Timestamp,
    retention: i64,
    looks: usize,
    end: &'static str,
    logs: Vec<Value>,
    rejects: Vec<Value>,
    data: Vec<Value>,
}

impl Sync {
    fn status(&self) -> &'static str {
        STEPS.get(self.looks).copied().unwrap_or(self.end)
    }

    fn is_done(&self) -> bool {
        self.looks >= STEPS.len()
    }

    pub fn is_over(&self, now: i64) -> bool {
        now.saturating_sub(self.at.as_second()) > self.retention
    }

    pub fn shown(&self) -> Value {
        let mut shown = json!({
            "syncedInstanceUri": self.synced, "status": self.status(), "uri": self.uri,
            "createdAt": time(self.at), "createdBy": self.user,
        });
        if self.looks > 0 {
            shown["syncStartedAt"] = json!(time(self.at));
        }
        if self.is_done() {
            shown["syncEndedAt"] = json!(time(self.at));
        }
        shown
    }
}

impl Eloqua {
    /// `POST /syncs`. With a callback the sync is over at once, and the callback comes before the
    /// answer: this happens at Oracle's too, and whoever is called has to bear it.
    pub(super) fn sync(&mut self, call: Call<'_>) -> Handled {
        let given = call.asked.json().unwrap_or_default();
        let uri = given["syncedInstanceUri"].as_str().unwrap_or_default();
        if !self.definitions.contains_key(uri) {
            let why = "Must be the uri of a definition that exists";
            return Err(invalid(
                "syncedInstanceUri",
                &given["syncedInstanceUri"],
                why,
            ));
        }
        let callback = match given["callbackUrl"].as_str() {
            None => None,
            Some(url) => Some(near(url).ok_or_else(|| {
                let why = "Must be an address of this machine: doubles reach no other";
                invalid("callbackUrl", &given["callbackUrl"], why)
            })?),
        };
        let id = self.begin_sync(uri, call.now, &call.user, call.job_error.take())?;
        let Some(sync) = self.syncs.get_mut(&id) else {
            return Err(Answer::empty(500));
        };
        if let Some(code) = call.job_warning.take() {
            sync.warn(&code);
        }
        let shown = sync.shown();
        if let Some(url) = callback {
            sync.looks = STEPS.len();
            call.outgoing.push(Outgoing {
                url,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: sync.shown().to_string(),
            });
        }
        Ok(Answer::json(201, &shown))
    }

    pub(super) fn is_syncing(&self, uri: &str) -> bool {
        self.syncs
            .values()
            .any(|sync| sync.synced == uri && !sync.is_done())
    }

    /// Carries out what is staged; nothing of it when the sync ends with an error.
    pub(super) fn begin_sync(
        &mut self,
        uri: &str,
        now: Timestamp,
        user: &str,
        error: Option<String>,
    ) -> Result<u64, Answer> {
        if self.is_syncing(uri) {
            return Err(Answer::json(409, &json!("There was a conflict.")));
        }
        let id = self.id();
        let Some(definition) = self.definitions.get_mut(uri) else {
            return Err(Answer::empty(404));
        };
        let mut sync = Sync {
            uri: format!("/syncs/{id}"),
            synced: uri.to_owned(),
            user: user.to_owned(),
            at: now,
            retention: definition.retention(),
            looks: 0,
            end: "success",
            logs: Vec::new(),
            rejects: Vec::new(),
            data: Vec::new(),
        };
        if let Some(code) = error {
            sync.end = "error";
            sync.log(&code, "error", "The sync was not carried out.", 0);
        } else if definition.kind == Kind::Export {
            let Some(rows) = self.account.export(definition) else {
                let why = "Must be a filter that the double understands";
                return Err(invalid("filter", definition.setting("filter"), why));
            };
            let count = rows.len() as u64;
            sync.log(
                "ELQ-00102",
                "information",
                "Successfully exported members to csv file.",
                count,
            );
            definition.data.clone_from(&rows);
            sync.data = rows;
        } else {
            let done = self.account.carry_out(definition);
            definition.staged.clear();
            sync.tell(&done);
        }
        sync.log(
            "ELQ-00131",
            "information",
            "Deleted internal staging for data transfer.",
            0,
        );
        self.syncs.insert(id, sync);
        Ok(id)
    }

    /// `GET /syncs/{id}` and what is behind it.
    pub(super) fn look_at_sync(&mut self, id: &str, rest: &[&str], call: &Call<'_>) -> Handled {
        let found = id.parse().ok().and_then(|id: u64| self.syncs.get_mut(&id));
        let sync = found.ok_or_else(|| Answer::empty(404))?;
        match rest {
            [] => {
                sync.looks = (sync.looks + 1).min(STEPS.len());
                Ok(Answer::json(200, &sync.shown()))
            }
            ["logs"] => Ok(paged(call.asked, &sync.logs, PAGE)),
            ["rejects" | "data"] if sync.user != call.user => {
                Err(Answer::json(403, &json!("Forbidden.")))
            }
            ["rejects"] => Ok(paged(call.asked, &sync.rejects, PAGE)),
            ["data"] => Ok(paged(call.asked, &sync.data, DATA_PAGE)),
            _ => Err(Answer::empty(404)),
        }
    }
}

impl Sync {
    fn log(&mut self, code: &str, severity: &str, message: &str, count: u64) {
        self.logs.push(json!({
            "count": count, "createdAt": time(self.at), "message": message,
            "severity": severity, "statusCode": code, "syncUri": self.uri,
        }));
    }

    /// What it did is done, and something about it is worth knowing.
    fn warn(&mut self, code: &str) {
        self.log(code, "warning", "Something was not as it should be.", 0);
        if self.end == "success" {
            self.end = "warning";
        }
    }

    /// Writes down what came of the rows.
    fn tell(&mut self, done: &Done) {
        let rejected = done.rejects.len() as u64;
        self.log(
            "ELQ-00001",
            "information",
            "Total records processed.",
            done.processed,
        );
        let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
        for reject in &done.rejects {
            *by_code.entry(reject.code()).or_default() += 1;
        }
        let unique = done.processed - by_code.get("ELQ-00011").copied().unwrap_or(0);
        self.log(
            "ELQ-00003",
            "information",
            "Total records remaining after duplicates are rejected.",
            unique,
        );
        self.log(
            "ELQ-00004",
            "information",
            "Contacts created.",
            done.created,
        );
        self.log(
            "ELQ-00022",
            "information",
            "Contacts updated.",
            done.updated,
        );
        if done.unmatched > 0 {
            self.log(
                "ELQ-00034",
                "warning",
                "Total unmatched records.",
                done.unmatched,
            );
        }
        for (code, count) in by_code {
            self.log(code, "warning", "Records were rejected.", count);
        }
        self.log(
            "ELQ-00060",
            if rejected > 0 {
                "warning"
            } else {
                "information"
            },
            "Total rejected records.",
            rejected,
        );
        self.rejects = done
            .rejects
            .iter()
            .map(super::imports::Reject::shown)
            .collect();
        self.end = match (rejected, done.unmatched) {
            (0, 0) => "success",
            (all, _) if all == done.processed && all > 0 => "error",
            _ => "warning",
        };
    }
}
