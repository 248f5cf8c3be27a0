//! Tests of mappings, plans, states and declarations.

mod declared;
mod planned;
mod sent;
