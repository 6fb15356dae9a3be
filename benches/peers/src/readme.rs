//! Writes the tables into a Markdown file, between two marker lines.

use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- tables: written by `just bench-readme` -->";
const END: &str = "<!-- end of tables -->";

/// A file whose markers have been found.
pub struct Readme {
    path: PathBuf,
    /// The text up to and including the first marker.
    before: String,
    /// The text from the second marker on.
    after: String,
}

impl Readme {
    /// Finds the markers, before anything is measured.
    pub fn open(path: &Path) -> Self {
        let text =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (before, rest) = text
            .split_once(BEGIN)
            .unwrap_or_else(|| panic!("{}: no line {BEGIN}", path.display()));
        let (_, after) = rest
            .split_once(END)
            .unwrap_or_else(|| panic!("{}: no line {END}", path.display()));
        Self {
            path: path.to_owned(),
            before: format!("{before}{BEGIN}"),
            after: format!("{END}{after}"),
        }
    }

    /// Replaces what is between the markers.
    pub fn write(&self, tables: &str) {
        let text = format!("{}\n\n{}\n\n{}", self.before, tables.trim(), self.after);
        fs::write(&self.path, text)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
    }
}

/// Breaks a paragraph into lines of at most 100 columns.
pub fn wrap(paragraph: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > 100 {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += width;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let path = std::env::temp_dir().join(format!("fleeting-peers-{}.md", std::process::id()));
        fs::write(
            &path,
            format!("# Title\n\n{BEGIN}\n\n| old |\n\n{END}\n\nThe end.\n"),
        )
        .unwrap();
        let readme = Readme::open(&path);
        readme.write("| new |\n");
        readme.write("| newer |\n");
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(
            text,
            format!("# Title\n\n{BEGIN}\n\n| newer |\n\n{END}\n\nThe end.\n")
        );
    }

    #[test]
    fn lines_have_at_most_100_columns() {
        let text = wrap(&"twelve chars ".repeat(50));
        assert!(text.lines().all(|line| line.len() <= 100));
        assert_eq!(text.split_whitespace().count(), 100);
        assert_eq!(wrap("one  line"), "one line");
    }
}
