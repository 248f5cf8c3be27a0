//! The kernels by themselves: fits, scores, and the three passes of deciles.
//!
//! `cargo bench --bench kernels` shows seconds. `tests/instructions/check.py` runs each kernel once and
//! counts its instructions, which do not depend on what else a machine does.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use divan::{Bencher, black_box};
use tenfold_core::clv::{
    Discount, ScoreSpec, Scorer, Sequential, SpendKey, TimeUnit, TransactionKey, TransactionModel,
    fit_spend, fit_transactions,
};
use tenfold_core::decile::{
    CELLS, CellCounter, Cuts, Histogram, Rankable, Ranked, Stretch, Ties, assign_i64_customers,
    boundaries, boundary_cells, select_cuts,
};

/// Customers that are ranked.
const RANKED: usize = 200_000;

fn main() {
    divan::main();
}

/// Numbers that look random and are always the same (xorshift64*).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

/// Distinct keys of customers, sorted, with how many have each.
fn keys(count: usize) -> Vec<(TransactionKey, u64)> {
    let mut draw = Draw(7);
    let mut keys: Vec<_> = (0..count)
        .map(|_| {
            let age_days = 30 + draw.below(700) as u32;
            let x = draw.below(12).saturating_sub(4) as u32;
            let t_x_days = match x {
                0 => 0,
                x => x + draw.below(u64::from(age_days - x)) as u32,
            };
            (
                TransactionKey {
                    x,
                    t_x_days,
                    age_days,
                },
                1 + draw.below(3),
            )
        })
        .collect();
    keys.sort_unstable();
    keys.dedup_by_key(|(key, _)| *key);
    keys
}

fn spends(count: usize) -> Vec<(SpendKey, u64)> {
    let mut draw = Draw(11);
    let mut keys: Vec<_> = (0..count)
        .map(|_| {
            let x = 1 + draw.below(9) as u32;
            let repeat_sum = (0..x).map(|_| 500 + draw.below(9_000) as i64).sum();
            (SpendKey { x, repeat_sum }, 1)
        })
        .collect();
    keys.sort_unstable();
    keys.dedup_by_key(|(key, _)| *key);
    keys
}

fn values() -> Vec<i64> {
    let mut draw = Draw(13);
    (0..RANKED)
        .map(|_| draw.below(1_000_000) as i64 * draw.below(3) as i64)
        .collect()
}

/// What starting costs: taken off the others.
#[divan::bench]
fn nothing() {}

#[divan::bench(args = [TransactionModel::ParetoNbd, TransactionModel::BgNbd])]
fn fit(bencher: Bencher<'_, '_>, model: TransactionModel) {
    let keys = keys(3_000);
    bencher.bench(|| fit_transactions(model, black_box(&keys), TimeUnit::Week, &Sequential));
}

#[divan::bench]
fn fit_of_spend(bencher: Bencher<'_, '_>) {
    let keys = spends(3_000);
    bencher.bench(|| fit_spend(black_box(&keys), 100.0, &Sequential));
}

#[divan::bench]
fn score(bencher: Bencher<'_, '_>) {
    let few = keys(500);
    let fit = fit_transactions(
        TransactionModel::ParetoNbd,
        &few,
        TimeUnit::Week,
        &Sequential,
    );
    let spec = ScoreSpec {
        horizons_months: vec![12],
        month_days: 365.25 / 12.0,
        discount: Discount::Annual(0.1),
        margin: 1.0,
        without_end: true,
    };
    let scorer = Scorer::new(&fit, &fit_spend(&spends(500), 100.0, &Sequential), &spec);
    let keys: Vec<TransactionKey> = keys(20_000).into_iter().map(|(key, _)| key).collect();
    bencher.bench(|| scorer.score_all(black_box(&keys)));
}

#[divan::bench]
fn count_cells(bencher: Bencher<'_, '_>) {
    let values = values();
    bencher.bench_local(|| {
        let mut counter = CellCounter::new();
        counter.add(black_box(&values));
        boundaries(&counter.take(), 10)
    });
}

