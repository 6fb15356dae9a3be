//! [`follow`]: follows secrets through a function, using only its machine code.
//!
//! ```text
//! secret at first    what is read from memory: through an argument, or through a pointer that was
//!                    itself read through an argument
//! secret then        what is computed from a secret, and each byte of the stack that a secret was
//!                    stored to
//! not secret         the arguments themselves, words read through an argument (`Key`, `Text`:
//!                    pointers and lengths), and constants
//! ```
//!
//! Which register holds which argument is not considered: [`Arguments`] applies to all of them.
//! [`Leak`] lists what is reported.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register, UsedMemory,
};

use super::program::{Function, Program};
use super::value::{ARGUMENTS, Place, State, Value};

/// A forbidden use of a secret by a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leak {
    /// It moves from a vector, or from the stack where one was spilled, to a general register, the
    /// flags, or a mask. The other direction is allowed, because the last bytes of a text do not
    /// fill a vector.
    LeavesVectors,
    /// A branch depends on it.
    Branch,
    /// It is a part of an address, or a mask of what is read and written.
    Address,
    /// It is used by an instruction whose time depends on its operands.
    Time,
    /// It may reach a function that this test does not know.
    Call,
    /// The code could not be followed.
    Unknown,
}

/// What a function's arguments point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// All of them point to secrets.
    Data,
    /// They point to structures of pointers and numbers.
    Structures,
    /// Either. Only whole words are read through a structure, into general registers. A nonce has
    /// 12 bytes, and a vector is not a structure.
    Mixed,
}

/// What callers need to know about a function.
#[derive(Clone, Copy, Default)]
pub struct Summary {
    /// The arguments through which it writes secrets.
    pub writes: u32,
    /// If true, it returns a secret.
    pub returns: bool,
}

/// The number of bytes that a function writes where its caller wants the result: a tag.
const RESULT: usize = 16;

/// Calls that are allowed with any arguments that are not secret themselves: none of them reads
/// what an argument points to.
const HARMLESS: [&str; 9] = [
    "fleeting::crypto::kernel::x86_64::Proof::",
    "<fleeting::crypto::kernel::x86_64::vector::",
    "std_detect::",
    "core::panicking::",
    "core::slice::index::",
    "core::option::",
    "alloc::alloc::",
    "__rust",
    "_Unwind_Resume",
];

pub struct Followed {
    pub leaks: BTreeSet<(u64, Leak)>,
    pub summary: Summary,
    pub instructions: Vec<Instruction>,
}

pub fn follow(
    program: &Program<'_>,
    function: &Function<'_>,
    arguments: Arguments,
    known: &BTreeMap<u64, Summary>,
) -> Followed {
    let instructions: Vec<_> =
        Decoder::with_ip(64, function.code, function.address, DecoderOptions::NONE)
            .into_iter()
            .collect();
    let data = if arguments == Arguments::Data {
        u32::MAX
    } else {
        0
    };
    let targets = instructions
        .iter()
        .filter(|i| i.op_count() == 1 && i.op_kind(0) == OpKind::NearBranch64 && !i.is_call_near());
    let heads = targets
        .map(Instruction::near_branch_target)
        .chain([function.address])
        .collect();
    let constants = instructions
        .iter()
        .filter(|i| i.is_ip_rel_memory_operand())
        .map(Instruction::ip_rel_memory_address)
        .collect();
    let factory = InstructionInfoFactory::new();
    let (leaks, summary) = Default::default();
    let mut walk = Walk {
        program,
        arguments,
        known,
        data,
        heads,
        constants,
        leaks,
        summary,
        factory,
    };
    loop {
        let before = (walk.data, walk.heads.len());
        walk.leaks.clear();
        walk.run(function.address, &instructions);
        if (walk.data, walk.heads.len()) == before {
            return Followed {
                leaks: walk.leaks,
                summary: walk.summary,
                instructions,
            };
        }
    }
}

