//! Moves: how the customers of one shard went from tile to tile since the snapshot before, and how
//! they would spread over the tiles that its cuts make.

mod before;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tenfold_core::decile::{Migration, MigrationError, Move};
use tenfold_core::failure::Failure;
use tenfold_core::money::to_minor;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{AssignTask, Compared, DecileSpec, RankedValue, published};

use self::before::{BeforeBatches, Side};
use crate::TaskContext;
use crate::assign::{Assigned, tiles_by};
use crate::cut::{AllCuts, get_json};
use crate::ranking::{Group, GroupKey, GroupValues, Rows, for_groups_of};
use crate::values::{ShardBatches, common_scale};

/// How the customers of one group moved.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupMoves {
    /// The group.
    pub key: GroupKey,
    /// From tile to tile; values are in the scale that the deciles share.
    pub moves: Migration,
    /// Today's customers by the tile that the cuts before give them, from tile 1 on; none where
    /// there were no cuts.
    pub by_cuts_before: Option<Vec<u64>>,
}

/// Counts moves, group by group.
pub struct MoveCounter<'a> {
    task: &'a AssignTask,
    before: Option<BeforeBatches<'a>>,
    /// Tiles of CLV by the parameters before, under the key of the published group.
    held: BTreeMap<GroupKey, Assigned>,
    scale: u8,
    found: Vec<GroupMoves>,
}

impl<'a> MoveCounter<'a> {
    /// Reads what there is to compare with.
    pub fn new(
        task: &'a AssignTask,
        batches: &ShardBatches,
        cuts: &AllCuts,
        context: &TaskContext,
    ) -> Result<Self, Failure> {
        let before = task.before.as_ref();
        let before = before.map(|shard| BeforeBatches::read(shard, &task.deciles, context));
        Ok(Self {
            task,
            before: before.transpose()?,
            held: held_tiles(task, batches, cuts)?,
            scale: common_scale(&task.deciles),
            found: Vec::new(),
        })
    }

    /// Counts the moves of a published group, whose customers have these tiles.
    pub fn count(&mut self, group: &Group<'_>, tiles: &[i32]) -> Result<(), Failure> {
        let decile = &self.task.deciles[group.key.decile];
        let Some(before) = self.side_before(&group.key)? else {
            return Ok(());
        };
        let held = self.held.get(&group.key);
        let factor = self.factor(own_scale(decile));
        let value = |place: usize| match &group.values {
            GroupValues::Sums(sums) => i128::from(sums[place]) * factor,
            GroupValues::Clv(clv) => to_minor(clv[place], self.scale),
        };
        let mut moves = Migration::new(decile.tiles).map_err(mistaken)?;
        let mut next_held = 0;
        let mut held_tile = |place: usize| {
            let Some(held) = held else {
                return tiles[place];
            };
            let row = group.rows.at(place);
            let rows = match &held.rows {
                Rows::All(_) => return held.tiles[row],
                Rows::Some(rows) => rows,
            };
            let is_before = |known: &u32| (*known as usize) < row;
            while rows.get(next_held).is_some_and(is_before) {
                next_held += 1;
            }
            match rows.get(next_held) {
                Some(known) if *known as usize == row => held.tiles[next_held],
                _ => 0,
            }
        };
        before.walk(group.customers, &group.rows, |was, is| {
            moves.add(&Move {
                from: was.map_or(0, |place| before.tiles[place]),
                to: is.map_or(0, |place| tiles[place]),
                held: is.map_or(0, &mut held_tile),
                before: was.map_or(0, |place| before.values[place]),
                after: is.map_or(0, value),
            })
        })?;
        let by_cuts_before = self.by_cuts_before(group)?;
        self.found.push(GroupMoves {
            key: group.key.clone(),
            moves,
            by_cuts_before,
        });
        Ok(())
    }

    /// All moves, those out of groups that nobody is in any more among them, by group.
    pub fn finish(mut self) -> Result<Vec<GroupMoves>, Failure> {
        let known: BTreeSet<GroupKey> = self.found.iter().map(|group| group.key.clone()).collect();
        for key in self.keys_before() {
            if known.contains(&key) {
                continue;
            }
            let Some(before) = self.side_before(&key)? else {
                continue;
            };
            let tiles = self.task.deciles[key.decile].tiles;
            let mut moves = Migration::new(tiles).map_err(mistaken)?;
            for (tile, value) in before.tiles.iter().zip(&before.values) {
                let gone = Move {
                    from: *tile,
                    to: 0,
                    held: 0,
                    before: *value,
                    after: 0,
                };
                moves.add(&gone).map_err(mistaken)?;
            }
            if !before.tiles.is_empty() {
                self.found.push(GroupMoves {
                    key,
                    moves,
                    by_cuts_before: None,
                });
            }
        }
        self.found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(self.found)
    }

