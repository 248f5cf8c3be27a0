//! Tests of the workspace as a whole: the edges between its crates, and other programs' view of its
//! tables. They are in `tests/` and `readers/`.