struct Walk<'a> {
    program: &'a Program<'a>,
    arguments: Arguments,
    known: &'a BTreeMap<u64, Summary>,
    /// The arguments that point to data.
    data: u32,
    /// The places where ways meet, at which states are kept.
    heads: BTreeSet<u64>,
    /// The addresses of constants: one table ends where another constant begins.
    constants: BTreeSet<u64>,
    leaks: BTreeSet<(u64, Leak)>,
    summary: Summary,
    factory: InstructionInfoFactory,
}

impl Walk<'_> {
    /// Follows all ways through the function, until nothing new is found.
    fn run(&mut self, entry: u64, instructions: &[Instruction]) {
        let at: BTreeMap<u64, &Instruction> = instructions
            .iter()
            .map(|instruction| (instruction.ip(), instruction))
            .collect();
        let mut states = BTreeMap::from([(entry, State::at_entry())]);
        let mut waiting = vec![entry];
        let mut reached = BTreeSet::new();
        while let Some(head) = waiting.pop() {
            let mut state = states[&head].clone();
            let mut next = Some(head);
            while let Some(instruction) = next.and_then(|ip| at.get(&ip)) {
                reached.insert(instruction.ip());
                let before = state.clone();
                self.step(instruction, &mut state);
                let after = instruction.next_ip();
                let (onward, jumps) = match instruction.flow_control() {
                    FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {
                        (Some(after), vec![])
                    }
                    FlowControl::ConditionalBranch => {
                        (Some(after), vec![instruction.near_branch_target()])
                    }
                    FlowControl::UnconditionalBranch => {
                        (None, vec![instruction.near_branch_target()])
                    }
                    FlowControl::IndirectBranch => (
                        None,
                        self.through_table(before.get(instruction.op0_register()), &at),
                    ),
                    FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => {
                        (None, vec![])
                    }
                    _ => (None, vec![0]),
                };
                if jumps.iter().any(|ip| !at.contains_key(ip))
                    || jumps.is_empty() && instruction.is_jmp_near_indirect()
                {
                    self.leaks.insert((instruction.ip(), Leak::Unknown));
                }
                self.heads.extend(jumps.iter().copied());
                next = onward.filter(|ip| !self.heads.contains(ip));
                for ip in jumps
                    .into_iter()
                    .chain(onward.filter(|ip| self.heads.contains(ip)))
                {
                    let new = match states.get_mut(&ip) {
                        Some(known) => known.join(&state),
                        None => states.insert(ip, state.clone()).is_none(),
                    };
                    if new && !waiting.contains(&ip) {
                        waiting.push(ip);
                    }
                }
            }
        }
        // Only landing pads are not reached, and functions that are given data have none.
        let padding = |i: &Instruction| {
            matches!(i.mnemonic(), Mnemonic::Nop | Mnemonic::Int3 | Mnemonic::Ud2)
        };
        if self.arguments != Arguments::Structures {
            let missed = instructions
                .iter()
                .filter(|i| !padding(i) && !reached.contains(&i.ip()));
            self.leaks
                .extend(missed.map(|instruction| (instruction.ip(), Leak::Unknown)));
        }
    }

    /// Returns the targets of a jump through a table. The table holds distances from itself, and
    /// ends at the first that does not lead into this function.
    fn through_table(&self, to: Value, at: &BTreeMap<u64, &Instruction>) -> Vec<u64> {
        let Some(table) = to.table else {
            return Vec::new();
        };
        let end = self
            .constants
            .range(table + 1..)
            .next()
            .copied()
            .unwrap_or(u64::MAX);
        let entries = (table..end)
            .step_by(4)
            .map_while(|entry| self.program.read(entry));
        entries
            .map(|distance| table.wrapping_add_signed(i64::from(distance)))
            .take_while(|target| at.contains_key(target))
            .collect()
    }

    fn step(&mut self, i: &Instruction, state: &mut State) {
        let info = self.factory.info(i).clone();
        let mut leak = |condition: bool, leak: Leak| {
            if condition {
                self.leaks.insert((i.ip(), leak));
            }
        };
        let reads = |access| {
            matches!(
                access,
                OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
            )
        };
        let writes = |access| {
            matches!(
                access,
                OpAccess::Write
                    | OpAccess::CondWrite
                    | OpAccess::ReadWrite
                    | OpAccess::ReadCondWrite
            )
        };
        let is_data = |register: Register| register.is_vector_register() || register.is_k();

        // 1. Where memory is read and written.
        let pointers: Vec<(UsedMemory, Value)> = info
            .used_memory()
            .iter()
            .map(|memory| (*memory, pointer(i, memory, state)))
            .collect();
        leak(
            pointers.iter().any(|(_, pointer)| pointer.secret),
            Leak::Address,
        );
        leak(
            !pointers.is_empty() && state.get(i.op_mask()).secret,
            Leak::Address,
        );

        // 2. What is read. A register that is only a part of an address does not count.
        let operand = |register: Register| {
            (0..i.op_count()).any(|n| {
                i.op_kind(n) == OpKind::Register && i.op_register(n).full_register() == register
            })
        };
        let part_of_address = |register: Register| {
            let pushes = register == Register::RSP && i.stack_pointer_increment() != 0;
            pushes
                || [i.memory_base(), i.memory_index()]
                    .iter()
                    .any(|part| part.full_register() == register)
                    && !operand(register)
        };
        let read: Vec<Register> = info
            .used_registers()
            .iter()
            .filter(|used| reads(used.access()))
            .map(|used| used.register().full_register())
            .collect();
        let read: Vec<Register> = read
            .into_iter()
            .filter(|register| !part_of_address(*register))
            .collect();
        let written: Vec<Register> = info
            .used_registers()
            .iter()
            .filter(|used| writes(used.access()))
            .map(|used| used.register())
            .collect();
        let mut sources: Vec<Value> = read.iter().map(|register| state.get(*register)).collect();
        for (memory, pointer) in pointers
            .iter()
            .filter(|(memory, _)| reads(memory.access()) && !i.is_call_near_indirect())
        {
            let size = memory.memory_size().size();
            let whole_word = size == 8 && !written.iter().any(|register| is_data(*register));
            let (value, data) = through(
                self.program,
                self.arguments == Arguments::Mixed,
                self.data,
                *pointer,
                size,
                whole_word,
                state,
            );
            self.data |= data;
            sources.push(value);
        }
        if i.rflags_read() != 0 {
            sources.push(Value {
                secret: state.flags.secret,
                ..Value::default()
            });
        }
        let all = sources.iter().copied().fold(Value::default(), Value::with);

        // 3. How the result is computed and used.
        leak(
            i.flow_control() == FlowControl::ConditionalBranch && state.flags.secret,
            Leak::Branch,
        );
        leak(
            matches!(i.flow_control(), FlowControl::IndirectBranch) && all.secret,
            Leak::Branch,
        );
        leak(
            matches!(i.mnemonic(), Mnemonic::Div | Mnemonic::Idiv) && all.secret,
            Leak::Time,
        );
        let spilled = pointers
            .iter()
            .any(|(memory, pointer)| reads(memory.access()) && pointer.stack.is_some());
        let leaves = all.secret
            && (spilled
                || read
                    .iter()
                    .any(|register| is_data(*register) && state.get(*register).secret));
        let arrives = i.rflags_modified() != 0
            || written
                .iter()
                .any(|register| !register.is_vector_register());
        leak(
            leaves && arrives && i.flow_control() == FlowControl::Next,
            Leak::LeavesVectors,
        );

        let stack_and_number = || {
            sources
                .iter()
                .find_map(|value| value.stack)
                .zip(immediate(i))
        };
        let result = match i.mnemonic() {
            Mnemonic::Lea => pointer_of(
                i,
                i.memory_base(),
                i.memory_index(),
                i.memory_displacement64(),
                state,
            ),
            Mnemonic::Add | Mnemonic::Sub if stack_and_number().is_some() => {
                let (place, number) = stack_and_number().unwrap_or((Place::Somewhere, 0));
                Value::at(moved(
                    place,
                    if i.mnemonic() == Mnemonic::Sub {
                        -number
                    } else {
                        number
                    },
                ))
            }
            // The stack pointer is aligned, so the distance of this frame from the previous one is
            // unknown.
            Mnemonic::And if i.op0_register() == Register::RSP => Value::at(Place::At(1, 0)),
            // A single source is copied as it is: spilled values, including pointers, come back.
            _ if sources.len() == 1 && is_move(i) => sources[0],
            // In a conditional move the target's old value is another source, which is handled
            // below.
            _ if sources.len() == 2 && i.rflags_read() != 0 && i.rflags_modified() == 0 => {
                sources[0].with_secret(sources[1].secret)
            }
            _ => all,
        };

        // 4. Where the result is written.
        for used in info
            .used_registers()
            .iter()
            .filter(|used| writes(used.access()))
        {
            let register = used.register();
            let in_part =
                register.is_gpr8() || register.is_gpr16() || used.access() == OpAccess::CondWrite;
            let value = if in_part {
                state.get(register).or(result)
            } else {
                result
            };
            if register.full_register() != Register::RSP || i.stack_pointer_increment() == 0 {
                state.set(register, value);
            }
        }
        for (memory, pointer) in pointers
            .iter()
            .filter(|(memory, _)| writes(memory.access()) && i.flow_control() == FlowControl::Next)
        {
            if let Some(place) = pointer.stack {
                state.store(
                    place,
                    memory.memory_size().size(),
                    result,
                    memory.access() == OpAccess::Write,
                );
            } else if result.secret {
                self.summary.writes |= pointer.arguments;
            }
        }
        if i.rflags_modified() != 0 {
            // Some instructions leave some of the flags unchanged.
            let in_part = i.rflags_modified() & FLAGS != FLAGS;
            state.flags = Value {
                secret: all.secret || in_part && state.flags.secret,
                ..Value::default()
            };
        }
        if i.flow_control() == FlowControl::Return {
            self.summary.returns |= [Register::RAX, Register::RDX, Register::XMM0]
                .iter()
                .any(|register| state.get(*register).secret);
        } else if matches!(
            i.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        ) {
            self.call(i, state);
        } else if i.stack_pointer_increment() != 0 {
            let moved_by = i64::from(i.stack_pointer_increment());
            let stack = state
                .get(Register::RSP)
                .stack
                .map(|place| moved(place, moved_by));
            state.set(
                Register::RSP,
                Value {
                    stack,
                    ..Value::default()
                },
            );
        }
    }

    fn call(&mut self, i: &Instruction, state: &mut State) {
        let target = match i.op_kind(0) {
            OpKind::NearBranch64 => Some(i.near_branch_target()),
            OpKind::Register => state.get(i.op_register(0)).address,
            _ => i
                .is_ip_rel_memory_operand()
                .then(|| self.program.follow(i.ip_rel_memory_address())),
        };
        let name = target
            .and_then(|target| self.program.name_at(target))
            .unwrap_or_default();
        let arguments = ARGUMENTS.map(|register| state.get(register));
        let mut result = Value::default();
        if arguments.iter().any(|argument| argument.secret) {
            self.leaks.insert((i.ip(), Leak::Call));
        }
        if let Some(summary) = target.and_then(|target| self.known.get(&target)) {
            for argument in (0..)
                .zip(arguments)
                .filter(|(number, _)| summary.writes & 1 << number != 0)
                .map(|(_, argument)| argument)
            {
                argument
                    .stack
                    .into_iter()
                    .for_each(|place| state.store(place, RESULT, Value::SECRET, true));
            }
            result.secret = summary.returns;
        } else if matches!(name, "memcpy" | "memmove") && arguments[0].stack.is_none() {
            // A copy to the stack would have an unknown length.
            result = arguments[0];
        } else if name != "memset" && !HARMLESS.iter().any(|harmless| name.starts_with(harmless)) {
            self.leaks.insert((i.ip(), Leak::Call));
        }
        state.after_call();
        state.set(Register::RAX, result);
        if result.secret {
            [Register::RDX, Register::XMM0]
                .iter()
                .for_each(|register| state.set(*register, result));
        }
    }
}

