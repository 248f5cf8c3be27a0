//! One import: a definition, its data, a sync, and what became of each row.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};
use tenfold_core::activation::{Outcome, Row, SendError, SendErrorKind};

use super::job::{End, LATER};
use super::{Eloqua, POST, POSTS, VENDOR};
use crate::vendors::rejected;

impl Eloqua {
    /// Sends rows into a definition of their own, and sets their outcomes.
    pub(super) async fn carry_out(
        &self,
        kind: &str,
        definition: &Json,
        rows: &[(usize, &Row)],
        told: impl Fn(&Row) -> Json + Send,
        outcomes: &mut [Outcome],
    ) -> Result<(), SendError> {
        let posts = posts(rows, told)?;
        let path = ["contacts", kind];
        let what = "defining an import";
        let defined = self
            .session
            .post(&path, definition.to_string(), what)
            .await?;
        let uri = defined["uri"].as_str().unwrap_or_default().to_owned();
        let id = uri.rsplit('/').next().unwrap_or_default();
        if id.is_empty() {
            return Err(SendError::transient(format!(
                "{VENDOR}: {what}: it gave no uri"
            )));
        }
        for post in posts {
            self.post_data(&["contacts", kind, id, "data"], post)
                .await?;
        }
        let sync = self.session.begin(&uri).await?;
        match self.session.ended(self.pace, &sync).await? {
            End::Success => Ok(()),
            end => {
                self.read_rejects(&sync, end == End::Error, rows, outcomes)
                    .await
            }
        }
    }

    async fn post_data(&self, path: &[&str], body: String) -> Result<(), SendError> {
        let what = "sending data";
        let reply = self
            .session
            .call(reqwest::Method::POST, path, &[], Some(body), what);
        let reply = reply.await?;
        match reply.status {
            200..300 => Ok(()),
            // So Eloqua answers to too much data, and to a definition that is gone.
            404 => Err(SendError::new(
                SendErrorKind::TooLarge,
                format!("{VENDOR}: {what}: it answered 404, as it does to too much at once"),
            )),
            413 => Err(SendError::new(
                SendErrorKind::RateLimited {
                    retry_after: Some(LATER),
                },
                format!("{VENDOR}: {what}: its staging area is full"),
            )),
            _ => Err(self.session.caller().refusal(&reply, what)),
        }
    }

    /// Finds out which rows were not taken, and why.
    async fn read_rejects(
        &self,
        sync: &str,
        failed: bool,
        rows: &[(usize, &Row)],
        outcomes: &mut [Outcome],
    ) -> Result<(), SendError> {
        let mut rejects = Vec::new();
        let path = ["syncs", sync, "rejects"];
        self.session
            .pages(&path, None, "reading rejects", |reject| {
                // Addresses of a batch differ, so a copy means that data arrived twice: the row itself
                // was taken.
                if !matches!(code(reject), "ELQ-00011" | "ELQ-00026") {
                    rejects.push(needed(reject));
                }
            })
            .await?;
        let places = places(&rejects, rows).ok_or_else(|| {
            SendError::new(
                SendErrorKind::Rejected,
                format!("{VENDOR}: it rejected rows without saying which"),
            )
        })?;
        let named: HashSet<usize> = places.iter().copied().collect();
        if failed && named.len() < rows.len() {
            return Err(self.session.why(sync).await?);
        }
        for (reject, place) in rejects.iter().zip(places) {
            let Some((at, row)) = rows.get(place) else {
                continue;
            };
            let words = reject["message"].as_str().unwrap_or("it gave no reason");
            if let Some(outcome) = outcomes.get_mut(*at) {
                *outcome = rejected(code(reject), words, row, false);
            }
        }
        Ok(())
    }
}

/// What is read of a reject: it repeats the whole row.
fn needed(reject: &Json) -> Json {
    json!({
        "statusCode": reject["statusCode"], "message": reject["message"],
        "recordIndex": reject["recordIndex"],
        "fieldValues": {super::EMAIL: reject["fieldValues"][super::EMAIL]},
    })
}

/// The code of a reject.
fn code(reject: &Json) -> &str {
    reject["statusCode"].as_str().unwrap_or("REJECTED")
}

