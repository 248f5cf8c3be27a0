//! Batches of Mailchimp: many calls in one, carried out at once and told step by step.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::{Method, Uri};
use serde_json::{Value, json};

use super::{Mailchimp, invalid, not_found};
use crate::doubles::http::{Answer, Asked, Handled};

/// Calls of a batch.
const OPERATIONS: usize = 1000;
/// Batches that are open at a time.
const OPEN: usize = 500;
/// The states of a batch; each look brings it on by one.
const STEPS: [&str; 5] = [
    "pending",
    "preprocessing",
    "started",
    "finalizing",
    "finished",
];

/// A batch.
pub(super) struct BatchJob {
    looks: usize,
    total: usize,
    errored: usize,
    results: Vec<Value>,
}

impl BatchJob {
    fn shown(&self, id: &str, base: &str) -> Value {
        let status = STEPS.get(self.looks).copied().unwrap_or("finished");
        let done = status == "finished";
        let url = match done {
            true => format!("{base}/mailchimp/results/{id}"),
            false => String::new(),
        };
        json!({"id": id, "status": status, "total_operations": self.total,
               "finished_operations": if done { self.total } else { 0 },
               "errored_operations": if done { self.errored } else { 0 },
               "submitted_at": "2026-01-01T00:00:00+00:00", "completed_at": "",
               "response_body_url": url})
    }

    fn is_open(&self) -> bool {
        self.looks + 1 < STEPS.len()
    }
}

impl Mailchimp {
    pub(super) fn begin_batch(&mut self, body: &Value, asked: &Asked) -> Handled {
        let operations = body["operations"].as_array().cloned().unwrap_or_default();
        if operations.is_empty() || operations.len() > OPERATIONS {
            return Err(invalid(
                "operations",
                "Please provide between 1 and 1000 operations.",
            ));
        }
        if self
            .batches
            .values()
            .filter(|batch| batch.is_open())
            .count()
            >= OPEN
        {
            return Err(super::problem(
                429,
                "Too Many Requests",
                "You have more than 500 pending batches.",
            ));
        }
        let mut results = Vec::new();
        for operation in &operations {
            results.push(self.operation(operation, asked));
        }
        let bad = |result: &&Value| {
            result["status_code"]
                .as_u64()
                .is_none_or(|code| code >= 400)
        };
        self.next += 1;
        let id = format!("batch{:06x}", self.next);
        let job = BatchJob {
            looks: 0,
            total: results.len(),
            errored: results.iter().filter(bad).count(),
            results,
        };
        let shown = job.shown(&id, &asked.base);
        self.batches.insert(id, job);
        Ok(Answer::json(200, &shown))
    }

    fn operation(&mut self, operation: &Value, asked: &Asked) -> Value {
        let text = |name: &str| operation[name].as_str().unwrap_or_default();
        let path = text("path").trim_start_matches('/');
        let answer = match (
            text("method").parse::<Method>(),
            format!("/{path}").parse::<Uri>(),
        ) {
            (Ok(method), Ok(uri)) => {
                let body = Bytes::from(text("body").to_owned());
                let mut inner = Asked::new(method, &uri, asked.headers.clone(), body, &asked.base);
                for (name, value) in operation["params"].as_object().into_iter().flatten() {
                    let value = value.as_str().unwrap_or_default().to_owned();
                    inner.query.push((name.clone(), value));
                }
                let body = inner.json().unwrap_or_default();
                let (method, path) = inner.route(0);
                match path.first() {
                    // A batch in a batch is refused: it would have no end.
                    Some(&"batches") => not_found(),
                    _ => self
                        .call(method, &path, &body, &inner)
                        .unwrap_or_else(|error| error),
                }
            }
            _ => not_found(),
        };
        json!({"status_code": answer.status, "operation_id": operation["operation_id"],
               "response": String::from_utf8_lossy(&answer.body)})
    }

    pub(super) fn look_at_batch(&mut self, id: &str, asked: &Asked) -> Handled {
        let batch = self.batches.get_mut(id).ok_or_else(not_found)?;
        batch.looks = (batch.looks + 1).min(STEPS.len() - 1);
        Ok(Answer::json(200, &batch.shown(id, &asked.base)))
    }

    /// What came of a batch: a tar of JSON, compressed.
    pub(super) fn results(&self, id: &str) -> Handled {
        let batch = self.batches.get(id).ok_or_else(not_found)?;
        let json = json!(batch.results).to_string();
        let packed = packed(&format!("{id}.json"), json.as_bytes());
        let packed = packed.map_err(|_| Answer::empty(500))?;
        Ok(Answer::of(200, "application/x-gzip", packed))
    }
}

/// A tar (ustar) with one file, compressed by gzip.
fn packed(name: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut head = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        for (place, byte) in head.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in head
        .iter_mut()
        .skip(148)
        .zip(format!("{sum:06o}\0 ").bytes())
    {
        *place = byte;
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&head)?;
    gzip.write_all(content)?;
    let padding = content.len().next_multiple_of(512) - content.len();
    gzip.write_all(&vec![0; padding + 1024])?;
    gzip.finish()
}
