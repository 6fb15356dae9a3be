//! Measures fleeting, rustls and OpenSSL side by side, and prints Markdown tables with ratios.
//!
//! Everything runs in one process and one thread, with both ends of a connection in memory, so that
//! no kernel, network or scheduler affects the figures. In each round every stack does the same
//! work in turn, and each round begins with another stack. A ratio is taken within a round. The
//! table shows the median over the rounds with its spread, so that what disturbs the machine for a
//! while disturbs all stacks alike.
//!
//! BoringSSL defines OpenSSL's symbols, so it cannot be in this process. It has a program of its
//! own, which takes its turn like the others.
//!
//! ```text
//! cargo run --release --package peers            # or: just bench-peers
//! cargo run --release --package peers -- --plot benches/peers/throughput.svg
//! just bench-boring                              # the first with BoringSSL
//! just bench-readme                              # writes the tables into README.md beside this
//! ```

mod apart;
mod asynchronous;
mod ciphers;
mod harness;
mod plot;
mod readme;
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
use crate::readme::Readme;

fn main() {
    let options = Options::parse();
    let readme = options.readme.as_deref().map(Readme::open);
    let credentials = Credentials::new(options.intermediate);
    let mut stacks = stack::all(&credentials);
    stacks.retain(|stack| options.includes(&stack.name()));
    let mut apart = options
        .boring
        .as_deref()
        .map(Apart::start)
        .filter(|apart| options.includes(&apart.name));
    let apart_name = apart.as_ref().map(|apart| apart.name.clone());
    let names: Vec<String> = stacks
        .iter()
        .map(|stack| stack.name())
        .chain(apart_name.clone())
        .collect();
    let Some(reference) = names
        .iter()
        .position(|name| name.contains(&options.reference))
    else {
        eprintln!(
            "no stack called {:?} is measured; --reference names another",
            options.reference
        );
        std::process::exit(2);
    };

    let bar = ProgressBar::new(0);
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} {msg}";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is right"));
    let rounds = options.rounds as usize;
    // Behind the others stands what is in a program of its own.
    let mut elsewhere = |measure: &str| {
        apart
            .as_mut()
            .expect("no more names than stacks")
            .run(measure)
    };
    let mut run = |measure: &Measure, at: usize| match stacks.get(at) {
        Some(stack) => measure.run(stack.as_ref()),
        None => elsewhere(&measure.name()),
    };
    let warm_up = || {
        stacks
            .iter()
            .for_each(|stack| measure::warm_up(stack.as_ref()))
    };

    if let Some(path) = &options.plot {
        warm_up();
        let figures = interleaved(&options.cpu(), &names, rounds, &bar, run);
        bar.finish_and_clear();
        let of = |at: usize| {
            figures
                .iter()
                .map(|rounds| rounds.iter().map(|round| round[at].clone()).collect())
                .collect::<Vec<_>>()
        };
        let series: Vec<Series> = names
            .iter()
            .enumerate()
            .map(|(at, name)| Series::new(name.clone(), &of(at)))
            .collect();
        std::fs::write(path, plot::render(&PLOTTED, &series)).expect("the file can be written");
        return;
    }

    // Memory first, before the rounds leave the allocator in pieces.
    let memory = [options.memory()];
    let memory = options
        .measures(Group::Memory)
        .then(|| memory[0].block(interleaved(&memory, &names, 1, &bar, &mut run).remove(0)));
    warm_up();
    let measures = options.cpu();
    let figures = interleaved(&measures, &names, rounds, &bar, run);
    let blocks: Vec<Block> = measures
        .iter()
        .zip(figures)
        .map(|(measure, rounds)| measure.block(rounds))
        .chain(memory)
        .collect();

    let aead = options.measures(Group::Aead).then(|| {
        let names: Vec<String> = ciphers::ALL
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .chain(apart_name)
            .collect();
        let measures = aead::Measure::all();
        let figures = interleaved(
            &measures,
            &names,
            rounds,
            &bar,
            |measure, at| match ciphers::ALL.get(at) {
                Some((_, run)) => run(*measure),
                None => elsewhere(&measure.name()),
            },
        );
        let blocks: Vec<Block> = measures
            .iter()
            .zip(figures)
            .map(|(measure, rounds)| measure.block(rounds))
            .collect();
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
    let tokio = options.measures(Group::Tokio).then(|| {
        let mut stacks = stack::asynchronous(&credentials);
        stacks.retain(|stack| options.includes(&stack.name()));
        let names: Vec<String> = stacks.iter().map(|stack| stack.name()).collect();
        let runtime = asynchronous::runtime();
        let idle = asynchronous::Measure::Idle {
            // Two sockets each; a process may often have 1024.
            connections: options.connections.min(400),
        };
        let idle = idle.block(
            interleaved(&[idle], &names, 1, &bar, |measure, at| {
                measure.run(&runtime, &stacks[at])
            })
            .remove(0),
        );
        let measures = [
            asynchronous::Measure::Echo {
                mebibytes: options.loopback,
            },
            asynchronous::Measure::Requests {
                count: options.requests * 1000,
            },
        ];
        let figures = interleaved(&measures, &names, rounds, &bar, |measure, at| {
            measure.run(&runtime, &stacks[at])
        });
        let blocks: Vec<Block> = measures
            .iter()
            .zip(figures)
            .map(|(measure, rounds)| measure.block(rounds))
            .chain([idle])
            .collect();
        table::render(&names, 0, &blocks)
    });
    bar.finish_and_clear();

    let first = (!blocks.is_empty()).then(|| table::render(&names, reference, &blocks));
    let mut text = String::new();
    for table in [first, aead, loopback, tokio].into_iter().flatten() {
        text += &format!("{table}\n");
    }
    let paragraphs = description(&options, apart.as_ref());
    text += &paragraphs
        .map(|paragraph| readme::wrap(&paragraph))
        .join("\n\n");
    println!("{text}");
    if let Some(readme) = readme {
        readme.write(&text);
    }
}

/// For each measure the rounds. In each, every stack does the work once, beginning with another one
/// than the round before.
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

fn description(options: &Options, apart: Option<&Apart>) -> [String; 5] {
    let apart = apart.map_or_else(String::new, |apart| {
        format!(
            "; {} in a process of its own, which runs while the other waits",
            apart.name
        )
    });
    let chain = if options.intermediate {
        "leaf, intermediate, root"
    } else {
        "leaf, root"
    };
    let (rounds, reference, connections) =
        (options.rounds, &options.reference, options.connections);
    let cpu = clock::cpu_description();
    [
        format!(
            "Median of {rounds} rounds, interleaved in one process and one thread{apart}. In \
             brackets: how many times as much as {reference} a stack takes, as the median of the \
             ratios of all rounds, and the range that holds the middle half of them. \
             TLS_AES_128_GCM_SHA256, X25519 unless a row says otherwise, Ed25519 certificates \
             ({chain}). {cpu}"
        ),
        "Handshakes: CPU time of the thread, including creating and dropping the connections. No \
         tickets are issued, except for resumed handshakes (psk_dhe_ke): each of them uses one \
         ticket and receives one, and both are counted, with the byte of data that carries the new \
         one. A dash: this version does not support X25519MLKEM768."
            .into(),
        format!(
            "Records: in memory, one call for each record. Memory: heap by `mallinfo2` over \
             {connections} idle connections, including the connection's own struct, after 16 KiB \
             in each direction and while a read waits. AES-GCM: the ciphers alone, one key, in \
             place, 5 bytes of additional data."
        ),
        "Loopback TCP: one direction between two threads, by the library's own stream, 64 KiB for \
         each call. The CPU time of both threads in user mode is what TLS costs; the rest is the \
         kernel's. In the row of throughput, a stack with a ratio above 1x is the faster one."
            .into(),
        "Tokio: a runtime with two threads, both sides in it, by tokio's traits. Echo: one \
         connection, 64 KiB for each write. Requests: 32 connections, 200 bytes there and 1000 \
         back, one request at a time. Idle: heap by `mallinfo2` of both sides of a connection, \
         their tasks and sockets included, after such a request. In the rows of throughput and \
         requests, a stack with a ratio above 1x is the faster one."
            .into(),
    ]
}
