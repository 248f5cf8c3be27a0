//! The distributed ranking against a plain sort, and the parts of it one by one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Debug;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

type Run<C> = Vec<Ranked<C>>;

/// Rows of one group: (value, customer, shard).
type Rows<V, C> = Vec<(V, C, usize)>;

fn ranked<V: Rankable, C>(value: V, customer: C) -> Ranked<C> {
    Ranked {
        key: value.rank_key(),
        customer,
    }
}

/// Stretches in blocks of a few.
fn in_blocks<C: Clone>(
    run: &[Stretch<C>],
) -> impl Iterator<Item = Result<Vec<Stretch<C>>, Infallible>> {
    run.chunks(3).map(|block| Ok(block.to_vec()))
}

/// Rows as stretches of one.
fn one_by_one<C: Clone>(run: &[Ranked<C>]) -> Vec<Stretch<C>> {
    let one = |last: &Ranked<C>| Stretch {
        last: last.clone(),
        rows: 1,
    };
    run.iter().map(one).collect()
}

/// A run in blocks of a few rows.
fn blocks<C: Clone>(
    run: &[Ranked<C>],
) -> impl Iterator<Item = Result<Vec<Stretch<C>>, Infallible>> {
    let blocks: Vec<_> = in_blocks(&one_by_one(run)).collect();
    blocks.into_iter()
}

fn histogram<V: Rankable>(values: &[V]) -> Histogram {
    let mut counter = CellCounter::new();
    counter.add(values);
    counter.take()
}

/// What a ranking says, by customer: (tile, tile with ties together), and the number tied.
type Ranking<C> = (BTreeMap<C, (i32, i32)>, u64);

/// The whole distributed ranking, shard by shard.
fn distributed<V: Rankable, C: Ord + Clone + Debug>(
    rows: &Rows<V, C>,
    tiles: u32,
    shards: usize,
) -> Ranking<C> {
    let of_shard = |shard| rows.iter().filter(move |row| row.2 % shards == shard);
    let mut counter = CellCounter::new();
    let mut merged = Histogram::default();
    for shard in (0..shards).rev() {
        let values: Vec<V> = of_shard(shard).map(|row| row.0).collect();
        counter.add(&values);
        merged.merge(&counter.take());
    }
    let boundaries = boundaries(&merged, tiles);
    let cuts = cut_at_once(rows, &boundaries, shards);
    assert_eq!(cuts, cut_by_cell(rows, &boundaries, shards));

    let mut ranking = BTreeMap::new();
    for shard in 0..shards {
        let values: Vec<V> = of_shard(shard).map(|row| row.0).collect();
        let customers: Vec<&C> = of_shard(shard).map(|row| &row.1).collect();
        let split = assign(&values, |row| customers[row], &cuts, Ties::Split);
        let together = assign(&values, |row| customers[row], &cuts, Ties::Together);
        for ((customer, split), together) in customers.into_iter().zip(split).zip(together) {
            ranking.insert(customer.clone(), (split, together));
        }
    }
    (ranking, cuts.tied())
}

/// Cuts from one stream of the rows in all the boundary cells.
fn cut_at_once<V: Rankable, C: Ord + Clone + Debug>(
    rows: &Rows<V, C>,
    boundaries: &[Boundary],
    shards: usize,
) -> Cuts<C> {
    let cells = boundary_cells(boundaries);
    let mut runs: Vec<Run<C>> = vec![Vec::new(); shards];
    for (value, customer, shard) in rows {
        if cells.binary_search(&value.cell()).is_ok() {
            runs[shard % shards].push(ranked(*value, customer.clone()));
        }
    }
    runs.iter_mut().for_each(|run| run.sort());
    let runs = runs.iter().map(|run| blocks(run)).collect();
    select_cuts(boundaries, runs).unwrap()
}

