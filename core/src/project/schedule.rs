//! A schedule's declaration: what it may say, its defaults, and what a schema cannot say of it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::declared::understood;
use super::finding::{At, Finding, Report};
use super::model::{Format, Layout, Project};
use super::near::did_you_mean;
use super::{conform, schema, tree, zone};
use crate::calendar::Day;
use crate::failure::{ErrorCode, Failure};
use crate::schedule::Timetable;

/// Names of schedules: they stand in idempotency keys and on command lines.
const NAME: &str = "^[a-z][a-z0-9_-]{0,62}$";
/// Firings further back are never made up for, so that a window can be looked through.
const LONGEST_WINDOW: u64 = 31 * 86_400;

/// When a refresh runs by itself, and what happens when it cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tenfold schedule")]
pub struct ScheduleSpec {
    /// Name of the schedule: lower-case letters, digits, `_` and `-`.
    #[schemars(extend("pattern" = NAME))]
    pub schedule: String,
    /// When it fires, in five fields: minute, hour, day of month, month, day of week.
    pub cron: String,
    /// IANA time zone of `cron`, `start` and `end`; that of the project when left out.
    #[serde(default)]
    pub zone: String,
    /// What becomes of a firing while a run of the schedule has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// Which firings are made up for that no coordinator was there for.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Firings longer ago than this are skipped.
    #[serde(default = "one_day")]
    pub catch_up_window: Length,
    /// At most so many firings wait in line.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub catch_up_max: u32,
    /// First day on which it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub start: Option<Day>,
    /// Last day on which it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub end: Option<Day>,
    /// It pauses itself after so many runs that failed one after the other; 0 is never.
    #[serde(default = "ten")]
    #[schemars(range(max = 1000))]
    pub pause_after_failures: u32,
    /// A run that has not ended so long after its firing is late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_after: Option<Length>,
    /// A run that takes longer is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Length>,
    /// Words to keep with each run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What has to be there before a run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_when: Option<ReadyWhen>,
}

/// What becomes of a firing while a run of the schedule has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped, and counted.
    #[default]
    Skip,
    /// The newest one waits for the run to end.
    BufferOne,
    /// All wait, and run one after the other.
    BufferAll,
    /// The run is cancelled in its favour.
    CancelOther,
}

/// Which firings are made up for that no coordinator was there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// None of them.
    None,
    /// The newest one.
    #[default]
    Latest,
    /// All of them, one after the other.
    All,
}

/// What has to be there before a run starts. `{date}` is the last day that the run observes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadyWhen {
    /// A file that whoever delivers the data writes last; `{date}` in it is the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// The folder of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<DayPartition>,
    /// Rows in files that no snapshot has read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<NewRows>,
    /// How long after its firing a run waits.
    #[serde(default = "six_hours")]
    pub wait_up_to: Length,
    /// What happens when the time is up.
    #[serde(default)]
    pub then: Then,
}

/// A source has a file in the `key=day` folder of the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DayPartition {
    /// The source.
    pub source: String,
    /// The key, such as `date` in `date=2024-05-31`.
    pub key: String,
}

/// New files of a source have so many rows together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRows {
    /// The source.
    pub source: String,
    /// The rows.
    #[schemars(range(min = 1))]
    pub at_least: u64,
}

/// What happens when data did not come in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The run fails.
    #[default]
    Fail,
    /// The run publishes without it and ends as partial.
    Partial,
}

/// A length of time in whole seconds, written such as `90s`, `30m`, `2h` or `1d`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[1-9][0-9]*[smhd]$"))]
pub struct Length(pub u64);

impl Length {
    /// The longest, in seconds. A century is for ever, and keeps sums of times in range.
    pub const LONGEST: u64 = 36_525 * 86_400;

