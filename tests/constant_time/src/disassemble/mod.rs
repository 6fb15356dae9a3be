//! Follows the secrets through the machine code of the AES-GCM kernel, in this very program: what
//! the compiler made of it.
//!
//! ```text
//! program   functions by name, from the executable
//! value     what is known of a register, of a byte of the stack
//! follow    where a secret goes in one function, and what must not be done with it
//! ```
//!
//! In the kernel a secret never comes out of the vectors: into a general register, a mask, the
//! flags; nor is an address computed from one, or a branch taken. So for every width that is
//! compiled, whether this CPU has it or not. The one exception is the comparison of tags in
//! `GcmKey::open`, behind the kernel's call: whether a tag was right is no secret, and each of its
//! two ways is taken by the whole record.

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

/// A function that has to be there: one that is missing was compiled into another, where it would
/// go unseen.
struct Expected {
    name: &'static str,
    /// How often: for sealing and for opening, each with the rounds of AES-128 and of AES-256.
    count: usize,
    arguments: Arguments,
    /// What it is allowed, and how often.
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

/// Called by the safe face: a key is a structure of pointers there.
const fn face(name: &'static str, allowed: &'static [(Leak, usize)]) -> Expected {
    Expected {
        name,
        count: 1,
        arguments: Arguments::Structures,
        allowed,
    }
}

/// Those that are called first.
const EXPECTED: [Expected; 8] = [
    expand("fleeting::crypto::kernel::x86_64::setup::expand_128"),
    expand("fleeting::crypto::kernel::x86_64::setup::expand_256"),
    kernel("fleeting::crypto::kernel::x86_64::narrow"),
    kernel("fleeting::crypto::kernel::x86_64::middle"),
    kernel("fleeting::crypto::kernel::x86_64::broad"),
    face("fleeting::crypto::kernel::x86_64::GcmKey::new", &[]),
    face("fleeting::crypto::kernel::x86_64::GcmKey::seal", &[]),
    // The comparison of tags: its result comes into one general register, or both halves of a tag
    // do, and decides.
    face(
        "fleeting::crypto::kernel::x86_64::GcmKey::open",
        &[(Leak::LeavesVectors, 2), (Leak::Branch, 1)],
    ),
];

/// Lines about one function; `--verbose` shows all.
const MOST_SHOWN: usize = 10;

pub fn run(verbose: bool) -> Result<(), String> {
    // So that they are in this program.
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
                "{name} was found {} times, not {count}: where was it compiled into?",
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
                        // Where one thing is not understood, many follow.
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

/// What leaks on purpose is found, each in its own way.
fn finds_leaks(program: &Program<'_>) -> Result<(), String> {
    // Taken by address, so that the compiler leaves their arguments as they are written.
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