/// Cuts cell by cell, as separate tasks would select them.
fn cut_by_cell<V: Rankable, C: Ord + Clone + Debug>(
    rows: &Rows<V, C>,
    boundaries: &[Boundary],
    shards: usize,
) -> Cuts<C> {
    let mut cuts = Cuts::new(Vec::new(), 0);
    for cell in boundary_cells(boundaries) {
        let of_cell: Vec<Boundary> = boundaries
            .iter()
            .filter(|b| b.cell == cell)
            .copied()
            .collect();
        cuts = cuts.join(cut_at_once(rows, &of_cell, shards));
    }
    cuts
}

/// Cuts from the rows in all the boundary cells, but for customers of value zero who are told in stretches; and
/// how many are told one by one.
fn cut_by_stretches<C: Ord + Clone + Debug>(
    rows: &Rows<i64, C>,
    boundaries: &[Boundary],
    shards: usize,
    spacing: u64,
) -> (Cuts<C>, usize) {
    let of_zero: Vec<Boundary> = boundaries
        .iter()
        .filter(|b| b.cell == ZERO_CELL)
        .copied()
        .collect();
    let cells = boundary_cells(boundaries);
    let mut runs: Vec<Run<C>> = vec![Vec::new(); shards];
    for (value, customer, shard) in rows {
        if cells.binary_search(&value.cell()).is_ok() {
            runs[shard % shards].push(ranked(*value, customer.clone()));
        }
    }
    let zero = 0_i64.rank_key();
    let mut samples = Samples::default();
    for run in &mut runs {
        run.sort();
        let zeros: Vec<&Ranked<C>> = run.iter().filter(|row| row.key == zero).collect();
        let sampled = zeros.iter().skip(spacing as usize - 1);
        let sampled = sampled.step_by(spacing as usize);
        samples.add(
            zeros.len() as u64,
            spacing,
            sampled.map(|row| row.customer.clone()),
        );
    }
    let between = samples.between(&of_zero);
    let mut told = 0;
    let in_stretches = |run: &Run<C>| {
        let first = run.partition_point(|row| row.key > zero);
        let end = run.partition_point(|row| row.key >= zero);
        let zeros = &run[first..end];
        let up_to = |customer: &C| zeros.partition_point(|row| row.customer <= *customer);
        let stretches = stretches(zeros.len(), &between, up_to);
        told += stretches.iter().filter(|(_, rows)| *rows == 1).count();
        let stretch = |(place, rows): (usize, u64)| Stretch {
            last: zeros[place].clone(),
            rows,
        };
        let mut all = one_by_one(&run[..first]);
        all.extend(stretches.into_iter().map(stretch));
        all.extend(one_by_one(&run[end..]));
        all
    };
    let runs: Vec<Vec<Stretch<C>>> = runs.iter().map(in_stretches).collect();
    let runs = runs.iter().map(|run| in_blocks(run)).collect();
    (select_cuts(boundaries, runs).unwrap(), told)
}

/// The same ranking by sorting everything.
fn sorted<V: Rankable + PartialOrd, C: Ord + Clone>(rows: &Rows<V, C>, tiles: u32) -> Ranking<C> {
    let mut order: Vec<(V, C)> = rows.iter().map(|row| (row.0, row.1.clone())).collect();
    order.sort_by(|a, b| {
        let by_value = b.0.partial_cmp(&a.0).unwrap();
        by_value.then_with(|| a.1.cmp(&b.1))
    });
    let tile_of = ntile(order.len(), tiles as usize);
    let mut ranking = BTreeMap::new();
    let mut tied = 0;
    let mut start = 0;
    while start < order.len() {
        let equal = order[start..]
            .iter()
            .take_while(|row| row.0 == order[start].0);
        let end = start + equal.count();
        if tile_of[start] != tile_of[end - 1] {
            tied += (end - start) as u64;
        }
        for (row, tile) in order[start..end].iter().zip(&tile_of[start..end]) {
            ranking.insert(row.1.clone(), (*tile, tile_of[start]));
        }
        start = end;
    }
    (ranking, tied)
}

