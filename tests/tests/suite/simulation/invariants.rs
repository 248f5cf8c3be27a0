//! What has to hold after every seed, one function each, by the names of the failure model.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, OnceLock};

use tenfold_core::hash::sha256_hex;
use tenfold_core::ledger::{Ledger, Origin, RunState};
use tenfold_core::snapshot::{Manifest, ObjectRef, TableEntry};
use tenfold_store::object::Store;
use tenfold_store::publish::read_manifest;

use super::chance::Chance;
use super::people::{Acknowledged, SCHEDULE};
use super::runtime;
use super::world::{Left, Wishes, simulate};

type Checked = Result<(), String>;

/// Everything that a simulation broke.
pub async fn broken(left: &Left) -> Vec<String> {
    let ledger = match &left.ledger {
        Ok(ledger) => ledger,
        Err(failure) => return vec![format!("the ledger cannot be read: {failure}")],
    };
    let manifests = match manifests(left).await {
        Ok(manifests) => manifests,
        Err(broken) => return vec![broken],
    };
    let mut checked = vec![
        i2_order(left, &manifests),
        i3_complete(left, &manifests).await,
        i6_fence(ledger, &manifests),
        i8_durable(ledger, &left.acknowledged),
        i9_idempotent(ledger, &left.acknowledged),
        i10_tick(left, ledger),
        i11_progress(left, ledger),
        i12_bounded(left, ledger),
        told_truly(ledger, &manifests),
    ];
    for manifest in &manifests {
        checked.push(i1_content(left, manifest).await);
    }
    let broken = checked.into_iter().filter_map(Result::err);
    broken.chain(left.complaints.iter().cloned()).collect()
}

async fn manifests(left: &Left) -> Result<Vec<Manifest>, String> {
    let mut found = Vec::new();
    loop {
        let next = read_manifest(&left.store, found.len() as u64 + 1).await;
        match next.map_err(|failure| failure.to_string())? {
            Some(manifest) => found.push(manifest),
            None => return Ok(found),
        }
    }
}

/// What a snapshot says.
#[derive(Debug, Clone, PartialEq)]
struct Content {
    hash: String,
    rows: String,
    /// By table, as its log says.
    columns: BTreeMap<String, Option<String>>,
}

/// The snapshot of a day when nothing fails.
fn faultless(day: &str) -> Content {
    static KNOWN: OnceLock<Mutex<HashMap<String, Content>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap();
    let compute = || {
        let day: &'static str = String::leak(day.to_owned());
        let wishes = Wishes {
            days: Vec::leak(vec![day]),
            schedule: false,
        };
        let live = || {
            runtime().block_on(async {
                let left = simulate(Chance::quiet(0), None, wishes).await;
                let published = read_manifest(&left.store, 1).await.unwrap();
                let manifest = published.expect("a run without faults publishes");
                content(&left.store, &manifest).await
            })
        };
        std::thread::scope(|scope| scope.spawn(live).join().unwrap())
    };
    known.entry(day.to_owned()).or_insert_with(compute).clone()
}

async fn content(store: &Store, manifest: &Manifest) -> Content {
    let mut columns = BTreeMap::new();
    for (name, table) in &manifest.tables {
        columns.insert(name.clone(), logged_columns(store, table).await);
    }
    Content {
        hash: manifest.snapshot_hash.clone(),
        rows: serde_json::to_string(&manifest.rows).unwrap(),
        columns,
    }
}

/// The columns of a table at the version of a snapshot.
async fn logged_columns(store: &Store, table: &TableEntry) -> Option<String> {
    let mut columns = None;
    for version in 0..=table.delta_version {
        let path = format!("{}/_delta_log/{version:020}.json", table.root);
        let log = store.get(&path).await.ok()?;
        for action in log.split(|byte| *byte == b'\n') {
            let action: serde_json::Value = serde_json::from_slice(action).unwrap_or_default();
            let logged = action["metaData"]["schemaString"].as_str();
            columns = logged.map(str::to_owned).or(columns);
        }
    }
    columns
}

/// I1, I13, and with them I5: what is published is what a run without faults publishes, whatever
/// ran where and in which order. I4: so are the rows that it accounts for.
async fn i1_content(left: &Left, manifest: &Manifest) -> Checked {
    let expected = faultless(&manifest.as_of.to_string());
    let found = content(&left.store, manifest).await;
    (found == expected).then_some(()).ok_or_else(|| {
        format!(
            "I1 content: snapshot {} is {found:?}, not {expected:?}",
            manifest.number
        )
    })
}

/// I2: numbers follow each other, each with the one before as its parent, each written once.
fn i2_order(left: &Left, manifests: &[Manifest]) -> Checked {
    for (place, manifest) in manifests.iter().enumerate() {
        let number = place as u64 + 1;
        let parent = (place > 0).then_some(place as u64);
        if manifest.number != number || manifest.parent != parent {
            return Err(format!(
                "I2 order: snapshot {number} has parent {:?}",
                manifest.parent
            ));
        }
    }
    let landed = left.disk.landed.lock().unwrap();
    let slots = landed.iter().filter(|(path, _)| {
        path.starts_with("_snapshots/") || path.starts_with("_coordinator/ledger/")
    });
    for (path, times) in slots {
        if *times != 1 {
            return Err(format!("I2 order: {path} was written {times} times"));
        }
    }
    Ok(())
}

