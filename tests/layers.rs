//! The shape of the source tree, held by a test: which file may import from which, where `unsafe`
//! may stand, how long a file may be.
//!
//! The floors are those of ARCHITECTURE.md. A file imports only from floors below its own; on its
//! own floor only inside its own folder; in a folder `mod.rs` may import its children, never the
//! reverse. The reward is that any floor can be read, tested and replaced with nothing above it in
//! mind.
//!
//! 1. Each file is cut into words and signs, without comments and literals ([`words`]): macro
//!    bodies count like other code.
//! 2. Every path from `crate` or `super` in them, groups and inline paths included, is made
//!    absolute ([`imports`]).
//! 3. A path belongs to the longest module on it that is a file, and that file must stand below
//!    ([`Tree::verdict`]). What is re-exported by `lib.rs` belongs to `lib.rs`, which is above
//!    everything: inside the crate one names the module itself.
//!
//! Test code (whatever `#[cfg(test)]`, or a condition that needs it, takes out of the library, a
//! file's whole module included) keeps to the floors too, with three liberties: a test file may
//! look into the module it tests and is a part of, it may look sideways on its own floor, and up
//! into what no user of the crate ever compiles ([`TEST_ONLY`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The floors, lowest first; `lib.rs` stands above the last. A folder or a file directly in `src/`
/// that is not here has no floor, and fails.
const FLOORS: &[&[&str]] = &[
    &["secret", "code_point", "level", "time", "sync"],
    &["error"],
    &["crypto", "message"],
    &["key_schedule", "identity"],
    &["record", "session"],
    &["handshake"],
    &["client", "server"],
    &["connection"],
    &["stream"],
    &["internals"],
    TEST_ONLY,
];

/// What exists under `cfg(test)` or `cfg(fuzzing)` alone: above everything, and open to all test
/// code.
const TEST_ONLY: &[&str] = &["fuzzing", "testing"];

/// Edges that the rule forbids and a reviewer allowed, from file to file, each with its reason:
/// none.
const EXTRA: &[(&str, &str)] = &[];

/// A longer file has to be split, or this number argued with.
const MOST_LINES: usize = 600;

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
    for (name, text) in Tree::read().files {
        let lines = text.lines().count();
        assert!(
            lines <= MOST_LINES,
            "src/{name} has {lines} lines, more than {MOST_LINES}: does it still keep to one \
             subject?"
        );
    }
}

