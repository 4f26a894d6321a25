//! The command line: arguments to configuration, outcome to exit code.

use std::process::ExitCode;

use sayso::{
    cli::config::{self, Command, HELP},
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

fn obey(command: Command) -> Result<(), Error> {
    match command {
        Command::Serve(config) => serve::run(config),
        Command::Doctor { url, site } => doctor::examine(&url, site.as_deref()),
        Command::Help => stdout::line(format_args!("{}", HELP.trim_end())),
        Command::Version => stdout::line(format_args!("sayso {}", env!("CARGO_PKG_VERSION"))),
        Command::Check { data } => maintenance::check(&data),
        Command::Repair { data } => maintenance::repair(&data),
        Command::Compact { data } => maintenance::compact(&data),
    }
}
