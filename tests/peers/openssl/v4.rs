//! OpenSSL 4 through pyOpenSSL and the program `peer.py`, because Debian's `openssl` is too old.
//! Install it by `pip install pyopenssl`: the package `cryptography` that it requires contains
//! OpenSSL. It starts no KeyUpdate.

use crate::speaker::{self, HYBRID, Speaker};

const INSTALL: &str = "pip install pyopenssl";

fn openssl4() -> Speaker {
    let command = [
        "python3",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/peer.py"),
    ]
    .map(String::from)
    .to_vec();
    Speaker {
        command,
        install: INSTALL,
        server_knows_group: true,
        client_remembers_peer: true,
        knows_retries: false,
    }
}

#[test]
#[ignore = "needs pyopenssl"]
fn openssl4_client_talks_to_us() {
    speaker::client_talks_to_us(&openssl4());
}

#[test]
#[ignore = "needs pyopenssl"]
fn we_talk_to_openssl4_server() {
    speaker::we_talk_to_server(&openssl4());
}

#[test]
#[ignore = "needs pyopenssl"]
fn openssl4_client_resumes() {
    speaker::client_resumes(&openssl4());
}

#[test]
#[ignore = "needs pyopenssl"]
fn we_resume_with_openssl4_server() {
    speaker::we_resume(&openssl4());
}

#[test]
#[ignore = "needs pyopenssl"]
fn openssl4_client_is_led_to_a_group() {
    // It sends a share only for the first group, but we want a better one.
    speaker::client_is_led_to_group(
        &openssl4(),
        &[("X25519,X25519MLKEM768", |ours| ours, HYBRID, true)],
    );
}

#[test]
#[ignore = "needs pyopenssl"]
fn openssl4_server_leads_us_to_a_group() {
    speaker::we_are_led_to_group(&openssl4());
}
