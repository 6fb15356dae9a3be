//! How long a handshake message may be: what the configuration allows, and no shorter than what a
//! legal peer sends. A ticket that is too long is not worth a connection.

use crate::client::Client;
use crate::code_point::{CipherSuite, SignatureScheme};
use crate::connection::tests::puppet::client::{add_raw, set};
use crate::connection::tests::puppet::server::key_update;
use crate::connection::tests::puppet::{
    APPLICATION_DATA, HANDSHAKE, Puppet, WORLD, message, plain, refused, server, vector,
};
use crate::error::Fault;
use crate::message::ClientHelloExtension::SignatureAlgorithms;
use crate::server::Server;

/// So long a message is read by default, with its header: a policy of ours.
const LIMIT: usize = 80 * 1024;

/// A NewSessionTicket can have 4 + 4 + (1 + 255) + (2 + 65535) + (2 + 65535) bytes after its header
/// (RFC 9846, 4.7.1).
const LONGEST_TICKET: usize = 4 + 131_338;

fn client_with(max_handshake_size: usize) -> Client {
    Client::builder()
        .trust(WORLD.authority.trust())
        .max_handshake_size(max_handshake_size)
        .build()
        .unwrap()
}

/// A ticket of such a length, and an extension that nobody knows of such a length.
fn ticket(ticket: usize, nonce: usize, extension: Option<usize>) -> Vec<u8> {
    let extension =
        extension.map(|length| [&[0xfa, 0xfa][..], &vector(2, &vec![9; length])].concat());
    message(
        4,
        &[
            &3600_u32.to_be_bytes()[..],
            &[1, 2, 3, 4],
            &vector(1, &vec![0; nonce]),
            &vector(2, &vec![0x71; ticket]),
            &vector(2, &extension.unwrap_or_default()),
        ]
        .concat(),
    )
}

/// The message in as few records as it takes, under the keys of now.
fn feed(puppet: &mut Puppet, message: &[u8]) {
    for part in message.chunks(16384) {
        let record = puppet.record(HANDSHAKE, part);
        puppet.feed(&record).unwrap();
    }
}

#[track_caller]
fn completes(mut puppet: Puppet, hello: &[u8]) {
    puppet.transcript.extend_from_slice(hello);
    feed(&mut puppet, hello);
    puppet.hear_flight();
    puppet.lead_server_to("CONNECTED");
    puppet.send(b"question").unwrap();
    assert_eq!(puppet.delivered, b"question");
}

/// A ClientHello with so many bytes: its suites alone can have `cipher_suites<2..2^16-2>`.
fn client_hello(puppet: &Puppet, length: usize) -> Vec<u8> {
    let hello = |filler: usize| {
        let filler: &'static [u8] = vec![0; filler].leak();
        puppet.make_client_hello(|hello| {
            hello
                .cipher_suites
                .extend((0..20_000).map(|_| CipherSuite(0x00ff)));
            add_raw(hello, 0xfafa, filler);
        })
    };
    let hello = hello(length - hello(0).len());
    assert_eq!(hello.len(), length);
    hello
}

/// RFC 9846, 4.2.2: "Servers MUST ignore unrecognized extensions", of any length: 4.3,
/// `opaque extension_data<0..2^16-1>`. 4.3.3: `SignatureScheme supported_signature_algorithms
/// <2..2^16-2>`.
#[test]
fn a_long_client_hello_is_read() {
    let puppet = Puppet::calling(&server());
    let hello = puppet.make_client_hello(|hello| add_raw(hello, 0xfafa, vec![0; 40_000].leak()));
    completes(puppet, &hello);

    let puppet = Puppet::calling(&server());
    let hello = puppet.make_client_hello(|hello| {
        let unknown = (0..19_999).map(|_| SignatureScheme(0xfe01));
        let schemes = unknown.chain([SignatureScheme::ED25519]).collect();
        set(hello, SignatureAlgorithms(schemes));
    });
    completes(puppet, &hello);

    let puppet = Puppet::calling(&server());
    let hello = client_hello(&puppet, LIMIT);
    completes(puppet, &hello);
}

/// RFC 9846, 6.2: decode_error "should never be observed in communication between proper
/// implementations", and the peer may well be one: the limit is ours, as with "a memory allocation
/// failure" (internal_error).
#[test]
fn a_message_over_the_limit_is_refused_by_its_header() {
    let mut puppet = Puppet::calling(&server());
    let hello = client_hello(&puppet, LIMIT + 1);
    refused!(
        puppet,
        plain(HANDSHAKE, &hello[..4]),
        "START",
        80,
        Fault::MessageTooLong {
            length: 81921,
            limit: LIMIT
        }
    );

    // In whatever pieces the header comes, and whatever the limit is.
    let server = Server::builder()
        .identity(WORLD.server.clone())
        .max_handshake_size(5000)
        .build()
        .unwrap();
    let mut puppet = Puppet::calling(&server);
    let length = u16::try_from(5000 - 4 + 1).unwrap().to_be_bytes();
    for byte in [1, 0, length[0]] {
        puppet.feed(&plain(HANDSHAKE, &[byte])).unwrap();
    }
    refused!(
        puppet,
        plain(HANDSHAKE, &[length[1]]),
        "START",
        80,
        Fault::MessageTooLong {
            length: 5001,
            limit: 5000
        }
    );
}

/// The header of a message of this type, with so many bytes after it.
fn header(message_type: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[message_type], &length[1..]].concat()
}

