//! What every command prints, whole: scripts of commands with their output in `tests/transcripts`.
//!
//! A line that begins with `$` is run; below it stands what it printed: standard output, standard
//! error behind `|`, and the exit code when it is not 0. What differs from run to run is replaced
//! by a word in brackets. `TENFOLD_BLESS=1` writes the files anew: read the difference.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::ingest::sent_shop;
use crate::notified::{Inbox, webhook};
use crate::processes::Cluster;
use crate::responses;
use crate::support::{Answer, Project, SHOP, binary, csv, sales};

const AUDIENCES: &str = include_str!("../transcripts/audiences.txt");
const BACKFILLS: &str = include_str!("../transcripts/backfills.txt");
const CAMPAIGNS: &str = include_str!("../transcripts/campaigns.txt");
const DASHBOARDS: &str = include_str!("../transcripts/dashboards.txt");
const INGEST: &str = include_str!("../transcripts/ingest.txt");
const LOCAL: &str = include_str!("../transcripts/local.txt");
const NOTIFY: &str = include_str!("../transcripts/notify.txt");
const PROGRAM: &str = include_str!("../transcripts/program.txt");
const SCHEDULES: &str = include_str!("../transcripts/schedules.txt");
const SERVICE: &str = include_str!("../transcripts/service.txt");
const SNAPSHOTS: &str = include_str!("../transcripts/snapshots.txt");

/// Commands that look and change nothing, so that they can be run again as JSON.
const LOOKING: &[&str] = &[
    "audience count",
    "audience evaluate",
    "audience export",
    "audience get",
    "audience ls",
    "audience members",
    "audience overlap",
    "audience sample",
    "audit ls",
    "audit verify",
    "backfill get",
    "backfill ls",
    "backfill plan",
    "campaign get",
    "campaign ls",
    "campaign report",
    "config get-contexts",
    "config view",
    "cluster status",
    "customer get",
    "dashboard ls",
    "decile migrate",
    "decile show",
    "doctor",
    "erase get",
    "erase ls",
    "ingest get",
    "ingest ls",
    "params get",
    "plan",
    "quarantine ls",
    "run describe",
    "run get",
    "run logs",
    "run ls",
    "run tasks",
    "schedule diff",
    "schedule get",
    "schedule history",
    "schedule ls",
    "schedule next",
    "scrub",
    "snapshot diff",
    "snapshot files",
    "snapshot get",
    "snapshot ls",
    "snapshot verify",
    "sql",
    "top",
    "worker get",
    "worker ls",
];

