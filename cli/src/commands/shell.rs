//! `tenfold completion` and `tenfold man`: what shells and manuals know of the commands.

use std::path::Path;

use clap_complete::Shell;
use tenfold_core::failure::{Failure, FailureClass};

use crate::examples;
use crate::output::text_to_stdout;
use crate::terminal::say;

/// Prints the script that completes commands in a shell.
pub fn completion(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut examples::command(), "tenfold", &mut script);
    text_to_stdout(&String::from_utf8_lossy(&script))
}

/// Writes a manual page for each command into a folder, or the main one to standard output.
pub fn man(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(examples::command()).render(&mut page);
        rendered.map_err(|error| Failure::bug(format!("a manual page: {error}")))?;
        return text_to_stdout(&String::from_utf8_lossy(&page));
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(examples::command(), folder))
        .map_err(|error| {
            let message = format!("cannot write manual pages to {}: {error}", folder.display());
            Failure::new(FailureClass::Infra, message).remedy("give a folder that can be written")
        })?;
    say!("manual pages are in {}", folder.display());
    Ok(())
}
