//! Tests of the checker: what it allows and what it refuses.

use std::collections::BTreeMap;

use crate::tree::Tree;

/// Returns what the checker reports about one file in a tree that has a file on every floor.
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
        r####"const A: &str = "crate::client::X \" crate::client::Y";
           const B: &str = r#"crate::client::"Z""#; const C: &[u8] = b"crate::client::A";"####,
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
