//! The external PSK that both sides are given, and one that is not it.

use fleeting::ExternalPsk;

/// Our secret.
const SECRET: [u8; 32] = *b"32 bytes nobody else knows about";

/// The same in hexadecimal digits, as programs take it.
pub const HEX: &str = "3332206279746573206e6f626f647920656c7365206b6e6f77732061626f7574";

/// The same but for its last bit.
pub const WRONG_HEX: &str = "3332206279746573206e6f626f647920656c7365206b6e6f77732061626f7575";

/// The PSK under this identity. The programs use PSKs as they are, and cannot import them.
pub fn psk(identity: &str) -> ExternalPsk {
    ExternalPsk::not_imported(identity, SECRET).unwrap()
}
