//! Checks that fleeting takes the same time whatever its secrets are, in three ways that cover each
//! other's blind spots:
//!
//! ```text
//! disassemble   the AES-GCM kernel of every width, by analysis of its machine code
//! valgrind      what valgrind can run (no AVX-512, VAES, SHA or ADX), with the secrets marked as
//!               undefined: run it under valgrind, as the justfile does
//! timing        AES-GCM of every width that this CPU has, by the clock
//! ```
//!
//! Each must first find code that leaks on purpose (`leaky`). `just constant-time` runs all three.

mod disassemble;
mod leaky;
mod timing;
mod valgrind;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks that fleeting takes the same time whatever its secrets are.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    way: Way,
}

#[derive(Subcommand)]
enum Way {
    /// Follows the secrets through the machine code of the AES-GCM kernel
    Disassemble {
        /// Prints each instruction that is not allowed
        #[arg(long)]
        verbose: bool,
    },
    /// Runs code that works on marked secrets, under valgrind
    Valgrind,
    /// Measures AES-GCM with inputs of two classes
    Timing,
}

fn main() -> ExitCode {
    let outcome = match Options::parse().way {
        Way::Disassemble { verbose } => disassemble::run(verbose),
        Way::Valgrind => valgrind::run(),
        Way::Timing => timing::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
