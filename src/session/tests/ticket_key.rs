//! A single key: what is refused, and what is shown of it.

use super::ticket_keys::key;
use super::*;
use crate::error::{ConfigError, Error};
use crate::session::TicketKey;

#[test]
fn a_key_that_cannot_work_is_refused() {
    let reason = |made: Result<TicketKey, Error>| match made {
        Err(Error::Config(ConfigError::Setting {
            name: "TicketKey",
            reason,
        })) => reason,
        other => panic!("{other:?}"),
    };
    let (from, until, gone) = (NOW, NOW + HOUR, NOW + 2 * HOUR);
    assert!(reason(TicketKey::new([1; 31], from, until, gone)).contains("32"));
    assert!(reason(TicketKey::new([], from, until, gone)).contains("32"));
    assert!(reason(TicketKey::new([0; 32], from, until, gone)).contains("zeros"));
    assert!(reason(TicketKey::new([1; 32], until, from, gone)).contains("encrypt_until"));
    assert!(reason(TicketKey::new([1; 32], from, from, gone)).contains("encrypt_until"));
    assert!(reason(TicketKey::new([1; 32], from, until, until - MILLI)).contains("decrypt_until"));
    assert!(TicketKey::new([1; 32], from, until, until).is_ok());
    assert!(TicketKey::new(vec![1; 64], Duration::ZERO, Duration::MAX, Duration::MAX).is_ok());
}

#[test]
fn a_key_shows_its_name_and_nothing_else() {
    let key = key(1, NOW, NOW + HOUR, NOW + 2 * HOUR);
    let name: String = key
        .name()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let shown = format!("{key:?}");
    assert!(shown.contains(&name) && shown.len() < 300, "{shown}");
}
