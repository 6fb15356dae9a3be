//! [`Program`]: the machine code of an executable, by function, and the targets of its calls
//! through a table of addresses.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

/// An executable file for Linux on x86-64 that still has its own symbols.
pub struct Program<'a> {
    file: ElfFile64<'a>,
    /// The name of each function without the compiler's hash, and of each slot of the table of
    /// addresses that the dynamic linker fills, named after its target.
    names: BTreeMap<u64, String>,
    /// The slots that are filled with an address in the program itself.
    slots: BTreeMap<u64, u64>,
}

/// The address of a function, and its bytes.
pub struct Function<'a> {
    pub address: u64,
    pub code: &'a [u8],
}

impl<'a> Program<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, object::Error> {
        let file = ElfFile64::parse(bytes)?;
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.address() != 0);
        let mut names: BTreeMap<u64, String> = functions
            .map(|symbol| Ok((symbol.address(), readable(symbol.name()?))))
            .collect::<object::Result<_>>()?;
        let mut slots = BTreeMap::new();
        for (slot, relocation) in file.dynamic_relocations().into_iter().flatten() {
            match relocation.target() {
                RelocationTarget::Symbol(index) => {
                    let name = file.dynamic_symbol_table().map(|table| {
                        object::ObjectSymbolTable::symbol_by_index(&table, index)?.name()
                    });
                    names.insert(slot, readable(name.transpose()?.unwrap_or_default()));
                }
                _ => drop(slots.insert(slot, relocation.addend().cast_unsigned())),
            }
        }
        Ok(Self { file, names, slots })
    }

    /// Returns all functions with this name.
    pub fn functions(&self, name: &str) -> Vec<Function<'a>> {
        let symbols = self
            .file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
        let found =
            symbols.filter(|symbol| symbol.name().is_ok_and(|symbol| readable(symbol) == name));
        let code = |symbol: &object::read::elf::ElfSymbol64<'a, '_>| {
            self.file
                .section_by_index(symbol.section_index()?)
                .ok()?
                .data_range(symbol.address(), symbol.size())
                .ok()?
        };
        found
            .filter_map(|symbol| {
                Some(Function {
                    address: symbol.address(),
                    code: code(&symbol)?,
                })
            })
            .collect()
    }

    /// Returns the name of what is at an address: a function, a slot through which a function is
    /// called, or a jump through such a slot.
    pub fn name_at(&self, address: u64) -> Option<&str> {
        let named = self
            .names
            .get(&address)
            .or_else(|| self.names.get(&self.jump_through(address)?));
        named.map(String::as_str)
    }

    fn jump_through(&self, address: u64) -> Option<u64> {
        let code = self.bytes(address, 16)?;
        let first = Decoder::with_ip(64, code, address, DecoderOptions::NONE).decode();
        (first.is_jmp_near_indirect() && first.is_ip_rel_memory_operand())
            .then(|| first.ip_rel_memory_address())
    }

    /// Reads a number from the program's constants.
    pub fn read(&self, address: u64) -> Option<i32> {
        self.bytes(address, 4)?
            .try_into()
            .ok()
            .map(i32::from_le_bytes)
    }

    fn bytes(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        self.file
            .sections()
            .find_map(|section| section.data_range(address, len).ok().flatten())
    }

    /// Returns the target of the pointer in this slot, or the slot itself if it is filled from
    /// elsewhere.
    pub fn follow(&self, slot: u64) -> u64 {
        self.slots.get(&slot).copied().unwrap_or(slot)
    }
}

/// Returns a symbol without the hash, the version of a libc symbol, and what only the newer of
/// Rust's two manglings contains: type parameters at the end, and brackets around a method's type.
fn readable(symbol: &str) -> String {
    let name = symbol.split('@').next().unwrap_or(symbol);
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let name = match name.rfind("::<") {
        Some(parameters) if name.ends_with('>') => &name[..parameters],
        _ => &name,
    };
    match name
        .strip_prefix('<')
        .and_then(|name| name.split_once(">::"))
    {
        Some((of, method)) if !of.contains([' ', '<']) => format!("{of}::{method}"),
        _ => name.to_owned(),
    }
}
