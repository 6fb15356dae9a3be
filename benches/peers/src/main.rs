//! Measures fleeting, rustls and OpenSSL side by side, and prints what each takes as a Markdown table of ratios.
//!
//! Everything runs in one process and one thread, with both ends of a connection in memory, so that no kernel, network or scheduler stands between
//! the stacks and the clock. In each round every stack does the same work in turn, beginning with another one each time; a ratio is taken
//! within a round, and the table shows the median over the rounds with its spread: what disturbs the machine for a while disturbs all alike.
//!
//! BoringSSL alone cannot be in this process, because it defines OpenSSL's symbols. It has a program of its own, which takes its turn like the others.
//!
//! ```text
//! cargo run --release --package peers            # or: just bench-peers
//! cargo run --release --package peers -- --plot benches/peers/throughput.svg
//! just bench-boring                              # the first with BoringSSL beside the others
//! ```

mod apart;
mod ciphers;
mod harness;
mod plot;
mod stack;
mod table;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::apart::Apart;
use crate::harness::measure::{Block, Figures, Measure};
use crate::harness::options::{Group, Options, PLOTTED};
use crate::harness::stack::Credentials;
use crate::harness::{aead, clock, loopback, measure};
use crate::plot::Series;

fn main() {
    let options = Options::parse();
    let credentials = Credentials::new(options.intermediate);
    let mut stacks = stack::all(&credentials);
    stacks.retain(|stack| options.includes(&stack.name()));
    let mut apart = options.boring.as_deref().map(Apart::start).filter(|apart| options.includes(&apart.name));
    let apart_name = apart.as_ref().map(|apart| apart.name.clone());
    let names: Vec<String> = stacks.iter().map(|stack| stack.name()).chain(apart_name.clone()).collect();
    let Some(reference) = names.iter().position(|name| name.contains(&options.reference)) else {
        eprintln!("no stack called {:?} is measured; --reference names another", options.reference);
        std::process::exit(2);
    };

    let bar = ProgressBar::new(0);
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} {msg}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is right"));
    let rounds = options.rounds as usize;
    // Behind the others stands what is in a program of its own.
    let mut elsewhere = |measure: &str| apart.as_mut().expect("no more names than stacks").run(measure);
    let mut run = |measure: &Measure, at: usize| match stacks.get(at) {
        Some(stack) => measure.run(stack.as_ref()),
        None => elsewhere(&measure.name()),
    };
    let warm_up = || stacks.iter().for_each(|stack| measure::warm_up(stack.as_ref()));

    if let Some(path) = &options.plot {
        warm_up();
        let figures = interleaved(&options.cpu(), &names, rounds, &bar, run);
        bar.finish_and_clear();
        let of = |at: usize| figures.iter().map(|rounds| rounds.iter().map(|round| round[at].clone()).collect()).collect::<Vec<_>>();
        let series: Vec<Series> = names.iter().enumerate().map(|(at, name)| Series::new(name.clone(), &of(at))).collect();
        std::fs::write(path, plot::render(&PLOTTED, &series)).expect("the file can be written");
        return;
    }

    // Memory first, before the rounds leave the allocator in pieces.
    let memory = [options.memory()];
    let memory = options.measures(Group::Memory).then(|| memory[0].block(interleaved(&memory, &names, 1, &bar, &mut run).remove(0)));
    warm_up();
    let measures = options.cpu();
    let figures = interleaved(&measures, &names, rounds, &bar, run);
    let blocks: Vec<Block> = measures.iter().zip(figures).map(|(measure, rounds)| measure.block(rounds)).chain(memory).collect();

    let aead = options.measures(Group::Aead).then(|| {
        let names: Vec<String> = ciphers::ALL.iter().map(|(name, _)| (*name).to_owned()).chain(apart_name).collect();
        let measures = aead::Measure::all();
        let figures = interleaved(&measures, &names, rounds, &bar, |measure, at| match ciphers::ALL.get(at) {
            Some((_, run)) => run(*measure),
            None => elsewhere(&measure.name()),
        });
        let blocks: Vec<Block> = measures.iter().zip(figures).map(|(measure, rounds)| measure.block(rounds)).collect();
        table::render(&names, 0, &blocks)
    });
    let loopback = options.measures(Group::Loopback).then(|| {
        let names = [&names[..], &["bare TCP".into()]].concat();
        let bare = names.len() - 1;
        let mut figures = interleaved(&[()], &names, rounds, &bar, |_, at| match stacks.get(at) {
            None if at < bare => elsewhere(loopback::NAME),
            stack => loopback::run(stack.map(AsRef::as_ref), options.loopback),
        });
        table::render(&names, reference, &[loopback::block(figures.remove(0))])
    });
    bar.finish_and_clear();

    let first = (!blocks.is_empty()).then(|| table::render(&names, reference, &blocks));
    for table in [first, aead, loopback].into_iter().flatten() {
        println!("{table}");
    }
    println!("{}", description(&options, apart.as_ref()));
}

/// For each measure the rounds. In each, every stack does the work once, beginning with another one than the round before.
fn interleaved<M>(
    measures: &[M],
    names: &[String],
    rounds: usize,
    bar: &ProgressBar,
    mut run: impl FnMut(&M, usize) -> Figures,
) -> Vec<Vec<Vec<Figures>>> {
    bar.inc_length((measures.len() * rounds * names.len()) as u64);
    let mut all = vec![Vec::new(); measures.len()];
    for round in 0..rounds {
        for (measure, all) in measures.iter().zip(&mut all) {
            let mut figures = vec![Figures::new(); names.len()];
            for turn in 0..names.len() {
                let at = (round + turn) % names.len();
                bar.set_message(names[at].clone());
                figures[at] = run(measure, at);
                bar.inc(1);
            }
            all.push(figures);
        }
    }
    all
}

fn description(options: &Options, apart: Option<&Apart>) -> String {
    format!(
        "Median of {} rounds, interleaved in one process and one thread{}. In brackets: how much more than {} a stack takes, as the median of each \
         round's ratio and the range that holds the middle half of the rounds. TLS_AES_128_GCM_SHA256, X25519 unless a row says otherwise, \
         Ed25519 certificates{}. Handshakes: CPU time of the thread, connections made and dropped included; no tickets, but for resumed ones \
         (psk_dhe_ke), each of which takes one, leaves one, and counts both and the byte of data that brings it. A dash: this version has no \
         X25519MLKEM768. Writing and reading: in memory, one call a record. Memory: heap by `mallinfo2` over {} idle connections, the connection's \
         own struct included, after 16 KiB each way and while a read waits. AES-GCM: the ciphers alone, one key, in place, 5 bytes of additional data. \
         Loopback TCP: one way between two threads, by the library's own stream, 64 KiB a call; the CPU of both threads in user mode is what TLS costs, \
         the rest is the kernel's; here a stack with more than 1x of throughput is the faster one. {}",
        options.rounds,
        apart.map_or_else(String::new, |apart| format!("; {} in a process of its own, which runs while the other waits", apart.name)),
        options.reference,
        if options.intermediate { " (leaf, intermediate, root)" } else { " (leaf, root)" },
        options.connections,
        clock::cpu_description(),
    )
}
