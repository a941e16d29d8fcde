//! The program: distdup on a command line.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::read() {
        Ok(cli) => cli.run().into(),
        Err(error) => cli::misspoken(error).into(),
    }
}