/// The carry, zero, sign and overflow flags.
const FLAGS: u32 = iced_x86::RflagsBits::CF
    | iced_x86::RflagsBits::ZF
    | iced_x86::RflagsBits::SF
    | iced_x86::RflagsBits::OF;

/// Returns what is read through a pointer, and the arguments that are thereby known to point to
/// data.
fn through(
    program: &Program<'_>,
    mixed: bool,
    data: u32,
    pointer: Value,
    size: usize,
    whole_word: bool,
    state: &State,
) -> (Value, u32) {
    let Value {
        secret,
        word,
        arguments,
        constant,
        ..
    } = pointer;
    if let Some(place) = pointer.stack {
        let value = state.load(place, size);
        return if arguments == 0 {
            (value, 0)
        } else {
            (value.with(Value::SECRET), 0)
        };
    }
    match () {
        () if secret => (Value::SECRET, 0),
        () if constant => {
            let address = pointer.address.map(|slot| program.follow(slot));
            (
                Value {
                    constant,
                    address,
                    table: pointer.table,
                    ..Value::default()
                },
                0,
            )
        }
        () if word || arguments == 0 => (Value::SECRET, 0),
        () if mixed && !whole_word => (Value::SECRET, arguments),
        () if arguments & data != 0 => (Value::SECRET, 0),
        () => (
            Value {
                word: true,
                ..Value::default()
            },
            0,
        ),
    }
}

