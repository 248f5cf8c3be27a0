//! Where the tiles of a ranking end: which rank, in which cell of the histogram.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// The end of a tile that another tile follows. Ranks count from 1, the highest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// The tile that ends here.
    pub tile: u32,
    /// The rank of its last row in the group.
    pub end_rank: u64,
    /// The cell that holds this row.
    pub cell: u32,
    /// The rank of this row in its cell.
    pub rank_in_cell: u64,
    /// The number of rows in the cell.
    pub cell_rows: u64,
}

/// The boundaries between the tiles of a group, from the best tile on.
///
/// `NTILE` sizes: of n = tiles * q + r rows, the first r tiles hold q + 1 and the others q, so tile
/// k ends at rank k * q + min(k, r). With fewer rows than tiles only tiles 1 to n appear. The last
/// tile that appears ends with the group and has no boundary.
pub fn boundaries(histogram: &Histogram, tiles: u32) -> Vec<Boundary> {
    let total = histogram.total();
    let mut cells = histogram.cells().iter().rev().copied();
    let (mut above, mut current) = (0_u64, cells.next());
    let mut found = Vec::new();
    for tile in 1..tiles {
        let end_rank = tile_end(total, tiles, tile);
        if end_rank >= total {
            break;
        }
        while let Some((_, rows)) = current
            && above.saturating_add(rows) < end_rank
        {
            above += rows;
            current = cells.next();
        }
        let Some((cell, cell_rows)) = current else {
            break;
        };
        found.push(Boundary {
            tile,
            end_rank,
            cell,
            rank_in_cell: end_rank - above,
            cell_rows,
        });
    }
    found
}

/// The cells whose rows are to be gathered: those that hold a boundary, ascending, each once.
pub fn boundary_cells(boundaries: &[Boundary]) -> Vec<u32> {
    let mut cells: Vec<u32> = boundaries.iter().map(|boundary| boundary.cell).collect();
    cells.sort_unstable();
    cells.dedup();
    cells
}

/// The rank of the last row of `tile`, for `tile` from 1 to `tiles`.
fn tile_end(total: u64, tiles: u32, tile: u32) -> u64 {
    let (tiles, tile) = (u64::from(tiles), u64::from(tile));
    tile * (total / tiles) + tile.min(total % tiles)
}
