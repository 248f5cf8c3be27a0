//! Exact deciles over customers spread across shards, without sorting them all.
//!
//! A ranking is `NTILE(tiles)` over (value descending, customer ascending) within one group: tile 1
//! holds the highest values. It is found in two passes that every shard makes by itself:
//!
//! 1. [`CellCounter`] counts the values of a shard per cell, a coarse band of values. The
//!    [`Histogram`]s of all shards are merged, and [`boundaries`] says in which cells the tiles end.
//! 2. Only the rows of those cells are gathered, as one sorted run per shard; of customers of value zero,
//!    of whom there are many, only those among whom a cut may lie ([`Samples`]). [`select_cuts`] goes
//!    through all runs together and picks the exact last row of each tile.
//!
//! [`assign_i64_customers`] and [`assign`] then place every row by comparing it with the cuts. The
//! result is the one of a global sort, whatever the number of shards and the order of merging.
//!
//! A customer has at most one value in a group; customers without a value are not passed in.

mod assign;
mod boundary;
mod cuts;
mod drift;
mod histogram;
mod key;
mod merge;
mod migration;
mod stretch;
#[cfg(test)]
mod tests;

pub use assign::{Ties, assign, assign_i64_customers};
pub use boundary::{Boundary, boundaries, boundary_cells};
pub use cuts::{CutError, Cuts, select_cuts};
pub use drift::population_stability;
pub use histogram::{CellCounter, Histogram, InvalidHistogram};
pub use key::{CELLS, RankKey, Rankable, Ranked, ZERO_CELL};
pub use migration::{MAX_TILES, Migration, MigrationError, Move, Moved};
pub use stretch::{Between, Samples, Stretch, spacing, stretches};
