//! Merges by ranges against merges in one piece: the same answers, to the byte.

use std::collections::BTreeMap;

use tenfold_core::calendar::Day;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::task::MergeTask;

use super::{Shard, corrected_nights, nights, two_years};
use crate::TaskContext;
use crate::merge::news::News;
use crate::merge::whole::{Whole, parts};

/// Memory of shards that are merged by some ranges, and by many.
const BUDGETS: [u64; 2] = [100_000, 12_000];

#[test]
fn what_comes_of_a_merge_does_not_depend_on_its_memory() {
    let (mut forward, mut anew) = (0, 0);
    for seed in 100..104 {
        let customers = [CustomerType::Int64, CustomerType::String][seed as usize % 2];
        let shard = Shard {
            horizon: [None, None, None, Some(20)][seed as usize % 4],
            again_with: &BUDGETS,
            ..Shard::new(customers, ["sales", "visits"][seed as usize / 2 % 2])
        };
        let seen = nights(seed, &shard);
        forward += seen.0 + corrected_nights(seed, &shard);
        anew += seen.1;
    }
    assert!(forward > 20, "{forward} forward, {anew} anew");
    assert!(anew > 4, "{forward} forward, {anew} anew");
}

#[test]
fn little_memory_means_several_ranges() {
    let as_of = Day::from_ymd(2024, 6, 10).unwrap();
    let shard = Shard::new(CustomerType::Int64, "visits");
    let task = MergeTask {
        pieces: shard.pieces(&two_years(as_of)),
        ..shard.task(as_of, None)
    };
    let ranges = |memory| {
        let context = TaskContext {
            memory,
            ..shard.context.clone()
        };
        let (news, _) = News::of(&task, BTreeMap::new(), &context).unwrap();
        let parts = parts(&news, None);
        Whole::of(&news, None, parts).ranges().unwrap().len()
    };
    let rows: u64 = 2 * 730 * 250;
    assert_eq!([rows, rows.div_ceil(3)].map(ranges), [1, 3]);
    // Customers are never in two ranges, and there are some thirty.
    let many = ranges(1);
    assert!((20..50).contains(&many), "{many}");
}