/// Arrays of rows that are not too long.
fn posts(rows: &[(usize, &Row)], told: impl Fn(&Row) -> Json) -> Result<Vec<String>, SendError> {
    let mut posts = Vec::new();
    let mut post = String::from("[");
    for (_, row) in rows {
        let told = told(row).to_string();
        if post.len() > 1 && post.len() + told.len() + 2 > POST {
            post.push(']');
            posts.push(std::mem::replace(&mut post, String::from("[")));
        }
        if post.len() > 1 {
            post.push(',');
        }
        post.push_str(&told);
    }
    post.push(']');
    posts.push(post);
    match posts.len() <= POSTS {
        true => Ok(posts),
        false => Err(SendError::new(
            SendErrorKind::TooLarge,
            format!("{VENDOR}: the batch needs more than {POSTS} posts"),
        )),
    }
}

/// The places of rejected rows among those that were sent. A reject repeats the row's identity; where it
/// does not, `recordIndex` says which it was. Whether that counts from 0 or 1 is seen in rejects that
/// have both, as long as they agree: data that arrived twice are counted on. None when a row cannot be
/// told.
fn places(rejects: &[Json], rows: &[(usize, &Row)]) -> Option<Vec<usize>> {
    let identities = rows.iter().enumerate();
    let identities = identities.map(|(place, (_, row))| (row.identity.to_lowercase(), place));
    let identities: HashMap<String, usize> = identities.collect();
    let by_identity = |reject: &Json| {
        let identity = reject["fieldValues"][super::EMAIL].as_str()?;
        identities.get(&identity.to_lowercase()).copied()
    };
    let index = |reject: &Json| reject["recordIndex"].as_i64();
    let mut begins = rejects.iter().filter_map(|reject| {
        let place = i64::try_from(by_identity(reject)?).ok()?;
        index(reject)?.checked_sub(place)
    });
    let first = begins.next();
    let first = first.filter(|first| begins.all(|other| other == *first));
    let by_index = |reject: &Json| {
        let place = usize::try_from(index(reject)?.checked_sub(first?)?).ok()?;
        (place < rows.len()).then_some(place)
    };
    let place = |reject: &Json| by_identity(reject).or_else(|| by_index(reject));
    rejects.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use tenfold_core::activation::Verb;

    use super::*;

    #[test]
    fn rejects_find_their_rows() {
        let row = |identity: &str| Row {
            identity: identity.to_owned(),
            verb: Verb::Upsert,
            fields: Vec::new(),
        };
        let rows = [row("a@x.test"), row("b@x.test"), row("c@x.test")];
        let rows: Vec<_> = rows.iter().enumerate().collect();
        let named = |email: &str, index| json!({"fieldValues": {super::super::EMAIL: email}, "recordIndex": index});
        let unnamed = |index: i64| json!({"fieldValues": {}, "recordIndex": index});
        for (rejects, found) in [
            (vec![named("B@x.test", 2)], Some(vec![1])),
            (vec![named("b@x.test", 2), unnamed(3)], Some(vec![1, 2])),
            (vec![named("b@x.test", 1), unnamed(0)], Some(vec![1, 0])),
            (vec![named("b@x.test", 1), unnamed(9)], None),
            (vec![named("b@x.test", 2), unnamed(i64::MIN)], None),
            (
                vec![named("b@x.test", 5), named("a@x.test", 1), unnamed(6)],
                None,
            ),
            (vec![unnamed(1)], None),
        ] {
            assert_eq!(places(&rejects, &rows), found, "{rejects:?}");
        }
    }

    #[test]
    fn posts_are_cut_before_they_are_too_long() {
        let row = Row {
            identity: "a@x.test".to_owned(),
            verb: Verb::Upsert,
            fields: Vec::new(),
        };
        let rows: Vec<_> = (0..5).map(|at| (at, &row)).collect();
        let text = "x".repeat(POST / 2 - 100);
        let posts = posts(&rows, |_| json!({ "t": text })).unwrap();
        let counts: Vec<usize> = posts
            .iter()
            .map(|post| serde_json::from_str::<Vec<Json>>(post).unwrap().len())
            .collect();
        assert_eq!(counts, [2, 2, 1]);
        assert!(posts.iter().all(|post| post.len() <= POST));
    }
}
