//! The program: distdup on a command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Wrong usage ends here, with exit code 2.
    cli::Cli::parse().run().into()
}
