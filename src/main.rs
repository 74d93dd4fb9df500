//! The `dlq` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(dlq::commands::main() as u8)
}
