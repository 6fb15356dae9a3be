//! What a build without a feature reports about what it lacks. `just features` runs this without
//! any features.

#![cfg(not(any(feature = "secp256r1", feature = "accelerate")))]

use fleeting::{Client, Identity, NamedGroup, Trust};

fn trust() -> Trust {
    Trust::key_for("db.internal", Identity::generate().unwrap().public_key())
}

#[test]
fn a_group_that_needs_a_feature_is_refused_by_its_name() {
    let named = Client::builder()
        .trust(trust())
        .groups([NamedGroup::SECP256R1])
        .build();
    let error = named.unwrap_err().to_string();
    assert!(
        error.contains("secp256r1") && error.contains("feature"),
        "{error}"
    );
}

#[test]
fn a_group_that_needs_a_feature_is_not_among_the_default_groups() {
    // Both the default settings and the groups that are left work.
    Client::builder().trust(trust()).build().unwrap();
    let left = [NamedGroup::X25519_MLKEM768, NamedGroup::X25519];
    Client::builder()
        .trust(trust())
        .groups(left)
        .build()
        .unwrap();
}
