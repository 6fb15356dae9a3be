//! The functions that the fuzzer runs, compiled for tests and under `cfg(fuzzing)` alone. Each
//! target of `fuzz/` has one function, which takes any bytes and panics if a promise is broken.
//!
//! ```text
//! messages      what decodes encodes to the same bytes
//! record        any bytes through Deframer, Open and Joiner; what Seal made arrives whole, and
//!               not at all if a bit was flipped
//! client        a client whose server sends these bytes
//! server        a server whose client sends them: with and without a ticket, an external PSK,
//!               early data and questions, a retry by group or by cookie, and each group
//! certificates  chains of DER as roots, as a peer's, as our own
//! pem           texts as everything that can be made of a text
//! aead          AES-GCM by our kernel, in each width, does what `aes-gcm` does, and leaves nothing
//!               of what does not open
//! revocation    lists by two authorities, complete or signed here, a server that they may revoke,
//!               and the lists that follow them
//! ```
//!
//! `client` and `server` run with and without a ticket, an external PSK, early data and questions,
//! a retry by group or by cookie, and each group. `record` must deliver whole records, and none
//! with a flipped bit. `aead` must leave nothing of what does not open. `revocation` takes complete
//! lists or lists that are signed here, and checks the lists that follow them.
//!
//! Keys, time and randomness are fixed, so that a recorded conversation is understood to its end:
//! the seeds reach every state, and the fuzzer continues from there. They are in `fuzz/corpus/`,
//! together with what was found since; `tests.rs` runs them all.

mod aead;
mod parties;
mod revocation;
mod seeds;
#[cfg(test)]
mod tests;

pub use aead::aead;
pub use revocation::revocation;
pub use seeds::seeds;

use crate::code_point::{ContentType, NamedGroup};
use crate::connection::{Connection, Status};
use crate::crypto::suite::Suite;
use crate::error::Error;
use crate::fuzzing::parties::{Choice, Fixed, NAME, new_client, new_server, now};
use crate::identity::{Authority, Identity, Peer, PublicKey, ServerName, Trust};
use crate::key_schedule::{EarlySecret, TrafficSecret};
use crate::message::Message;
use crate::record::{Deframer, Joiner, MAX_FRAGMENT, Open, Output, Seal};

// ---- messages ----

/// Decodes any bytes as a handshake message, and as the body of one whose type is the first byte.
pub fn messages(data: &[u8]) {
    message_round_trip(data);
    if let Some((msg_type, body)) = data.split_first()
        && let Ok(length) = u16::try_from(body.len())
    {
        let [high, low] = length.to_be_bytes();
        message_round_trip(&[&[*msg_type, 0, high, low], body].concat());
    }
}

