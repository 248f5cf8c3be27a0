//! The long-running processes: coordinator, worker, and both in one.

pub mod client;
pub mod coordinator;
pub mod credentials;
mod delivering;
pub mod dev_esp;
pub mod http;
mod listen;
pub mod loading;
pub mod notify;
pub mod postgres;
pub mod signals;
pub mod sql;
pub mod up;
pub mod wide;
pub mod worker;