/// I3: what a manifest names is there, byte for byte.
async fn i3_complete(left: &Left, manifests: &[Manifest]) -> Checked {
    for manifest in manifests {
        let tables = manifest.tables.values().flat_map(|table| {
            table.files.iter().map(|file| ObjectRef {
                path: format!("{}/{}", table.root, file.path),
                sha256: file.sha256.clone(),
                bytes: file.bytes,
            })
        });
        let others = [Some(manifest.state.clone()), manifest.cuts.clone()];
        for object in tables.chain(others.into_iter().flatten()) {
            let bytes = left.store.get_if_present(&object.path).await;
            let whole = matches!(bytes, Ok(Some(bytes))
                if bytes.len() as u64 == object.bytes && sha256_hex(&bytes) == object.sha256);
            if !whole {
                let number = manifest.number;
                return Err(format!("I3 complete: {} of snapshot {number}", object.path));
            }
        }
    }
    Ok(())
}

/// I6: nothing is published but what the ledger announced, under the office that held it then.
fn i6_fence(ledger: &Ledger, manifests: &[Manifest]) -> Checked {
    for manifest in manifests {
        let run = ledger.runs.get(&manifest.run);
        let announced = run
            .and_then(|run| run.publishing.as_ref())
            .map(|(number, _)| *number);
        if announced != Some(manifest.number) {
            return Err(format!(
                "I6 fence: snapshot {} was not announced",
                manifest.number
            ));
        }
    }
    Ok(())
}

/// I8: what was acknowledged is so.
fn i8_durable(ledger: &Ledger, acknowledged: &[Acknowledged]) -> Checked {
    for told in acknowledged {
        let kept = match told {
            Acknowledged::Submitted { run, .. } => ledger.runs.contains_key(run),
            Acknowledged::Cancelled { run } => {
                ledger.runs.get(run).map(|run| run.state) == Some(RunState::Cancelled)
            }
            Acknowledged::Scheduled => ledger.schedules.contains_key(SCHEDULE),
            Acknowledged::Retried { run } => ledger.runs.get(run).is_some_and(|run| run.tries > 1),
        };
        if !kept {
            return Err(format!("I8 durable: {told:?}"));
        }
    }
    Ok(())
}

/// I9: a key stands for one run.
fn i9_idempotent(ledger: &Ledger, acknowledged: &[Acknowledged]) -> Checked {
    for told in acknowledged {
        if let Acknowledged::Submitted { key, run } = told
            && ledger.keys.get(key) != Some(run)
        {
            return Err(format!(
                "I9 idempotent: {key} is {:?}, not {run}",
                ledger.keys.get(key)
            ));
        }
    }
    Ok(())
}

/// I10: a firing stands for one run at most, and they come to the end.
fn i10_tick(left: &Left, ledger: &Ledger) -> Checked {
    let mut nominals = BTreeSet::new();
    for run in ledger.runs.values() {
        if let Origin::Schedule { nominal, .. } = &run.origin
            && !nominals.insert(nominal)
        {
            return Err(format!("I10 tick: {nominal} has two runs"));
        }
    }
    let wanted = left.acknowledged.contains(&Acknowledged::Scheduled);
    let minutes = left.lasted.as_secs() / 60;
    match wanted && minutes > 2 && nominals.is_empty() {
        true => Err(format!("I10 tick: no run within {minutes} minutes")),
        false => Ok(()),
    }
}

/// I12: the ledger grows with what people want and coordinators do, and not by itself.
fn i12_bounded(left: &Left, ledger: &Ledger) -> Checked {
    let tries: u64 = ledger.runs.values().map(|run| u64::from(run.tries)).sum();
    let minutes = 120 + left.lasted.as_secs() / 60;
    let bound = 10 + 6 * tries + 8 * left.coordinators + minutes;
    (ledger.last <= bound)
        .then_some(())
        .ok_or_else(|| format!("I12 bounded: {} entries, not {bound}", ledger.last))
}

/// I11: without faults every run comes to its end.
fn i11_progress(left: &Left, ledger: &Ledger) -> Checked {
    let all = left.ended && ledger.runs.values().all(|run| run.state.is_final());
    all.then_some(())
        .ok_or_else(|| format!("I11 progress: {:?} hang", ledger.queue))
}

/// What the ledger says of a run is so: a run that is told to have failed published nothing.
fn told_truly(ledger: &Ledger, manifests: &[Manifest]) -> Checked {
    for run in ledger.runs.values() {
        let published = manifests.iter().any(|manifest| manifest.run == run.run);
        let said = run
            .ending
            .as_ref()
            .is_some_and(|end| end.snapshot.is_some() && !end.nothing_new);
        if published != said {
            return Err(format!(
                "told truly: run {} is {}, published: {published}",
                run.run, run.state
            ));
        }
    }
    Ok(())
}
