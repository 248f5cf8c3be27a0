//! Jobs of SendGrid: begun by a request, done when they were looked at, in the order they came.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use super::{SendGrid, error};
use crate::doubles::http::{Answer, Asked, Handled};

/// Looks at a job that still find it pending.
const PENDING: usize = 1;
/// Bytes of an uploaded file without its compression: more than the double is for.
const UPLOAD: u64 = 64 << 20;

/// What a job does.
#[derive(Clone)]
pub(super) enum Work {
    Put {
        lists: Vec<String>,
        contacts: Vec<Value>,
    },
    TakeOff {
        list: String,
        ids: Vec<String>,
    },
    Delete {
        ids: Vec<String>,
        all: bool,
    },
    /// A file that is still to come: where each of its columns goes.
    Upload {
        lists: Vec<String>,
        columns: Vec<Option<String>>,
    },
}

/// A job.
pub(super) struct Job {
    id: String,
    work: Work,
    looks: usize,
    /// The code of the failure on purpose.
    failed: Option<String>,
    done: Option<Done>,
}

/// What a job did.
#[derive(Default)]
struct Done {
    requested: u64,
    created: u64,
    updated: u64,
    deleted: u64,
    /// Address and reason.
    errors: Vec<(String, &'static str)>,
}

impl Job {
    fn status(&self) -> &'static str {
        let Some(done) = &self.done else {
            return "pending";
        };
        let errors = done.errors.len() as u64;
        match (&self.failed, errors) {
            (Some(_), _) => "failed",
            (None, 0) => "completed",
            (None, all) if all == done.requested => "failed",
            (None, _) => "errored",
        }
    }

    pub fn shown(&self) -> Value {
        json!({"id": self.id, "status": self.status()})
    }

    fn told(&self, base: &str) -> Value {
        let kind = match self.work {
            Work::Put { .. } | Work::Upload { .. } => "upsert_contacts",
            Work::TakeOff { .. } => "remove_contacts_from_list",
            Work::Delete { .. } => "delete_contacts",
        };
        let mut told = json!({"id": self.id, "status": self.status(), "job_type": kind,
                              "results": {}, "started_at": "2026-01-01T00:00:00Z",
                              "finished_at": ""});
        if let Some(done) = &self.done {
            let url = match done.errors.is_empty() {
                true => String::new(),
                false => format!("{base}/sendgrid/errors/{}", self.id),
            };
            told["finished_at"] = json!("2026-01-01T00:00:01Z");
            told["results"] = json!({
                "requested_count": done.requested, "created_count": done.created,
                "updated_count": done.updated, "deleted_count": done.deleted,
                "errored_count": done.errors.len(), "errors_url": url,
            });
        }
        told
    }
}

impl SendGrid {
    /// Begins a job, and says so.
    pub(super) fn begin(&mut self, work: Work, failed: Option<String>) -> String {
        let id = self.uuid();
        self.jobs.push(Job {
            id: id.clone(),
            work,
            looks: 0,
            failed,
            done: None,
        });
        id
    }

