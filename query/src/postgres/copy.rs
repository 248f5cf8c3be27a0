//! Rows as lines of text that `COPY` takes and gives.

use bytes::{BufMut, BytesMut};

use super::cells::Cells;

/// Adds the line of a row.
pub fn put_line(cells: &[Cells], row: usize, out: &mut BytesMut) {
    let mut value = BytesMut::new();
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.put_u8(b'\t');
        }
        value.clear();
        match cell.put(row, false, &mut value) {
            true => put_copied(&value, out),
            false => out.put_slice(b"\\N"),
        }
    }
    out.put_u8(b'\n');
}

/// Adds a value with what is special in a line escaped.
pub fn put_copied(value: &[u8], out: &mut BytesMut) {
    for byte in value {
        match byte {
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            // PostgreSQL has no text with a zero byte.
            0 => {}
            other => out.put_u8(*other),
        }
    }
}
