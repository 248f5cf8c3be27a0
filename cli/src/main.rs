//! The `tenfold` binary: the operator's verbs over a project and its store.

mod args;
mod commands;
mod config;
mod demo;
mod examples;
mod log;
mod machine;
mod output;
mod pool;
mod progress;
mod project;
mod service;
mod terminal;

use std::process::ExitCode;

use tenfold_core::failure::FailureClass;

use crate::commands::Stopped;

/// Returns memory to the system after the large, short-lived columns of each task.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(stopped) => {
            if !stopped.failure.message.is_empty() {
                eprintln!("error[{}]: {}", stopped.failure.number(), stopped.failure);
                if !stopped.failure.seen.is_empty() {
                    eprintln!("  seen: {}", stopped.failure.seen);
                }
            }
            if stopped.failure.class == FailureClass::Bug {
                eprintln!("  this is a mistake in Tenfold: please report it with the text above");
            }
            ExitCode::from(stopped.code)
        }
    }
}

fn run() -> Result<(), Stopped> {
    let arguments = config::arguments(std::env::args_os().collect())?;
    terminal::begin(arguments.global.view.clone());
    log::begin();
    commands::run(arguments)
}
