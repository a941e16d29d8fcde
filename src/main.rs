//! The program: distdup on a command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => cli.run().into(),
        Err(error) => cli::misspoken(error).into(),
    }
}