/// Where the commands of a script run.
struct Stage {
    folder: PathBuf,
    address: String,
    /// Variables that they find besides.
    variables: Vec<(&'static str, String)>,
}

impl Stage {
    fn command(&self, line: &str) -> Command {
        let mut command = binary();
        command
            .args(words(line))
            .current_dir(&self.folder)
            .env("TENFOLD_ADDR", &self.address)
            .env("TENFOLD_CONFIG", self.folder.join("config.toml"))
            .env("TENFOLD_THREADS", "1")
            .env("COLUMNS", "100")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs a script and gives it with the output that there is now.
    fn played(&self, script: &str) -> String {
        let mut text = String::new();
        for line in script.lines() {
            if let Some(command) = line.strip_prefix("$ tenfold ") {
                text.push_str(&format!("{line}\n"));
                text.push_str(&self.output(command));
            } else if line.is_empty() || line.starts_with('#') {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }

    fn output(&self, line: &str) -> String {
        let answer = Answer::of(self.command(line).output().unwrap());
        let mut text = String::new();
        for line in answer.text().lines() {
            // Empty lines and remarks are the script's own: those of the output look otherwise.
            match line.is_empty() || line.starts_with(['#', '$']) {
                true => text.push_str(&format!(": {line}\n")),
                false => text.push_str(&format!("{line}\n")),
            }
        }
        for line in answer.stderr.lines() {
            text.push_str(&format!("| {line}\n"));
        }
        if answer.code != Some(0) {
            text.push_str(&format!("[exit {}]\n", answer.code.unwrap()));
        } else if LOOKING.iter().any(|looking| line.starts_with(looking)) && !line.contains(" -o ")
        {
            self.is_json(line);
        }
        self.filtered(&text)
    }

    /// Nothing but data goes to standard output, however much is logged.
    fn is_json(&self, line: &str) {
        let mut command = self.command(line);
        command.args(["-o", "json"]).env("TENFOLD_LOG", "trace");
        let output = command.output().unwrap();
        let parsed: Result<Value, _> = serde_json::from_slice(&output.stdout);
        assert!(parsed.is_ok(), "{line} -o json: {parsed:?}");
    }

    fn filtered(&self, text: &str) -> String {
        let folder = self.folder.display().to_string();
        let mut text = text.replace(&folder, "[FOLDER]");
        if !self.address.is_empty() {
            text = text.replace(&self.address, "[ADDRESS]");
            let bare = self.address.trim_start_matches("http://");
            text = text.replace(bare, "[ADDRESS]");
        }
        for (name, value) in &self.variables {
            text = text.replace(value, &format!("[{name}]"));
        }
        text = text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
        for (pattern, word) in [
            ("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[TIME]"),
            // Days of the script are in 2024 or far ahead; others are those of the day it is run.
            ("\\b20(2[5-9]|3[0-9])-[0-9]{2}-[0-9]{2}\\b", "[DAY]"),
            ("\\b01[0-9A-HJKMNP-TV-Z]{24}\\b", "[RUN]"),
            ("\\b([0-9a-f]{64}|[0-9a-f]{12})\\b", "[HASH]"),
            ("\\btenfold_[0-9a-f]+\\b", "[TOKEN]"),
            ("\\b[0-9]+(\\.[0-9]+)?( ?s| ?ms)\\b", "[TOOK]"),
            ("[0-9.]+ (B|KiB|MiB|GiB)\\b", "[SIZE]"),
            ("[0-9]+ entries", "[COUNT] entries"),
            ("\\+code[0-9]+", "+[CODE]"),
            // How much room there is depends on the machine.
            ("^(disk|memory) +(ok|warning) .*", "$1  [ROOM]"),
            ("coordinator  \\S+", "coordinator  [NAME]"),
            ("in office  \\S+", "in office  [NAME]"),
            ("\\bcoordinator-[0-9a-z]{26}\\b", "[NAME]"),
            ("\\ba-[0-9a-z]{10}\\b", "[WORKER]"),
            ("  +", "  "),
        ] {
            let pattern = Regex::new(&format!("(?m){pattern}")).unwrap();
            text = pattern.replace_all(&text, word).into_owned();
        }
        text
    }
}

/// Splits a line as a shell does, as far as scripts need it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, text) in line.split('"').enumerate() {
        match place % 2 {
            1 => words.push(text.to_owned()),
            _ => words.extend(text.split_whitespace().map(str::to_owned)),
        }
    }
    words
}

fn compare(name: &str, script: &str, stage: &Stage) {
    let played = stage.played(script);
    if std::env::var_os("TENFOLD_BLESS").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
        std::fs::write(format!("{folder}/{name}.txt"), played).unwrap();
        return;
    }
    let differs = script.lines().zip(played.lines()).position(|(a, b)| a != b);
    if let Some(place) = differs {
        let line = |text: &str| text.lines().nth(place).unwrap_or_default().to_owned();
        panic!(
            "{name}.txt, line {}:\n  there: {}\n  now:   {}\nTENFOLD_BLESS=1 writes it anew",
            place + 1,
            line(script),
            line(&played)
        );
    }
    assert_eq!(script.lines().count(), played.lines().count(), "{name}.txt");
}

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project
}

fn stage(project: &Project, address: &str) -> Stage {
    project.write("config.toml", "");
    Stage {
        folder: project.path("").canonicalize().unwrap(),
        address: address.to_owned(),
        variables: Vec::new(),
    }
}

#[test]
fn commands_on_a_project() {
    let project = shop();
    project.write(
        "broken/tenfold.yaml",
        "project: shop\ncustomr: {type: int64}\n",
    );
    compare("local", LOCAL, &stage(&project, ""));
}

#[test]
fn commands_about_batches() {
    let project = Project::new(&sent_shop());
    project.write(
        "destinations/eloqua.yaml",
        "destination: eloqua\nto: {eloqua: {company: Tenfold, user: api, password: {file: none}}}\n",
    );
    let rows = csv(&sales(1, 30, 150));
    project.write("sales/1.csv", &rows);
    project.write("broken.csv", rows.replacen("2024-", "day 2024-", 1));
    compare("ingest", INGEST, &stage(&project, ""));
}

#[test]
fn commands_on_snapshots() {
    compare("snapshots", SNAPSHOTS, &stage(&shop(), ""));
}

#[test]
fn commands_about_campaigns() {
    let project = responses::with_sales(&responses::shop()).0;
    project.write("mails/1.csv", responses::file(&responses::rows(21)));
    project.published(responses::AS_OF);
    compare("campaigns", CAMPAIGNS, &stage(&project, ""));
}

