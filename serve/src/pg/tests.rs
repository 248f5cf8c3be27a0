//! The server asked by a client of PostgreSQL.