/// The source files by their path below `src/`.
struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    fn read() -> Self {
        fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, files);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path
                        .strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .replace('\\', "/");
                    files.insert(name, fs::read_to_string(&path).unwrap());
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = BTreeMap::new();
        walk(&root, &root, &mut files);
        Self { files }
    }

    fn wrong_imports(&self) -> Vec<String> {
        let mut found: BTreeMap<&str, FileImports> = self
            .files
            .iter()
            .map(|(name, text)| (name.as_str(), imports(&module_of(name), text)))
            .collect();
        let test_modules: BTreeSet<Vec<String>> = found
            .values_mut()
            .flat_map(|file| std::mem::take(&mut file.test_modules))
            .collect();
        let mut wrong = Vec::new();
        for (name, file) in &found {
            wrong.extend(
                file.banned
                    .iter()
                    .map(|(line, what)| format!("src/{name}:{line}: {what}")),
            );
            let module = module_of(name);
            let in_tests = (1..=module.len()).any(|depth| test_modules.contains(&module[..depth]));
            for import in &file.imports {
                if let Err(reason) = self.verdict(name, import, in_tests || import.in_tests) {
                    wrong.push(format!(
                        "src/{name}:{}: crate::{}: {reason}",
                        import.line,
                        import.path.join("::")
                    ));
                }
            }
        }
        wrong
    }

    /// Whether the file called `from` may make this import.
    fn verdict(&self, from: &str, import: &Import, in_tests: bool) -> Result<(), String> {
        let here = module_of(from);
        let Some(home) = here.first() else {
            return Ok(());
        }; // lib.rs
        let to = self.file_of(&import.path);
        let there = module_of(to);
        if to == from || EXTRA.contains(&(from, to)) {
            return Ok(());
        }
        let Some(away) = there.first() else {
            return Err(
                "belongs to lib.rs, which stands above everything: name the module it lives in"
                    .into(),
            );
        };
        if home == away {
            return match here.starts_with(&there) && !in_tests {
                true => Err(format!(
                    "a file may not import from the module it is a part of (src/{to}): put what \
                     both need into a file beside it"
                )),
                false => Ok(()),
            };
        }
        let floor = |name: &str| {
            FLOORS
                .iter()
                .position(|floor| floor.contains(&name))
                .map(|at| at + 1)
                .ok_or_else(|| format!("`{name}` is on no floor: give it one here"))
        };
        let (own, other) = (floor(home)?, floor(away)?);
        let allowed =
            other < own || in_tests && (other == own || TEST_ONLY.contains(&away.as_str()));
        match allowed {
            true => Ok(()),
            false if other == own => Err(format!(
                "`{home}` and `{away}` share floor {own}: neither may know the other"
            )),
            false => Err(format!(
                "`{away}` is on floor {other}, above floor {own} of `{home}`"
            )),
        }
    }

    /// The file that the longest module on this path is: a path that names nothing but an item of
    /// the crate's root is in `lib.rs`.
    fn file_of(&self, path: &[String]) -> &str {
        (1..=path.len())
            .rev()
            .flat_map(|depth| {
                let module = path[..depth].join("/");
                [format!("{module}.rs"), format!("{module}/mod.rs")]
            })
            .find_map(|name| self.files.get_key_value(&name))
            .map_or("lib.rs", |(name, _)| name)
    }

    fn unsafe_lines(&self) -> Vec<String> {
        let outside = self
            .files
            .iter()
            .filter(|(name, _)| !name.starts_with("crypto/kernel/"));
        outside
            .flat_map(|(name, text)| {
                words(text)
                    .into_iter()
                    .filter(|word| word.is("unsafe"))
                    .map(move |word| format!("src/{name}:{}", word.line))
            })
            .collect()
    }
}

/// `a/b.rs` and `a/b/mod.rs` are the module `a::b`; `lib.rs` is the empty path.
fn module_of(file: &str) -> Vec<String> {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if module == "lib" {
        Vec::new()
    } else {
        module.split('/').map(String::from).collect()
    }
}

/// A path that starts at `crate` or `super`, made absolute.
#[derive(Debug, PartialEq)]
struct Import {
    path: Vec<String>,
    line: usize,
    in_tests: bool,
}