    /// Where a group stood before; nobody was in one that is new, and none can be compared that
    /// meant something else.
    fn side_before(&self, key: &GroupKey) -> Result<Option<Side<'_>>, Failure> {
        let Some(before) = &self.before else {
            return Ok(Some(Side::empty()));
        };
        match &before.shard.deciles[key.decile] {
            Compared::Changed => Ok(None),
            Compared::New => Ok(Some(Side::empty())),
            Compared::Same { lookbacks, .. } if lookbacks[key.lookback].is_none() => {
                Ok(Some(Side::empty()))
            }
            Compared::Same { .. } => {
                let decile = &self.task.deciles[key.decile];
                let suffix = &decile.lookbacks[key.lookback];
                match &key.dimension_value {
                    None => before.of_customers(decile, suffix, self.scale),
                    Some(value) => before.of_dimension(decile, suffix, value, self.scale),
                }
                .map(Some)
            }
        }
    }

    /// The groups that the snapshot before had and that can be compared.
    fn keys_before(&self) -> Vec<GroupKey> {
        let mut keys = Vec::new();
        let Some(before) = &self.before else {
            return keys;
        };
        let deciles = self.task.deciles.iter().zip(&before.shard.deciles);
        for (decile, (spec, compared)) in deciles.enumerate() {
            let Compared::Same { lookbacks, .. } = compared else {
                continue;
            };
            let known = lookbacks.iter().enumerate();
            for (lookback, _) in known.filter(|(_, place)| place.is_some()) {
                let key = |dimension_value| GroupKey {
                    decile,
                    lookback,
                    dimension_value,
                };
                match spec.by {
                    None => keys.push(key(None)),
                    Some(_) => {
                        let values = before.dimension_values(&spec.name, &spec.lookbacks[lookback]);
                        keys.extend(values.map(|value| key(Some(value.to_owned()))));
                    }
                }
            }
        }
        keys
    }

    fn by_cuts_before(&self, group: &Group<'_>) -> Result<Option<Vec<u64>>, Failure> {
        let Some(before) = &self.before else {
            return Ok(None);
        };
        let (Some(cuts), Compared::Same { place, lookbacks }) =
            (&before.cuts, &before.shard.deciles[group.key.decile])
        else {
            return Ok(None);
        };
        let Some(lookback) = lookbacks[group.key.lookback] else {
            return Ok(None);
        };
        let key = GroupKey {
            decile: *place,
            lookback,
            dimension_value: group.key.dimension_value.clone(),
        };
        let decile = &self.task.deciles[group.key.decile];
        let Some(tiles) = tiles_by(group, &key, cuts, decile) else {
            return Ok(None);
        };
        let mut counts = vec![0; decile.tiles as usize];
        for tile in tiles {
            let place = usize::try_from(tile - 1).ok();
            let count = place.and_then(|place| counts.get_mut(place));
            let count = count.ok_or_else(|| Failure::bug("cuts make more tiles than declared"))?;
            *count += 1;
        }
        Ok(Some(counts))
    }

    /// What makes of an amount one in the scale that the deciles share.
    fn factor(&self, scale: u8) -> i128 {
        10_i128.pow(u32::from(self.scale.saturating_sub(scale)))
    }
}

/// Decimal places of a decile's sums.
fn own_scale(decile: &DecileSpec) -> u8 {
    match decile.value {
        RankedValue::Measure { scale, .. } => scale,
        RankedValue::Clv | RankedValue::ClvHeld => 0,
    }
}

fn held_tiles(
    task: &AssignTask,
    batches: &ShardBatches,
    cuts: &AllCuts,
) -> Result<BTreeMap<GroupKey, Assigned>, Failure> {
    let published = published(&task.deciles);
    let mut held = BTreeMap::new();
    for_groups_of(
        batches,
        &task.deciles,
        published..task.deciles.len(),
        |group| {
            let decile = &task.deciles[group.key.decile];
            let of = task.deciles[..published]
                .iter()
                .position(|other| other.name == decile.name);
            let of =
                of.ok_or_else(|| Failure::bug("a held decile is of none that is published"))?;
            let tiles = tiles_by(&group, &group.key, cuts, decile);
            let tiles = tiles.ok_or_else(|| Failure::bug("a held group has no cuts"))?;
            let key = GroupKey {
                decile: of,
                ..group.key
            };
            held.insert(
                key,
                Assigned {
                    rows: group.rows,
                    tiles: tiles.into(),
                },
            );
            Ok(())
        },
    )?;
    Ok(held)
}

/// Reads moves.
pub fn read_moves(part: &PartRef, context: &TaskContext) -> Result<Vec<GroupMoves>, Failure> {
    get_json(part, context)
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the form that `map_err` takes"
)]
fn mistaken(error: MigrationError) -> Failure {
    Failure::bug(format!("moves between tiles: {error}"))
}