/// RFC 9846, 6.2, decode_error: "some field was out of the specified range or the length of the
/// message was incorrect". No limit of ours is needed to say so of a length that the syntax does
/// not allow.
#[test]
fn a_length_that_the_syntax_forbids_is_a_syntax_error() {
    const EXTENSIONS: usize = 2 + 65535;
    type Expecting = fn() -> Puppet;
    let cases: [(u8, usize, Expecting); 4] = [
        (
            1,
            2 + 32 + (1 + 32) + (2 + 65534) + (1 + 255) + EXTENSIONS,
            || Puppet::calling(&server()),
        ),
        (2, 2 + 32 + (1 + 32) + 2 + 1 + EXTENSIONS, || {
            Puppet::client_at("WAIT_SH")
        }),
        (8, EXTENSIONS, || Puppet::client_at("WAIT_EE")),
        (13, (1 + 255) + EXTENSIONS, || {
            Puppet::client_at("WAIT_CERT_CR")
        }),
    ];
    // The smallest limit that can be set is below all of them.
    for (message_type, longest, expecting) in cases {
        let mut puppet = expecting();
        puppet.us.receiver.settings.max_handshake_size = 4096;
        let state = puppet.state();
        let record = puppet.record(HANDSHAKE, &header(message_type, longest));
        refused!(puppet, record, state, 80, Fault::MessageTooLong { .. });
        let mut puppet = expecting();
        puppet.us.receiver.settings.max_handshake_size = 4096;
        let record = puppet.record(HANDSHAKE, &header(message_type, longest + 1));
        refused!(
            puppet,
            record,
            state,
            50,
            Fault::Decode {
                field: "length",
                ..
            }
        );
    }
    // A Certificate may have any length (4.5.1), the others are short.
    let mut puppet = Puppet::client_at("WAIT_CERT_CR");
    let record = puppet.protect(HANDSHAKE, &header(11, 0xff_ffff), 0);
    refused!(
        puppet,
        record,
        "WAIT_CERT_CR",
        80,
        Fault::MessageTooLong { .. }
    );
    for message_type in [2, 5, 8, 13, 15, 20, 24] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(HANDSHAKE, &header(message_type, 131_072), 0);
            refused!(
                puppet,
                record,
                "CONNECTED",
                50,
                Fault::Decode {
                    field: "length",
                    ..
                }
            );
        }
    }
    // RFC 9846, section 4: a message of another type is unexpected, however long.
    for message_type in [0, 3, 25, 254] {
        for mut puppet in Puppet::both_connected() {
            let record = puppet.protect(HANDSHAKE, &header(message_type, 0xff_ffff), 0);
            refused!(puppet, record, "CONNECTED", 10, Fault::Unexpected { .. });
        }
    }
}

/// RFC 9846, 4.7.1: `opaque ticket<1..2^16-1>`, and a client need not use it. What follows it in
/// the same record counts.
#[test]
fn a_ticket_over_the_limit_is_skipped() {
    let longest = ticket(65535, 255, Some(65531));
    assert_eq!(longest.len(), LONGEST_TICKET);
    for (client, ticket) in [
        (client_with(5000), ticket(5000, 1, None)),
        (client_with(LIMIT), ticket(65535, 1, None)),
        (client_with(LIMIT), ticket(6, 1, Some(65531))),
        (client_with(LIMIT), ticket(65535, 255, Some(65531))),
        (client_with(4096), longest),
    ] {
        let mut puppet = Puppet::serving_at(&client, "CONNECTED");
        let update = [&ticket[..], &key_update(0)].concat();
        feed(&mut puppet, &update);
        puppet.write.as_mut().unwrap().update();
        assert_eq!(puppet.state(), "CONNECTED");
        puppet.hears_nothing();
        puppet.send(b"data").unwrap();
        assert_eq!(puppet.delivered, b"data");
    }
    // It is not used.
    let client = client_with(4096);
    let mut puppet = Puppet::serving_at(&client, "CONNECTED");
    feed(&mut puppet, &ticket(5000, 1, None));
    assert!(Puppet::serving(&client).offered_ticket().is_none());
    // One that is not too long is, even if it comes after that one.
    feed(&mut puppet, &ticket(4000, 1, None));
    let (offered, _) = Puppet::serving(&client).offered_ticket().unwrap();
    assert_eq!(offered.len(), 4000);
}

/// RFC 9846, 5.1: "if a handshake message is split over two or more records, there MUST NOT be any
/// other records between them", whether or not it is read.
#[test]
fn nothing_comes_inside_a_skipped_ticket() {
    let mut puppet = Puppet::serving_at(&client_with(4096), "CONNECTED");
    let long = ticket(5000, 1, None);
    for part in long[..long.len() - 1].chunks(1000) {
        let record = puppet.protect(HANDSHAKE, part, 0);
        puppet.feed(&record).unwrap();
    }
    let record = puppet.protect(APPLICATION_DATA, b"data", 0);
    refused!(
        puppet,
        record,
        "CONNECTED",
        10,
        Fault::Interleaved { got } if got.0 == APPLICATION_DATA
    );
}

/// A ticket is skipped only where one may come, and only if it can be one.
#[test]
fn what_is_not_a_ticket_is_not_skipped() {
    let mut puppet = Puppet::client_at("CONNECTED");
    let record = puppet.protect(HANDSHAKE, &header(4, LONGEST_TICKET + 1 - 4), 0);
    refused!(
        puppet,
        record,
        "CONNECTED",
        50,
        Fault::Decode {
            field: "length",
            ..
        }
    );
    for mut puppet in [
        Puppet::client_at("WAIT_SH"),
        Puppet::client_at("WAIT_EE"),
        Puppet::client_at("WAIT_FINISHED"),
        Puppet::server_at("CONNECTED"),
    ] {
        let state = puppet.state();
        let record = puppet.record(HANDSHAKE, &header(4, 100_000));
        refused!(puppet, record, state, 80, Fault::MessageTooLong { .. });
    }
}