#[derive(Debug, Default)]
struct FileImports {
    imports: Vec<Import>,
    /// Modules declared under `#[cfg(test)]` as files of their own.
    test_modules: Vec<Vec<String>>,
    /// What would hide an import from this test.
    banned: Vec<(usize, &'static str)>,
}

fn imports(module: &[String], text: &str) -> FileImports {
    let words = words(text);
    let mut found = FileImports::default();
    // Inline modules open around here, with the number of braces open outside each.
    let mut inside: Vec<(usize, String)> = Vec::new();
    let mut braces = 0;
    let mut tests_until = 0;
    let mut at = 0;
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word.is(text));
    while let Some(word) = words.get(at) {
        let here = || {
            module
                .iter()
                .chain(inside.iter().map(|(_, name)| name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let in_tests = at < tests_until;
        match word.text.as_str() {
            "#" => {
                let inner = is(at + 1, "!");
                let open = at + 1 + usize::from(inner);
                if is(open, "[") {
                    let close = closing(&words, open);
                    if is(open + 1, "cfg") && !can_be_true(&words[open + 3..close - 1]) {
                        tests_until = tests_until.max(if inner {
                            words.len()
                        } else {
                            end_of_item(&words, close + 1)
                        });
                    }
                    if is(open + 1, "path") {
                        found.banned.push((
                            word.line,
                            "`#[path]` puts a module where this test does not look for it",
                        ));
                    }
                }
            }
            "include" if is(at + 1, "!") => found
                .banned
                .push((word.line, "`include!` hides code from this test")),
            "mod" if is(at + 2, "{") => inside.push((braces, words[at + 1].text.clone())),
            "mod" if is(at + 2, ";") && in_tests => {
                let mut declared = here();
                declared.push(words[at + 1].text.clone());
                found.test_modules.push(declared);
            }
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                inside.pop_if(|(outside, _)| *outside == braces);
            }
            // `pub(in crate::x)` says who may see, not what is seen.
            "crate" | "super"
                if is(at + 1, "::")
                    && !(at > 0 && is(at - 1, "in") && at > 1 && is(at - 2, "(")) =>
            {
                let mut paths = Vec::new();
                let end = read_tree(&words, at, &here(), &mut paths);
                found.imports.extend(paths.into_iter().map(|path| Import {
                    path,
                    line: word.line,
                    in_tests,
                }));
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads the path, or tree of paths, that starts here, and returns the place after it.
fn read_tree(
    words: &[Word],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<Vec<String>>,
) -> usize {
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| word.is(text));
    let mut path = prefix.to_vec();
    while let Some(word) = words.get(at) {
        match word.text.as_str() {
            "{" => {
                at += 1;
                while at < words.len() && !is(at, "}") {
                    // A sign that no path starts with (a comma, the name after `as`) is passed
                    // over.
                    at = read_tree(words, at, &path, paths).max(at + 1);
                    if is(at, "as") {
                        at += 2;
                    }
                }
                return at + 1;
            }
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" => {}
            name if name.starts_with(|first: char| first.is_alphanumeric() || first == '_') => {
                path.push(name.into())
            }
            // A glob, or the type parameters of `crate::a::B::<T>`; and the comma in a group, which
            // is no path at all.
            _ if path != prefix || at > 0 && is(at - 1, "::") => break,
            _ => return at,
        }
        at += 1;
        match is(at, "::") {
            true => at += 1,
            false => break,
        }
    }
    paths.push(path);
    at
}

/// Whether a condition of `cfg` can hold in a build that is neither for tests nor for fuzzing.
fn can_be_true(condition: &[Word]) -> bool {
    /// (can be true, can be false)
    fn eval(words: &[Word]) -> (bool, bool) {
        let Some(name) = words.first() else {
            return (true, true);
        };
        let mut parts = Vec::new();
        if words.get(1).is_some_and(|word| word.is("(")) {
            let (mut depth, mut from) = (0, 2);
            for (at, word) in words.iter().enumerate() {
                depth += i32::from(word.is("(")) - i32::from(word.is(")"));
                if depth == 1 && word.is(",") || depth == 0 && word.is(")") {
                    if from < at {
                        parts.push(eval(&words[from..at]));
                    }
                    from = at + 1;
                }
            }
        }
        match name.text.as_str() {
            "test" | "fuzzing" => (false, true),
            "not" => parts.first().map_or((true, true), |&(yes, no)| (no, yes)),
            "any" => (
                parts.iter().any(|part| part.0),
                parts.iter().all(|part| part.1),
            ),
            "all" => (
                parts.iter().all(|part| part.0),
                parts.iter().any(|part| part.1),
            ),
            _ => (true, true),
        }
    }
    eval(condition).0
}

/// The place of the bracket that closes the one at `open`.
fn closing(words: &[Word], open: usize) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(open) {
        depth += word.depth_change();
        if depth == 0 {
            return at;
        }
    }
    words.len()
}

/// Where the thing that an attribute stands on ends: an item, a field, a variant, an arm or a
/// statement.
fn end_of_item(words: &[Word], mut at: usize) -> usize {
    while words.get(at).is_some_and(|word| word.is("#")) {
        at = closing(words, at + 1) + 1;
    }
    let first = words
        .iter()
        .skip(at)
        .find(|word| !word.is("pub") && !word.is("unsafe") && !word.is("async"));
    let ends_with_semicolon = first.is_some_and(|word| {
        ["use", "const", "static", "type", "let"].contains(&word.text.as_str())
    });
    let has_block = first.is_some_and(|word| {
        [
            "fn", "mod", "impl", "trait", "struct", "enum", "(", "extern",
        ]
        .contains(&word.text.as_str())
    });
    let mut depth = 0;
    while let Some(word) = words.get(at) {
        depth += word.depth_change();
        let ended = match word.text.as_str() {
            ";" => depth == 0,
            "}" if depth == 0 => !ends_with_semicolon,
            "," => depth == 0 && !has_block && !ends_with_semicolon,
            _ => false,
        };
        // Below zero: the last field of a struct, the last statement of a block.
        if ended || depth < 0 {
            return at + 1;
        }
        at += 1;
    }
    at
}

/// A word or a sign of the source, and the line it stands on. `::` is one sign.
#[derive(Debug)]
struct Word {
    text: String,
    line: usize,
}

impl Word {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn depth_change(&self) -> i32 {
        match self.text.as_str() {
            "(" | "[" | "{" => 1,
            ")" | "]" | "}" => -1,
            _ => 0,
        }
    }
}

/// Cuts Rust source into words and signs. Comments and whitespace vanish; a string, a character or
/// a lifetime becomes nothing.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment_length(rest)
        } else if let Some(length) = string_length(rest) {
            length
        } else if first == '\'' {
            character_or_lifetime_length(rest)
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            found.push(Word {
                text: rest[..length].into(),
                line,
            });
            length
        } else {
            let length = if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(Word {
                    text: rest[..length].into(),
                    line,
                });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// Block comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let (step, change) = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string literal that starts here, if one does: `"…"`, `b"…"`, `c"…"`, `r#"…"#`
/// and their mixtures.
fn string_length(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            rest.trim_start_matches(if prefix.ends_with('r') { '#' } else { '"' })
                .starts_with('"')
                || rest.starts_with('"')
        })
    })?;
    let body = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let open = prefix.len() + hashes + 1;
        return Some(
            text[open..]
                .find(&end)
                .map_or(text.len(), |at| open + at + end.len()),
        );
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// `'a'`, `'\''`, `'\u{1F600}'` as a whole; of a lifetime only the tick and its name.
fn character_or_lifetime_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            text[after..]
                .find('\'')
                .map_or(text.len(), |close| after + close + 1)
        }
        (_, Some((at, '\''))) => at + 1,
        _ => {
            1 + text[1..]
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(text.len() - 1)
        }
    }
}

