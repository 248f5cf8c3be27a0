//! The `tenfold` binary: the operator's verbs over a project and its store.

mod args;
mod commands;
mod config;
mod dashboards;
mod deliveries;
mod demo;
mod examples;
mod live;
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

/// The exit code of a program that panicked, as Rust has it.
const PANICKED: u8 = 101;

fn main() -> ExitCode {
    // The stack of the main thread is not ours to choose, and whoever opens a snapshot plans its views.
    let thread = std::thread::Builder::new().name("tenfold".to_owned());
    match thread.stack_size(tenfold_query::STACK).spawn(outcome) {
        Ok(running) => running.join().unwrap_or(ExitCode::from(PANICKED)),
        Err(error) => {
            eprintln!("error: cannot start a thread: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what the command line says, and tells how it ended.
fn outcome() -> ExitCode {
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
