//! The record protocol (RFC 9846, section 5): content to records, and back.
//!
//! ```text
//! bytes in ─> Deframer ─> Header, body ─> Open ─┬─ application data ─> reader's buffer, or held
//!                                               └─ handshake bytes ──> Joiner ─> messages, Aligned
//! content ──> Seal ─> Output ─> bytes out
//! ```
//!
//! One direction has one owner: [`Seal`] and [`Open`] each have their keys, the sequence number
//! under them and the traffic secret for the next ones, so that a KeyUpdate touches one side.
//! This module knows neither handshake messages nor when a record may come: the connection does.
//!
//! The peer's errors are [`Fault`](crate::error::Fault)s. Internal errors, and keys that may not
//! seal any more, are [`SealError`]s.

mod deframe;
mod header;
mod join;
mod limits;
mod open;
mod output;
mod padding;
mod protection;
mod seal;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;

pub(crate) use deframe::Deframer;
pub(crate) use header::Header;
pub(crate) use join::{Aligned, Joiner, MessageHeader};
pub(crate) use limits::{MAX_FRAGMENT, MAX_INNER, OVERHEAD};
pub(crate) use open::Open;
pub(crate) use output::Output;
pub use padding::Padding;
pub(crate) use protection::KeyUse;
pub(crate) use seal::{Seal, SealError};