fn message_round_trip(bytes: &[u8]) {
    match Message::decode(bytes) {
        Ok(message) => assert_eq!(
            message.encode().expect("what was decoded encodes"),
            bytes,
            "{message:?}"
        ),
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

// ---- record ----

/// Receives any bytes as records, and seals records of our own.
///
/// The first byte chooses the size of the fragments, the second the suite. The rest is used twice:
/// as records on the wire, and as orders for records of our own.
pub fn record(data: &[u8]) {
    let [fragment, choice, rest @ ..] = data else {
        return;
    };
    let fragment = usize::from(*fragment).max(1);
    let suite = Suite::ALL[usize::from(*choice) % Suite::ALL.len()];

    for protected in [false, true] {
        let open = if protected {
            Open::protected(suite, traffic_secret(suite))
        } else {
            Open::plaintext()
        };
        let _ = receive(open, rest, fragment);
    }

    // Each order has three bytes: type, length, padding.
    let (mut seal, mut output, mut sent) = (
        Seal::protected(suite, traffic_secret(suite)),
        Output::default(),
        Vec::new(),
    );
    for order in rest.chunks_exact(3).take(16) {
        let content_type = [
            ContentType::APPLICATION_DATA,
            ContentType::HANDSHAKE,
            ContentType::ALERT,
        ][usize::from(order[0]) % 3];
        // Only the first record may be large, because the fuzzer depends on the number of its runs.
        let scale = if sent.is_empty() { 64 } else { 1 };
        let content = vec![order[0]; usize::from(order[1]) * scale + usize::from(order[2] % 3)];
        if seal
            .seal(content_type, &content, usize::from(order[2]), &mut output)
            .is_ok()
        {
            sent.push((content_type, content));
        }
    }
    let mut wire = output.waiting().to_vec();
    let open = || Open::protected(suite, traffic_secret(suite));
    assert_eq!(
        receive(open(), &wire, fragment).expect("what we seal opens"),
        sent
    );
    // Flips one bit anywhere, also in the version, which has no meaning but is authenticated (RFC
    // 9846, 5.2).
    if !wire.is_empty() {
        let at = usize::from(*choice) * 251 % wire.len();
        wire[at] ^= 1 << (fragment % 8);
        assert_ne!(
            receive(open(), &wire, fragment).ok(),
            Some(sent),
            "a flipped bit at {at} was not seen"
        );
    }
}

/// Returns what comes out of these bytes.
fn receive(
    mut open: Open,
    mut wire: &[u8],
    fragment: usize,
) -> Result<Vec<(ContentType, Vec<u8>)>, Error> {
    let (mut deframer, mut joiner, mut out) = (Deframer::new(), Joiner::default(), Vec::new());
    let failed = |fault| Error::Protocol {
        state: "fuzzing",
        fault,
    };
    loop {
        while let Some((header, body)) = deframer.next(open.is_protected()).map_err(failed)? {
            // The buffer is shorter or longer than the record.
            let mut into = vec![0; fragment * 8];
            let opened = open
                .open(&header, deframer.bytes(body.clone()), &mut into)
                .map_err(failed)?;
            assert!(
                opened.len <= MAX_FRAGMENT
                    && opened.len <= body.len()
                    && opened.placed <= opened.len
            );
            assert!(opened.content_type == ContentType::APPLICATION_DATA || opened.placed == 0);
            assert!(
                into[opened.placed..].iter().all(|byte| *byte == 0),
                "nothing is left where nothing was placed"
            );
            let content = [
                &into[..opened.placed],
                deframer.bytes(body.start + opened.placed..body.start + opened.len),
            ]
            .concat();
            if opened.content_type == ContentType::HANDSHAKE {
                joiner.push(&content);
                while let Some((message, _)) = joiner.next() {
                    let _ = Message::decode(&message);
                }
            }
            out.push((opened.content_type, content));
        }
        if wire.is_empty() {
            return Ok(out);
        }
        let space = deframer.space();
        let (now, later) = wire.split_at(fragment.min(space.len()).min(wire.len()));
        space[..now.len()].copy_from_slice(now);
        deframer.filled(now.len());
        wire = later;
    }
}

/// Returns a traffic secret, always the same for a suite.
fn traffic_secret(suite: Suite) -> TrafficSecret {
    EarlySecret::new(suite.hash(), None).client_early_traffic(&suite.hash().hash(b"fuzzing"))
}

// ---- client and server ----

/// Runs a client.
///
/// The first byte chooses the size of the fragments, the second how the client is set up. The rest
/// is what the server sends.
pub fn client(data: &[u8]) {
    if let [fragment, choice, rest @ ..] = data {
        drive(new_client(*choice), 0, rest, *fragment);
    }
}

/// Runs a server.
///
/// The first byte chooses the size of the fragments and whether the server is chosen by the
/// ClientHello, the second how the server is set up. The rest is what the client sends.
pub fn server(data: &[u8]) {
    if let [fragment, choice, rest @ ..] = data {
        let undecided = *fragment & 0x80 != 0;
        drive(
            if undecided {
                Connection::undecided(now())
            } else {
                new_server(*choice)
            },
            *choice,
            rest,
            *fragment & 0x7f,
        );
    }
}

/// The result of a connection.
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the fuzzer looks for panics; the tests look at the seeds"
    )
)]
struct Driven {
    read: Vec<u8>,
    early: Vec<u8>,
    connected: bool,
    resumed: bool,
    external_psk: bool,
    group: Option<NamedGroup>,
}

