//! How customers moved between the tiles of two snapshots.

use serde::{Deserialize, Serialize};

/// The most tiles that a [`Migration`] counts between.
pub const MAX_TILES: u32 = 1000;

/// Counts of customers by (tile before, tile after); tile 0 stands for customers without a tile.
///
/// Adding and merging are sums: their order does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Vec<u64>>", try_from = "Vec<Vec<u64>>")]
pub struct Migration {
    /// `tiles + 1`: the length of a side of the matrix.
    side: usize,
    /// Row by row: a row is a tile before, a column a tile after.
    counts: Vec<u64>,
}

/// Why customers could not be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// More tiles than [`MAX_TILES`].
    #[error(
        "a migration between {0} tiles is too large; at most {MAX_TILES} tiles can be compared"
    )]
    TooManyTiles(usize),
    /// A tile outside the ranking.
    #[error("tile {0} is outside the ranking; its tiles are 1 to {1}, and 0 for none")]
    NoSuchTile(i32, usize),
    /// The two columns are not of the same customers.
    #[error("the tiles before are of {0} customers and the tiles after of {1}")]
    Lengths(usize, usize),
    /// The two matrices have different numbers of tiles.
    #[error("a migration between {0} tiles cannot be added to one between {1}")]
    Tiles(usize, usize),
    /// A stored matrix is not square.
    #[error("a stored migration is not a square matrix of at least one row")]
    NotSquare,
}

impl Migration {
    /// A migration that counts nobody yet, between tiles 1 to `tiles` and 0.
    pub fn new(tiles: u32) -> Result<Self, MigrationError> {
        if tiles > MAX_TILES {
            return Err(MigrationError::TooManyTiles(tiles as usize));
        }
        let side = tiles as usize + 1;
        Ok(Self {
            side,
            counts: vec![0; side * side],
        })
    }

    /// The number of tiles.
    pub fn tiles(&self) -> usize {
        self.side - 1
    }

    /// Counts customers by their tiles `before` and `after`, columns of the same customers. Nobody
    /// is counted when one of the tiles is wrong.
    pub fn add(&mut self, before: &[i32], after: &[i32]) -> Result<(), MigrationError> {
        if before.len() != after.len() {
            return Err(MigrationError::Lengths(before.len(), after.len()));
        }
        for &tile in before.iter().chain(after) {
            if !usize::try_from(tile).is_ok_and(|tile| tile < self.side) {
                return Err(MigrationError::NoSuchTile(tile, self.tiles()));
            }
        }
        for (&before, &after) in before.iter().zip(after) {
            let count = &mut self.counts[before as usize * self.side + after as usize];
            *count = count.saturating_add(1);
        }
        Ok(())
    }

    /// Adds the counts of `other`, which has as many tiles.
    pub fn merge(&mut self, other: &Self) -> Result<(), MigrationError> {
        if self.side != other.side {
            return Err(MigrationError::Tiles(other.tiles(), self.tiles()));
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        Ok(())
    }

    /// The counts by tile after, 0 first, of the customers that were in each tile before, 0 first.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks(self.side)
    }

    /// The customers that went from tile `before` to tile `after`; none from or to other tiles.
    pub fn count(&self, before: usize, after: usize) -> u64 {
        let row = self.rows().nth(before);
        row.and_then(|row| row.get(after)).copied().unwrap_or(0)
    }

    /// The share of those in tile `before` that went to tile `after`, from 0 to 1; `None` when
    /// nobody was in it.
    pub fn share(&self, before: usize, after: usize) -> Option<f64> {
        let total: u128 = self
            .rows()
            .nth(before)?
            .iter()
            .map(|&n| u128::from(n))
            .sum();
        (total > 0).then(|| self.count(before, after) as f64 / total as f64)
    }
}

impl TryFrom<Vec<Vec<u64>>> for Migration {
    type Error = MigrationError;

    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, Self::Error> {
        let side = rows.len();
        if side == 0 || rows.iter().any(|row| row.len() != side) {
            return Err(MigrationError::NotSquare);
        }
        if side > MAX_TILES as usize + 1 {
            return Err(MigrationError::TooManyTiles(side - 1));
        }
        Ok(Self {
            side,
            counts: rows.concat(),
        })
    }
}

impl From<Migration> for Vec<Vec<u64>> {
    fn from(migration: Migration) -> Self {
        migration.rows().map(<[u64]>::to_vec).collect()
    }
}
