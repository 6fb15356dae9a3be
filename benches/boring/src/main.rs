//! Measures BoringSSL with the harness of `peers`, which starts this program (`--boring`) with its
//! own options and asks it in turn with its other stacks; how the two talk stands in
//! `peers/src/apart.rs`.

#[path = "../../peers/src/harness/mod.rs"]
#[expect(dead_code, reason = "the rounds and the tables are made by peers")]
mod harness;
mod library;
#[path = "../../peers/src/stack/libssl.rs"]
mod libssl;

use std::io;

use boring::aead::{AeadCtx, Algorithm};
use clap::Parser;

use crate::harness::aead::{self, AAD, Aead, NONCE, TAG_LEN};
use crate::harness::loopback;
use crate::harness::measure::{Figures, warm_up};
use crate::harness::options::Options;
use crate::harness::stack::{Credentials, Stack};
use crate::libssl::Libssl;

fn main() {
    let options = Options::parse();
    let stack = Libssl::new(&Credentials::new(options.intermediate));
    warm_up(&stack);
    println!("{}", stack.name());
    for line in io::stdin().lines() {
        let name = line.expect("a line");
        let figures = run(&name, &options, &stack).unwrap_or_else(|| {
            panic!("no measure is called {name:?}: peers is of another version")
        });
        println!(
            "{}",
            figures
                .iter()
                .map(f64::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        );
    }
}

/// Takes the measure of this name, if there is one.
fn run(name: &str, options: &Options, stack: &dyn Stack) -> Option<Figures> {
    if name == loopback::NAME {
        return Some(loopback::run(Some(stack), options.loopback));
    }
    if let Some(measure) = options
        .cpu()
        .into_iter()
        .chain([options.memory()])
        .find(|measure| measure.name() == name)
    {
        return Some(measure.run(stack));
    }
    aead::Measure::all()
        .into_iter()
        .find(|measure| measure.name() == name)
        .map(|measure| measure.run::<AeadCtx>())
}

impl Aead for AeadCtx {
    fn new(key: &[u8]) -> Self {
        let algorithm = if key.len() == 16 {
            Algorithm::aes_128_gcm()
        } else {
            Algorithm::aes_256_gcm()
        };
        Self::new_default_tag(&algorithm, key).expect("a key")
    }

    fn seal(&mut self, record: &mut [u8]) {
        let (text, tag) = record
            .split_last_chunk_mut::<TAG_LEN>()
            .expect("room for the tag");
        self.seal_in_place_mut(&NONCE, text, tag, &AAD)
            .expect("sealed");
    }

    fn open(&mut self, record: &mut [u8]) -> bool {
        let (text, tag) = record.split_last_chunk_mut::<TAG_LEN>().expect("a tag");
        self.open_in_place_mut(&NONCE, text, tag, &AAD).is_ok()
    }
}
