//! Tests the shape of the source tree: which file may import from which ([`tree`]), that files form
//! no circle ([`circles`]), where `unsafe` is allowed, and how long a file and a line may be
//! ([`width`]).
//!
//! The floors are those of ARCHITECTURE.md. A file imports only from lower floors and, on its own
//! floor, only from its own folder. In a folder `mod.rs` may import its children, never the
//! reverse. So any floor can be read, tested and replaced without regard to those above it.
//!
//! 1. Each file is cut into words and signs, without comments and literals ([`words`]): macro
//!    bodies count like other code.
//! 2. Every path from `crate` or `super` in them, groups and inline paths included, is made
//!    absolute ([`imports`]).
//! 3. A path belongs to the longest module on it that is a file, and that file must be lower
//!    ([`Tree::verdict`]). What `lib.rs` re-exports belongs to `lib.rs`, which is above everything:
//!    inside the crate, paths name the module itself.
//!
//! Test code is what `#[cfg(test)]`, or a condition that requires it, removes from the library,
//! including whole files. It obeys the floors too, with three exceptions. A test file may import
//! from the module that it tests and is a part of. It may import from its own floor. It may import
//! from modules that no user of the crate compiles ([`TEST_ONLY`]).

mod circles;
mod imports;
mod the_checker_itself;
mod tree;
mod width;
mod words;

use std::collections::BTreeMap;

use tree::{MOST_LINES, MOST_TEST_LINES, Tree};

#[test]
fn imports_point_down() {
    let tree = Tree::read();
    assert!(tree.files.len() > 5, "the source tree was not found");
    let wrong = tree.wrong_imports();
    assert!(
        wrong.is_empty(),
        "{} imports do not point down:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn unsafe_stands_in_the_kernel_alone() {
    let wrong: Vec<_> = Tree::read().unsafe_lines();
    assert!(
        wrong.is_empty(),
        "`unsafe` outside src/crypto/kernel/:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_file_is_too_long() {
    let tree = Tree::read();
    let in_tests: BTreeMap<_, _> = tree
        .imports()
        .into_iter()
        .map(|(name, (_, in_tests))| (name, in_tests || name.starts_with("testing/")))
        .collect();
    let lines = |name: &String| tree.files[name].lines().count();
    let most = |name: &String| match in_tests[name.as_str()] {
        true => MOST_TEST_LINES,
        false => MOST_LINES,
    };
    let long: Vec<_> = tree
        .files
        .keys()
        .filter(|name| lines(name) > most(name))
        .map(|name| {
            format!(
                "src/{name}: {} lines, more than {}",
                lines(name),
                most(name)
            )
        })
        .collect();
    assert!(
        long.is_empty(),
        "does each still keep to one subject?\n{}",
        long.join("\n")
    );
}

#[test]
fn files_make_no_circle() {
    let circles = Tree::read().circles();
    assert!(
        circles.is_empty(),
        "{} circles of files: put what both need into a file below them\n{}",
        circles.len(),
        circles.join("\n\n")
    );
}

#[test]
fn no_line_is_too_long() {
    let long = width::too_long();
    assert!(
        long.is_empty(),
        "{} lines have more than 100 columns:\n{}",
        long.len(),
        long.join("\n")
    );
}