/// The tile of each rank, dealt out as the SQL standard says: sizes differ by one at most, larger
/// tiles first.
fn ntile(rows: usize, tiles: usize) -> Vec<i32> {
    let sizes = (0..tiles).map(|tile| rows / tiles + usize::from(tile < rows % tiles));
    let tiles = (1..).zip(sizes);
    tiles
        .flat_map(|(tile, size)| std::iter::repeat_n(tile, size))
        .collect()
}

fn integers() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -2_i64..3,
        2 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 1 << 53, (1 << 53) + 1]),
        1 => -100_000_i64..100_000,
        1 => any::<i64>(),
    ]
}

fn floats() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => prop::sample::select(vec![0.0, -0.0, 0.1 + 0.2, 0.3, -1.5]),
        2 => prop::sample::select(vec![f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324, -5e-324, f64::INFINITY]),
        1 => -1000.0..1000.0,
        1 => any::<f64>().prop_filter("a value", |v| !v.is_nan()),
    ]
}

fn byte_strings() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0_u8, b'a', b'b', 0xff]), 0..5)
}

fn tiles() -> impl Strategy<Value = u32> {
    prop_oneof![Just(10_u32), 2_u32..=100]
}

/// Rows with distinct customers, in no order, over any shards.
fn rows<V, C>(
    values: impl Strategy<Value = V>,
    customers: impl Strategy<Value = C>,
) -> impl Strategy<Value = Rows<V, C>>
where
    V: Clone + Debug,
    C: Ord + Clone + Debug,
{
    (
        btree_set(customers, 0..150),
        vec((values, 0_usize..16), 150),
    )
        .prop_map(|(customers, rest)| {
            let rows = customers.into_iter().zip(rest);
            rows.map(|(customer, (value, shard))| (value, customer, shard))
                .collect()
        })
        .prop_map(|rows: Rows<V, C>| rows)
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn integers_of_numbered_customers_rank_as_sorted(
        rows in rows(integers(), prop_oneof![-200_i64..200, any::<i64>()]), tiles in tiles(), shards in 1_usize..9,
    ) {
        prop_assert_eq!(distributed(&rows, tiles, shards), sorted(&rows, tiles));
    }

    #[test]
    fn floats_of_numbered_customers_rank_as_sorted(
        rows in rows(floats(), any::<i64>()), tiles in tiles(), shards in 1_usize..9,
    ) {
        prop_assert_eq!(distributed(&rows, tiles, shards), sorted(&rows, tiles));
    }

    #[test]
    fn integers_of_named_customers_rank_as_sorted(
        rows in rows(integers(), byte_strings()), tiles in tiles(), shards in 1_usize..9,
    ) {
        prop_assert_eq!(distributed(&rows, tiles, shards), sorted(&rows, tiles));
    }

    #[test]
    fn floats_of_named_customers_rank_as_sorted(
        rows in rows(floats(), byte_strings()), tiles in tiles(), shards in 1_usize..9,
    ) {
        prop_assert_eq!(distributed(&rows, tiles, shards), sorted(&rows, tiles));
    }

    #[test]
    fn columns_of_numbered_customers_are_assigned_as_any_other(
        rows in rows(integers(), any::<i64>()), tiles in tiles(),
    ) {
        let values: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let customers: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let cuts = cut_at_once(&rows, &boundaries(&histogram(&values), tiles), 3);
        for ties in [Ties::Split, Ties::Together] {
            let fast = assign_i64_customers(&values, &customers, &cuts, ties);
            prop_assert_eq!(fast, assign(&values, |row| &customers[row], &cuts, ties));
        }
    }

    #[test]
    fn customers_of_value_zero_are_cut_by_samples_as_one_by_one(
        rows in rows(prop_oneof![5 => Just(0_i64), 1 => -2_i64..3], byte_strings()),
        tiles in tiles(), shards in 1_usize..9, spacing in 1_u64..20,
    ) {
        let values: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let boundaries = boundaries(&histogram(&values), tiles);
        let (cuts, _) = cut_by_stretches(&rows, &boundaries, shards, spacing);
        prop_assert_eq!(cuts, cut_at_once(&rows, &boundaries, shards));
    }

    #[test]
    fn integers_keep_their_order(a in integers(), b in integers()) {
        prop_assert_eq!(a.rank_key().cmp(&b.rank_key()), a.cmp(&b));
        prop_assert!(a > b || a.cell() <= b.cell());
        prop_assert!((a.cell() as usize) < CELLS);
    }

    #[test]
    fn floats_keep_their_order(a in floats(), b in floats()) {
        prop_assert_eq!(Some(a.rank_key().cmp(&b.rank_key())), a.partial_cmp(&b));
        prop_assert!(a > b || a.cell() <= b.cell());
        prop_assert!((a.cell() as usize) < CELLS);
    }

    #[test]
    fn merging_histograms_in_any_order_counts_all_rows(
        parts in vec(vec(integers(), 0..40), 1..6).prop_shuffle(),
    ) {
        let mut merged = Histogram::default();
        parts.iter().for_each(|part| merged.merge(&histogram(part)));
        let whole = histogram(&parts.concat());
        prop_assert_eq!(merged.total(), parts.concat().len() as u64);
        prop_assert_eq!(merged, whole);
    }
}

