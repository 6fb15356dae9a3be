//! `crate::connection`: the halves, and stand-ins for what they use.

pub(crate) mod receive;
pub(crate) mod send;
#[path = "../../../src/connection/split/mod.rs"]
mod split;
#[path = "../../../src/connection/status.rs"]
mod status;

pub(crate) use sans_io::Connection;
#[cfg(feature = "tokio")]
pub(crate) use split::ASKED;
pub(crate) use split::{Notes, ReceiveHalf, SendHalf, Shared};
pub(crate) use status::Status;

pub(crate) mod notice {
    use std::io;

    use crate::error::Error;

    /// What the halves report. Nobody counts it here.
    pub(crate) enum Notice<'a> {
        Failed(&'a Error),
        TransportFailed(&'a io::Error),
    }
}

pub(crate) mod sans_io {
    use super::receive::receiver::Receiver;
    use super::send::sender::Sender;

    pub(crate) struct Connection {
        pub(crate) receiver: Receiver,
        pub(crate) sender: Sender,
    }

    impl Connection {
        pub(crate) fn input(&mut self) -> &mut [u8] {
            &mut []
        }

        pub(crate) fn received(&mut self, _: usize) {}

        pub(crate) fn received_nothing(&mut self) {}

        pub(crate) fn received_end(&mut self) {}

        pub(crate) fn output(&self) -> &[u8] {
            self.sender.waiting()
        }

        pub(crate) fn sent(&mut self, count: usize) {
            self.sender.sent(count);
        }
    }
}