    /// The length in milliseconds.
    pub fn ms(self) -> i64 {
        i64::try_from(self.0).map_or(i64::MAX, |seconds| seconds.saturating_mul(1000))
    }
}

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let seconds = UNITS.iter().find_map(|(unit, seconds)| {
            let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
            number.checked_mul(*seconds).filter(|all| *all > 0)
        });
        let seconds = seconds.filter(|seconds| *seconds <= Self::LONGEST);
        seconds
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no length of time"))
    }
}

impl From<Length> for String {
    fn from(length: Length) -> Self {
        length.to_string()
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = UNITS.iter();
        let unit = units.find(|(_, seconds)| self.0.is_multiple_of(*seconds));
        let (unit, seconds) = unit.copied().unwrap_or(("s", 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

fn one_day() -> Length {
    Length(86_400)
}

fn six_hours() -> Length {
    Length(6 * 3600)
}

fn hundred() -> u32 {
    100
}

fn ten() -> u32 {
    10
}

impl ScheduleSpec {
    /// The declaration with every default spelled out, as YAML that [`Self::from_applied`] reads.
    ///
    /// # Errors
    /// Never for a declaration that lints clean.
    pub fn to_yaml(&self) -> Result<String, Failure> {
        serde_saphyr::to_string(self).map_err(|error| Failure::bug(error.to_string()))
    }

    /// Reads a declaration that [`Self::to_yaml`] wrote.
    ///
    /// # Errors
    /// When a newer version of Tenfold wrote it.
    pub fn from_applied(text: &str) -> Result<Self, Failure> {
        serde_saphyr::from_str(text).map_err(|error| {
            Failure::config(format!("cannot read an applied schedule: {error}"))
                .code(ErrorCode::WrongSchedule)
                .remedy(
                    "use the version of Tenfold that applied it or a later one, or apply it again",
                )
        })
    }
}

/// What reading a schedule gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleLint {
    /// The schedule with every default spelled out; `None` when there is an error.
    pub schedule: Option<ScheduleSpec>,
    /// Errors in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads the declaration of a schedule of a project, with everything there is to say about it.
pub fn lint_schedule(text: &str, project: &Project) -> ScheduleLint {
    let mut report = Report::default();
    let schedule = read(text, project, &mut report).filter(|_| !report.has_errors());
    ScheduleLint {
        schedule,
        findings: report.into_findings(),
    }
}

fn read(text: &str, project: &Project, report: &mut Report) -> Option<ScheduleSpec> {
    let root = tree::read(text, report)?;
    let mut json = conform::conform(&root, &schema::schedule_json_schema(), report)?;
    for path in [
        "catch_up_window",
        "late_after",
        "run_timeout",
        "ready_when.wait_up_to",
    ] {
        let remedy = "write a number and its unit, such as 90s, 30m, 2h or 1d";
        check_text(&mut json, path, report, remedy, |text| {
            Length::try_from(text.to_owned()).map(drop)
        });
    }
    for path in ["start", "end"] {
        check_text(
            &mut json,
            path,
            report,
            "write a date such as 2024-02-29",
            |text| text.parse::<Day>().map(drop).map_err(|e| e.to_string()),
        );
    }
    let mut spec: ScheduleSpec = understood(json, report)?;
    check_zone(&mut spec, project, report);
    check_times(&spec, report);
    check_ready(&spec, project, report);
    Some(spec)
}

/// Checks a text that the schema takes as it is; one that cannot be read is left out.
fn check_text(
    json: &mut Value,
    path: &str,
    report: &mut Report,
    remedy: &str,
    check: impl Fn(&str) -> Result<(), String>,
) {
    let (within, key) = path.rsplit_once('.').unwrap_or(("", path));
    let record = match within {
        "" => Some(json),
        within => json.get_mut(within),
    };
    let Some(record) = record.and_then(Value::as_object_mut) else {
        return;
    };
    let checked = record.get(key).and_then(Value::as_str).map(check);
    if let Some(Err(message)) = checked {
        report.error(At::Value, path, message, remedy);
        report.spoil(path);
        record.remove(key);
    }
}

fn check_zone(spec: &mut ScheduleSpec, project: &Project, report: &mut Report) {
    if spec.zone.is_empty() {
        spec.zone.clone_from(&project.time_zone);
        return;
    }
    match zone::canonical(&spec.zone) {
        Ok(name) => spec.zone = name,
        Err(remedy) => {
            let message = format!("there is no time zone `{}`", spec.zone);
            report.error(At::Value, "zone", message, remedy);
            spec.zone = "UTC".to_owned();
        }
    }
}

fn check_times(spec: &ScheduleSpec, report: &mut Report) {
    let mut letters = spec.schedule.chars();
    let fits = letters.next().is_some_and(|c| c.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c))
        && spec.schedule.len() <= 63;
    if !fits {
        let message = format!("`{}` is no name of a schedule", spec.schedule);
        let remedy = "use lower-case letters, digits, `_` and `-`, a letter first, 63 at most";
        report.error(At::Value, "schedule", message, remedy);
    }
    if !report.is_spoiled_within("cron") {
        match Timetable::new(spec) {
            Err(failure) => report.error(At::Value, "cron", failure.message, failure.remedy),
            Ok(times) if !times.ever_fires() => {
                let message = format!("`{}` never fires", spec.cron);
                let remedy = "no calendar has such a day: correct the fields for day and month";
                report.error(At::Value, "cron", message, remedy);
            }
            Ok(_) => {}
        }
    }
    if spec
        .start
        .zip(spec.end)
        .is_some_and(|(start, end)| start > end)
    {
        let message = "the last day is before the first one";
        report.error(At::Value, "end", message, "make `end` later than `start`");
    }
    if spec.catch_up_window.0 > LONGEST_WINDOW {
        let message = format!("`catch_up_window` is {}", spec.catch_up_window);
        report.error(At::Value, "catch_up_window", message, "31d is the longest");
    }
    if (spec.overlap, spec.catch_up) == (Overlap::CancelOther, CatchUp::All) {
        let message = "with `overlap: cancel_other` each firing that is made up for would cancel the one before";
        report.error(At::Value, "catch_up", message, "use `catch_up: latest`");
    }
}

fn check_ready(spec: &ScheduleSpec, project: &Project, report: &mut Report) {
    let Some(ready) = &spec.ready_when else {
        return;
    };
    if ready.marker.is_none() && ready.partition.is_none() && ready.rows.is_none() {
        let spoiled = ["marker", "partition", "rows"]
            .iter()
            .any(|key| report.is_spoiled_within(&format!("ready_when.{key}")));
        if !spoiled {
            let message = "`ready_when` waits for nothing";
            let remedy = "give `marker:`, `partition:` or `rows:`, or take it out";
            report.error(At::Key, "ready_when", message, remedy);
        }
    }
    if let Some(partition) = &ready.partition
        && let Some(source) = source(&partition.source, "partition", project, report)
        && source.layout != Layout::Hive
    {
        let message = format!("source `{}` has no `key=value` folders", partition.source);
        let remedy = "declare `layout: hive` for it, or wait for a marker or for rows";
        report.error(At::Value, "ready_when.partition.source", message, remedy);
    }
    if let Some(rows) = &ready.rows
        && let Some(source) = source(&rows.source, "rows", project, report)
        && source.format != Format::Parquet
    {
        let message = format!(
            "the rows of source `{}` are not known before they are read: its files are not Parquet",
            rows.source
        );
        let remedy = "wait for a marker or for a partition";
        report.error(At::Value, "ready_when.rows.source", message, remedy);
    }
}

fn source<'a>(
    name: &str,
    condition: &str,
    project: &'a Project,
    report: &mut Report,
) -> Option<&'a super::model::Source> {
    let found = project.sources.get(name);
    if found.is_none() {
        let path = format!("ready_when.{condition}.source");
        let names = project.sources.keys().map(String::as_str);
        let message = format!("there is no source `{name}`");
        report.error(At::Value, &path, message, did_you_mean(name, names));
    }
    found
}
