//! GnuTLS's `gnutls-cli` and `gnutls-serv`, 3.7 or newer (Debian: `apt-get install gnutls-bin`).

mod certificates;
mod commands;
mod early_data;
mod psk;
