//! Follows the secrets through the machine code of the AES-GCM kernel in this program, as the
//! compiler made it.
//!
//! ```text
//! program   functions by name, from the executable
//! value     what is known about a register or a byte of the stack
//! follow    where a secret goes in one function, and its forbidden uses
//! ```
//!
//! In the kernel a secret never leaves the vectors for a general register, a mask or the flags. No
//! address is computed from one, and no branch depends on one. This holds for every width that is
//! compiled, whether this CPU has it or not. The only exception is the comparison of tags in
//! `GcmKey::open`, after the kernel's call: whether a tag was right is not secret, and either way
//! applies to the whole record.

mod follow;
mod program;
mod value;

use std::collections::BTreeMap;
use std::hint::black_box;

use fleeting::internals::Aead;
use iced_x86::{Formatter, NasmFormatter};

use self::follow::{Arguments, Leak, follow};
use self::program::Program;
use crate::leaky;

/// A function that must be found. If it is missing, it was inlined into another one, where this
/// test would not see it.
struct Expected {
    name: &'static str,
    /// How often it occurs: for sealing and for opening, each with the rounds of AES-128 and of
    /// AES-256.
    count: usize,
    arguments: Arguments,
    /// The leaks that are allowed, and how often.
    allowed: &'static [(Leak, usize)],
}

const fn expand(name: &'static str) -> Expected {
    Expected {
        name,
        count: 1,
        arguments: Arguments::Data,
        allowed: &[],
    }
}

const fn kernel(name: &'static str) -> Expected {
    Expected {
        name,
        count: 4,
        arguments: Arguments::Mixed,
        allowed: &[],
    }
}

/// A function of the safe interface, where a key is a structure of pointers.
const fn face(name: &'static str, allowed: &'static [(Leak, usize)]) -> Expected {
    Expected {
        name,
        count: 1,
        arguments: Arguments::Structures,
        allowed,
    }
}

/// The functions, each after those that it calls.
const EXPECTED: [Expected; 8] = [
    expand("fleeting::crypto::kernel::x86_64::setup::expand_128"),
    expand("fleeting::crypto::kernel::x86_64::setup::expand_256"),
    kernel("fleeting::crypto::kernel::x86_64::narrow"),
    kernel("fleeting::crypto::kernel::x86_64::middle"),
    kernel("fleeting::crypto::kernel::x86_64::broad"),
    face("fleeting::crypto::kernel::x86_64::GcmKey::new", &[]),
    face("fleeting::crypto::kernel::x86_64::GcmKey::seal", &[]),
    // The comparison of tags: its result, or both halves of a tag, moves to general registers and
    // decides a branch.
    face(
        "fleeting::crypto::kernel::x86_64::GcmKey::open",
        &[(Leak::LeavesVectors, 2), (Leak::Branch, 1)],
    ),
];

/// How many lines are printed about one function. `--verbose` prints all.
const MOST_SHOWN: usize = 10;

pub fn run(verbose: bool) -> Result<(), String> {
    // This makes the compiler include the functions in this program.
    black_box((
        Aead::new as fn(_, &_) -> _,
        Aead::seal as fn(&_, &_, &_, &_, &mut _) -> _,
        Aead::open as fn(&_, &_, &_, &mut _, &_, &mut _) -> _,
    ));
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let program = Program::parse(&bytes).map_err(|error| error.to_string())?;
    finds_leaks(&program)?;

    let mut known = BTreeMap::new();
    let mut wrong = Vec::new();
    for Expected {
        name,
        count,
        arguments,
        allowed,
    } in EXPECTED
    {
        let functions = program.functions(name);
        if functions.len() != count {
            wrong.push(format!(
                "{name} was found {} times, not {count}: which function was it inlined into?",
                functions.len()
            ));
        }
        for function in functions {
            let found = follow(&program, &function, arguments, &known);
            known.insert(function.address, found.summary);
            let mut allowed = allowed.to_vec();
            let mut others = 0;
            for (ip, kind) in &found.leaks {
                let mut text = String::new();
                found
                    .instructions
                    .iter()
                    .filter(|i| i.ip() == *ip)
                    .for_each(|i| NasmFormatter::new().format(i, &mut text));
                match allowed
                    .iter_mut()
                    .find(|(leak, left)| leak == kind && *left > 0)
                {
                    Some((_, left)) => *left -= 1,
                    None => {
                        others += 1;
                        // One instruction that is not understood leads to many more leaks.
                        if others <= MOST_SHOWN {
                            wrong.push(format!("{name}, at {ip:x}: {text}: {kind:?}"));
                        }
                    }
                }
                if verbose {
                    println!("    {ip:x}: {text}: {kind:?}");
                }
            }
            println!(
                "{name}: {} instructions, {} leaks, {others} more than allowed",
                found.instructions.len(),
                found.leaks.len()
            );
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Checks that code that leaks on purpose is found, each kind in its own way.
fn finds_leaks(program: &Program<'_>) -> Result<(), String> {
    // The functions are used by address, so that the compiler keeps their arguments as written.
    black_box((
        leaky::looks_up as fn(&_) -> _,
        leaky::branches as fn(&_) -> _,
        leaky::compares as fn(&_, &_) -> _,
    ));
    black_box((leaky::divides as fn(&_) -> _, leaky::moves as fn(&_) -> _));
    let controls = [
        ("looks_up", Leak::Address),
        ("branches", Leak::Branch),
        ("compares", Leak::Branch),
        ("divides", Leak::Time),
        ("moves", Leak::LeavesVectors),
    ];
    for (name, expected) in controls {
        let name = format!("constant_time::leaky::{name}");
        let functions = program.functions(&name);
        let found: Vec<_> = functions
            .iter()
            .flat_map(|function| follow(program, function, Arguments::Data, &BTreeMap::new()).leaks)
            .collect();
        if !found.iter().any(|(_, leak)| *leak == expected) {
            return Err(format!(
                "{name} leaks by {expected:?}, which this test did not find: {found:x?}"
            ));
        }
    }
    Ok(())
}
