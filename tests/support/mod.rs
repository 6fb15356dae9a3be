//! A small PKI with every error that a certificate can have, and a clock, for the tests against
//! other TLS implementations.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{Authority, CipherSuite, Identity, Now, Validity};

/// The name in every valid server certificate.
pub const SERVER_NAME: &str = "localhost";

/// The name in every valid client certificate.
pub const CLIENT_NAME: &str = "alice";

/// A cipher suite and its name.
pub type Suite = (CipherSuite, &'static str);

/// All suites that are implemented.
pub const SUITES: [Suite; 3] = [
    (
        CipherSuite::TLS_AES_128_GCM_SHA256,
        "TLS_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS_AES_256_GCM_SHA384,
        "TLS_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
];

/// A trusted authority, an authority below it that issues the valid certificates, and an untrusted
/// authority.
pub struct Pki {
    pub authority: Authority,
    pub stranger: Authority,
    pub server: Identity,
    pub client: Identity,
}

impl Pki {
    pub fn new() -> Self {
        // A certificate is not valid longer than its authority, and an expired one is needed.
        let since_2000 = Validity::between(
            Duration::from_secs(946_684_800),
            now().unix + Duration::from_secs(86_400),
        )
        .unwrap();
        let authority = Authority::builder("peers' root")
            .validity(since_2000)
            .build()
            .unwrap();
        let below = Authority::builder("peers' own")
            .build_under(&authority)
            .unwrap();
        Self {
            server: below.issue_server([SERVER_NAME, "127.0.0.1"]).unwrap(),
            client: below.issue_client(CLIENT_NAME).unwrap(),
            stranger: Authority::new("a stranger's root").unwrap(),
            authority,
        }
    }

    pub fn untrusted_server(&self) -> Identity {
        self.stranger
            .issue_server([SERVER_NAME, "127.0.0.1"])
            .unwrap()
    }

    pub fn expired_server(&self) -> Identity {
        self.authority
            .certificate()
            .server([SERVER_NAME, "127.0.0.1"])
            .validity(in_2001())
            .issue()
            .unwrap()
    }

    pub fn wrongly_named_server(&self) -> Identity {
        self.authority.issue_server(["elsewhere.internal"]).unwrap()
    }

    pub fn untrusted_client(&self) -> Identity {
        self.stranger.issue_client(CLIENT_NAME).unwrap()
    }

    pub fn expired_client(&self) -> Identity {
        self.authority
            .certificate()
            .client(CLIENT_NAME)
            .validity(in_2001())
            .issue()
            .unwrap()
    }
}

/// The validity of a day in 2001.
fn in_2001() -> Validity {
    Validity::between(
        Duration::from_secs(1_000_000_000),
        Duration::from_secs(1_000_086_400),
    )
    .unwrap()
}

/// Returns the time of the system's clock, which the peers use too.
pub fn now() -> Now {
    Now::new(
        Duration::ZERO,
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
    )
}

/// Returns `length` bytes, rounded up to a line of 32. Each line states its position, so that a
/// piece that is lost, repeated or moved is noticed. It begins with a digit, which no program takes
/// for a command.
pub fn lines(from: &str, length: usize) -> Vec<u8> {
    (0..length.div_ceil(32))
        .flat_map(|number| format!("{number:08} from {from:.<17}\n").into_bytes())
        .collect()
}
