//! Files that change or vanish after they were taken in, where a source declares that they are
//! restated: whatever happened to them, the snapshot is that of the files as they are now.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::formats::copied;
use crate::killed::{killed_after, killed_when_there_is};
use crate::support::{Draw, Project, SHOP, Sale, csv, date, sales, without_ids};

const POLICIES: &str = "    changed: restate\n    vanished: restate\n";

/// Declarations with policies for the source.
fn with(declarations: &str, policies: &str) -> String {
    let path = "    path: sales/\n";
    assert!(declarations.contains(path));
    declarations.replace(path, &format!("{path}{policies}"))
}

fn hive(declarations: &str) -> String {
    with(declarations, &format!("    layout: hive\n{POLICIES}"))
}

/// What files hold: sales, and rows that are refused.
#[derive(Debug, Clone, Default)]
struct Content {
    sales: Vec<Sale>,
    bad: u32,
}

impl Content {
    fn of(sales: &[Sale]) -> Self {
        Self {
            sales: sales.to_vec(),
            bad: 0,
        }
    }

    fn text(&self) -> String {
        let bad = (0..self.bad).map(|row| format!("bad{row},7,2024-01-09,1o.00,north\n"));
        csv(&self.sales) + &bad.collect::<String>()
    }
}

/// The project, and the files that it should have.
struct World {
    declarations: String,
    project: Project,
    files: BTreeMap<String, Content>,
}

impl World {
    fn new(declarations: String) -> Self {
        Self {
            project: Project::new(&declarations),
            declarations,
            files: BTreeMap::new(),
        }
    }

    fn write(&mut self, name: &str, content: Content) {
        let name = format!("sales/{name}");
        self.project.write(&name, content.text());
        self.files.insert(name, content);
    }

    fn remove(&mut self, name: &str) {
        self.project.remove(&format!("sales/{name}"));
        self.files.remove(&format!("sales/{name}"));
    }

    /// Publishes, and holds the snapshot against one of a new store with the same files.
    fn equals_a_full_refresh(&self, as_of: &str) -> Value {
        let run = self.project.published(as_of);
        let whole = Project::new(&self.declarations);
        for (name, content) in &self.files {
            whole.write(name, content.text());
        }
        whole.published(as_of);
        let (is, should) = (self.project.manifest(), whole.manifest());
        assert_eq!(is["rows"], should["rows"]);
        assert_eq!(self.project.contents(), whole.contents());
        assert_eq!(is["snapshot_hash"], should["snapshot_hash"]);
        assert_eq!(refused(&self.project), refused(&whole));
        run
    }
}

/// The rows in quarantine, by name of the file and number.
fn refused(project: &Project) -> Vec<(String, i64)> {
    let row = |row: &Value| {
        let file = row["file"].as_str().unwrap();
        let name = file.rsplit("/sales/").next().unwrap().to_owned();
        (name, row["row"].as_i64().unwrap())
    };
    let mut rows: Vec<(String, i64)> = project.quarantine().iter().map(row).collect();
    rows.sort();
    rows
}

/// Something happens to the files.
fn happens(world: &mut World, draw: &mut Draw, night: u64) {
    let names: Vec<String> = world.files.keys().cloned().collect();
    for _ in 0..=draw.below(2) {
        let name = &names[draw.below(names.len() as u64) as usize];
        let short = name.trim_start_matches("sales/");
        let Some(mut content) = world.files.get(name).cloned() else {
            continue;
        };
        match draw.below(5) {
            0 if world.files.len() > 3 => world.remove(short),
            1 => {
                // The same rows under another name, and some of them twice.
                world.remove(short);
                content.sales.extend_from_within(..3);
                world.write(&format!("again-{night}-{short}"), content);
            }
            2 => {
                content.bad = 1 - content.bad;
                world.write(short, content);
            }
            _ => {
                content.sales.truncate(content.sales.len() - 2);
                for sale in content.sales.iter_mut().step_by(5) {
                    sale.cents += 125;
                    sale.day = (sale.day + 40) % 150;
                }
                world.write(short, content);
            }
        }
    }
    // What is delivered late has days, and ids, that other files have too.
    let mut new = sales(draw.next(), 30, 150);
    new.iter_mut()
        .for_each(|sale| sale.id = format!("n{}", sale.id));
    new.extend(sales(9, 8, 150));
    world.write(&format!("new-{night}.csv"), Content::of(&new));
}