#[divan::bench]
fn assign_tiles(bencher: Bencher<'_, '_>) {
    let values = values();
    let customers: Vec<i64> = (0..RANKED as i64).collect();
    // Cuts anywhere: each row is compared with all of them, wherever they lie.
    let cut = |tile: i64| Ranked {
        key: (1_000_000 - 100_000 * tile).rank_key(),
        customer: tile,
    };
    let cuts = Cuts::new((1..10).map(cut).collect(), 0);
    bencher.bench(|| assign_i64_customers(black_box(&values), &customers, &cuts, Ties::Split));
}

/// The customers of a shard, ascending, and the sums of each look-back.
struct Shard {
    customers: Vec<i64>,
    sums: Vec<Vec<i64>>,
}

/// Customers of each 64 shards, most of whom bought nothing in the shorter look-backs.
fn shards(customers: usize) -> Vec<Shard> {
    let mut draw = Draw(17);
    let bought = [15, 30, 45, 55, 65, 95];
    let shard = |shard: usize| Shard {
        customers: (shard..customers)
            .step_by(64)
            .map(|customer| customer as i64)
            .collect(),
        sums: Vec::new(),
    };
    let mut shards: Vec<Shard> = (0..64).map(shard).collect();
    for shard in &mut shards {
        for share in bought {
            let mut sum = |_: &i64| match draw.below(100) < share {
                true => (500 << draw.below(8)) + draw.below(50_000) as i64,
                false => 0,
            };
            shard
                .sums
                .push(shard.customers.iter().map(&mut sum).collect());
        }
    }
    shards
}

/// The tiles of a look-back by both passes over the shards.
fn deciles(shards: &[Shard], lookback: usize, counter: &mut CellCounter) -> Vec<Vec<i32>> {
    let mut histogram = Histogram::default();
    for shard in shards {
        counter.add(&shard.sums[lookback]);
        histogram.merge(&counter.take());
    }
    let boundaries = boundaries(&histogram, 10);
    let mut is_cut = vec![false; CELLS];
    let cells = boundary_cells(&boundaries);
    cells.iter().for_each(|cell| is_cut[*cell as usize] = true);
    let run = |shard: &Shard| {
        let rows = shard.sums[lookback].iter().zip(&shard.customers);
        let rows = rows.filter(|(sum, _)| is_cut[sum.cell() as usize]);
        let ranked = |(sum, customer): (&i64, &i64)| Ranked {
            key: sum.rank_key(),
            customer: *customer,
        };
        let mut run: Vec<Ranked<i64>> = rows.map(ranked).collect();
        run.sort_by_key(|row| std::cmp::Reverse(row.key));
        // Blocks of as many rows as a refresh reads at a time.
        let one = |last: &Ranked<i64>| Stretch {
            last: last.clone(),
            rows: 1,
        };
        let block = |rows: &[Ranked<i64>]| Ok::<_, Infallible>(rows.iter().map(one).collect());
        let blocks: Vec<_> = run.chunks(2048).map(block).collect();
        blocks.into_iter()
    };
    let cuts = select_cuts(&boundaries, shards.iter().map(run).collect()).unwrap();
    let tiles = |shard: &Shard| {
        assign_i64_customers(&shard.sums[lookback], &shard.customers, &cuts, Ties::Split)
    };
    shards.iter().map(tiles).collect()
}

/// Six look-backs of ten million customers, as a refresh ranks them, without what it reads and writes. It takes
/// seconds, so it runs when it is asked for: `cargo bench --bench kernels -- --ignored`.
#[divan::bench(ignore, sample_count = 5)]
fn six_deciles_of_ten_million(bencher: Bencher<'_, '_>) {
    let shards = shards(10_000_000);
    bencher.bench_local(|| {
        let mut counter = CellCounter::new();
        (0..6)
            .map(|lookback| deciles(&shards, lookback, &mut counter))
            .collect::<Vec<_>>()
    });
}
