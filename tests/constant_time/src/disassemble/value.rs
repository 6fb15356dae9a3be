//! [`Value`]: what is known about a register or a byte of the stack. [`State`]: what is known about
//! all of them at one place of a function.

use std::collections::BTreeMap;

use iced_x86::Register;

/// Joining two values keeps only what is known about both. So values change in one direction only,
/// and following a loop ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Value {
    pub secret: bool,
    /// A word that was read through an argument: a length, or a pointer to secrets.
    pub word: bool,
    /// The arguments from which it is computed, one bit for each.
    pub arguments: u32,
    /// It is computed from the address of a constant of the program.
    pub constant: bool,
    /// A known address, for calls.
    pub address: Option<u64>,
    /// The address of the table from which it was read or computed, for jumps.
    pub table: Option<u64>,
    pub stack: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The frame (a new one begins where the stack pointer is aligned), and the offset from its
    /// beginning.
    At(u8, i64),
    Somewhere,
}

impl Value {
    pub const SECRET: Self = Self {
        secret: true,
        word: false,
        arguments: 0,
        constant: false,
        address: None,
        table: None,
        stack: None,
    };

    pub fn argument(number: u32) -> Self {
        Self {
            arguments: 1 << number.min(31),
            ..Self::default()
        }
    }

    pub fn at(place: Place) -> Self {
        Self {
            stack: Some(place),
            ..Self::default()
        }
    }

    /// Returns either value: where two ways through the function meet.
    pub fn or(self, other: Self) -> Self {
        Self {
            constant: self.constant && other.constant,
            ..self.with(other)
        }
        .kept(self, other)
    }

    /// Returns a value computed from both.
    pub fn with(self, other: Self) -> Self {
        Self {
            secret: self.secret || other.secret,
            word: self.word || other.word,
            arguments: self.arguments | other.arguments,
            constant: self.constant || other.constant,
            address: None,
            table: self.table.or(other.table),
            stack: self.stack.or(other.stack).map(|_| Place::Somewhere),
        }
    }

    fn kept(self, a: Self, b: Self) -> Self {
        let address = if a.address == b.address {
            a.address
        } else {
            None
        };
        let stack = if a.stack == b.stack {
            a.stack
        } else {
            self.stack
        };
        let table = if a.table == b.table { a.table } else { None };
        Self {
            address,
            table,
            stack,
            ..self
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct State {
    registers: Vec<Value>,
    pub flags: Value,
    /// The bytes that were written.
    stack: BTreeMap<(u8, i64), Value>,
    /// What was written to unknown places of the stack.
    anywhere: Value,
}

/// The registers in which System V's calling convention passes arguments. Rust's convention is the
/// same here.
pub const ARGUMENTS: [Register; 6] = [
    Register::RDI,
    Register::RSI,
    Register::RDX,
    Register::RCX,
    Register::R8,
    Register::R9,
];

impl State {
    pub fn at_entry() -> Self {
        let mut state = Self {
            registers: vec![Value::default(); 16 + 32 + 8],
            flags: Value::default(),
            stack: BTreeMap::new(),
            anywhere: Value::default(),
        };
        for (number, register) in (0..).zip(ARGUMENTS) {
            state.set(register, Value::argument(number));
        }
        state.set(Register::RSP, Value::at(Place::At(0, 0)));
        // These arguments are passed by value.
        Register::values()
            .filter(|register| register.is_zmm())
            .for_each(|register| state.set(register, Value::SECRET));
        state
    }

    /// Joins the state of another way to this place. Returns true if that changed anything.
    pub fn join(&mut self, other: &Self) -> bool {
        let before = self.clone();
        self.registers
            .iter_mut()
            .zip(&other.registers)
            .for_each(|(mine, others)| *mine = mine.or(*others));
        self.flags = self.flags.or(other.flags);
        self.anywhere = self.anywhere.or(other.anywhere);
        for place in self
            .stack
            .keys()
            .chain(other.stack.keys())
            .copied()
            .collect::<Vec<_>>()
        {
            let value = self.byte(place).or(other.byte(place));
            self.stack.insert(place, value);
        }
        *self != before
    }

    pub fn get(&self, register: Register) -> Value {
        slot(register).map_or(Value::default(), |slot| self.registers[slot])
    }

    pub fn set(&mut self, register: Register, value: Value) {
        if let Some(slot) = slot(register) {
            self.registers[slot] = value;
        }
    }

    fn byte(&self, place: (u8, i64)) -> Value {
        self.stack.get(&place).copied().unwrap_or(match place {
            // After the return address are the arguments that do not fit in registers.
            (0, offset @ 8..) => Value::argument(5 + u32::try_from(offset / 8).unwrap_or(26)),
            _ => Value::default(),
        })
    }

    pub fn load(&self, place: Place, size: usize) -> Value {
        let found = match place {
            Place::At(frame, offset) => (offset..)
                .take(size)
                .map(|offset| self.byte((frame, offset)))
                .reduce(Value::or),
            Place::Somewhere => self.stack.values().copied().reduce(Value::or),
        };
        let found = found.unwrap_or_default();
        if self.anywhere == Value::default() {
            found
        } else {
            found.or(self.anywhere)
        }
    }

    /// Stores a value. With `whole`, it replaces everything that was there.
    pub fn store(&mut self, place: Place, size: usize, value: Value, whole: bool) {
        match place {
            Place::At(frame, offset) => {
                for place in (offset..).take(size).map(|offset| (frame, offset)) {
                    let value = if whole {
                        value
                    } else {
                        self.byte(place).or(value)
                    };
                    self.stack.insert(place, value);
                }
            }
            Place::Somewhere => self.anywhere = self.anywhere.or(value),
        }
    }

    /// Keeps the registers that a call preserves.
    pub fn after_call(&mut self) {
        let kept = [
            Register::RBX,
            Register::RSP,
            Register::RBP,
            Register::R12,
            Register::R13,
            Register::R14,
            Register::R15,
        ];
        let kept = kept.map(|register| (register, self.get(register)));
        self.registers.fill(Value::default());
        self.flags = Value::default();
        kept.into_iter()
            .for_each(|(register, value)| self.set(register, value));
    }
}

/// Returns the index of a general register, a vector or a mask.
fn slot(register: Register) -> Option<usize> {
    let full = register.full_register();
    if full.is_gpr64() {
        Some(full.number())
    } else if full.is_vector_register() {
        Some(16 + full.number())
    } else {
        full.is_k().then(|| 16 + 32 + full.number())
    }
}
