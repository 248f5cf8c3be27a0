//! Ids that several customers share: which tasks find them and decide who counts.
//!
//! Shards are merged by themselves, and in each of them an id counts once for every customer. Short
//! hashes that are there more than once, and of which the night wrote one, are suspects. Where there
//! are none, as a rule, that is all. Otherwise their events are collected from all shards, and the
//! shards that have some are merged once more: of those that share an id, one counts.

use std::collections::{BTreeMap, BTreeSet};

use super::part::PartRef;
use super::plan::Plan;
use super::state::{StateIndex, StateRun, Unsettled};
use super::steps::{accounts_spec, merge_sources};
use super::task::{
    ContendersTask, Contest, IdsPart, MergeOutput, MergeSource, MergeTask, ShardIds, SuspectsTask,
};

/// New ids that one task holds, about.
const TASK_IDS: u64 = 16 << 20;

/// The suspects of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspected {
    /// Their hashes, with the shards and months.
    pub parts: Vec<PartRef>,
    /// The shards.
    pub shards: BTreeSet<u32>,
}

/// Tasks that look for suspects, for every source whose ids may have come to be shared.
pub fn suspects_tasks(
    plan: &Plan,
    previous: Option<&StateIndex>,
    merged: &[MergeOutput],
) -> Vec<SuspectsTask> {
    let sources = merge_sources(&plan.project).into_iter();
    sources
        .filter(|source| source.event_ids)
        .flat_map(|source| of_source(plan, previous, merged, &source))
        .collect()
}

fn of_source(
    plan: &Plan,
    previous: Option<&StateIndex>,
    merged: &[MergeOutput],
    source: &MergeSource,
) -> Vec<SuspectsTask> {
    let name = &source.source;
    let unsettled = previous.map_or(Unsettled::None, |index| index.unsettled);
    let restated = plan.restated.get(name);
    let decided_anew =
        unsettled == Unsettled::Lost || restated.is_some_and(|days| !days.days.is_empty());
    let shard = |(shard, output): (usize, &MergeOutput)| {
        let before = previous.and_then(|index| index.state.get(shard));
        let before = before.filter(|_| unsettled != Unsettled::Every);
        let before = before.map_or(&[][..], |state| state.runs(name));
        let runs = output.state.runs(name).iter();
        let (new, old) = runs.partition(|run| !before.contains(run));
        let lost = output.state.lost.get(name);
        Some(ShardIds {
            shard: u32::try_from(shard).ok()?,
            new: ids_of(new),
            old: ids_of(old),
            lost: lost.filter(|_| decided_anew).cloned(),
        })
    };
    let shards: Vec<ShardIds> = merged.iter().enumerate().filter_map(shard).collect();
    let new = shards.iter().flat_map(|ids| &ids.new);
    let new: u64 = new.map(|ids| ids.part.rows).sum();
    if new == 0 && shards.iter().all(|ids| ids.lost.is_none()) {
        return Vec::new();
    }
    let parts = new.div_ceil(TASK_IDS).clamp(1, 4096).next_power_of_two() as u32;
    let task = |part| SuspectsTask {
        source: source.clone(),
        part,
        parts,
        shards: shards.clone(),
    };
    (0..parts).map(task).collect()
}

fn ids_of(runs: Vec<&StateRun>) -> Vec<IdsPart> {
    let ids = runs.into_iter().filter_map(|run| {
        Some(IdsPart {
            part: run.ids.clone()?,
            by_month: run.ids_by_month.clone(),
        })
    });
    ids.collect()
}

/// Tasks that collect the events of suspects, one for each source and shard that has some.
pub fn contenders_tasks(
    plan: &Plan,
    merged: &[MergeOutput],
    suspected: &BTreeMap<String, Suspected>,
) -> Vec<ContendersTask> {
    let mut tasks = Vec::new();
    for source in merge_sources(&plan.project) {
        let Some(suspected) = suspected.get(&source.source) else {
            continue;
        };
        for shard in &suspected.shards {
            let Some(output) = merged.get(*shard as usize) else {
                continue;
            };
            tasks.push(ContendersTask {
                source: source.clone(),
                shard: *shard,
                customer_type: plan.project.customer.key_type,
                runs: output.state.runs(&source.source).to_vec(),
                suspects: suspected.parts.clone(),
            });
        }
    }
    tasks
}

