//! [`Connection`]: TLS without I/O, as an application or an event loop holds it.
//!
//! | file | calls |
//! |---|---|
//! | `connection.rs` | the contract; making a connection, the transport's side, what is known |
//! | `read.rs` | received data |
//! | `write.rs` | data to send, new keys, the end |
//! | `end.rs` | ends by time, and from outside |
//! | `early_data.rs` | data before the handshake is complete |
//! | `answer.rs` | answers to what the handshake asks |

mod answer;
mod connection;
mod early_data;
mod end;
mod read;
mod write;

pub use connection::Connection;
