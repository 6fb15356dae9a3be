//! The external PSK that both sides have, and a wrong one.

use fleeting::ExternalPsk;

/// Our secret.
const SECRET: [u8; 32] = *b"32 bytes nobody else knows about";

/// The same secret in hexadecimal digits, as the programs take it.
pub const HEX: &str = "3332206279746573206e6f626f647920656c7365206b6e6f77732061626f7574";

/// The same secret except for its last bit.
pub const WRONG_HEX: &str = "3332206279746573206e6f626f647920656c7365206b6e6f77732061626f7575";

/// Returns the PSK under this identity. The programs use PSKs without import, because they cannot
/// import them.
pub fn psk(identity: &str) -> ExternalPsk {
    ExternalPsk::not_imported(identity, SECRET).unwrap()
}
