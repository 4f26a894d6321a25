//! The command line: arguments to configuration, outcome to exit code.

use std::process::ExitCode;

use sayso::{
    cli::config::{self, HELP, Subcommand},
    cli::doctor,
    cli::maintenance,
    cli::serve,
    cli::stdout,
    error::Error,
};

fn main() -> ExitCode {
    match config::parse(std::env::args_os().skip(1), |name| std::env::var_os(name)).and_then(obey) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sayso: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn obey(command: Subcommand) -> Result<(), Error> {
    match command {
        Subcommand::Serve(config) => serve::run(config),
        Subcommand::Doctor { url, site } => doctor::examine(&url, site.as_deref()),
        Subcommand::Help => stdout::line(format_args!("{}", HELP.trim_end())),
        Subcommand::Version => stdout::line(format_args!("sayso {}", env!("CARGO_PKG_VERSION"))),
        Subcommand::Check { data } => maintenance::check(&data),
        Subcommand::Repair { data } => maintenance::repair(&data),
        Subcommand::Compact { data } => maintenance::compact(&data),
    }
}
