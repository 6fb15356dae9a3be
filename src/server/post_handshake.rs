//! CONNECTED: the messages that may follow the handshake (RFC 9846, 4.7).

use crate::error::Fault;
use crate::handshake::{Context, Wire};
use crate::message::{KeyUpdate, KeyUpdateRequest};

/// CONNECTED. The keys of the connection are in the record layer.
pub(crate) struct Connected;

impl Connected {
    /// RFC 9846, 4.7.3: the client has moved on to its next keys.
    pub(crate) fn on_key_update(
        self,
        message: &KeyUpdate,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Self, Fault> {
        let aligned = wire.aligned("KeyUpdate")?;
        cx.sink.update_receive(
            aligned,
            message.request_update == KeyUpdateRequest::Requested,
        );
        Ok(self)
    }
}