fn nights_of_changes(declarations: &str, seed: u64) {
    let bears = "quarantine: {max_share: 0.2}\n";
    let mut world = World::new(with(declarations, POLICIES) + bears);
    let mut draw = Draw(seed);
    let mut all = sales(seed, 1200, 150);
    all.sort_by_key(|sale| sale.day);
    for (number, chunk) in all.chunks(150).enumerate() {
        world.write(&format!("{number}.csv"), Content::of(chunk));
    }
    world.equals_a_full_refresh("2024-05-30");
    for night in 0..6 {
        happens(&mut world, &mut draw, night);
        world.equals_a_full_refresh(&date(151 + night as u32));
    }
}

#[test]
fn whatever_happens_to_files_with_event_ids_the_snapshot_is_that_of_the_files() {
    nights_of_changes(SHOP, 1);
    nights_of_changes(SHOP, 2);
}

#[test]
fn whatever_happens_to_files_without_event_ids_the_snapshot_is_that_of_the_files() {
    nights_of_changes(&without_ids(), 3);
    nights_of_changes(&without_ids(), 4);
}

/// One partition a day, each with a file of its own.
fn daily(declarations: &str) -> World {
    let mut world = World::new(hive(declarations));
    let all = sales(5, 900, 150);
    for day in 0..150 {
        let of_day: Vec<Sale> = all.iter().filter(|sale| sale.day == day).cloned().collect();
        world.write(
            &format!("dt={}/part-0.csv", date(day)),
            Content::of(&of_day),
        );
    }
    world.equals_a_full_refresh("2024-05-30");
    world
}

#[test]
fn a_day_that_is_written_anew_costs_that_day() {
    for declarations in [SHOP.to_owned(), without_ids()] {
        let declarations = declarations.replace("day: date,", "dt: date, day: date,");
        let mut world = daily(&declarations);
        let name = |part| format!("dt={}/{part}", date(70));
        let mut content = world.files[&format!("sales/{}", name("part-0.csv"))].clone();
        content.sales[0].cents += 1000;
        // As overwriting engines do: the files of the partition go, others with other names come.
        world.remove(&name("part-0.csv"));
        world.write(&name("part-1.csv"), content);
        let plan = world
            .project
            .tenfold(&["plan", "--as-of", "2024-05-30", "-o", "json"]);
        let plan = plan.json();
        let restated = &plan["restates"]["sales"];
        assert_eq!(restated["vanished"].as_array().unwrap().len(), 1);
        assert_eq!(restated["again"], json!([]));
        let day = date(70);
        assert_eq!(restated["days"], json!([{"first": day, "last": day}]));
        let run = world.equals_a_full_refresh("2024-05-30");
        assert_eq!(run["summary"]["files_read"], 1);
        assert_eq!(run["summary"]["files_reused"], 149);
        let notes = run["warnings"][0].as_str().unwrap();
        assert!(
            notes.contains("1 file gone") && notes.contains(&day),
            "{notes}"
        );
        // The same again is nothing new.
        let run = world.project.refresh("2024-05-30").json();
        assert_eq!(run["status"], "nothing_new");
    }
}

