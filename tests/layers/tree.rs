//! [`Tree`]: the source files, and which may import which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::imports::{FileImports, Import, imports};
use crate::words::words;

/// The floors, lowest first. `lib.rs` is above the last. A folder or file directly in `src/` that
/// is not listed here has no floor, and fails the test.
pub(crate) const FLOORS: &[&[&str]] = &[
    &["secret", "code_point", "level", "time", "sync"],
    &["error", "counters"],
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

/// Modules that exist only under `cfg(test)` or `cfg(fuzzing)`: they are above everything, and all
/// test code may import them.
pub(crate) const TEST_ONLY: &[&str] = &["fuzzing", "testing"];

/// Imports that the rule forbids but that a reviewer allowed, from file to file, each with its
/// reason. There are none.
pub(crate) const EXTRA: &[(&str, &str)] = &[];

/// How many lines a file may have. A longer file must be split, or this number changed with good
/// reason.
pub(crate) const MOST_LINES: usize = 700;

/// The same for a file of tests, which is read one test at a time.
pub(crate) const MOST_TEST_LINES: usize = 1050;

/// The source files by their path below `src/`.
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
}

impl Tree {
    pub(crate) fn read() -> Self {
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

    /// Returns every file's imports, and whether the whole file is test code.
    pub(crate) fn imports(&self) -> BTreeMap<&str, (FileImports, bool)> {
        let read = |(name, text): (&'_ String, &String)| imports(&module_of(name), text);
        let mut found: BTreeMap<&str, FileImports> = self
            .files
            .iter()
            .map(|file| (file.0.as_str(), read(file)))
            .collect();
        let test_modules: BTreeSet<Vec<String>> = found
            .values_mut()
            .flat_map(|file| std::mem::take(&mut file.test_modules))
            .collect();
        let is_test_code = |module: Vec<String>| {
            (1..=module.len()).any(|depth| test_modules.contains(&module[..depth]))
        };
        let with_kind = found
            .into_iter()
            .map(|(name, file)| (name, (file, is_test_code(module_of(name)))));
        with_kind.collect()
    }

    pub(crate) fn wrong_imports(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, (file, in_tests)) in self.imports() {
            wrong.extend(
                file.banned
                    .iter()
                    .map(|(line, what)| format!("src/{name}:{line}: {what}")),
            );
            for import in &file.imports {
                if let Err(reason) = self.verdict(name, import, in_tests || import.in_tests) {
                    let path = import.path.join("::");
                    wrong.push(format!(
                        "src/{name}:{}: crate::{path}: {reason}",
                        import.line
                    ));
                }
            }
        }
        wrong
    }

    /// Returns an error if the file called `from` must not make this import.
    pub(crate) fn verdict(
        &self,
        from: &str,
        import: &Import,
        in_tests: bool,
    ) -> Result<(), String> {
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
                "belongs to lib.rs, which is above everything: name the module that defines it"
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
                "`{home}` and `{away}` share floor {own}: neither may import the other"
            )),
            false => Err(format!(
                "`{away}` is on floor {other}, above floor {own} of `{home}`"
            )),
        }
    }

    /// Returns the file of the longest module on this path. A path that names only an item of the
    /// crate's root is in `lib.rs`.
    pub(crate) fn file_of(&self, path: &[String]) -> &str {
        (1..=path.len())
            .rev()
            .flat_map(|depth| {
                let module = path[..depth].join("/");
                [format!("{module}.rs"), format!("{module}/mod.rs")]
            })
            .find_map(|name| self.files.get_key_value(&name))
            .map_or("lib.rs", |(name, _)| name)
    }

    pub(crate) fn unsafe_lines(&self) -> Vec<String> {
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

/// Returns a file's module path: `a/b.rs` and `a/b/mod.rs` are `a::b`, and `lib.rs` is the empty
/// path.
pub(crate) fn module_of(file: &str) -> Vec<String> {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if module == "lib" {
        Vec::new()
    } else {
        module.split('/').map(String::from).collect()
    }
}
