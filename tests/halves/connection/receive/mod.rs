//! `crate::connection::receive`: a stand-in for the receiver.

pub(crate) mod receiver;
