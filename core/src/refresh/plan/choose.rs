//! Which files of a source are read, and for which of them rows are taken out of the state again.

use std::collections::BTreeMap;

use super::{Head, ListedFile, QuarantineRetry, TASK_BYTES};
use crate::failure::{ErrorCode, Failure};
use crate::project::{Changed, Source, Vanished};
use crate::refresh::counts::Counts;
use crate::refresh::restate::{Restated, Span, Spans};
use crate::refresh::state::TakenInput;
use crate::refresh::task::{Again, InputUnit};

/// The files of one source.
pub(super) struct Files<'a> {
    pub source: &'a str,
    pub declared: &'a Source,
    /// Those that are there.
    pub listed: &'a [ListedFile],
    /// The snapshot whose state is gone on from.
    pub head: Option<&'a Head>,
    /// Rows in quarantine that are to be tried again.
    pub retry: &'a QuarantineRetry,
}

/// What was decided about them.
#[derive(Default)]
pub(super) struct Chosen {
    pub units: Vec<InputUnit>,
    pub files: u64,
    pub reused: u64,
    pub restated: Restated,
    /// Rows that leave quarantine to be tried again.
    pub released: Counts,
}

/// Parts the files into those to read and those that were taken in before.
pub(super) fn choose(files: &Files<'_>) -> Result<Chosen, Failure> {
    let taken = files.taken();
    let listed: BTreeMap<&str, &ListedFile> = files
        .listed
        .iter()
        .map(|file| (file.location.as_str(), file))
        .collect();
    let mut chosen = Chosen {
        restated: files.restated(&taken, &listed)?,
        ..Chosen::default()
    };
    let may_be_empty = files.declared.vanished == Vanished::IgnoreMissing && !taken.is_empty();
    if listed.is_empty() && !may_be_empty && files.declared.ingest.is_none() {
        return Err(no_files(files));
    }
    for (location, file) in listed {
        let before = taken.get(location).copied();
        let before = before.filter(|_| !chosen.restated.changed.contains(location));
        let units = match before {
            None => units(file),
            Some(before) => match files.again(before, &mut chosen) {
                Some(again) => vec![InputUnit {
                    again: Some(again),
                    ..whole(file)
                }],
                None => {
                    chosen.reused += 1;
                    continue;
                }
            },
        };
        chosen.units.extend(units);
        chosen.files += 1;
    }
    Ok(chosen)
}

impl<'a> Files<'a> {
    /// The files that were taken in before, by location.
    fn taken(&self) -> BTreeMap<&'a str, &'a TakenInput> {
        let inputs = self.head.into_iter().flat_map(|head| &head.state.inputs);
        inputs
            .filter(|input| input.source == self.source)
            .map(|input| (input.location.as_str(), input))
            .collect()
    }

    fn retried(&self, location: &str) -> Option<&'a super::Retried> {
        let file = (self.source.to_owned(), location.to_owned());
        self.retry.files.get(&file)
    }

    /// What is taken out of the state for files that changed or vanished, as the source declares.
    fn restated(
        &self,
        taken: &BTreeMap<&str, &TakenInput>,
        listed: &BTreeMap<&str, &ListedFile>,
    ) -> Result<Restated, Failure> {
        let mut restated = Restated::default();
        let mut days = Vec::new();
        for (location, before) in taken {
            let into = match (listed.get(location), self.declared.vanished) {
                (None, Vanished::Refuse) => return Err(vanished(self.source, location)),
                (None, Vanished::IgnoreMissing) => continue,
                (None, Vanished::Restate) => &mut restated.vanished,
                (Some(file), _) if before.is_still(file) => continue,
                (Some(_), _) if self.declared.changed == Changed::Restate => &mut restated.changed,
                // Rows in quarantine may be mended in place.
                (Some(_), _) if self.retried(location).is_some() => continue,
                (Some(_), _) => return Err(changed(self.source, location)),
            };
            into.insert((*location).to_owned());
            restated.released.add(&before.counts);
            days.extend(before.days);
        }
        restated.days = Spans::of(days).with_links(self.links());
        for (location, before) in taken {
            let anew =
                restated.changed.contains(*location) || restated.vanished.contains(*location);
            if anew || !before.days.is_some_and(|days| restated.days.meet(days)) {
                continue;
            }
            if !listed.contains_key(location) {
                return Err(cannot_restate(self.source, &restated, location));
            }
            restated.again.insert((*location).to_owned());
        }
        Ok(restated)
    }

    /// Days with copies of one event.
    fn links(&self) -> impl Iterator<Item = Span> + use<'_> {
        let state = self.head.into_iter().flat_map(|head| &head.state.state);
        let links = state.filter_map(|shard| shard.links.get(self.source));
        links.flat_map(Spans::iter)
    }

    /// Why a file that was taken in is read again, if it is.
    fn again(&self, before: &TakenInput, chosen: &mut Chosen) -> Option<Again> {
        let retried = self.retried(&before.location);
        let days = match chosen.restated.again.contains(&before.location) {
            true => chosen.restated.days.clone(),
            false => Spans::default(),
        };
        if let Some(retried) = retried {
            chosen.released.add(&retried.counts);
        }
        if retried.is_none() && days.is_empty() {
            return None;
        }
        Some(Again {
            rows: retried.map_or_else(Vec::new, |retried| retried.rows.clone()),
            days,
            rows_before: before.counts.read.unsigned_abs(),
            checksum: before.checksum,
        })
    }
}

