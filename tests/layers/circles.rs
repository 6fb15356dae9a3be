//! Circles of files: `a` imports from `b`, and `b` imports from `a`, directly or through other
//! files.
//!
//! Files in a circle can only be understood together, however small each of them is. The rule about
//! floors allows circles inside a folder; this one does not.
//!
//! The edges of the graph are the imports of the library's own code. In addition, a `mod.rs` (or
//! any file that declares modules) leads to the files that it declares, since an import of a folder
//! can be one of what it re-exports. Test code does not count: tests look into what they test, and
//! are declared by it.

use std::collections::BTreeMap;

use crate::tree::{Tree, module_of};

/// Maps a file to the files that it imports from, each with the import's line and path.
type Graph<'t> = BTreeMap<&'t str, BTreeMap<&'t str, (usize, String)>>;

impl Tree {
    /// Returns every circle as text: its files, and what each imports from the next.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut graph = self.graph();
        let mut circles = Vec::new();
        while let Some(circle) = find(&graph) {
            let next = circle.iter().cycle().skip(1);
            let edges = circle.iter().zip(next).map(|(from, to)| {
                let (line, path) = &graph[from][to];
                format!("  src/{from}:{line}: crate::{path} (src/{to})")
            });
            circles.push(edges.collect::<Vec<_>>().join("\n"));
            // Remove an edge of this circle, so that the next one is found.
            let (first, second) = (circle[0], circle.get(1).unwrap_or(&circle[0]));
            graph.get_mut(first).unwrap().remove(second);
        }
        circles
    }

    fn graph(&self) -> Graph<'_> {
        let mut graph = Graph::new();
        for (name, (file, in_tests)) in self.imports() {
            let edges = graph.entry(name).or_default();
            if in_tests || name == "lib.rs" {
                continue;
            }
            let here = module_of(name);
            let declared = file.modules.iter().map(|(line, child)| {
                let path = here.iter().chain([child]).cloned().collect::<Vec<_>>();
                (*line, path)
            });
            let imported = file.imports.iter().filter(|import| !import.in_tests);
            let imported = imported.map(|import| (import.line, import.path.clone()));
            for (line, path) in declared.chain(imported) {
                let to = self.file_of(&path);
                if to != name && to != "lib.rs" {
                    edges.entry(to).or_insert((line, path.join("::")));
                }
            }
        }
        graph
    }
}

/// Returns the files of one circle, in order, if there is one.
fn find<'t>(graph: &Graph<'t>) -> Option<Vec<&'t str>> {
    // A file without imports is in no circle. Removing it may leave other files without imports.
    let mut left: Vec<&str> = graph.keys().copied().collect();
    loop {
        let leads = |name: &&str| graph[name].keys().any(|to| left.contains(to));
        let rest: Vec<&str> = left.iter().copied().filter(|name| leads(name)).collect();
        if rest.len() == left.len() {
            break;
        }
        left = rest;
    }
    // Every remaining file imports from another remaining one, so following the imports must lead
    // back to a file.
    let mut way = vec![*left.first()?];
    loop {
        let to = *graph[way.last()?].keys().find(|to| left.contains(to))?;
        if let Some(at) = way.iter().position(|name| *name == to) {
            return Some(way.split_off(at));
        }
        way.push(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()));
        Tree {
            files: files.collect(),
        }
        .circles()
    }

    #[test]
    fn two_files_that_need_each_other_are_a_circle() {
        let found = circles(&[
            ("record/seal.rs", "\nuse crate::record::open::Open;"),
            ("record/open.rs", "fn f(_: super::seal::Seal) {}"),
            ("record/header.rs", "use crate::record::seal::Seal;"),
        ]);
        let [found] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(
            found.contains("src/record/seal.rs:2: crate::record::open::Open (src/record/open.rs)")
        );
        assert!(
            found.contains("src/record/open.rs:1: crate::record::seal::Seal (src/record/seal.rs)")
        );
        assert!(!found.contains("header"), "{found}");
    }

    #[test]
    fn a_longer_way_round_is_a_circle_too() {
        let found = circles(&[
            ("a/one.rs", "use crate::a::two::X;"),
            ("a/two.rs", "use crate::a::b::three::X;"),
            ("a/b/mod.rs", ""),
            ("a/b/three.rs", "use crate::{a::one::X};"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].lines().count(), 3, "{found:?}");
    }

    #[test]
    fn a_circle_by_way_of_what_a_folder_re_exports_is_found() {
        let found = circles(&[
            ("a/b/mod.rs", "mod one; pub(crate) use one::X;"),
            ("a/b/one.rs", "use crate::a::two::Y;"),
            ("a/two.rs", "use crate::a::b::X;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn every_circle_is_named() {
        let found = circles(&[
            ("a/one.rs", "use crate::a::two::X;"),
            ("a/two.rs", "use crate::a::one::X;"),
            ("b/one.rs", "use crate::b::two::X;"),
            ("b/two.rs", "use crate::b::one::X;"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn tests_and_the_way_down_are_no_circles() {
        let found = circles(&[
            (
                "a/mod.rs",
                "mod one; mod two; #[cfg(test)] mod tests; use one::X;",
            ),
            (
                "a/one.rs",
                "use crate::a::two::X; #[cfg(test)] mod tests { use crate::a::three::X; }",
            ),
            ("a/two.rs", ""),
            ("a/three.rs", "use crate::a::one::X;"),
            ("a/tests.rs", "use super::*; use crate::a::one::X;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }
}
