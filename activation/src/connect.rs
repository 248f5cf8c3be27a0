//! From a declared destination to what sends to it.

use tenfold_core::activation::{DestinationSpec, SendError, Target};
use tenfold_core::failure::{ErrorCode, Failure};

use crate::driver::Driver;
use crate::files::{Files, Folder, Remote};
use crate::vendors::{Activities, Eloqua, Listmonk, Mailchimp, Pace, Sendgrid};
use crate::webhook::Hook;

/// What sends to a destination. `base` is the folder or prefix of the project, which paths of folders
/// are relative to.
///
/// # Errors
/// When the declaration cannot be used.
pub fn connect(spec: &DestinationSpec, base: &str) -> Result<Box<dyn Driver>, Failure> {
    connect_at(spec, base, Pace::default())
}

/// The same, with another pace at which vendors are asked whether they are done.
///
/// # Errors
/// When the declaration cannot be used.
pub fn connect_at(
    spec: &DestinationSpec,
    base: &str,
    pace: Pace,
) -> Result<Box<dyn Driver>, Failure> {
    let limits = &spec.limits;
    let driver: Result<Box<dyn Driver>, Failure> = match &spec.to {
        Target::Files(files) => {
            let folder = Folder::open(&resolved(&files.path, base)).map_err(unusable);
            folder.map(|folder| Box::new(Files::new(folder, &files.file)) as _)
        }
        Target::Webhook(webhook) => {
            let hook = Hook::new(webhook).map_err(unusable);
            hook.map(|hook| Box::new(hook) as _)
        }
        Target::Sftp(sftp) => Ok(Box::new(Files::new(Remote::new(sftp), &sftp.file))),
        Target::Eloqua(to) => Eloqua::new(to, limits, pace).map(|made| Box::new(made) as _),
        Target::Sendgrid(to) => Sendgrid::new(to, limits, pace).map(|made| Box::new(made) as _),
        Target::Mailchimp(to) => Mailchimp::new(to, limits).map(|made| Box::new(made) as _),
        Target::Listmonk(to) => Listmonk::new(to, limits).map(|made| Box::new(made) as _),
    };
    driver.map_err(|failure| {
        let failure = failure.within(format!("destination {}", spec.destination));
        failure.code(ErrorCode::DestinationFailed)
    })
}

/// What fetches the activities of a destination's account.
///
/// # Errors
/// When it is none of Oracle Eloqua, or the declaration cannot be used.
pub fn activities(spec: &DestinationSpec, pace: Pace) -> Result<Activities, Failure> {
    let name = &spec.destination;
    let Target::Eloqua(to) = &spec.to else {
        return Err(Failure::config(format!(
            "nothing can be fetched from destination {name}, which is of kind {}",
            spec.to.kind()
        ))
        .code(ErrorCode::WrongFetch)
        .remedy(
            "only activities of Oracle Eloqua are fetched: other vendors tell what happens by webhooks, \
             see docs/streaming.md",
        ));
    };
    Activities::new(name, to, pace).map_err(|failure| {
        let failure = failure.within(format!("destination {name}"));
        failure.code(ErrorCode::DestinationFailed)
    })
}

fn unusable(error: SendError) -> Failure {
    Failure::config(error.message).remedy("correct the declaration: docs/destinations.md")
}

/// A path as it is meant: below the project, unless it is whole.
fn resolved(path: &str, base: &str) -> String {
    match path.contains("://") || path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{base}/{path}"),
    }
}
