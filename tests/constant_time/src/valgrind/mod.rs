//! Marks secrets as undefined for valgrind's memcheck, which reports each branch on one and each
//! address computed from one.
//!
//! First, code that leaks on purpose must be reported. Then the reports of each path are counted,
//! and there must be none. What the standard sends or reveals is declared public: ciphertexts and
//! tags, shares and public keys, signatures, binders, verify_data, and whether a tag was right. The
//! tested code decides the last with a branch in each implementation. `valgrind.supp` names these
//! branches, with the reasons.
//!
//! Instructions that valgrind 3.19 does not know appear missing on the CPU: AES-GCM runs with
//! `aes-ni` at most, SHA without SHA-NI. graviola runs if it was built with `VALGRIND_BUG_494162`
//! in the environment, as the recipe does: valgrind knows ADX, but does not report it.

mod paths;
mod request;

use std::hint::black_box;

use self::paths::Path;
use crate::leaky;

pub fn run() -> Result<(), String> {
    if !request::is_running() {
        return Err("this needs valgrind around it: `just constant-time` says how".into());
    }
    println!("what leaks on purpose; reports are wanted here");
    let mut key = [7; 16];
    request::secret(&mut key);
    type Control = (&'static str, fn(&[u8; 16]));
    let controls: [Control; 3] = [
        ("looks_up", |key| _ = black_box(leaky::looks_up(key))),
        ("branches", |key| _ = black_box(leaky::branches(key))),
        ("compares", |key| {
            _ = black_box(leaky::compares(key, &[7; 16]))
        }),
    ];
    for (name, control) in controls {
        if reports(|| control(&key)) == 0 {
            return Err(format!("leaky::{name} was not reported"));
        }
    }

    println!("everything else; no report is wanted");
    let mut wrong = Vec::new();
    for Path { name, run, allowed } in paths::all() {
        let reports = reports(run);
        println!("{name}: {reports} reports, {allowed} allowed");
        if reports > allowed {
            wrong.push(name);
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("reported: {}", wrong.join(", ")))
    }
}

fn reports(path: impl FnOnce()) -> usize {
    let before = request::errors();
    path();
    request::errors() - before
}