#[test]
fn zero_has_one_rank_and_nan_the_last() {
    assert_eq!((-0.0_f64).rank_key(), 0.0_f64.rank_key());
    assert_eq!((-0.0_f64).cell(), 0.0_f64.cell());
    for nan in [f64::NAN, -f64::NAN] {
        assert!(nan.rank_key() < f64::NEG_INFINITY.rank_key());
        assert!(nan.cell() <= f64::NEG_INFINITY.cell());
    }
}

#[test]
fn cells_are_a_256th_of_a_power_of_two() {
    let positive: BTreeSet<u32> = (1024..2048_i64).map(Rankable::cell).collect();
    assert_eq!(positive.len(), 256);
    let small: BTreeSet<u32> = (-512..=512_i64).map(Rankable::cell).collect();
    assert_eq!(small.len(), 1025, "small integers do not share cells");
}

#[test]
fn the_better_of_two_equal_customers_is_the_smaller() {
    assert!(ranked(5, 1) < ranked(5, 2));
    assert!(ranked(5, -1) < ranked(5, 1), "numbers, not bytes");
    assert!(
        ranked(5, b"10".to_vec()) < ranked(5, b"9".to_vec()),
        "bytes, not numbers"
    );
    assert!(ranked(6, 2) < ranked(5, 1));
}

#[test]
fn a_ranking_of_nobody_has_no_cuts() {
    let nobody: Rows<i64, i64> = Vec::new();
    assert_eq!(distributed(&nobody, 10, 3), (BTreeMap::new(), 0));
    assert_eq!(boundaries(&histogram(&[1_i64]), 10), []);
    assert_eq!(boundaries(&histogram(&[1_i64, 2, 3]), 0), []);
    assert_eq!(boundaries(&histogram(&[1_i64, 2, 3]), 1), []);
}

#[test]
fn few_rows_fill_the_first_tiles() {
    let rows: Rows<i64, i64> = vec![(30, 1, 0), (20, 2, 1), (10, 3, 0)];
    let (ranking, tied) = distributed(&rows, 10, 2);
    assert_eq!(
        ranking,
        BTreeMap::from([(1, (1, 1)), (2, (2, 2)), (3, (3, 3))])
    );
    assert_eq!(tied, 0);
}

