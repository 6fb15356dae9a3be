//! OpenSSL's `s_client` and `s_server`, 3.0 or newer (Debian: `apt-get install openssl`), and
//! OpenSSL 4.

mod certificates;
pub mod commands;
mod early_data;
mod psk;
mod v4;
