//! Limpid: makes photos clear on this computer.

use std::process::ExitCode;

fn main() -> ExitCode {
    limpid::cli::main(limpid::window::run)
}