/// Twelve equal rows: `NTILE(10)` gives 2, 2, 1, 1, 1, 1, 1, 1, 1, 1.
#[test]
fn equal_rows_are_split_by_customer_or_kept_together() {
    let rows: Rows<i64, i64> = (0..12)
        .map(|customer| (7, customer, customer as usize))
        .collect();
    let (ranking, tied) = distributed(&rows, 10, 4);
    let (split, together): (Vec<i32>, Vec<i32>) = ranking.into_values().unzip();
    assert_eq!(split, [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(together, [1; 12]);
    assert_eq!(tied, 12, "a value cut nine times is counted once");
}

/// Ranks by value: 9 9 | 5 5 | 5 1. Only the fives lie on both sides of a cut.
#[test]
fn a_cut_between_two_values_ties_nobody() {
    let values = [9, 9, 5, 5, 5, 1];
    let rows: Rows<i64, i64> = (1..).zip(values).map(|(c, v)| (v, c, 0)).collect();
    let (ranking, tied) = distributed(&rows, 3, 1);
    let (split, together): (Vec<i32>, Vec<i32>) = ranking.into_values().unzip();
    assert_eq!(split, [1, 1, 2, 2, 3, 3]);
    assert_eq!(together, [1, 1, 2, 2, 2, 3]);
    assert_eq!(tied, 3);
}

/// Half of the customers at zero, the others spread over several powers of two: 23 456 rows.
#[test]
fn a_large_skewed_group_ranks_as_sorted() {
    let rows: Rows<i64, i64> = (0..23_456_u64)
        .map(|n| {
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let value = if mixed >> 63 == 0 {
                0
            } else {
                (mixed >> 40 >> (n % 20)) as i64
            };
            (value - 3, (mixed >> 1) as i64, n as usize)
        })
        .collect();
    for tiles in [4, 10, 100] {
        assert!(
            distributed(&rows, tiles, 64) == sorted(&rows, tiles),
            "{tiles} tiles"
        );
    }
}

#[test]
fn of_most_customers_of_value_zero_only_the_number_is_told() {
    let rows: Rows<i64, i64> = (0..200_000_i64)
        .map(|n| (i64::from(n % 8 == 0), n ^ 0x2ad5, n as usize / 3))
        .collect();
    let values: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let boundaries = boundaries(&histogram(&values), 10);
    let (cuts, told) = cut_by_stretches(&rows, &boundaries, 16, spacing(175_000 / 16));
    assert_eq!(cuts, cut_at_once(&rows, &boundaries, 16));
    assert_eq!((cuts.rows().len(), cuts.tied()), (9, 200_000));
    assert!(told < 25_000, "{told} of 175000 were told one by one");
}

#[test]
fn a_cut_among_rows_that_were_not_told_is_no_cut() {
    let boundaries = boundaries(&histogram(&[0_i64, 0, 0, 0]), 2);
    let select = |stretches: &[(i64, u64)]| {
        let stretch = |&(customer, rows): &(i64, u64)| Stretch {
            last: ranked(0_i64, customer),
            rows,
        };
        let run: Vec<Stretch<i64>> = stretches.iter().map(stretch).collect();
        select_cuts(
            &boundaries,
            vec![in_blocks(&run).collect::<Vec<_>>().into_iter()],
        )
    };
    let cuts = select(&[(1, 1), (2, 1), (4, 2)]).unwrap();
    assert_eq!((cuts.rows(), cuts.tied()), (&[ranked(0_i64, 2)][..], 4));
    assert_eq!(select(&[(2, 2), (4, 2)]), Err(CutError::Untold(2)));
    assert_eq!(select(&[(1, 1), (3, 2), (4, 1)]), Err(CutError::Untold(2)));
}

#[test]
fn zero_is_alone_in_its_cell() {
    assert_eq!(0_i64.cell(), ZERO_CELL);
    assert!((-1_i64).cell() < ZERO_CELL && 1_i64.cell() > ZERO_CELL);
}

#[test]
fn boundaries_name_cell_and_rank_in_it() {
    let values = [300_i64, 300, 200, 200, 200, 200, 100];
    let found = boundaries(&histogram(&values), 3);
    let of_300 = Boundary {
        tile: 1,
        end_rank: 3,
        cell: 200.cell(),
        rank_in_cell: 1,
        cell_rows: 4,
    };
    let of_200 = Boundary {
        tile: 2,
        end_rank: 5,
        rank_in_cell: 3,
        ..of_300
    };
    assert_eq!(found, [of_300, of_200]);
    assert_eq!(boundary_cells(&found), [200.cell()]);
}

#[test]
fn huge_counts_do_not_overflow() {
    let mut huge = Histogram::try_from(vec![(1, u64::MAX), (2, u64::MAX)]).unwrap();
    huge.merge(&huge.clone());
    assert_eq!(huge.total(), u64::MAX);
    assert_eq!(boundaries(&huge, 10).len(), 9);
}

#[test]
fn rows_that_disagree_with_the_histogram_give_no_cuts() {
    let boundaries = boundaries(&histogram(&[7_i64, 7, 7, 7]), 2);
    let run = |customers: &[i64]| -> Run<i64> { customers.iter().map(|&c| ranked(7, c)).collect() };
    let select = |customers: &[i64]| select_cuts(&boundaries, vec![blocks(&run(customers))]);
    assert_eq!(select(&[1, 2, 3, 4]).unwrap().rows(), run(&[2]));
    assert_eq!(
        select(&[1, 2, 3]),
        Err(CutError::RowCount {
            expected: 4,
            found: 3
        })
    );
    assert_eq!(
        select(&[1, 2, 3, 4, 5]),
        Err(CutError::RowCount {
            expected: 4,
            found: 5
        })
    );
    assert_eq!(select(&[1, 3, 2, 4]), Err(CutError::Unordered(3)));
    assert_eq!(select(&[1, 2, 2, 4]), Err(CutError::Unordered(3)));
}

#[test]
fn a_customer_in_two_runs_gives_no_cuts() {
    let boundaries = boundaries(&histogram(&[7_i64, 7, 7, 7]), 2);
    let run = |customers: &[i64]| -> Run<i64> { customers.iter().map(|&c| ranked(7, c)).collect() };
    let runs = [run(&[1, 2, 3]), run(&[2])];
    let cuts = select_cuts(&boundaries, runs.iter().map(|run| blocks(run)).collect());
    assert_eq!(cuts, Err(CutError::Unordered(3)));
}

#[test]
fn an_error_of_a_run_gives_no_cuts() {
    let failing = std::iter::once(Err::<Vec<Stretch<i64>>, _>(std::fmt::Error));
    let cuts = select_cuts(&[], vec![failing]);
    assert_eq!(cuts, Err(CutError::Read(std::fmt::Error)));
}

#[test]
fn borrowed_customers_need_no_copy() {
    let cuts = Cuts::new(vec![ranked(5, "m".to_owned())], 0);
    let names = ["a", "m", "z"];
    let tiles = assign::<_, _, str>(&[5_i64, 5, 5], |row| names[row], &cuts, Ties::Split);
    assert_eq!(tiles, [1, 1, 2]);
    let _: &str = cuts.rows()[0].customer.borrow();
}

#[test]
fn stored_forms_come_back() {
    let counts = histogram(&[1_i64, 1, 500, -7]);
    let json = serde_json::to_string(&counts).unwrap();
    assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), counts);

    let cuts = Cuts::new(vec![ranked(i64::MAX, 3), ranked(i64::MIN, i64::MIN)], 4);
    let json = serde_json::to_string(&cuts).unwrap();
    assert_eq!(serde_json::from_str::<Cuts<i64>>(&json).unwrap(), cuts);

    let key = 12.5.rank_key();
    assert_eq!(RankKey::from_bits(key.to_bits()), key);
    assert_eq!(
        serde_json::to_string(&Ties::Together).unwrap(),
        "\"together\""
    );
}

