//! What no vendor has: looking at what the doubles hold, letting time pass, other faults.

use serde_json::{Value, json};

use super::fault::{FaultFile, Faults};
use super::http::{Answer, Asked, Handled};
use super::world::World;

impl World {
    /// Answers the paths that begin with `__`.
    pub fn control(&mut self, asked: &Asked) -> Handled {
        match asked.route(0) {
            ("GET", path) if path == ["__inspect"] => Ok(Answer::json(200, &self.inspect())),
            ("POST", path) if path == ["__clock"] => self.pass_time(asked),
            ("POST", path) if path == ["__faults"] => self.other_faults(asked),
            ("POST", path) if path == ["__send"] => self.send(asked),
            _ => Err(said(
                404,
                "there are /eloqua, /sendgrid, /mailchimp, /listmonk, GET /__inspect, \
                 POST /__send, POST /__clock and POST /__faults",
            )),
        }
    }

    /// All that is held.
    fn inspect(&mut self) -> Value {
        self.sendgrid.settle_all();
        json!({
            "calls": self.calls,
            "now": self.clock.now().to_string(),
            "eloqua": self.eloqua.inspect(),
            "sendgrid": self.sendgrid.inspect(),
            "mailchimp": self.mailchimp.inspect(),
            "listmonk": self.listmonk.inspect(),
        })
    }

    fn pass_time(&mut self, asked: &Asked) -> Handled {
        let seconds = asked
            .json()
            .and_then(|body| body["advance_seconds"].as_i64());
        let Some(seconds) = seconds.filter(|seconds| (0..=10_000_000_000).contains(seconds)) else {
            return Err(said(
                400,
                "give {\"advance_seconds\": N}, with N not below 0",
            ));
        };
        self.clock.advance(seconds);
        let now = self.clock.now().to_string();
        Ok(Answer::json(200, &json!({ "now": now })))
    }

    fn other_faults(&mut self, asked: &Asked) -> Handled {
        let text = String::from_utf8_lossy(&asked.body);
        let file = FaultFile::parse(&text, "the request").map_err(|e| said(400, &e.to_string()))?;
        self.faults = Faults::new(file.faults);
        Ok(Answer::empty(204))
    }
}

/// Something that the doubles say in their own words.
pub(super) fn said(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "message": message }))
}
