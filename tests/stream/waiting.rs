//! Which blocking programs wait for each other for ever, over pipes of limited size.
//!
//! The rule under test (RFC 9846, 4.7.3 allows it): a call that reads sends no answer to a
//! KeyUpdate, so it never waits for the peer to read. The answer goes out with the next data or
//! `flush`. So two programs stand still only if they would without answers too: if both write more
//! than the pipes hold before either reads.
//!
//! The programs are threads, of which one runs at a time. Which one continues after a call of the
//! transport is drawn from a seed, so a run can be repeated. If all of them wait, the run is over.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use fleeting::{Client, Pair, Server, Stream};

use crate::side::{content, pair};

/// The length of a record with a KeyUpdate: header, message, content type and tag.
const KEY_UPDATE: usize = 5 + 5 + 1 + 16;

thread_local! {
    /// Which program this thread is.
    static PROGRAM: Cell<usize> = const { Cell::new(usize::MAX) };
}

// ---- the world ----

/// Two pipes, and the programs that use them.
struct World {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// From the first side to the second, and back.
    pipes: [VecDeque<u8>; 2],
    capacity: usize,
    /// How many bytes went into each pipe.
    sent: [usize; 2],
    programs: Vec<Progress>,
    /// How many of them have a thread.
    started: usize,
    /// How many have their connection.
    connected: usize,
    /// Which program runs.
    turn: usize,
    random: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Runs,
    /// Until a pipe changes.
    Waits,
    Done,
}

impl State {
    /// Chooses who continues, among those that can.
    fn next(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let running: Vec<_> = (0..self.programs.len())
            .filter(|program| self.programs[*program] == Progress::Runs)
            .collect();
        if !running.is_empty() {
            self.turn = running[self.random as usize % running.len()];
        }
    }

    fn stands_still(&self) -> bool {
        self.programs.contains(&Progress::Waits) && !self.programs.contains(&Progress::Runs)
    }
}

impl World {
    fn new(capacity: usize, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                pipes: Default::default(),
                capacity,
                sent: [0; 2],
                programs: vec![Progress::Runs; 2],
                started: 0,
                connected: 0,
                turn: 0,
                random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            }),
            changed: Condvar::new(),
        })
    }

    /// Starts a program: one of the two sides, or one more thread of a side. It runs when it is
    /// chosen.
    fn start<T: Send + 'static>(
        self: &Arc<Self>,
        program: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let world = self.clone();
        let number = {
            let mut state = self.state.lock().unwrap();
            let number = state.started;
            state.started += 1;
            let programs = state.started.max(2);
            state.programs.resize(programs, Progress::Runs);
            number
        };
        thread::spawn(move || {
            PROGRAM.set(number);
            let _done = Done(&world, number);
            program()
        })
    }

    /// A call of the transport, which waits until it can do something. If nobody can, it fails.
    fn call(&self, mut act: impl FnMut(&mut State) -> usize) -> io::Result<usize> {
        let me = PROGRAM.get();
        let mut state = self.state.lock().unwrap();
        loop {
            if state.stands_still() {
                return Err(io::Error::other("all wait"));
            }
            if state.turn != me || state.programs[me] != Progress::Runs {
                state = self.changed.wait(state).unwrap();
                continue;
            }
            let count = act(&mut state);
            if count > 0 {
                for program in &mut state.programs {
                    if *program == Progress::Waits {
                        *program = Progress::Runs;
                    }
                }
            } else {
                state.programs[me] = Progress::Waits;
            }
            state.next();
            self.changed.notify_all();
            if count > 0 {
                return Ok(count);
            }
        }
    }

    /// Waits until both sides have their connection, so that neither has read ahead.
    fn gather(&self) -> io::Result<()> {
        self.state.lock().unwrap().connected += 1;
        self.call(|state| usize::from(state.connected >= 2))?;
        Ok(())
    }

    fn sent(&self, side: usize) -> usize {
        self.state.lock().unwrap().sent[side]
    }
}

/// Marks a program as done when dropped, even if it panics, so that no other waits for it.
struct Done<'a>(&'a World, usize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap();
        state.programs[self.1] = Progress::Done;
        if state.turn == self.1 {
            state.next();
        }
        self.0.changed.notify_all();
    }
}