#[test]
fn stored_forms_are_checked() {
    let parse = |cells| Histogram::try_from(cells);
    assert_eq!(
        parse(vec![(2, 1), (2, 1)]),
        Err(InvalidHistogram::Unordered(2))
    );
    assert_eq!(
        parse(vec![(1 << 20, 1)]),
        Err(InvalidHistogram::NoSuchCell(1 << 20))
    );
    assert_eq!(parse(vec![(3, 0)]), Err(InvalidHistogram::Empty(3)));
    assert!(serde_json::from_str::<Histogram>("[[5,1],[4,1]]").is_err());

    let shuffled = r#"{"cuts":[{"key":1,"customer":1},{"key":9,"customer":1}],"tied":0}"#;
    let cuts: Cuts<i64> = serde_json::from_str(shuffled).unwrap();
    assert_eq!(cuts.rows()[0].key, RankKey::from_bits(9));
}

fn moved(from: i32, to: i32, held: i32) -> Move {
    Move {
        from,
        to,
        held,
        before: i128::from(from) * 100,
        after: i128::from(to) * 10,
    }
}

fn migration(tiles: u32, moves: &[(i32, i32, i32)]) -> Migration {
    let mut migration = Migration::new(tiles).unwrap();
    for (from, to, held) in moves {
        migration.add(&moved(*from, *to, *held)).unwrap();
    }
    migration
}

