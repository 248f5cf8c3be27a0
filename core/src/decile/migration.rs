//! How customers moved between the tiles of two snapshots, and why.

use serde::{Deserialize, Serialize};

/// The most tiles that a [`Migration`] counts between.
pub const MAX_TILES: u32 = 1000;

/// What two snapshots say of one customer, or of customers that moved alike. Tile 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The tile before.
    pub from: i32,
    /// The tile after.
    pub to: i32,
    /// The tile that the data after would give if the parameters were held as they were before;
    /// [`Move::to`] for values without parameters.
    pub held: i32,
    /// The value before, where there was a tile.
    pub before: i128,
    /// The value after, where there is a tile.
    pub after: i128,
}

/// The customers that went from one tile to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many they are.
    pub customers: u64,
    /// Those of them that moved, and would have moved without new parameters.
    pub by_behaviour: u64,
    /// Those of them that moved, and would have stayed without new parameters.
    pub by_parameters: u64,
    /// Sum of their values before.
    pub before: i128,
    /// Sum of their values after.
    pub after: i128,
}

impl Moved {
    fn add(&mut self, more: &Self) {
        self.customers = self.customers.saturating_add(more.customers);
        self.by_behaviour = self.by_behaviour.saturating_add(more.by_behaviour);
        self.by_parameters = self.by_parameters.saturating_add(more.by_parameters);
        self.before = self.before.saturating_add(more.before);
        self.after = self.after.saturating_add(more.after);
    }
}

/// Customers by (tile before, tile after), with their values; tile 0 stands for customers without
/// a tile.
///
/// Adding and merging are sums of whole numbers: their order does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Migration {
    /// `tiles + 1`: the length of a side of the matrix.
    side: usize,
    /// By tile before; a row that nobody left is not there. A row is by tile after.
    rows: Vec<Option<Box<[Moved]>>>,
}

/// Why customers could not be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// More tiles than [`MAX_TILES`].
    #[error(
        "a migration between {0} tiles is too large; at most {MAX_TILES} tiles can be compared"
    )]
    TooManyTiles(u32),
    /// A tile outside the ranking.
    #[error("tile {0} is outside the ranking; its tiles are 1 to {1}, and 0 for none")]
    NoSuchTile(i32, u32),
    /// The two matrices have different numbers of tiles.
    #[error("a migration between {0} tiles cannot be added to one between {1}")]
    Tiles(u32, u32),
    /// A stored sum is no whole number.
    #[error("a stored migration has the sum {0:?}, which is no whole number")]
    NoNumber(String),
}

impl Migration {
    /// A migration that counts nobody yet, between tiles 1 to `tiles` and 0.
    pub fn new(tiles: u32) -> Result<Self, MigrationError> {
        if tiles > MAX_TILES {
            return Err(MigrationError::TooManyTiles(tiles));
        }
        let side = tiles as usize + 1;
        Ok(Self {
            side,
            rows: vec![None; side],
        })
    }

    /// The number of tiles.
    pub fn tiles(&self) -> u32 {
        self.side as u32 - 1
    }

    /// Counts a customer. One that is in no tile before and after is not counted.
    #[inline]
    pub fn add(&mut self, moved: &Move) -> Result<(), MigrationError> {
        let moves = moved.from != moved.to;
        let stayed = moved.held == moved.from;
        let one = Moved {
            customers: 1,
            by_behaviour: u64::from(moves && !stayed),
            by_parameters: u64::from(moves && stayed),
            before: moved.before,
            after: moved.after,
        };
        self.put(moved.from, moved.to, &one)
    }

    /// Adds the counts of `other`, which has as many tiles.
    pub fn merge(&mut self, other: &Self) -> Result<(), MigrationError> {
        if self.side != other.side {
            return Err(MigrationError::Tiles(other.tiles(), self.tiles()));
        }
        for (from, to, moved) in other.cells() {
            self.put(from, to, moved)?;
        }
        Ok(())
    }

    #[inline]
    fn put(&mut self, from: i32, to: i32, moved: &Moved) -> Result<(), MigrationError> {
        let place = |tile: i32| {
            let place = usize::try_from(tile).ok().filter(|tile| *tile < self.side);
            place.ok_or(MigrationError::NoSuchTile(tile, self.side as u32 - 1))
        };
        let (row, column) = (place(from)?, place(to)?);
        if (row, column) != (0, 0) {
            let side = self.side;
            let row = self.rows[row]
                .get_or_insert_with(|| vec![Moved::default(); side].into_boxed_slice());
            row[column].add(moved);
        }
        Ok(())
    }

    /// Every (tile before, tile after) that has customers, ascending.
    pub fn cells(&self) -> impl Iterator<Item = (i32, i32, &Moved)> {
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter_map(|(from, row)| Some((from as i32, row.as_ref()?)));
        rows.flat_map(|(from, row)| {
            let cells = row
                .iter()
                .enumerate()
                .filter(|(_, moved)| moved.customers > 0);
            cells.map(move |(to, moved)| (from, to as i32, moved))
        })
    }

    /// The customers that were in each tile before, 0 first.
    pub fn before(&self) -> Vec<u64> {
        let customers = |row: &Option<Box<[Moved]>>| {
            let cells = row.iter().flat_map(|row| row.iter());
            cells.fold(0_u64, |sum, moved| sum.saturating_add(moved.customers))
        };
        self.rows.iter().map(customers).collect()
    }
}

/// A [`Migration`] as it is stored: only cells with customers, the sums in decimal digits.
#[derive(Serialize, Deserialize)]
struct Stored {
    tiles: u32,
    cells: Vec<(i32, i32, u64, u64, u64, String, String)>,
}

impl From<Migration> for Stored {
    fn from(migration: Migration) -> Self {
        let cell = |(from, to, moved): (i32, i32, &Moved)| {
            let (before, after) = (moved.before.to_string(), moved.after.to_string());
            let (behaviour, parameters) = (moved.by_behaviour, moved.by_parameters);
            (
                from,
                to,
                moved.customers,
                behaviour,
                parameters,
                before,
                after,
            )
        };
        Self {
            tiles: migration.tiles(),
            cells: migration.cells().map(cell).collect(),
        }
    }
}

impl TryFrom<Stored> for Migration {
    type Error = MigrationError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let mut migration = Self::new(stored.tiles)?;
        let sum = |digits: String| digits.parse().map_err(|_| MigrationError::NoNumber(digits));
        for (from, to, customers, by_behaviour, by_parameters, before, after) in stored.cells {
            let moved = Moved {
                customers,
                by_behaviour,
                by_parameters,
                before: sum(before)?,
                after: sum(after)?,
            };
            migration.put(from, to, &moved)?;
        }
        Ok(migration)
    }
}