#[test]
fn commands_about_audiences() {
    let project = shop();
    project.write(
        "audiences/busy.yaml",
        "description: Who bought often.\nrule: {column: events, op: \">=\", value: 15}\n\
         holdout: {fraction: 0.25, stratify_by: decile_clv_12m}\n",
    );
    project.write(
        "audiences/north.yaml",
        "rule: {events: sales, where: {column: region, op: \"=\", value: north}, op: \">\", value: 3,\n  \
         window: {last_months: 2}}\nsuppress: [{list: lists/no.txt}]\npriority: 20\n",
    );
    project.write("lists/no.txt", "12\n");
    compare("audiences", AUDIENCES, &stage(&project, ""));
}

#[test]
fn commands_about_dashboards() {
    let project = shop();
    let ours = "title: Ours\nfilters:\n  - {name: tile, control: number}\nwidgets:\n  - name: count\n    \
                title: Customers\n    at: {x: 0, y: 0, w: 3, h: 2}\n    sql: SELECT count(*) AS n FROM customer_value\n    \
                mark: number\n    encode: {value: n}\n    drill: {dashboard: ours, pass: {tile: n}}\n    \
                describe: How many customers there are.\n";
    project.write("dashboards/ours.yaml", ours);
    project.write("dashboards/ours.draft.yaml", "title: Ours anew\n");
    project.write("wrong/tenfold.yaml", SHOP);
    let wrong = ours.replace("mark: number", "marc: number");
    project.write(
        "wrong/dashboards/first.yaml",
        wrong.replace("w: 3", "w: 13"),
    );
    project.write(
        "wrong/dashboards/second.yaml",
        ours.replace("{tile: n}", "{tiles: n}"),
    );
    compare("dashboards", DASHBOARDS, &stage(&project, ""));
}

#[test]
fn commands_about_schedules() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let project = &cluster.project;
    // Firings so far ahead are the same whenever this runs.
    let nightly = "schedule: nightly\ncron: 30 2 * * *\nzone: Europe/Berlin\n\
                   start: 2044-03-26\nend: 2044-03-28\n";
    project.write("nightly.yaml", nightly);
    project.write("later.yaml", nightly.replace("30 2", "45 3"));
    project.write("wrong.yaml", nightly.replace("30 2", "99 2"));
    compare("schedules", SCHEDULES, &stage(project, &cluster.address));
}

#[test]
fn commands_about_backfills() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    compare(
        "backfills",
        BACKFILLS,
        &stage(&cluster.project, &cluster.address),
    );
}

#[test]
fn commands_about_notifications() {
    let inbox = Inbox::new();
    let project = shop();
    project.write("notify.yaml", webhook(&inbox));
    let mut stage = stage(&project, "");
    stage.variables = vec![("HOOK_KEY", "a-planted-signing-key".to_owned())];
    compare("notify", NOTIFY, &stage);
    assert_eq!(inbox.next().json()["subject"], "test");
}

#[test]
fn commands_about_the_program_itself() {
    let project = Project::new(SHOP);
    compare("program", PROGRAM, &stage(&project, ""));
}

#[test]
fn commands_of_operators() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    compare(
        "service",
        SERVICE,
        &stage(&cluster.project, &cluster.address),
    );
}

#[test]
fn every_command_has_a_transcript() {
    let folder = TempDir::new().unwrap();
    let written = binary().arg("man").arg(folder.path()).status().unwrap();
    assert!(written.success());
    let pages: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|page| {
            let name = page.unwrap().file_name().into_string().unwrap();
            let name = name.strip_prefix("tenfold-")?.strip_suffix(".1")?;
            Some(name.to_owned())
        })
        .filter(|name| name != "help" && !name.contains("-help"))
        .collect();
    assert!(pages.contains("run-ls"), "{pages:?}");
    let scripts = [
        AUDIENCES, BACKFILLS, CAMPAIGNS, DASHBOARDS, INGEST, LOCAL, NOTIFY, PROGRAM, SCHEDULES,
        SERVICE, SNAPSHOTS,
    ];
    let played: Vec<String> = scripts
        .iter()
        .flat_map(|script| script.lines())
        .filter_map(|line| Some(line.strip_prefix("$ tenfold ")?.replace(' ', "-") + "-"))
        .collect();
    let is_group = |page: &str| {
        let below = format!("{page}-");
        pages.iter().any(|other| other.starts_with(&below))
    };
    for page in &pages {
        let has = played
            .iter()
            .any(|line| line.starts_with(&format!("{page}-")));
        assert!(
            has || is_group(page),
            "no transcript of `tenfold {}`",
            page.replace('-', " ")
        );
    }
}
