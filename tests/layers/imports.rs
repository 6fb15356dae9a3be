//! The imports of a file: every path from `crate` or `super`, made absolute.

use crate::words::{Word, words};

/// A path that starts at `crate` or `super`, made absolute.
#[derive(Debug, PartialEq)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    pub(crate) in_tests: bool,
}

#[derive(Debug, Default)]
pub(crate) struct FileImports {
    pub(crate) imports: Vec<Import>,
    /// Modules declared as separate files, except test code, each with its line.
    pub(crate) modules: Vec<(usize, String)>,
    /// Modules declared under `#[cfg(test)]` as separate files.
    pub(crate) test_modules: Vec<Vec<String>>,
    /// Anything that would hide an import from this test.
    pub(crate) banned: Vec<(usize, &'static str)>,
}

pub(crate) fn imports(module: &[String], text: &str) -> FileImports {
    let words = words(text);
    let mut found = FileImports::default();
    // The inline modules around this place, with the number of braces open outside each.
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
            "mod" if is(at + 2, ";") && inside.is_empty() => {
                found.modules.push((word.line, words[at + 1].text.clone()));
            }
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                inside.pop_if(|(outside, _)| *outside == braces);
            }
            // `pub(in crate::x)` is a visibility, not an import.
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

/// Reads the path, or tree of paths, that starts here, and returns the index after it.
pub(crate) fn read_tree(
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
                    // A sign that starts no path (a comma, the name after `as`) is skipped.
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
            // A glob, or the type parameters of `crate::a::B::<T>`, ends the path. A comma in a
            // group is no path.
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

/// Returns true if a condition of `cfg` can hold in a build that is neither for tests nor for
/// fuzzing.
pub(crate) fn can_be_true(condition: &[Word]) -> bool {
    /// Returns (can be true, can be false).
    pub(crate) fn eval(words: &[Word]) -> (bool, bool) {
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

/// Returns the index of the bracket that closes the one at `open`.
pub(crate) fn closing(words: &[Word], open: usize) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(open) {
        depth += word.depth_change();
        if depth == 0 {
            return at;
        }
    }
    words.len()
}

/// Returns the end of what an attribute applies to: an item, a field, a variant, an arm or a
/// statement.
pub(crate) fn end_of_item(words: &[Word], mut at: usize) -> usize {
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
        // A negative depth means the end of a struct's last field or a block's last statement.
        if ended || depth < 0 {
            return at + 1;
        }
        at += 1;
    }
    at
}
