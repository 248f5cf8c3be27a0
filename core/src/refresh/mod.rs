//! What a refresh is made of: the plan, its tasks, and the state kept between nights.
//!
//! A *plan* says what to do and is fixed before anything runs. Its *tasks* are pure functions of
//! the parts that they name: nothing is shared between two tasks but immutable parts in the store,
//! so a task may run anywhere, any number of times.

pub mod before;
pub mod copies;
pub mod counts;
pub mod identities;
pub mod part;
pub mod plan;
pub mod reach;
pub mod restate;
pub mod shared;
pub mod state;
pub mod steps;
pub mod task;
pub mod user;

/// Version of what the tasks compute. It is part of every task's identity: raising it makes later
/// runs ignore what earlier versions left behind.
pub const CODE_VERSION: u32 = 10;
