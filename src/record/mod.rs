//! The record protocol (RFC 9846, section 5): content to records, and back.
//!
//! ```text
//! bytes in ─> Deframer ─> Header, body ─> Open ─┬─ application data ─> the reader's buffer, or held in the Deframer until it is read
//!                                               └─ handshake bytes ──> Joiner ─> messages, and Aligned
//! content ──> Seal ─> Output ─> bytes out
//! ```
//!
//! One direction has one owner: [`Seal`] and [`Open`] each have their keys, the sequence number
//! under them and the traffic secret for the next ones, so that a KeyUpdate touches one half.
//! Nothing here knows a handshake message, or when a record may come: that is the connection's.
//!
//! The peer's records and ours differ in what an error is. What the peer does wrong is a
//! [`Fault`](crate::error::Fault); what we do wrong, or may not do any more, is a [`SealError`].

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
pub(crate) use join::{Aligned, Joined, Joiner};
pub(crate) use limits::{MAX_FRAGMENT, MAX_INNER, OVERHEAD};
pub(crate) use open::Open;
pub(crate) use output::Output;
pub use padding::Padding;
pub(crate) use seal::{Seal, SealError};