mod the_checker_itself {
    use super::*;

    /// What the checker says of one file in a tree that has a file on every floor.
    fn said_of(name: &str, text: &str) -> Vec<String> {
        let mut files: BTreeMap<String, String> = [
            "lib.rs",
            "secret.rs",
            "code_point.rs",
            "error/mod.rs",
            "error/fault.rs",
            "crypto/mod.rs",
            "crypto/aead.rs",
            "message/mod.rs",
            "message/codec.rs",
            "message/extensions/mod.rs",
            "message/extensions/cookie.rs",
            "key_schedule/mod.rs",
            "record/mod.rs",
            "record/seal.rs",
            "record/open.rs",
            "client/mod.rs",
            "server/mod.rs",
            "connection/mod.rs",
            "testing/mod.rs",
        ]
        .map(|name| (name.into(), String::new()))
        .into();
        files.insert(name.into(), text.into());
        Tree { files }.wrong_imports()
    }

    #[track_caller]
    fn allows(name: &str, text: &str) {
        assert_eq!(said_of(name, text), Vec::<String>::new(), "{name}: {text}");
    }

    #[track_caller]
    fn refuses(name: &str, text: &str, reasons: &[&str]) {
        let said = said_of(name, text);
        assert_eq!(said.len(), reasons.len(), "{name}: {text}\n{said:#?}");
        for (said, reason) in said.iter().zip(reasons) {
            assert!(said.contains(reason), "{said} does not say {reason}");
        }
    }

