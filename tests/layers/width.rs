//! The width of lines: 100 characters, in code, comments and prose alike.
//!
//! rustfmt narrows code, but neither comments nor long literals. A line may be longer only if it
//! cannot be broken: a row of a Markdown table, or a single word such as an address.

use std::fs;
use std::path::Path;

const MOST_COLUMNS: usize = 100;

/// The folders with the repository's own text.
const FOLDERS: &[&str] = &[
    "src",
    "tests",
    "benches",
    "examples",
    "fuzz/fuzz_targets",
    "fuzz/examples",
];

/// Returns the lines that are too long, as `file:line`.
pub(crate) fn too_long() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        walk(&root.join(folder), &mut files);
    }
    let top = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files.extend(top.filter(|path| path.is_file() && is_text(path)));
    assert!(files.len() > 100, "the repository was not found");
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().display();
        found.extend(long_lines(&text).map(|line| format!("{name}:{line}")));
    }
    found
}

fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    // The published package does not contain the folders of other packages.
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, files),
            false if is_text(&path) => files.push(path),
            false => {}
        }
    }
}

fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "rs" || extension == "md")
}

/// Returns the numbers of the lines that are too long and could be broken.
fn long_lines(text: &str) -> impl Iterator<Item = usize> {
    let is_long = |line: &str| line.chars().count() > MOST_COLUMNS && can_be_broken(line);
    (1..)
        .zip(text.lines())
        .filter(move |(_, line)| is_long(line))
        .map(|(number, _)| number)
}

fn can_be_broken(line: &str) -> bool {
    let text = line
        .trim()
        .trim_start_matches("//")
        .trim_start_matches(['/', '!'])
        .trim();
    let is_table_row = text.starts_with('|');
    // This is the definition of a link: its name and an address, without words after them.
    let is_link = text.starts_with('[')
        && text
            .split_once("]: ")
            .is_some_and(|(_, address)| !address.contains(' '));
    !is_table_row && !is_link && text.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_too_long(line: &str) -> bool {
        long_lines(line).count() == 1
    }

    #[test]
    fn a_line_of_101_characters_is_too_long() {
        let words = "word ".repeat(20);
        assert_eq!(words.len(), MOST_COLUMNS);
        assert!(!is_too_long(&words));
        assert!(is_too_long(&format!("{words}x")));
        assert!(is_too_long(&format!("    /// {words}")));
        assert_eq!(
            long_lines(&format!("a\n{words}x\nb\n{words}x")).collect::<Vec<_>>(),
            [2, 4]
        );
    }

    #[test]
    fn characters_count_and_not_bytes() {
        assert!(!is_too_long(&"─ ".repeat(50)));
        assert!(is_too_long(&"─ ─".repeat(34)));
    }

    #[test]
    fn what_cannot_be_broken_may_be_longer() {
        let word = "a".repeat(120);
        assert!(!is_too_long(&word));
        assert!(!is_too_long(&format!("    // {word}")));
        assert!(!is_too_long(&format!("/// | {word} | {word} |")));
        assert!(!is_too_long(&format!("[the full tables]: {word}")));
        assert!(is_too_long(&format!("//! {word} and {word}")));
        assert!(is_too_long(&format!("//! [`Sink`]: {word} and {word}")));
    }
}