    pub(super) fn begin_upload(&mut self, asked: &Asked, failed: &mut Option<String>) -> Handled {
        let given = asked.json().unwrap_or_default();
        if given["file_type"].as_str() != Some("csv") {
            return Err(error(400, "file_type must be csv", Some("file_type")));
        }
        let lists = self.known_lists(&given["list_ids"])?;
        let columns = given["field_mappings"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let columns = columns
            .iter()
            .map(|c| c.as_str().map(str::to_owned))
            .collect();
        let id = self.begin(Work::Upload { lists, columns }, failed.take());
        Ok(Answer::json(
            200,
            &json!({"job_id": id, "upload_uri": format!("{}/sendgrid/upload/{id}", asked.base),
                    "upload_headers": [{"header": "x-amz-server-side-encryption", "value": "aws:kms"}]}),
        ))
    }

    /// The file that a job waits for.
    pub(super) fn upload(&mut self, id: &str, asked: &Asked) -> Handled {
        if asked.method != hyper::Method::PUT {
            return Err(Answer::empty(405));
        }
        let names: Vec<(String, String)> = self
            .fields
            .iter()
            .map(|field| (field.id.clone(), "custom_fields".to_owned()))
            .collect();
        let job = self.jobs.iter_mut().find(|job| job.id == id);
        let Some(job) = job else {
            return Err(Answer::empty(403));
        };
        let Work::Upload { lists, columns } = &job.work else {
            return Err(Answer::empty(403));
        };
        let contacts =
            contacts_of(&asked.body, columns, &names).ok_or_else(|| Answer::empty(400))?;
        let lists = lists.clone();
        job.work = Work::Put { lists, contacts };
        Ok(Answer::empty(200))
    }

    /// `GET /contacts/imports/{id}`: the look itself brings it on.
    pub(super) fn look_at(&mut self, id: &str, asked: &Asked) -> Handled {
        let at = self.jobs.iter().position(|job| job.id == id);
        let at = at.ok_or_else(|| error(404, "job not found", None))?;
        if let Some(job) = self.jobs.get_mut(at) {
            job.looks += 1;
            if job.looks > PENDING {
                self.settle(at + 1);
            }
        }
        let told = self.jobs.get(at).map(|job| job.told(&asked.base));
        Ok(Answer::json(200, &told.unwrap_or_default()))
    }

    pub fn settle_all(&mut self) {
        self.settle(self.jobs.len());
    }

    /// Carries out the first so many jobs, in their order.
    fn settle(&mut self, count: usize) {
        for at in 0..count {
            let waits = |job: &&Job| job.done.is_none() && !matches!(job.work, Work::Upload { .. });
            let Some(job) = self.jobs.get(at).filter(waits) else {
                continue;
            };
            let done = match job.failed {
                Some(_) => Done::default(),
                None => self.carry_out(job.work.clone()),
            };
            if let Some(job) = self.jobs.get_mut(at) {
                job.done = Some(done);
            }
        }
    }

    fn carry_out(&mut self, work: Work) -> Done {
        let mut done = Done::default();
        match work {
            Work::Put { lists, contacts } => {
                for contact in &contacts {
                    done.requested += 1;
                    match self.take(contact, &lists) {
                        Ok(true) => done.created += 1,
                        Ok(false) => done.updated += 1,
                        Err(reason) => {
                            let email = contact["email"].as_str().unwrap_or_default();
                            done.errors.push((email.to_owned(), reason));
                        }
                    }
                }
            }
            Work::TakeOff { list, ids } => {
                done.requested = ids.len() as u64;
                for contact in self.contacts.values_mut() {
                    if ids.contains(&contact.id) && contact.lists.remove(&list) {
                        done.updated += 1;
                    }
                }
            }
            Work::Delete { ids, all } => {
                done.requested = ids.len() as u64;
                let before = self.contacts.len();
                self.contacts
                    .retain(|_, contact| !all && !ids.contains(&contact.id));
                done.deleted = (before - self.contacts.len()) as u64;
            }
            Work::Upload { .. } => {}
        }
        done
    }

    /// The report of a job's errors.
    pub(super) fn errors(&self, id: &str) -> Handled {
        let job = self.jobs.iter().find(|job| job.id == id);
        let done = job.and_then(|job| job.done.as_ref());
        let done = done.ok_or_else(|| Answer::empty(403))?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let rows = [("email", "error")].into_iter();
        let errors = done
            .errors
            .iter()
            .map(|(email, reason)| (email.as_str(), *reason));
        for (email, reason) in rows.chain(errors) {
            writer
                .write_record([email, reason])
                .map_err(|_| Answer::empty(500))?;
        }
        let body = writer.into_inner().map_err(|_| Answer::empty(500))?;
        Ok(Answer::of(200, "text/csv", body))
    }
}

/// Contacts of a file, compressed or not; its first line has names.
fn contacts_of(
    body: &[u8],
    columns: &[Option<String>],
    fields: &[(String, String)],
) -> Option<Vec<Value>> {
    let mut text = Vec::new();
    match body.starts_with(&[0x1f, 0x8b]) {
        true => GzDecoder::new(body)
            .take(UPLOAD)
            .read_to_end(&mut text)
            .ok()?,
        false => body.take(UPLOAD).read_to_end(&mut text).ok()?,
    };
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let mut contacts = Vec::new();
    for record in reader.records() {
        let record = record.ok()?;
        let (mut contact, mut custom) = (Map::new(), Map::new());
        for (column, value) in columns.iter().zip(record.iter()) {
            match column.as_deref() {
                None => {}
                Some("_rf0_T" | "_rf1" | "email") => {
                    contact.insert("email".to_owned(), json!(value));
                }
                Some(id) if fields.iter().any(|(known, _)| known == id) => {
                    custom.insert(id.to_owned(), json!(value));
                }
                Some(_) => return None,
            }
        }
        contact.insert("custom_fields".to_owned(), Value::Object(custom));
        contacts.push(Value::Object(contact));
    }
    Some(contacts)
}
