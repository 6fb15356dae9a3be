//! The options, which every program takes, and what they select.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::measure::Measure;
use super::stack::Kind;

/// Measures fleeting, rustls (aws-lc-rs, ring, graviola) and OpenSSL interleaved in one process,
/// and BoringSSL in another.
#[derive(Parser)]
pub struct Options {
    /// Rounds; a median of fewer than 9 says little
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Only these groups of measures
    #[arg(long, value_enum, value_delimiter = ',')]
    measure: Vec<Group>,
    /// Handshakes that each stack makes in a round
    #[arg(long, default_value_t = 200)]
    handshakes: u32,
    /// MiB that each stack writes and reads in a round, for each size of record (fewer of small
    /// ones)
    #[arg(long, default_value_t = 64)]
    bulk: u32,
    /// Sizes of records, in bytes of plaintext
    #[arg(long, value_delimiter = ',', default_values_t = [16 * 1024, 1024], value_parser = size)]
    records: Vec<usize>,
    /// MiB that each stack sends over TCP in a round
    #[arg(long, default_value_t = 512)]
    pub loopback: u32,
    /// Thousands of requests that each stack answers in a round, in tokio
    #[arg(long, default_value_t = 50)]
    pub requests: u32,
    /// Idle connections whose memory is measured
    #[arg(long, default_value_t = 1000)]
    pub connections: u32,
    /// An intermediate authority between leaf and root: one signature more to verify
    #[arg(long)]
    pub intermediate: bool,
    /// Only the stacks whose name contains one of these
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The stack that the others are divided by
    #[arg(long, default_value = "fleeting")]
    pub reference: String,
    /// The program that benches/boring builds: BoringSSL takes its turn with the others
    #[arg(long, value_name = "PROGRAM")]
    pub boring: Option<PathBuf>,
    /// Measures records of 16 bytes to 16 KiB and nothing else, and draws the throughput into this
    /// file
    #[arg(long, value_name = "SVG")]
    pub plot: Option<PathBuf>,
    /// Also writes the tables into this Markdown file, between the lines that mark their place
    #[arg(long, value_name = "FILE", conflicts_with = "plot")]
    pub readme: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Group {
    /// CPU time of handshakes
    Handshakes,
    /// CPU time of records in memory
    Records,
    /// The ciphers alone
    Aead,
    /// TCP between two threads
    Loopback,
    /// TCP between tasks of tokio: echo, requests, idle connections
    Tokio,
    /// Heap of idle connections
    Memory,
}

/// Sizes of the records in a drawing.
pub const PLOTTED: [usize; 11] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

impl Options {
    pub fn measures(&self, group: Group) -> bool {
        self.measure.is_empty() || self.measure.contains(&group)
    }

    /// Whether a stack of this name is among those that are measured.
    pub fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| name.contains(wanted))
    }

    pub fn memory(&self) -> Measure {
        Measure::Memory {
            connections: self.connections,
        }
    }

    /// What of the stacks' CPU time is measured, or drawn.
    pub fn cpu(&self) -> Vec<Measure> {
        let bulk = |&record: &usize| Measure::Bulk {
            record,
            mebibytes: self.bulk,
        };
        if self.plot.is_some() {
            return PLOTTED.iter().map(bulk).collect();
        }
        let mut measures = Vec::new();
        if self.measures(Group::Handshakes) {
            measures.extend(Kind::ALL.map(|kind| Measure::Handshake {
                kind,
                count: self.handshakes,
            }));
        }
        if self.measures(Group::Records) {
            measures.extend(self.records.iter().map(bulk));
        }
        measures
    }
}

fn size(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|size| (1..=16 * 1024).contains(size))
        .ok_or_else(|| "1 to 16384 bytes".into())
}