/// Returns the address of a memory operand. A push moves the stack pointer first.
fn pointer(i: &Instruction, memory: &UsedMemory, state: &State) -> Value {
    pointer_of(
        i,
        memory.base(),
        memory.index(),
        memory.displacement(),
        state,
    )
}

fn pointer_of(
    i: &Instruction,
    base: Register,
    index: Register,
    displacement: u64,
    state: &State,
) -> Value {
    if i.is_ip_rel_memory_operand() && base != Register::RSP || base == Register::RIP {
        return Value {
            constant: true,
            address: Some(i.ip_rel_memory_address()),
            ..Value::default()
        };
    }
    let from = state.get(base);
    let index = state.get(index);
    match (from.stack, index == Value::default()) {
        (Some(place), true)
            if i.memory_index() == Register::None
                || base == Register::RSP && i.stack_pointer_increment() != 0 =>
        {
            Value {
                stack: Some(moved(place, displacement.cast_signed())),
                ..from
            }
        }
        // A constant's address with a displacement is another constant. With an index it is a
        // table.
        _ if displacement == 0 => Value {
            table: from.address,
            ..from.with(index)
        },
        _ => from.with(index),
    }
}

fn moved(place: Place, by: i64) -> Place {
    match place {
        Place::At(frame, offset) => Place::At(frame, offset.wrapping_add(by)),
        Place::Somewhere => Place::Somewhere,
    }
}

fn immediate(i: &Instruction) -> Option<i64> {
    (i.op_count() == 2)
        .then(|| i.try_immediate(1).ok())
        .flatten()
        .map(u64::cast_signed)
}

/// Returns true if the instruction copies all of its only source unchanged.
fn is_move(i: &Instruction) -> bool {
    use Mnemonic::*;
    let whole = matches!(i.op_register(0).size(), 0 | 8 | 16..) || i.op_kind(0) == OpKind::Memory;
    let moves = [
        Mov, Push, Pop, Movaps, Movups, Movdqa, Movdqu, Vmovaps, Vmovups, Vmovdqa, Vmovdqu,
        Vmovdqu64, Vmovdqa64, Vmovq, Vmovdqu8,
    ];
    whole && moves.contains(&i.mnemonic())
}

impl Value {
    fn with_secret(self, secret: bool) -> Self {
        Self {
            secret: self.secret || secret,
            ..self
        }
    }
}