/// Tasks that merge shards once more: those that have events of suspects.
pub fn contest_tasks(
    plan: &Plan,
    merged: &[MergeOutput],
    contests: &BTreeMap<String, Contest>,
) -> Vec<MergeTask> {
    let sources = merge_sources(&plan.project);
    let spec = accounts_spec(plan);
    let concerned = contests.values().flat_map(|contest| &contest.contenders);
    let concerned: BTreeSet<u32> = concerned.map(|(shard, _)| *shard).collect();
    let task = |shard: u32| {
        let output = merged.get(shard as usize)?;
        Some(MergeTask {
            shard,
            customer_type: plan.project.customer.key_type,
            sources: sources.clone(),
            spec: spec.clone(),
            pieces: Vec::new(),
            previous: output.state.clone(),
            previous_spec: Some(spec.clone()),
            withdrawn: BTreeMap::new(),
            contests: contests.clone(),
        })
    };
    concerned.into_iter().filter_map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;
    use crate::project::parse;
    use crate::refresh::part::ByteRange;
    use crate::refresh::plan::{ListedFile, Listing, QuarantineRetry, plan};
    use crate::refresh::state::ShardState;

    const TEXT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales/
    customer: customer
    time: day
    event_id: id
    measures: {revenue: {column: amount, currency: EUR}}
deciles: [{measure: revenue}]
";

    fn planned() -> Plan {
        let file = ListedFile {
            location: "sales/1.parquet".to_owned(),
            size: 1,
            etag: None,
            keys: BTreeMap::new(),
            row_groups: Vec::new(),
        };
        let listing = Listing::from([("sales".to_owned(), vec![file])]);
        let retry = QuarantineRetry::default();
        let project = parse(TEXT).unwrap();
        plan(&project, Day(20_000), 2, None, &listing, &retry)
            .unwrap()
            .plan
    }

    fn part(path: &str, rows: u64) -> PartRef {
        PartRef {
            path: path.to_owned(),
            sha256: String::new(),
            checksum: 0,
            bytes: rows,
            rows,
        }
    }

    fn state(runs: &[(&str, u64)], lost: Option<&str>) -> ShardState {
        let run = |(name, rows): &(&str, u64)| StateRun {
            part: part(name, *rows),
            footer: ByteRange {
                offset: 0,
                bytes: 0,
                checksum: 0,
            },
            months: Vec::new(),
            ids: Some(part(&format!("ids of {name}"), *rows)),
            ids_by_month: None,
        };
        let sales = || "sales".to_owned();
        ShardState {
            events: BTreeMap::from([(sales(), runs.iter().map(run).collect())]),
            lost: lost
                .map(|lost| (sales(), part(lost, 1)))
                .into_iter()
                .collect(),
            ..ShardState::default()
        }
    }

    fn index(state: &[ShardState], unsettled: Unsettled) -> StateIndex {
        StateIndex {
            state: state.to_vec(),
            unsettled,
            ..StateIndex::outdated(4, Day(20_000))
        }
    }

    fn tasks(
        before: &[ShardState],
        unsettled: Unsettled,
        after: &[ShardState],
    ) -> Vec<SuspectsTask> {
        let output = |state: &ShardState| MergeOutput {
            state: state.clone(),
            ..MergeOutput::default()
        };
        let merged: Vec<MergeOutput> = after.iter().map(output).collect();
        suspects_tasks(&planned(), Some(&index(before, unsettled)), &merged)
    }

    fn names(parts: &[IdsPart]) -> Vec<&str> {
        parts.iter().map(|ids| ids.part.path.as_str()).collect()
    }

    #[test]
    fn a_night_looks_at_what_it_wrote_and_at_what_is_unsettled() {
        let before = [state(&[("a", 9)], Some("x")), state(&[("b", 9)], None)];
        let after = [
            state(&[("a", 9), ("c", 1)], Some("x")),
            state(&[("b", 9)], None),
        ];
        assert_eq!(tasks(&before, Unsettled::None, &before), []);

        let night = tasks(&before, Unsettled::None, &after);
        let [night] = night.as_slice() else {
            panic!("{night:?}")
        };
        assert_eq!(names(&night.shards[0].new), ["ids of c"]);
        assert_eq!(names(&night.shards[0].old), ["ids of a"]);
        assert_eq!(names(&night.shards[1].old), ["ids of b"]);
        assert_eq!(night.shards[0].lost, None);

        let erased = tasks(&before, Unsettled::Lost, &before);
        assert_eq!(erased[0].shards[0].lost, Some(part("x", 1)));
        assert_eq!(names(&erased[0].shards[0].new), Vec::<&str>::new());
        // Nothing is unsettled where nothing is lost.
        assert_eq!(tasks(&before[1..], Unsettled::Lost, &before[1..]), []);

        let older = tasks(&before, Unsettled::Every, &before);
        assert_eq!(names(&older[0].shards[0].new), ["ids of a"]);
        assert_eq!(names(&older[0].shards[1].new), ["ids of b"]);
    }

    #[test]
    fn many_new_ids_are_looked_at_in_parts() {
        let after = [
            state(&[("a", 40 << 20)], None),
            state(&[("b", 1 << 20)], None),
        ];
        let tasks = tasks(&[], Unsettled::None, &after);
        let parts: Vec<(u32, u32)> = tasks.iter().map(|task| (task.part, task.parts)).collect();
        assert_eq!(parts, [(0, 4), (1, 4), (2, 4), (3, 4)]);
    }
}