    #[test]
    fn downward_imports_are_allowed() {
        allows(
            "record/seal.rs",
            "use crate::crypto::aead::AeadKey;\n\
             use crate::error::Fault;\n\
             fn f() { crate::secret::Secret::new(1) }",
        );
        allows(
            "record/seal.rs",
            "use crate::{crypto::{aead::{self, AeadKey}, *}, secret::Secret as S};",
        );
        allows(
            "lib.rs",
            "pub use connection::Connection; pub use crate::stream::Stream;",
        );
    }

    #[test]
    fn upward_imports_are_refused() {
        refuses(
            "error/mod.rs",
            "use crate::crypto::Suite;",
            &["src/error/mod.rs:1: crate::crypto::Suite: `crypto` is on floor 3, above floor 2"],
        );
        refuses(
            "secret.rs",
            "\n\nuse super::error::Fault;",
            &["src/secret.rs:3: crate::error::Fault"],
        );
        refuses(
            "record/seal.rs",
            "use crate::{secret::Secret, connection::{Connection, Event}};",
            &["connection::Connection", "connection::Event"],
        );
        refuses(
            "record/seal.rs",
            "use {crate::secret::Secret, super::super::client::Client};",
            &["crate::client::Client"],
        );
    }

    #[test]
    fn an_inline_path_is_an_import() {
        refuses(
            "record/seal.rs",
            "fn f(x: &crate::client::Client) -> u8 { x.y::<crate::connection::Z>() }",
            &["client", "connection"],
        );
        refuses(
            "record/seal.rs",
            "m! { a => crate::client::f() }",
            &["client"],
        );
        refuses(
            "record/seal.rs",
            "macro_rules! m { () => { $crate::client::f() } }",
            &["client"],
        );
        refuses(
            "record/seal.rs",
            "fn f() { crate::client::new::<u8>(); super::super::server::g() }",
            &["client", "server"],
        );
    }

    #[test]
    fn neighbours_on_a_floor_are_strangers() {
        refuses(
            "client/mod.rs",
            "use crate::server::Server;",
            &["`client` and `server` share floor 7"],
        );
        refuses(
            "code_point.rs",
            "use crate::secret::Secret;",
            &["share floor 1"],
        );
        allows(
            "record/seal.rs",
            "use crate::record::open::Open; use super::open;",
        );
        allows(
            "message/codec.rs",
            "use crate::message::extensions::Extension; use super::extensions::cookie::Cookie;",
        );
    }

    #[test]
    fn a_child_knows_nothing_of_its_parent() {
        refuses(
            "record/seal.rs",
            "use super::Protection;",
            &["src/record/mod.rs"],
        );
        refuses(
            "record/seal.rs",
            "use crate::record::Protection;",
            &["src/record/mod.rs"],
        );
        refuses(
            "message/extensions/cookie.rs",
            "use super::super::Message; use crate::message::extensions::E;",
            &["message/mod.rs", "extensions/mod.rs"],
        );
        allows(
            "message/extensions/cookie.rs",
            "use super::super::codec::Reader;",
        );
        allows(
            "record/mod.rs",
            "use self::seal::Seal; use crate::record::open::Open; pub use seal::X;",
        );
    }

    #[test]
    fn the_root_is_above_everything() {
        refuses(
            "record/seal.rs",
            "use crate::Error;",
            &["belongs to lib.rs"],
        );
        refuses("secret.rs", "use super::*;", &["belongs to lib.rs"]);
    }

    #[test]
    fn a_new_room_needs_a_floor() {
        refuses(
            "attic/mod.rs",
            "use crate::secret::Secret;",
            &["`attic` is on no floor"],
        );
    }