struct End {
    world: Arc<World>,
    /// Which side has it: 0 or 1.
    side: usize,
}

impl Read for End {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let from = 1 - self.side;
        self.world
            .call(|state| state.pipes[from].read(out).unwrap())
    }
}

impl Write for End {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.world.call(|state| {
            let pipe = &mut state.pipes[self.side];
            let count = data.len().min(state.capacity - pipe.len());
            pipe.extend(&data[..count]);
            state.sent[self.side] += count;
            count
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Tls = Stream<Pair<End, End>>;

fn ends(world: &Arc<World>, side: usize) -> Pair<End, End> {
    let end = || End {
        world: world.clone(),
        side,
    };
    Pair {
        reader: end(),
        writer: end(),
    }
}

/// Connects, and exchanges a byte, so that nothing of the handshake is left in the pipes.
fn connect(world: &Arc<World>, client: &Client) -> io::Result<Tls> {
    let mut tls = client.connect("db.internal", ends(world, 0))?;
    tls.write_all(b"x")?;
    tls.read_exact(&mut [0])?;
    world.gather()?;
    Ok(tls)
}

fn accept(world: &Arc<World>, server: &Server) -> io::Result<Tls> {
    let mut tls = server.accept(ends(world, 1))?;
    tls.read_exact(&mut [0])?;
    tls.write_all(b"x")?;
    world.gather()?;
    Ok(tls)
}

// ---- two programs that both write first ----

/// What a program does in a round before it reads what the other one sends in this round.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// It renews its keys and asks for the other side's, before the data and in the middle of it.
    rekeys: [bool; 2],
    length: usize,
}

/// Runs a program. Returns how many bytes each round sent.
fn run(
    world: &World,
    side: usize,
    tls: io::Result<Tls>,
    ours: Plan,
    theirs: Plan,
    rounds: usize,
) -> io::Result<Vec<usize>> {
    let mut tls = tls?;
    let data = content(ours.length, 1);
    let (head, tail) = data.split_at(ours.length / 2);
    let mut sent = Vec::new();
    for _ in 0..rounds {
        let before = world.sent(side);
        for (rekeys, part) in ours.rekeys.into_iter().zip([head, tail]) {
            if rekeys {
                tls.rekey()?;
            }
            tls.write_all(part)?;
        }
        sent.push(world.sent(side) - before);
        let before = world.sent(side);
        tls.read_exact(&mut vec![0; theirs.length])?;
        assert_eq!(world.sent(side), before, "reading sent something");
    }
    tls.into_inner();
    Ok(sent)
}

/// Returns how many bytes each round of each program sent, or an error if they stood still.
fn both(
    sides: &(Client, Server),
    plans: [Plan; 2],
    rounds: usize,
    capacity: usize,
    seed: u64,
) -> io::Result<[Vec<usize>; 2]> {
    let world = World::new(capacity, seed);
    let (client, server) = sides.clone();
    let [a, b] = plans;
    let here = world.clone();
    let one = world.start(move || run(&here, 0, connect(&here, &client), a, b, rounds));
    let here = world.clone();
    let other = world.start(move || run(&here, 1, accept(&here, &server), b, a, rounds));
    let (one, other) = (one.join().unwrap(), other.join().unwrap());
    Ok([one?, other?])
}

fn plans(lengths: [usize; 2]) -> impl Iterator<Item = [Plan; 2]> {
    (0..16_u8).map(move |bits| {
        let rekeys = |at: u8| [bits >> at & 1 == 1, bits >> (at + 1) & 1 == 1];
        [0, 1].map(|side: u8| Plan {
            rekeys: rekeys(2 * side),
            length: lengths[usize::from(side)],
        })
    })
}

/// Both write first, and at least one of them would wait. They complete if and only if the pipe
/// holds what one of them writes: to the byte, so nothing is sent while they read.
#[test]
fn both_sides_write_first() {
    const WIDE: usize = 1 << 20;
    let sides = pair();
    for lengths in [[3000, 5000], [5000, 3000], [4000, 4000], [40_000, 3000]] {
        for plans in plans(lengths) {
            let [a, b] = both(&sides, plans, 1, WIDE, 1).unwrap();
            let (less, more) = (a[0].min(b[0]), a[0].max(b[0]));
            for capacity in [
                less - KEY_UPDATE,
                less - 1,
                less,
                less + 1,
                less + KEY_UPDATE - 1,
                less + KEY_UPDATE,
                more - 1,
                more,
            ] {
                for seed in 1..=4 {
                    let completes = both(&sides, plans, 1, capacity, seed).is_ok();
                    assert_eq!(
                        completes,
                        less <= capacity,
                        "{plans:?}, {capacity} bytes, seed {seed}"
                    );
                }
            }
        }
    }
}

/// The same, again and again, so that each round answers the requests of the one before.
#[test]
fn both_sides_write_first_in_many_rounds() {
    const ROUNDS: usize = 6;
    let sides = pair();
    for lengths in [[3000, 5000], [4000, 4000]] {
        for plans in plans(lengths) {
            let [a, b] = both(&sides, plans, ROUNDS, 1 << 20, 1).unwrap();
            let least = a.iter().zip(&b).map(|(a, b)| *a.min(b)).max().unwrap();
            // An answer may go out one round sooner or later.
            let capacity = least + KEY_UPDATE;
            for seed in 1..=4 {
                let sent = both(&sides, plans, ROUNDS, capacity, seed);
                assert!(sent.is_ok(), "{plans:?}, {capacity} bytes, seed {seed}");
            }
        }
    }
}

// ---- a peer that asks with every record ----

const CAPACITY: usize = 4000;
/// More than enough for the KeyUpdates of the peer to fill a pipe, and our data the other one.
const RECORDS: usize = 400;

/// A peer like a JDK past its limit: it renews its keys with every record that it receives, and
/// waits until that is sent. After every `acknowledged` records it sends a byte.
fn asks_with_every_record(mut tls: Tls, acknowledged: usize) -> io::Result<()> {
    for number in 1..=RECORDS {
        tls.read_exact(&mut [0; 100])?;
        tls.rekey()?;
        if number % acknowledged == 0 {
            tls.write_all(b"x")?;
        }
    }
    tls.into_inner();
    Ok(())
}

/// Runs a program that writes to this peer. Returns false if they stood still.
fn writing_to_it(
    acknowledged: usize,
    program: impl FnOnce(Arc<World>, Tls) -> io::Result<()> + Copy + Send + 'static,
) -> bool {
    let mut results = Vec::new();
    for seed in 1..=8 {
        let world = World::new(CAPACITY, seed);
        let (client, server) = pair();
        let here = world.clone();
        let one = world.start(move || program(here.clone(), connect(&here, &client)?));
        let here = world.clone();
        let other =
            world.start(move || asks_with_every_record(accept(&here, &server)?, acknowledged));
        results.push((one.join().unwrap().is_ok(), other.join().unwrap().is_ok()));
    }
    assert!(
        results.iter().all(|both| *both == results[0]),
        "{results:?}"
    );
    results[0] == (true, true)
}

/// What the documentation of `Stream` warns of: a program that only writes to such a peer stands
/// still once the buffers are full in both directions.
#[test]
fn who_only_writes_stands_still() {
    assert!(!writing_to_it(RECORDS, |_, mut tls| {
        for _ in 0..RECORDS {
            tls.write_all(&[7; 100])?;
        }
        tls.read_exact(&mut [0])
    }));
}

/// The first remedy: to read now and then, for which the peer has to send something.
#[test]
fn who_reads_now_and_then_goes_on() {
    assert!(writing_to_it(20, |_, mut tls| {
        for number in 1..=RECORDS {
            tls.write_all(&[7; 100])?;
            if number % 20 == 0 {
                tls.read_exact(&mut [0])?;
            }
        }
        tls.into_inner();
        Ok(())
    }));
}

/// The second remedy: a thread that reads.
#[test]
fn who_reads_in_another_thread_goes_on() {
    assert!(writing_to_it(RECORDS, |world, tls| {
        let (mut reader, mut writer) = tls.into_split()?;
        let _writing = world.start(move || {
            for _ in 0..RECORDS {
                writer.write_all(&[7; 100]).unwrap();
            }
        });
        // The peer has received everything when it sends this.
        reader.read_exact(&mut [0])
    }));
}
