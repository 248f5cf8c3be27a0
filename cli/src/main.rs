//! The `tenfold` binary: the operator's verbs over a project and its store.

mod args;
mod commands;
mod demo;
mod log;
mod machine;
mod output;
mod pool;
mod progress;
mod project;
mod service;

use std::process::ExitCode;

use clap::Parser;
use tenfold_core::failure::FailureClass;

use crate::args::Arguments;

/// Returns memory to the system after the large, short-lived columns of each task.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::begin();
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stopped) => {
            if !stopped.failure.message.is_empty() {
                eprintln!("error[{}]: {}", stopped.failure.number(), stopped.failure);
            }
            if stopped.failure.class == FailureClass::Bug {
                eprintln!("  this is a mistake in Tenfold: please report it with the text above");
            }
            ExitCode::from(stopped.code)
        }
    }
}