    #[test]
    fn test_code_keeps_to_the_floors_with_three_liberties() {
        allows(
            "record/seal.rs",
            "struct Here; #[cfg(test)] mod tests { use super::*; use super::Here; use \
             crate::testing::pair; }",
        );
        allows(
            "client/mod.rs",
            "#[cfg(all(test, feature = \"x\"))] mod tests { use crate::server::Server; }",
        );
        allows(
            "client/mod.rs",
            "#[cfg(any(test, fuzzing))] #[rustfmt::skip] pub(crate) fn f<A, B>(a: \
             crate::server::S) {} ",
        );
        refuses(
            "client/mod.rs",
            "#[cfg(test)] mod tests { use crate::connection::C; }",
            &["above floor 7"],
        );
        refuses(
            "client/mod.rs",
            "#[cfg(test)] mod tests { } use crate::server::S;",
            &["share floor 7"],
        );
        refuses(
            "client/mod.rs",
            "#[cfg(test)] use crate::server::{S, T}; use crate::server::U;",
            &["server::U"],
        );
        refuses(
            "client/mod.rs",
            "struct A { #[cfg(test)] a: crate::server::S, b: crate::server::T }",
            &["server::T"],
        );
        refuses(
            "client/mod.rs",
            "#[cfg(not(test))] use crate::server::S;",
            &["server::S"],
        );
        refuses(
            "client/mod.rs",
            "#[cfg(any(test, feature = \"x\"))] use crate::server::S;",
            &["server::S"],
        );
        refuses(
            "client/mod.rs",
            "use crate::testing::pair;",
            &["`testing` is on floor 11"],
        );
    }

    #[test]
    fn a_file_declared_under_cfg_test_is_test_code() {
        let mut tree = Tree {
            files: BTreeMap::new(),
        };
        tree.files
            .insert("client/mod.rs".into(), "#[cfg(test)]\nmod tests;".into());
        tree.files.insert(
            "client/tests.rs".into(),
            "use super::*; use crate::server::Server;".into(),
        );
        tree.files
            .insert("server/mod.rs".into(), "mod tests;".into());
        tree.files.insert(
            "server/tests.rs".into(),
            "use crate::client::Client;".into(),
        );
        let wrong = tree.wrong_imports();
        assert!(
            matches!(&wrong[..], [one] if one.starts_with("src/server/tests.rs:1")),
            "{wrong:?}"
        );
    }

    #[test]
    fn comments_literals_and_visibility_are_no_imports() {
        allows(
            "secret.rs",
            "// crate::client::X\n\
             /* crate::client /* nested */ crate::client::Y */ /// [`crate::client::X`]\n",
        );
        allows(
            "secret.rs",
            r####"const A: &str = "crate::client::X \" crate::client::Y"; const B: &str = r#"crate::client::"Z""#; const C: &[u8] = b"crate::client::A";"####,
        );
        allows(
            "record/seal.rs",
            "pub(in crate::record) fn f() {} pub(crate) fn g() {} pub(super) fn h() {}",
        );
        refuses(
            "secret.rs",
            "fn f<'a>(q: char) { q == '\"' || q == '\\'' || q == '\\u{1F600}'; \
             crate::client::f::<'a>(\"\") }",
            &["client"],
        );
    }

    #[test]
    fn what_hides_code_is_refused() {
        refuses(
            "secret.rs",
            "#[path = \"../client/mod.rs\"] mod x;",
            &["#[path]"],
        );
        refuses("secret.rs", "include!(\"client/mod.rs\");", &["include!"]);
    }

    #[test]
    fn unsafe_is_seen_outside_the_kernel_alone() {
        let files = [
            ("lib.rs", "#![forbid(unsafe_code)] // unsafe"),
            (
                "secret.rs",
                "const A: &str = \"unsafe\";\nfn f() { unsafe { g() } }",
            ),
            ("crypto/kernel/mod.rs", "unsafe fn f() {}"),
        ];
        let tree = Tree {
            files: files.map(|(name, text)| (name.into(), text.into())).into(),
        };
        assert_eq!(tree.unsafe_lines(), ["src/secret.rs:2"]);
    }
}
