//! The `sayso` program: runs the command line and turns its result into an exit code.

use std::process::ExitCode;

use sayso::{cli, util::logger};

fn main() -> ExitCode {
    let subcommand = cli::parse(std::env::args_os().skip(1), |name| std::env::var_os(name));
    match subcommand.and_then(cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logger::report("sayso", &error);
            ExitCode::from(error.exit_code())
        }
    }
}
