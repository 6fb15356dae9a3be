//! Tells `src/crypto/scrub/mod.rs` how much the compiler optimizes. The stack that a call uses
//! depends on the level, and the language has no `cfg` for it.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(optimized, values(\"fully\", \"partly\"))");
    // Compiler flags override cargo's level. The level is then unknown.
    let overruled =
        env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("opt-level"));
    match env::var("OPT_LEVEL").as_deref() {
        Ok("3") if !overruled => println!("cargo::rustc-cfg=optimized=\"fully\""),
        Ok("1" | "2" | "s" | "z") if !overruled => {
            println!("cargo::rustc-cfg=optimized=\"partly\"")
        }
        _ => {}
    }
}