fn vanished(source: &str, location: &str) -> Failure {
    Failure::data(format!(
        "source {source}: {location} was taken in before and is gone"
    ))
    .code(ErrorCode::InputGone)
    .remedy(
        "put the file back: its rows are part of the published figures, and a refresh does not \
         drop them silently; or declare `vanished: restate` or `vanished: ignore_missing` for the \
         source",
    )
}

fn changed(source: &str, location: &str) -> Failure {
    Failure::data(format!(
        "source {source}: {location} has changed since it was taken in"
    ))
    .code(ErrorCode::InputChanged)
    .remedy(
        "restore it, and deliver corrections as a new file; or declare `changed: restate` for the \
         source; if only rows in quarantine were mended, run `tenfold quarantine retry`",
    )
}

fn cannot_restate(source: &str, restated: &Restated, missing: &str) -> Failure {
    let mut why = restated.changed.iter().chain(&restated.vanished);
    let first = why.next().map_or("", String::as_str);
    Failure::data(format!(
        "source {source}: {first} cannot be restated: {missing} has rows on the same days, and is \
         gone"
    ))
    .code(ErrorCode::InputGone)
    .remedy(format!(
        "put {missing} back, at least for this refresh, or restore {first}"
    ))
}

fn no_files(files: &Files<'_>) -> Failure {
    let (source, path) = (files.source, &files.declared.path);
    Failure::data(format!("source {source}: no files at {path}"))
        .code(ErrorCode::NoFiles)
        .remedy(
            "check `path` and `format` in tenfold.yaml; names that start with `_` or `.` are \
             ignored",
        )
}

/// The units of a file: one, or ranges of row groups of about [`TASK_BYTES`] each.
fn units(file: &ListedFile) -> Vec<InputUnit> {
    let whole = whole(file);
    let count = file.row_groups.len() as u64;
    if file.size <= 2 * TASK_BYTES || count < 2 {
        return vec![whole];
    }
    let group_bytes = (file.size / count).max(1);
    let step = usize::try_from((TASK_BYTES / group_bytes).max(1)).unwrap_or(usize::MAX);
    let mut first_row = 1;
    let mut units = Vec::new();
    for (index, groups) in file.row_groups.chunks(step).enumerate() {
        let first = index * step;
        units.push(InputUnit {
            size: group_bytes * groups.len() as u64,
            row_groups: Some((first, first + groups.len())),
            first_row,
            ..whole.clone()
        });
        first_row += groups.iter().sum::<u64>();
    }
    units
}

fn whole(file: &ListedFile) -> InputUnit {
    InputUnit {
        location: file.location.clone(),
        file_size: file.size,
        size: file.size,
        etag: file.etag.clone(),
        keys: file.keys.clone(),
        row_groups: None,
        first_row: 1,
        again: None,
    }
}
