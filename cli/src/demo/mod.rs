//! `tenfold demo`: several nights of a generated airline loyalty programme.

mod generate;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use tenfold_core::audience::Lists;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_store::publish;

use crate::args::Global;
use crate::commands::{self, Between, Chosen, executor, refresh_of, summary_lines};
use crate::machine::Machine;
use crate::output::{Format, to_stdout, write_batches};
use crate::progress::Shown;
use crate::project::{self, FILE, Opened, Written};

/// Shards of the demo's store: three thousand members need no more.
const SHARDS: u32 = 4;

/// Generates the programme and runs its nights. It says how to look at them, unless they are shown anyway.
pub fn run(
    directory: &Path,
    shown_after: bool,
    global: &Global,
    machine: &Machine,
) -> Result<(), Failure> {
    refuse_non_empty(directory)?;
    let files = directory.join(generate::FOLDER);
    let mails = directory.join(generate::mails::FOLDER);
    for folder in [&files, &mails] {
        std::fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
    }
    write(&directory.join(FILE), generate::PROJECT.as_bytes())?;
    let place = directory.display().to_string();
    let written = Written {
        text: generate::PROJECT.to_owned(),
        tables: Vec::new(),
        audiences: Vec::new(),
        lists: Lists::new(),
    };
    let opened = Opened {
        project: project::checked(&written, &place)?,
        base: place.clone(),
        store: Store::open(&format!("{place}/store"))?,
        inputs: Arc::new(Locations::default()),
    };
    for night in generate::nights() {
        for (folder, new) in [(&files, &night.files), (&mails, &night.mails)] {
            for (name, rows) in new {
                let bytes = generate::write(rows)
                    .map_err(|error| Failure::bug(format!("cannot write {name}: {error}")))?;
                write(&folder.join(name), &bytes)?;
            }
        }
        eprintln!(
            "\nnight as of {}: {} new files",
            night.as_of,
            night.files.len() + night.mails.len()
        );
        let as_of = project::as_of(Some(&night.as_of), &opened.project.time_zone)?;
        let refresh = refresh_of(&opened, as_of, Some(SHARDS), false);
        let (executor, shown) = (executor(&opened, machine), Shown::new());
        let record = machine
            .runtime
            .block_on(refresh.run(&executor, &shown))
            .map_err(|stopped| stopped.failure().clone())?;
        for line in summary_lines(&record) {
            eprintln!("{line}");
        }
    }
    report(&opened, global, machine)?;
    next_commands(&place, &opened.store);
    if !shown_after {
        eprintln!(
            "and look at http://127.0.0.1:7401/ while this runs:\n  tenfold serve -p {place}"
        );
    }
    Ok(())
}

/// The command that shows the programme.
pub fn serving(directory: &Path) -> Vec<OsString> {
    let line = [
        "tenfold".into(),
        "serve".into(),
        "--project".into(),
        directory.into(),
    ];
    line.into_iter()
        .chain(["--store".into(), directory.join("store").into()])
        .collect()
}

fn refuse_non_empty(directory: &Path) -> Result<(), Failure> {
    let mut entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("read", directory, &error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(
            Failure::config(format!("{} is not empty", directory.display()))
                .remedy("remove it, or name another folder: `tenfold demo FOLDER`"),
        ),
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        FailureClass::Infra,
        format!("cannot {what} {}: {error}", path.display()),
    )
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| cannot("write", path, &error))
}

/// The value deciles of the last night, and who moved since the first.
fn report(opened: &Opened, global: &Global, machine: &Machine) -> Result<(), Failure> {
    let head = machine.runtime.block_on(publish::head(&opened.store))?;
    let first = machine
        .runtime
        .block_on(publish::read_manifest(&opened.store, 1))?;
    let (Some(head), Some(first)) = (head, first) else {
        return Ok(());
    };
    let format = if global.output == Format::Name {
        Format::Table
    } else {
        global.output
    };
    let show = |title: &str, query: &str, manifest| -> Result<(), Failure> {
        let (schema, batches) = commands::answer(query, &opened.store, manifest, machine)?;
        eprintln!("\n{title}");
        to_stdout(|out| write_batches(out, format, &schema, &batches))
    };
    show(
        "customer lifetime value by decile, 12 months ahead (1 is the highest)",
        "SELECT decile, customers, total, mean, \
         100.0 * total / SUM(total) OVER () AS percent FROM fact_value_by_decile \
         WHERE measure = 'clv_12m' ORDER BY decile",
        &head,
    )?;
    show(
        "the most valuable members",
        "SELECT customer, frequency, days_since_last_purchase AS days_since, p_alive, \
         expected_purchases_12m AS purchases, clv_12m, decile_miles_12m AS miles_decile \
         FROM customer_value ORDER BY clv_12m DESC NULLS LAST, customer LIMIT 5",
        &head,
    )?;
    let between = Between {
        store: &opened.store,
        before: &first,
        after: &head,
        machine,
    };
    show(
        "opens of the campaign, by audience at the send",
        "SELECT campaign, audience, SUM(sent) AS sent, SUM(opens) AS opens, \
         SUM(machine_opens) AS machine_opens, SUM(openers) AS openers, SUM(clickers) AS clickers, \
         SUM(held_out) AS held_out FROM fact_campaign GROUP BY campaign, audience \
         ORDER BY campaign, audience",
        &head,
    )?;
    let moved = between.matrix(&Chosen::default())?;
    eprintln!("\nwho moved between deciles: {}", moved.title());
    commands::print(format, &moved.table(), &moved)
}

fn next_commands(place: &str, store: &Store) {
    eprintln!(
        "\nthe project is {place}/{FILE}, the snapshots are in {}",
        store.location()
    );
    eprintln!(
        "the tables are Delta tables: {}",
        store.locate("tables/customer_value")
    );
    eprintln!("try next (`cargo run --` before each, without an installed binary, is `tenfold`):");
    for command in [
        "snapshot ls",
        "params get",
        "decile show --measure miles --lookback 12m",
        "decile show --measure miles_by_status --lookback 1m",
        "campaign report winter_offer --by decile",
        "snapshot diff 1 5",
        "customer get B815227435",
        "quarantine ls",
        "sql \"SELECT customer, clv_12m FROM customer_value ORDER BY customer LIMIT 5\"",
    ] {
        eprintln!("  tenfold {command} -p {place}");
    }
}
