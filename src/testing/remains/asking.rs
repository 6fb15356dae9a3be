//! Handshakes that end while they wait for an answer, in each possible way.

use core::time::Duration;
use std::fs;
use std::path::Path;

use super::{Pair, Run, Seeded, now};
use crate::client::Client;
use crate::code_point::AlertDescription;
use crate::connection::{Connection, Status};
use crate::crypto::suite::Suite;
use crate::handshake::{Answer, Question};
use crate::identity::{Identity, Trust};
use crate::server::{ClientAuth, Server};
use crate::session::{ReplayGuard, SessionCache, TicketKeys};
use crate::time::Now;

/// The side that asks (true for the server), and its question.
const QUESTIONS: [(bool, Question); 4] = [
    (true, Question::Configuration),
    (true, Question::Replay),
    (true, Question::Signature),
    (false, Question::Signature),
];

/// The ways in which a handshake ends. What is not dropped with the handshake remains, failed,
/// during the search.
const ENDS: [fn(&mut Connection); 4] = [
    // An invalid signature. At any other question this is not an answer, and the question is
    // refused.
    |asked| {
        if asked
            .answer(Answer::Signature(vec![0; 64]), now(), &mut Seeded(0))
            .is_err()
            && asked.error().is_none()
        {
            asked.refuse(AlertDescription::INTERNAL_ERROR).unwrap();
        }
    },
    |asked| asked.refuse(AlertDescription::ACCESS_DENIED).unwrap(),
    |asked| asked.close(),
    |asked| {
        let late = Now {
            monotonic: Duration::from_secs(60),
            ..now()
        };
        assert!(asked.process(late, &mut Seeded(0)).is_err());
    },
];

/// Drops one handshake at each question, and ends others.
pub(super) fn script(suite: Suite, keys: &Path, run: &mut dyn Run) {
    let chain = |name| fs::read(keys.join(format!("{name}.pem"))).unwrap();
    let held = |name| {
        Identity::from_pem_files(
            keys.join(format!("{name}.pem")),
            keys.join(format!("{name}.key")),
        )
        .unwrap()
    };
    let trust = || Trust::roots_from_pem(chain("authority")).unwrap();
    let held = [held("client"), held("server")];
    let sessions = SessionCache::new(8);
    let client = Client::builder()
        .trust(trust())
        .identity(Identity::asking(chain("client")).unwrap());
    let client = client
        .cipher_suites([suite.code_point()])
        .early_data(true)
        .sessions(sessions.clone())
        .build()
        .unwrap();
    let server = Server::builder()
        .identity(Identity::asking(chain("server")).unwrap())
        .client_auth(ClientAuth::Required(trust()));
    let server = server
        .ticket_keys(TicketKeys::rotating())
        .early_data(100, ReplayGuard::asking("a store"))
        .build()
        .unwrap();
    run.dropped("loading");

    let mut seed = 0;
    let mut asking = |at_server: bool, question| {
        // A question that needs a session gets a session of its own, from a handshake that is
        // answered.
        sessions.clear();
        seed += 2;
        let mut pair = undecided(&client, seed);
        answer_until(&mut pair, &server, &held, (at_server, question));
        if question != Question::Replay {
            return pair;
        }
        assert!(pair.client.negotiated().is_some());
        pair.server.write(b"with tickets").unwrap();
        pair.settle();
        let mut again = undecided(&client, seed + 1);
        answer_until(&mut again, &server, &held, (at_server, question));
        again
    };
    let mut dropped: Vec<_> = QUESTIONS
        .iter()
        .map(|(at_server, question)| asking(*at_server, *question))
        .collect();
    let mut ended: Vec<_> = ENDS
        .iter()
        .flat_map(|end| {
            QUESTIONS
                .iter()
                .map(move |(at_server, question)| (*end, *at_server, *question))
        })
        .map(|(end, at_server, question)| (end, at_server, asking(at_server, question)))
        .collect();
    for pair in dropped.iter().chain(ended.iter().map(|(.., pair)| pair)) {
        assert!(pair.client.is_handshaking() && pair.server.is_handshaking());
    }
    // No pause here: keys that derive from dropped secrets are still alive.
    run.dropped("handshakes");
    dropped.clear();
    for (end, at_server, pair) in &mut ended {
        end(if *at_server {
            &mut pair.server
        } else {
            &mut pair.client
        });
        pair.settle();
        for side in [&mut pair.client, &mut pair.server] {
            assert!(side.process(now(), &mut pair.rng).is_err());
        }
    }
    run.dropped("ending");
    run.pause();

    drop((ended, client, server, sessions, held));
    run.dropped("the end");
    run.pause();
}

/// Returns a client, with early data if it has a session, and a server that asks everything.
fn undecided(client: &Client, seed: u64) -> Pair {
    let mut rng = Seeded(seed);
    let mut client = client
        .connection("server.internal", now(), &mut rng)
        .unwrap();
    client.write_early_data(b"early data").unwrap();
    let mut pair = Pair {
        client,
        server: Connection::undecided(now()),
        rng,
    };
    pair.settle();
    pair
}

/// Answers every question that comes before `until`, or every question if `until` is never asked.
fn answer_until(pair: &mut Pair, server: &Server, held: &[Identity; 2], until: (bool, Question)) {
    loop {
        let Pair {
            client,
            server: serving,
            rng,
        } = &mut *pair;
        let mut asked = false;
        for (at_server, end) in [(false, client), (true, serving)] {
            let Ok(Status::Ask(question)) = end.process(now(), rng) else {
                continue;
            };
            if (at_server, question) == until {
                return;
            }
            asked = true;
            match question {
                Question::Configuration => end.choose(server, now(), rng).unwrap(),
                Question::Signature => {
                    let signature = held[usize::from(at_server)]
                        .sign(end.to_sign().unwrap())
                        .unwrap()
                        .unwrap();
                    end.answer(Answer::Signature(signature.to_vec()), now(), rng)
                        .unwrap();
                }
                Question::Replay => unreachable!("there is no session before this is looked for"),
            }
        }
        if !asked {
            return;
        }
        pair.settle();
    }
}