/// One night over some files, of which one was then corrected, one is gone, one has another name and
/// some of its rows twice, and one is new.
fn corrected(declarations: &str) -> Project {
    let bears = "quarantine: {max_share: 0.2}\n";
    let project = Project::new(&(with(declarations, POLICIES) + bears));
    let mut all = sales(11, 900, 150);
    all.sort_by_key(|sale| sale.day);
    let write = |name: &str, sales: &[Sale], bad: u32| {
        let sales = sales.to_vec();
        project.write(&format!("sales/{name}.csv"), Content { sales, bad }.text());
    };
    for (number, chunk) in all[..750].chunks(150).enumerate() {
        write(&number.to_string(), chunk, 1);
    }
    project.published("2024-05-30");
    all[150..160].iter_mut().for_each(|sale| sale.cents += 125);
    write("1", &all[150..300], 0);
    project.remove("sales/2.csv");
    project.remove("sales/3.csv");
    write("3-again", &[&all[450..600], &all[450..460]].concat(), 2);
    write("5", &all[750..], 0);
    project
}

/// The bytes of all tables, and where all rows are.
fn outcome(project: &Project) -> impl PartialEq + use<> {
    let manifest = project.manifest();
    assert_eq!(manifest["number"], 2);
    (project.files(), manifest["rows"].clone(), refused(project))
}

const CORRECTED: &str = "2024-06-01";

fn restating(project: &Project) -> Command {
    project.command(&["refresh", "--as-of", CORRECTED, "--threads", "1"])
}

fn killed_anywhere(declarations: &str) {
    let project = corrected(declarations);
    let (store, begun) = (project.path("store"), project.path("begun"));
    copied(&store, &begun);
    let begins_again = || {
        fs::remove_dir_all(&store).unwrap();
        copied(&begun, &store);
        assert_eq!(project.manifest()["number"], 1);
    };
    project.published(CORRECTED);
    let expected = outcome(&project);
    let goes_on = |killed: &str| {
        assert_eq!(project.refresh(CORRECTED).code, Some(0), "{killed}");
        assert!(outcome(&project) == expected, "{killed}");
    };
    for steps in 1..=9 {
        begins_again();
        killed_after(restating(&project), steps);
        goes_on(&format!("after {steps} steps"));
    }
    let commit = |table: &str| format!("tables/{table}/_delta_log/{:020}.json", 1);
    for file in [
        commit("customer_decile"),
        commit("customer_value"),
        format!("_snapshots/{:020}.json", 2),
    ] {
        begins_again();
        killed_when_there_is(restating(&project), &store.join(&file));
        goes_on(&file);
    }
    // Killed again and again, each time one step later.
    begins_again();
    for steps in 1..=9 {
        killed_after(restating(&project), steps);
    }
    goes_on("after each step");
}

#[test]
fn a_restatement_that_is_killed_anywhere_gives_what_one_gives_that_was_not() {
    killed_anywhere(SHOP);
}

#[test]
fn without_event_ids_too_a_restatement_that_is_killed_gives_what_one_gives_that_was_not() {
    killed_anywhere(&without_ids());
}

#[test]
fn a_copy_that_had_lost_counts_once_the_winner_is_gone() {
    let mut world = World::new(with(SHOP, POLICIES));
    let mut all = sales(6, 300, 100);
    let winner = Sale {
        day: 20,
        cents: 700,
        ..all[0].clone()
    };
    all[0].day = 90;
    world.write("1.csv", Content::of(&all));
    world.write("2.csv", Content::of(&[winner]));
    let run = world.equals_a_full_refresh("2024-06-01");
    assert_eq!(run["summary"]["rows"]["sales"]["duplicate"], 1);
    world.remove("2.csv");
    let run = world.equals_a_full_refresh("2024-06-01");
    assert_eq!(run["summary"]["rows"]["sales"]["duplicate"], -1);
    assert_eq!(run["summary"]["rows"]["sales"]["read"], -1);
}

