//! Measures fleeting, rustls and OpenSSL side by side, and prints what each takes as a Markdown table of ratios.
//!
//! Everything runs in one process and one thread, with both ends of a connection in memory, so that no kernel, network or scheduler stands between
//! the stacks and the clock. In each round every stack does the same work in turn, beginning with another one each time; a ratio is taken
//! within a round, and the table shows the median over the rounds with its spread: what disturbs the machine for a while disturbs all alike.
//!
//! ```text
//! cargo run --release --package peers            # or: just bench-peers
//! ```

mod clock;
mod measure;
mod stack;
mod table;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::{Figures, Measure};
use crate::stack::{Credentials, Kind, Stack};

/// Measures fleeting, rustls (aws-lc-rs, ring, graviola) and OpenSSL interleaved in one process.
#[derive(Parser)]
struct Options {
    /// Rounds; a median of fewer than 9 says little
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Handshakes that each stack makes in a round
    #[arg(long, default_value_t = 200)]
    handshakes: u32,
    /// MiB that each stack writes and reads in a round, for each size of record
    #[arg(long, default_value_t = 64)]
    bulk: u32,
    /// Idle connections whose memory is measured
    #[arg(long, default_value_t = 1000)]
    connections: u32,
    /// An intermediate authority between leaf and root: one signature more to verify
    #[arg(long)]
    intermediate: bool,
    /// Only the stacks whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The stack that the others are divided by
    #[arg(long, default_value = "fleeting")]
    reference: String,
}

fn main() {
    let options = Options::parse();
    let credentials = Credentials::new(options.intermediate);
    let mut stacks = stack::all(&credentials);
    stacks.retain(|stack| options.only.is_empty() || options.only.iter().any(|wanted| stack.name().contains(wanted)));
    let Some(reference) = stacks.iter().position(|stack| stack.name().contains(&options.reference)) else {
        eprintln!("no stack called {:?} is measured; --reference names another", options.reference);
        std::process::exit(2);
    };

    let measures = [
        Measure::Handshake { kind: Kind::Full, count: options.handshakes },
        Measure::Handshake { kind: Kind::ClientCertificate, count: options.handshakes },
        Measure::Handshake { kind: Kind::Hybrid, count: options.handshakes },
        Measure::Handshake { kind: Kind::Resumed, count: options.handshakes },
        Measure::Bulk { record: 16 * 1024, mebibytes: options.bulk },
        Measure::Bulk { record: 1024, mebibytes: options.bulk },
    ];
    let steps = (measures.len() as u64 * u64::from(options.rounds) + 1) * stacks.len() as u64;
    let bar = ProgressBar::new(steps);
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} {msg}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is right"));

    // Memory first, before the rounds leave the allocator in pieces.
    let mut figures = Vec::new();
    let memory = Measure::Memory { connections: options.connections };
    figures.push((memory, vec![in_turn(&memory, &stacks, 0, &bar)]));
    for stack in &stacks {
        measure::warm_up(stack.as_ref());
    }
    let mut rounds: Vec<Vec<Vec<Figures>>> = vec![Vec::new(); measures.len()];
    for round in 0..options.rounds as usize {
        for (measure, rounds) in measures.iter().zip(&mut rounds) {
            rounds.push(in_turn(measure, &stacks, round, &bar));
        }
    }
    figures.extend(measures.into_iter().zip(rounds));
    figures.rotate_left(1);
    bar.finish_and_clear();

    let names: Vec<String> = stacks.iter().map(|stack| stack.name()).collect();
    print!("{}", table::render(&names, reference, &figures));
    println!();
    println!("{}", description(&options));
}

/// One round: each stack does the work once, beginning with another one than the round before.
fn in_turn(measure: &Measure, stacks: &[Box<dyn Stack>], round: usize, bar: &ProgressBar) -> Vec<Figures> {
    let mut figures = vec![Figures::new(); stacks.len()];
    for turn in 0..stacks.len() {
        let at = (round + turn) % stacks.len();
        bar.set_message(format!("{}: {}", measure.name(), stacks[at].name()));
        figures[at] = measure.run(stacks[at].as_ref());
        bar.inc(1);
    }
    figures
}

fn description(options: &Options) -> String {
    format!(
        "Median of {} rounds, interleaved in one process and one thread. In brackets: how much more than {} a stack takes, as the median of each \
         round's ratio and the range that holds the middle half of the rounds. TLS_AES_128_GCM_SHA256, X25519 unless a row says otherwise, \
         Ed25519 certificates{}. Handshakes: CPU time of the thread, connections made and dropped included; no tickets, but for resumed ones \
         (psk_dhe_ke), each of which takes one, leaves one, and counts both and the byte of data that brings it. A dash: this version has no \
         X25519MLKEM768. Writing and reading: in memory, one call a record. Memory: heap by `mallinfo2` over {} idle connections, the connection's \
         own struct included, after 16 KiB each way and while a read waits. {}",
        options.rounds,
        options.reference,
        if options.intermediate { " (leaf, intermediate, root)" } else { " (leaf, root)" },
        options.connections,
        clock::cpu_description(),
    )
}
