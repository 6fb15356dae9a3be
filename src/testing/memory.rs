//! Memory as it is, read through `/proc` (Linux) without `unsafe`: what a value leaves behind, and
//! what a process holds.

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The memory of a process.
pub(crate) struct Memory {
    bytes: File,
    process: String,
}

impl Memory {
    /// Returns the memory of this process.
    pub(crate) fn own() -> Self {
        Self::of("self")
    }

    /// Returns the memory of a child of this process.
    pub(crate) fn of_child(id: u32) -> Self {
        Self::of(&id.to_string())
    }

    fn of(process: &str) -> Self {
        Self {
            bytes: File::open(format!("/proc/{process}/mem")).unwrap(),
            process: process.to_owned(),
        }
    }

    /// Fills `out` with the bytes at an address.
    pub(crate) fn read(&self, address: usize, out: &mut [u8]) {
        self.bytes
            .read_exact_at(out, u64::try_from(address).unwrap())
            .unwrap();
    }

    /// Returns every writable region (heap, stacks, data) with its name.
    pub(crate) fn writable(&self) -> Vec<(Range<usize>, String)> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.process)).unwrap();
        let mappings = maps.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let (range, mode) = (words.next()?, words.next()?);
            let (start, end) = range.split_once('-')?;
            let address = |text| usize::from_str_radix(text, 16).ok();
            mode.starts_with("rw").then_some((
                address(start)?..address(end)?,
                words.nth(3).unwrap_or("anonymous").to_owned(),
            ))
        });
        mappings.collect()
    }

    /// Returns where these needles are in writable memory.
    pub(crate) fn find(&self, needles: &[Vec<u8>]) -> Vec<Found> {
        // Most addresses begin no needle, which their first two bytes show.
        let mut begins = vec![false; 1 << 16];
        let mut by_begin: HashMap<[u8; 8], Vec<usize>> = HashMap::new();
        for (index, needle) in needles.iter().enumerate() {
            begins[usize::from(u16::from_ne_bytes([needle[0], needle[1]]))] = true;
            by_begin
                .entry(needle[..8].try_into().unwrap())
                .or_default()
                .push(index);
        }
        let mut found = Vec::new();
        for (range, name) in self.writable() {
            let mut memory = vec![0; range.len()];
            self.read(range.start, &mut memory);
            for (offset, window) in memory.windows(8).enumerate() {
                if !begins[usize::from(u16::from_ne_bytes([window[0], window[1]]))] {
                    continue;
                }
                let candidates = by_begin.get(window).into_iter().flatten();
                for needle in
                    candidates.filter(|index| memory[offset..].starts_with(&needles[**index]))
                {
                    found.push(Found {
                        needle: *needle,
                        place: format!("{name} at {:#x}", range.start + offset),
                    });
                }
            }
        }
        found
    }
}

/// A needle and where it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) needle: usize,
    pub(crate) place: String,
}

/// Returns the bytes of a value in memory.
pub(crate) fn image<T>(value: &T) -> Vec<u8> {
    let mut image = vec![0; size_of::<T>()];
    Memory::own().read(std::ptr::from_ref(value).addr(), &mut image);
    image
}

/// Returns how many words of `value` remain after it was dropped and its memory was freed. The
/// first two words are not counted, because the allocator uses them.
pub(crate) fn left<T>(value: T) -> usize {
    let memory = Memory::own();
    let mut freed = vec![0; size_of::<T>()];
    let value = Box::new(value);
    let at = std::ptr::from_ref(&*value).addr();
    let alive = image(&*value);
    drop(value);
    memory.read(at, &mut freed);
    let words = alive.chunks_exact(8).zip(freed.chunks_exact(8)).skip(2);
    words
        .filter(|(alive, freed)| alive == freed && **alive != [0; 8])
        .count()
}
