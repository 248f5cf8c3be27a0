//! Queries as clients of PostgreSQL ask them.
