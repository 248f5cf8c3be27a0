//! Who is told: the targets that a file declares.

use std::collections::BTreeSet;

use serde::Deserialize;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ledger::NoticeKind;
use tenfold_core::project::Secret;

/// A file of targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// The targets.
    pub targets: Vec<Target>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name, for records and commands.
    pub name: String,
    /// What it is told of.
    #[serde(default = "all_kinds")]
    pub on: Vec<NoticeKind>,
    /// A program that takes events over HTTP.
    pub webhook: Option<Webhook>,
    /// A channel of Slack, or of something that takes its messages.
    pub slack: Option<Slack>,
    /// People with mailboxes.
    pub smtp: Option<Smtp>,
}

/// How a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    Webhook(&'a Webhook),
    Slack(&'a Slack),
    Smtp(&'a Smtp),
}

/// A program that takes events over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where events are posted.
    pub url: String,
    /// The key that they are signed with.
    pub secret: Secret,
}

/// A channel of Slack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// Where messages are posted; whoever knows it can post.
    pub url: Secret,
}

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Name of the server.
    pub server: String,
    /// Its port; that of `tls` when left out.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Name to log in with.
    pub user: Option<String>,
    /// Password to log in with.
    pub password: Option<Secret>,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// TLS begins after the greeting; port 587.
    #[default]
    Starttls,
    /// TLS from the start; port 465.
    Tls,
    /// None at all; port 25. Nobody logs in that way.
    None,
}

fn all_kinds() -> Vec<NoticeKind> {
    NoticeKind::ALL.to_vec()
}

/// The secret itself.
pub(super) fn read(secret: &Secret) -> Result<String, Failure> {
    tenfold_store::secret::read(secret).map_err(|failure| {
        let failure = failure.code(ErrorCode::NotifyTargets);
        failure.remedy("put it there, readable by the coordinator")
    })
}

impl Targets {
    /// Checks what the file says.
    ///
    /// # Errors
    /// With the target that cannot be, and why.
    pub fn check(&self, file: &str) -> Result<(), Failure> {
        let mut names = BTreeSet::new();
        for target in &self.targets {
            let wrong = |what: &str| {
                Failure::config(format!("{file}: target {:?} {what}", target.name))
                    .code(ErrorCode::NotifyTargets)
                    .remedy("docs/notifications.md shows how targets are declared")
            };
            if target.name.is_empty() || target.name.len() > 64 {
                return Err(wrong("has no name of 1 to 64 bytes"));
            }
            if !names.insert(&target.name) {
                return Err(wrong("is there twice"));
            }
            if target.on.is_empty() {
                return Err(wrong("is told of nothing"));
            }
            target.check().map_err(|what| wrong(&what))?;
        }
        Ok(())
    }

    /// The target of a name.
    ///
    /// # Errors
    /// When there is none, naming those that there are.
    pub fn named(&self, name: &str) -> Result<&Target, Failure> {
        let found = self.targets.iter().find(|target| target.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.targets.iter().map(|t| t.name.as_str()).collect();
            Failure::config(format!("there is no target {name}"))
                .code(ErrorCode::UnknownTarget)
                .remedy(format!("targets of the file: {}", names.join(", ")))
        })
    }
}

impl Target {
    /// The one way in which the target is reached.
    pub(super) fn way(&self) -> Option<Way<'_>> {
        match (&self.webhook, &self.slack, &self.smtp) {
            (Some(webhook), None, None) => Some(Way::Webhook(webhook)),
            (None, Some(slack), None) => Some(Way::Slack(slack)),
            (None, None, Some(smtp)) => Some(Way::Smtp(smtp)),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), String> {
        match self.way() {
            None => Err("has to have one of webhook, slack and smtp".to_owned()),
            Some(Way::Webhook(webhook)) => match reqwest::Url::parse(&webhook.url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
                _ => Err("has a webhook whose url is none of http or https".to_owned()),
            },
            Some(Way::Slack(_)) => Ok(()),
            Some(Way::Smtp(smtp)) => smtp.check(),
        }
    }
}

impl Smtp {
    fn check(&self) -> Result<(), String> {
        if self.to.is_empty() {
            return Err("has nobody in smtp.to".to_owned());
        }
        if self.user.is_some() != self.password.is_some() {
            return Err("needs both smtp.user and smtp.password, or neither".to_owned());
        }
        if self.tls == SmtpTls::None && self.user.is_some() {
            return Err("would send its password without TLS".to_owned());
        }
        let mut boxes = self.to.iter().chain([&self.from]);
        match boxes.find(|address| address.parse::<lettre::message::Mailbox>().is_err()) {
            Some(wrong) => Err(format!("has {wrong:?}, which is no mailbox")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(json: &str) -> Targets {
        serde_json::from_str(json).unwrap()
    }

    fn wrong(json: &str, words: &str) {
        let failure = targets(json).check("notify.yaml").unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
    }

    const HOOK: &str = r#""webhook": {"url": "https://x/", "secret": {"env": "S"}}"#;

    #[test]
    fn a_target_is_reached_in_one_way() {
        let one = targets(&format!(r#"{{"targets": [{{"name": "a", {HOOK}}}]}}"#));
        assert_eq!(one.check("f"), Ok(()));
        assert_eq!(one.targets[0].on, NoticeKind::ALL);
        wrong(
            r#"{"targets": [{"name": "a"}]}"#,
            "one of webhook, slack and smtp",
        );
        let both = format!(
            r#"{{"targets": [{{"name": "a", {HOOK}, "slack": {{"url": {{"env": "U"}}}}}}]}}"#
        );
        wrong(&both, "one of webhook, slack and smtp");
        let twice = format!(r#"{{"targets": [{{"name": "a", {HOOK}}}, {{"name": "a", {HOOK}}}]}}"#);
        wrong(&twice, "\"a\" is there twice");
        let nothing = format!(r#"{{"targets": [{{"name": "a", "on": [], {HOOK}}}]}}"#);
        wrong(&nothing, "told of nothing");
        assert!(one.named("b").unwrap_err().remedy.contains('a'));
    }

    #[test]
    fn mail_is_checked() {
        let smtp = |more: &str| {
            format!(
                r#"{{"targets": [{{"name": "m", "smtp": {{"server": "s", "from": "t@x.example", {more}}}}}]}}"#
            )
        };
        assert_eq!(
            targets(&smtp(r#""to": ["me@x.example"]"#)).check("f"),
            Ok(())
        );
        wrong(&smtp(r#""to": []"#), "nobody");
        wrong(&smtp(r#""to": ["me at x"]"#), "no mailbox");
        let login = r#""to": ["me@x.example"], "user": "u""#;
        wrong(&smtp(login), "both smtp.user and smtp.password");
        let plain = format!(r#"{login}, "password": {{"env": "P"}}, "tls": "none""#);
        wrong(&smtp(&plain), "without TLS");
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_a_mistake_in_the_targets() {
        let failure = read(&Secret::File("absent/secret".to_owned())).unwrap_err();
        assert_eq!(failure.code, Some(ErrorCode::NotifyTargets));
        assert!(failure.message.contains("file absent/secret"), "{failure}");
        assert!(failure.remedy.contains("the coordinator"), "{failure}");
    }
}