#[test]
fn what_is_missing_goes_on_counting_where_that_is_declared() {
    let declarations = with(SHOP, "    changed: restate\n    vanished: ignore_missing\n");
    let project = Project::new(&declarations);
    let all = sales(7, 400, 100);
    project.write("sales/1.csv", csv(&all[..200]));
    project.write("sales/2.csv", csv(&all[200..]));
    project.published("2024-06-01");
    let before = project.contents();
    project.remove("sales/1.csv");
    assert_eq!(
        project.refresh("2024-06-01").json()["status"],
        "nothing_new"
    );
    let whole = Project::new(&declarations);
    whole.write("sales/all.csv", csv(&all));
    whole.published("2024-06-02");
    project.published("2024-06-02");
    assert_eq!(project.contents(), whole.contents());
    assert_ne!(project.contents(), before);
    // The other one has rows on the same days: they cannot be told from those of the missing one.
    project.write("sales/2.csv", csv(&all[210..]));
    let refused = project.refresh("2024-06-02");
    refused.refused(&["sales/2.csv cannot be restated", "sales/1.csv", "E1106"]);
}

#[test]
fn rows_in_quarantine_leave_it_with_their_file_and_others_stay() {
    let mut world = World::new(with(&without_ids(), POLICIES));
    let all = sales(8, 600, 100);
    let with_bad = |sales: &[Sale]| Content {
        bad: 1,
        ..Content::of(sales)
    };
    world.write("1.csv", with_bad(&all[..300]));
    world.write("2.csv", with_bad(&all[300..]));
    world.equals_a_full_refresh("2024-06-01");
    world.write("1.csv", Content::of(&all[..300]));
    world.equals_a_full_refresh("2024-06-01");
    assert_eq!(refused(&world.project), [("2.csv".to_owned(), 301)]);
    // Those that stayed can be mended in place as ever.
    world.write("2.csv", Content::of(&all[300..]));
    let retried = world.project.tenfold(&["quarantine", "retry"]);
    assert_eq!(retried.code, Some(0), "{}", retried.stderr);
    assert_eq!(refused(&world.project), []);
    let folder = world.project.path("store/_state/quarantine");
    assert!(fs::read_dir(folder).unwrap().count() >= 1);
}

#[test]
fn who_was_erased_stays_out_of_what_is_restated() {
    const GONE: i64 = 6;
    for declarations in [SHOP.to_owned(), without_ids()] {
        let declarations = with(&declarations, POLICIES);
        let project = Project::new(&declarations);
        let mut all = sales(10, 900, 120);
        let write = |project: &Project, name: &str, sales: &[Sale], with: bool| {
            let kept = sales.iter().filter(|sale| with || sale.customer != GONE);
            let kept: Vec<Sale> = kept.cloned().collect();
            project.write(name, csv(&kept));
        };
        for (number, sales) in all.chunks(300).enumerate() {
            write(&project, &format!("sales/{number}.csv"), sales, true);
        }
        project.published("2024-06-01");
        let id = GONE.to_string();
        let erased = project.tenfold(&["erase", "--customer", &id, "--yes"]);
        assert_eq!(erased.code, Some(0), "{}", erased.stderr);
        // One file is corrected, one is gone, and one has rows on the same days.
        all.truncate(600);
        all[..300].iter_mut().for_each(|sale| sale.cents += 25);
        write(&project, "sales/0.csv", &all[..300], true);
        project.remove("sales/2.csv");
        project.published("2024-06-02");
        let whole = Project::new(&declarations);
        for (number, sales) in all.chunks(300).enumerate() {
            write(&whole, &format!("sales/{number}.csv"), sales, false);
        }
        whole.published("2024-06-02");
        assert_eq!(project.contents(), whole.contents());
        let rows = &project.manifest()["rows"]["sales"];
        let theirs = all.iter().filter(|sale| sale.customer == GONE).count();
        assert_eq!(rows["filtered"]["erased"], theirs);
        assert_eq!(
            (&rows["read"], &rows["duplicate"]),
            (&json!(600), &json!(0))
        );
    }
}
