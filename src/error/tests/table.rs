//! The tables of `faults.md` against the errors themselves: each variant has a row, and its alert
//! and its class are true. The lists of variants are those of [`variants`], whose matches have no
//! `_`.

use std::collections::BTreeMap;

use super::*;

const TABLES: &str = include_str!("../faults.md");

/// The rows of all tables whose first column is an error: its name, and the other columns.
fn rows() -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for line in TABLES.lines().filter(|line| line.starts_with("| [`")) {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        let name = cells.next().unwrap();
        let name = name
            .strip_prefix("[`")
            .and_then(|name| name.strip_suffix("`]"));
        let name = name.unwrap_or_else(|| panic!("{line}")).to_owned();
        let cells: Vec<_> = cells.map(str::to_owned).collect();
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
        assert!(rows.insert(name, cells).is_none(), "twice: {line}");
    }
    rows
}

/// The variants of a type, as they are named in the tables.
fn named<T: Variants>(of: &str) -> Vec<String> {
    let names = T::NAMES.iter().map(|pattern| {
        let name = pattern.strip_prefix("E::").unwrap();
        name.split([' ', '(', '{']).next().unwrap()
    });
    names.map(|name| format!("{of}::{name}")).collect()
}

fn name_of<T: Variants>(of: &str, value: &T) -> String {
    named::<T>(of)[value.place()].clone()
}

#[test]
fn each_variant_has_a_row_and_each_row_is_a_variant() {
    let mut variants = named::<Error>("Error");
    variants.extend(named::<Fault>("Fault"));
    variants.extend(named::<CertificateError>("CertificateError"));
    variants.sort();
    let rows: Vec<_> = rows().into_keys().collect();
    assert_eq!(rows, variants);
}

fn alert_text(alert: Option<AlertDescription>) -> String {
    alert.map_or_else(|| "none".to_owned(), |alert| alert.to_string())
}

#[test]
fn each_row_has_the_alert_that_is_sent() {
    let rows = rows();
    let alert = |name: &str| rows[name][0].as_str();
    for (error, ..) in errors() {
        let expected = match &error {
            Error::Protocol { .. } => "the fault's".to_owned(),
            Error::Refused(_) => "the application's".to_owned(),
            error => alert_text(error.alert()),
        };
        assert_eq!(alert(&name_of("Error", &error)), expected, "{error}");
    }
    for (fault, ..) in faults() {
        let expected = match &fault {
            Fault::Certificate(_) => "the certificate error's".to_owned(),
            fault => alert_text(Some(fault.alert())),
        };
        assert_eq!(alert(&name_of("Fault", &fault)), expected, "{fault}");
    }
    for (error, ..) in certificate_errors() {
        let expected = alert_text(Some(error.alert()));
        assert_eq!(
            alert(&name_of("CertificateError", &error)),
            expected,
            "{error}"
        );
    }
}

/// The class by which the helpers sort an error, as the tables name it.
fn class(error: &Error) -> &'static str {
    let classes = [
        (error.is_retryable(), "retry"),
        (error.is_configuration(), "configuration"),
        (error.is_authentication(), "authentication"),
        (error.is_peer_fault(), "peer"),
    ];
    let mut found = classes.iter().filter(|(is, _)| *is);
    let class = found.next().map_or("none", |(_, class)| class);
    assert!(found.next().is_none(), "in two classes: {error}");
    class
}

#[test]
fn each_row_has_the_class_of_the_error() {
    let rows = rows();
    let decides = |name: &str| rows[name][1].as_str();
    for (error, ..) in errors() {
        let expected = match &error {
            Error::Protocol { .. } => "the fault's",
            Error::AlertReceived { .. } => "the alert's",
            error => class(error),
        };
        assert_eq!(decides(&name_of("Error", &error)), expected, "{error}");
    }
    for (fault, ..) in faults() {
        let name = name_of("Fault", &fault);
        // Also of those that become an error of their own.
        let (state, protocol) = ("START", fault.clone());
        let error = Error::Protocol { state, fault };
        assert_eq!(decides(&name), class(&error), "{error}");
        assert_eq!(class(&protocol.in_state(state)), class(&error), "{error}");
    }
    for (error, ..) in certificate_errors() {
        let fault = Fault::Certificate(error);
        let error = Error::Protocol {
            state: "WAIT_CERT",
            fault,
        };
        assert_eq!(class(&error), "authentication", "{error}");
    }
}

#[test]
fn each_alert_that_a_peer_sends_has_its_class() {
    let (_, alerts) = TABLES.split_once("## Alerts that the peer sends").unwrap();
    let rows = alerts.lines().filter_map(|line| line.strip_prefix("| "));
    let rows: BTreeMap<_, _> = rows
        .skip(1)
        .map(|row| {
            let mut cells = row.split(" | ");
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let mut found = 0;
    for number in 0..=u8::MAX {
        let alert = AlertDescription(number);
        for from in [Side::Client, Side::Server] {
            let said = Said::Nothing;
            let error = Error::AlertReceived { alert, from, said };
            let row = rows.get(alert.to_string().as_str());
            found += usize::from(row.is_some());
            assert_eq!(*row.unwrap_or(&"none"), class(&error), "{error}");
        }
    }
    let psk = rows["illegal_parameter, after an external PSK"];
    let error = Error::AlertReceived {
        alert: AlertDescription::ILLEGAL_PARAMETER,
        from: Side::Server,
        said: received::offer("", true),
    };
    assert_eq!(psk, class(&error));
    assert_eq!((found, rows.len()), (2 * 19, 20), "rows of no alert");
}
