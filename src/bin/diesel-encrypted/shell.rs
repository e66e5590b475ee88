//! Completions for shells, and manual pages.

use std::path::Path;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::exit::{Exit, Failure};
use crate::output;

const NAME: &str = "diesel-encrypted";

/// Prints the script for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    output::raw(&script)
}

/// Prints the manual page of the program, or writes all pages to a folder and prints their paths.
pub(crate) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    // Building the command names its subcommands in full: `diesel-encrypted-status`.
    let mut program = Cli::command();
    program.build();
    match &args.dir {
        None => output::raw(&page(program)?),
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|error| not_written(dir, &error))?;
            write_pages(program, dir)
        }
    }
}

fn write_pages(command: clap::Command, dir: &Path) -> Result<Exit, Failure> {
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        write_pages(subcommand.clone(), dir)?;
    }
    let name = command.get_display_name().unwrap_or(NAME);
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, page(command)?).map_err(|error| not_written(&path, &error))?;
    output::line(path.display())
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| Failure::new(Exit::Internal, format!("cannot create the manual page: {error}")))?;
    Ok(page)
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}. Check --dir.", path.display()))
}