/// Feeds all bytes to a connection. If it asks for a server, the server of this choice is given.
fn drive(mut connection: Connection, choice: Choice, mut wire: &[u8], fragment: u8) -> Driven {
    let mut random = Fixed::new(2);
    let (mut read, mut early) = (Vec::new(), Vec::new());
    let mut turn = |connection: &mut Connection, read: &mut Vec<u8>| {
        let result = loop {
            match connection.process(now(), &mut random) {
                Ok(Status::Data) => {
                    let count = connection.plaintext().len();
                    assert!(count > 0, "data was announced and there is none");
                    read.extend_from_slice(connection.plaintext());
                    connection.consume(count);
                }
                Ok(Status::EarlyData) => {
                    assert!(connection.plaintext().is_empty() && connection.is_handshaking());
                    early.extend_from_slice(connection.early_plaintext());
                    connection.consume(usize::MAX);
                    connection
                        .write_early_data(b"an answer")
                        .expect("early data was accepted");
                }
                Ok(Status::Ask(question)) => {
                    if let Err(error) = parties::answer(connection, question, choice, &mut random) {
                        break Err(error);
                    }
                }
                other => break other,
            }
        };
        // Two large records: a peer can cause no more output than this.
        assert!(connection.output().len() <= 1 << 16, "the output grows");
        connection.sent(connection.output().len());
        result
    };
    while !wire.is_empty() {
        let space = connection.input();
        let (now, later) = wire.split_at(
            usize::from(fragment)
                .max(1)
                .min(space.len())
                .min(wire.len()),
        );
        space[..now.len()].copy_from_slice(now);
        connection.received(now.len());
        wire = later;
        if let Err(error) = turn(&mut connection, &mut read) {
            assert!(!format!("{error} {error:?}").is_empty());
            break;
        }
    }
    let connected = !connection.is_handshaking();
    let agreed = connection.negotiated();
    let (resumed, external_psk) = agreed.map_or((false, false), |agreed| {
        (agreed.resumed(), agreed.external_psk().is_some())
    });
    let group = agreed.map(|agreed| agreed.group());
    connection.received_end();
    match turn(&mut connection, &mut read) {
        Ok(status) => assert_eq!(
            status,
            Status::Closed,
            "a cut connection looks like a healthy one"
        ),
        Err(first) => {
            let second = turn(&mut connection, &mut read).expect_err("the first error sticks");
            assert_eq!(first.to_string(), second.to_string());
            assert!(connection.write(b"x").is_err());
        }
    }
    Driven {
        read,
        early,
        connected,
        resumed,
        external_psk,
        group,
    }
}

// ---- certificates and PEM ----

/// Verifies a chain. Each certificate follows its length in two bytes. A peer that is accepted is
/// asked for everything it says.
pub fn certificates(data: &[u8]) {
    let chain = split(data);
    let name = ServerName::parse(NAME).expect("a name");
    let _ = Identity::from_der(chain.iter().copied(), parties::PKCS8);
    if let Some((root, below)) = chain.split_last()
        && let Ok(trust) = Trust::roots_from_der([root])
    {
        for verified in [
            trust.verify_server(below, Some(&name), now()),
            trust.verify_client(below, now()),
        ] {
            match verified {
                Ok(verified) => look_at(&Peer::from_verified(verified)),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    // The leaf is trusted by its key, whatever else its certificate says.
    let trust = Trust::keys([parties::identity().public_key()]);
    for verified in [
        trust.verify_server(&chain, Some(&name), now()),
        trust.verify_client(&chain, now()),
    ]
    .into_iter()
    .flatten()
    {
        look_at(&Peer::from_verified(verified));
    }
    for verified in [
        trust.verify_server_key(data, Some(&name)),
        trust.verify_client_key(data),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(
            verified.key().to_bytes(),
            *parties::identity().public_key().as_bytes()
        );
    }
    if let Some(peer) = Peer::from_ticket(data) {
        assert_eq!(peer.to_ticket(), data);
    }
}

fn look_at(peer: &Peer) {
    let _ = (
        peer.names(),
        peer.uris(),
        peer.subject(),
        peer.common_name(),
        peer.public_key(),
        peer.pinned_names(),
    );
    assert!(!peer.certificates().is_empty());
    assert!(!format!("{peer:?}").is_empty());
    assert_eq!(
        Peer::from_ticket(&peer.to_ticket())
            .expect("what we write we read")
            .names(),
        peer.names()
    );
}

fn split(mut data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let [high, low, rest @ ..] = data {
        let (part, after) =
            rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()));
        parts.push(part);
        data = after;
    }
    parts
}

/// Reads any text as a key, a chain, roots, an authority, a public key and a name.
pub fn pem(data: &[u8]) {
    if let Ok(identity) = Identity::from_pem(data, data) {
        let again = Identity::from_pem(
            identity.chain_pem(),
            identity.key_pem().expect("it is here").expose(),
        )
        .expect("what we write we read");
        assert_eq!(again.public_key(), identity.public_key());
        assert_eq!(again.certificates(), identity.certificates());
    }
    if let Ok(authority) = Authority::from_pem(data, data) {
        let again = Authority::from_pem(authority.certificate_pem(), authority.key_pem().expose())
            .expect("what we write we read");
        assert_eq!(again.public_key(), authority.public_key());
    }
    let _ = Identity::from_key_pem(data);
    let _ = Trust::roots_from_pem(data);
    if let Ok(text) = core::str::from_utf8(data) {
        if let Ok(key) = text.parse::<PublicKey>() {
            assert_eq!(
                key.to_string()
                    .parse::<PublicKey>()
                    .expect("what we write we read"),
                key
            );
        }
        let _ = ServerName::parse(text);
    }
}