#[test]
fn a_migration_tells_moves_by_behaviour_from_moves_by_parameters() {
    let moves = [
        (1, 1, 1),
        (1, 1, 2),
        (1, 2, 1),
        (1, 2, 2),
        (1, 2, 3),
        (0, 3, 3),
        (2, 0, 0),
        (0, 0, 0),
    ];
    let counted = migration(3, &moves);
    let cells: Vec<_> = counted
        .cells()
        .map(|(from, to, m)| (from, to, m.customers, m.by_behaviour, m.by_parameters))
        .collect();
    assert_eq!(
        cells,
        [
            (0, 3, 1, 1, 0),
            (1, 1, 2, 0, 0),
            (1, 2, 3, 2, 1),
            (2, 0, 1, 1, 0)
        ]
    );
    let (_, _, down) = counted.cells().nth(2).unwrap();
    assert_eq!((down.before, down.after), (300, 60));
    assert_eq!(counted.before(), [1, 5, 1, 0]);
    assert_eq!(counted.tiles(), 3);

    let json = serde_json::to_string(&counted).unwrap();
    assert_eq!(serde_json::from_str::<Migration>(&json).unwrap(), counted);
}

#[test]
fn migrations_merge_to_the_whole() {
    let moves = [(0, 1, 1), (1, 1, 1), (2, 1, 2), (2, 2, 2), (1, 0, 0)];
    let mut second = migration(2, &moves[2..]);
    second.merge(&migration(2, &moves[..2])).unwrap();
    assert_eq!(second, migration(2, &moves));
}

#[test]
fn a_migration_refuses_what_it_cannot_count() {
    let mut moves = Migration::new(2).unwrap();
    let untouched = moves.clone();
    for (from, to, wrong) in [(1, 3, 3), (-1, 1, -1)] {
        let refused = moves.add(&moved(from, to, to));
        assert_eq!(refused, Err(MigrationError::NoSuchTile(wrong, 2)));
    }
    let other = Migration::new(3).unwrap();
    assert_eq!(moves.merge(&other), Err(MigrationError::Tiles(3, 2)));
    let many = Migration::new(1001);
    assert_eq!(many, Err(MigrationError::TooManyTiles(1001)));
    for stored in [
        r#"{"tiles":2,"cells":[[1,3,1,0,0,"0","0"]]}"#,
        r#"{"tiles":2,"cells":[[1,2,1,0,0,"1.5","0"]]}"#,
    ] {
        assert!(serde_json::from_str::<Migration>(stored).is_err());
    }
    assert_eq!(moves, untouched);
}

#[test]
fn a_distribution_that_stays_has_no_drift() {
    assert_eq!(population_stability(&[10, 20, 30], &[1, 2, 3]), Some(0.0));
    // By hand: 0.5 to 0.75 and 0.5 to 0.25.
    let expected = 0.25 * 1.5_f64.ln() - 0.25 * 0.5_f64.ln();
    let moved = population_stability(&[50, 50], &[75, 25]).unwrap();
    assert!((moved - expected).abs() < 1e-15);
    // An empty bin counts as one in ten thousand.
    let expected = -0.4999 * (0.0001_f64 / 0.5).ln() + 0.5 * 2_f64.ln();
    let emptied = population_stability(&[1, 1], &[0, 1]).unwrap();
    assert!((emptied - expected).abs() < 1e-12);
    assert_eq!(population_stability(&[0, 0], &[1, 2]), None);
    assert_eq!(population_stability(&[1, 2], &[0, 0]), None);
}
