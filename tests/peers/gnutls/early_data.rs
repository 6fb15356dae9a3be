//! Early data (0-RTT) from GnuTLS's `gnutls-cli` and to its `gnutls-serv`.
//!
//! `gnutls-cli --earlydata` sends a file when it resumes. `gnutls-serv --earlydata` accepts such
//! data and prints nothing about it.

use fleeting::{Client, EarlyData, ReplayGuard, Server, TicketKeys};

use crate::gnutls::commands::{RESUME, echo, end_first, gnutls_cli, gnutls_serv, priority};
use crate::program::{
    BULK, Door, World, accept_early, connect, connect_early, exchange, expect_end,
};
use crate::support::{SUITES, lines};
use crate::wire::EARLY_DATA;

/// How much early data is sent and accepted, in bytes: several records.
const SIZE: usize = 40_000;

const MAX_SIZE: u32 = 40_000;

/// The second connection is to a server that accepts early data, or to one that does not.
#[test]
#[ignore = "needs gnutls-cli"]
fn gnutls_cli_sends_early_data() {
    let world = World::new();
    let early = lines("early", SIZE);
    let file = format!("--earlydata={}", world.folder.write("early", &early));
    for suite in SUITES {
        for outcome in [EarlyData::Accepted, EarlyData::Rejected] {
            println!("{}, {outcome:?}", suite.1);
            let keys = TicketKeys::rotating();
            let builder = || {
                Server::builder()
                    .identity(world.pki.server.clone())
                    .ticket_keys(keys.clone())
            };
            let server = builder()
                .early_data(MAX_SIZE, ReplayGuard::in_memory(100))
                .build()
                .unwrap();
            let door = Door::open();
            let arguments = [&RESUME[..], &[&file]].concat();
            let mut program = gnutls_cli(&world, &door, &priority(suite), &arguments);
            let (stream, received) = accept_early(&server, door.wait(&program), b"").unwrap();
            assert!(received.is_empty() && stream.early_data() == EarlyData::NotOffered);
            end_first(stream, &program);

            let other = builder().build().unwrap();
            let second = if outcome == EarlyData::Accepted {
                &server
            } else {
                &other
            };
            let (mut stream, received) =
                accept_early(second, door.wait(&program), b"1 at once\n").unwrap();
            assert!(
                received
                    == if outcome == EarlyData::Accepted {
                        &early[..]
                    } else {
                        b""
                    },
                "received {} bytes",
                received.len()
            );
            assert_eq!(
                (stream.early_data(), stream.resumed(), stream.cipher_suite()),
                (outcome, true, suite.0)
            );
            assert!(stream.get_ref().client_offered(EARLY_DATA));
            program.wait_for("- Simple Client Mode");
            if outcome == EarlyData::Accepted {
                program.wait_for("1 at once\n");
            }
            exchange(&mut stream, &program, "bulk", BULK);
            program.end_input();
            expect_end(&mut stream, &program);
            stream.close().unwrap();
            program.finish_well();
        }
    }
}

/// Early data is sent under a ticket of the running server. Then the server is restarted, and does
/// not know the ticket.
#[test]
#[ignore = "needs gnutls-serv"]
fn we_send_early_data_to_gnutls_serv() {
    let world = World::new();
    for suite in SUITES {
        println!("{}", suite.1);
        let client = Client::builder()
            .trust(world.pki.authority.trust())
            .early_data(true)
            .build()
            .unwrap();
        for anew in [false, true] {
            let maximum = format!("--maxearlydata={MAX_SIZE}");
            let arguments = ["--disable-client-cert", "--earlydata", &maximum];
            let (program, port) = gnutls_serv(&world, &world.server, &priority(suite), &arguments);
            for number in 1..=3 {
                let mut stream = match (anew, number) {
                    (false, 1) => connect(&client, port).unwrap(),
                    // It counts skipped data with the bytes that records add, and skips no more
                    // than it would accept.
                    (true, 1) => {
                        connect_early(&client, port, &lines("early", SIZE - 1000)).unwrap()
                    }
                    _ => connect_early(&client, port, &lines("early", SIZE)).unwrap(),
                };
                let outcome = match (anew, number) {
                    (_, 2..) => EarlyData::Accepted,
                    (true, _) => EarlyData::Rejected,
                    (false, _) => EarlyData::NotOffered,
                };
                assert_eq!(
                    (stream.early_data(), stream.cipher_suite()),
                    (outcome, suite.0),
                    "anew: {anew}, {number}"
                );
                assert_eq!(stream.resumed(), number > 1);
                echo(&mut stream, &program, "bulk", BULK);
                stream.rekey().unwrap();
                echo(&mut stream, &program, "rekey", 100);
                stream.close().unwrap();
                expect_end(&mut stream, &program);
            }
        }
    }
}
