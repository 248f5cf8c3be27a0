//! Doubles of e-mail vendors: servers on this machine that answer as Oracle Eloqua (Bulk 2.0),
//! SendGrid Marketing, Mailchimp Marketing 3.0 and listmonk do, with their limits and oddities.
//!
//! They hold everything in memory and speak with this machine alone. What takes its time at a vendor
//! takes a number of questions here, and time passes when it is told to, so that nobody waits and the
//! same requests give the same answers.

mod clock;
mod control;
mod eloqua;
mod fault;
mod http;
mod listmonk;
mod mailchimp;
mod outgoing;
mod posts;
mod send;
mod sendgrid;
mod server;
mod world;

pub use fault::{Deed, Fault, FaultFile};
pub use server::Doubles;
pub use world::{
    ELOQUA_COMPANY, ELOQUA_PASSWORD, ELOQUA_USER, LISTMONK_TOKEN, LISTMONK_USER, MAILCHIMP_KEY,
    SENDGRID_KEY,
};
