//! [`Session`]: MQTT 3.1.1 over our stream, ready to be copied.
//!
//! The client of `rumqttc` opens its transports itself, and has none that takes a stream. Its codec
//! and its state machine, which knows what has to be acknowledged, do not mind where bytes come
//! from.

use std::io;

use fleeting::AsyncStream;
use futures_util::{SinkExt, StreamExt};
use rumqttc::mqttbytes::v4::Codec;
use rumqttc::{Connect, ConnectReturnCode, Disconnect, MqttState, Packet, QoS, Request};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use crate::pki::Failure;

/// The longest packet, in bytes.
const MAX_PACKET: usize = 1 << 20;

/// How many messages may wait for their acknowledgement.
const MAX_INFLIGHT: u16 = 100;

/// A session with a broker.
pub struct Session {
    packets: Framed<AsyncStream<TcpStream>, Codec>,
    state: MqttState,
}

impl Session {
    /// Begins a session. Fails if the broker refuses it; if it refuses our certificate, this is
    /// where the alert arrives.
    pub async fn begin(stream: AsyncStream<TcpStream>, connect: Connect) -> Result<Self, Failure> {
        let codec = Codec {
            max_incoming_size: MAX_PACKET,
            max_outgoing_size: MAX_PACKET,
        };
        let mut session = Self {
            packets: Framed::new(stream, codec),
            state: MqttState::new(MAX_INFLIGHT, false),
        };
        session.packets.send(Packet::Connect(connect)).await?;
        match session.next_packet().await? {
            Packet::ConnAck(answer) if answer.code == ConnectReturnCode::Success => Ok(session),
            Packet::ConnAck(answer) => Err(format!("the broker refuses: {:?}", answer.code).into()),
            other => Err(format!("the broker answers CONNECT with {other:?}").into()),
        }
    }

    /// Sends a `Publish`, a `Subscribe`, an `Unsubscribe`, or a ping: one is due whenever nothing
    /// was sent for as long as `Connect::keep_alive`.
    ///
    /// Of the messages with QoS 1 or 2, at most 100 are on their way, and one more waits here until
    /// [`receive`](Self::receive) gets an acknowledgement. Beyond that, this fails and sends
    /// nothing: receive first, and send it then.
    pub async fn send(&mut self, request: impl Into<Request>) -> Result<(), Failure> {
        let request = request.into();
        if let Request::Publish(publish) = &request
            && publish.qos != QoS::AtMostOnce
            && self.state.collision.is_some()
        {
            // It would take the place of the one that waits, and nobody would learn of the loss.
            return Err("too many messages wait for their acknowledgement: receive first".into());
        }
        let packet = self.state.handle_outgoing_packet(request)?;
        self.pass_on(packet).await
    }

    /// Receives a packet, and acknowledges it if that is due.
    pub async fn receive(&mut self) -> Result<Packet, Failure> {
        let packet = self.next_packet().await?;
        let answer = self.state.handle_incoming_packet(packet.clone())?;
        self.pass_on(answer).await?;
        Ok(packet)
    }

    /// Ends the session. What was published with QoS 0 has been sent; whether the rest was received
    /// is known by its acknowledgements.
    pub async fn end(mut self) -> Result<(), Failure> {
        self.send(Request::Disconnect(Disconnect)).await?;
        // This closes the stream too.
        self.packets.close().await?;
        Ok(())
    }

    async fn pass_on(&mut self, packet: Option<Packet>) -> Result<(), Failure> {
        // They are for the event loop of rumqttc.
        self.state.events.clear();
        if let Some(packet) = packet {
            self.packets.send(packet).await?;
        }
        Ok(())
    }

    async fn next_packet(&mut self) -> Result<Packet, Failure> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        Ok(self.packets.next().await.ok_or_else(end)??)
    }
}
