//! server_name (RFC 6066, section 3): the server's name that the client wants.
//!
//! ```text
//! enum {
//!     host_name(0), (255)
//! } NameType;
//!
//! opaque HostName<1..2^16-1>;
//!
//! struct {
//!     ServerName server_name_list<1..2^16-1>
//! } ServerNameList;
//! ```
//!
//! A server that used the name answers with an empty extension in EncryptedExtensions.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};

const HOST_NAME: u8 = 0;

/// The longest DNS name, without its trailing dot (RFC 1035, 2.3.4).
const MAX_DNS_NAME: usize = 253;

/// A name, of the only type that is defined or of another.
///
/// ```text
/// struct {
///     NameType name_type;
///     select (name_type) {
///         case host_name: HostName;
///     } name;
/// } ServerName;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerName<'a> {
    /// A DNS name in ASCII, or what some clients send instead: a DNS name with a trailing dot, or
    /// an IP address. The text is as it came; [`dns_name`](Self::dns_name) returns the name.
    HostName(&'a str),
    /// A future type. RFC 6066 requires all of them to begin with a length, so that they can be
    /// skipped.
    Other { name_type: u8, name: &'a [u8] },
}

impl<'a> ServerName<'a> {
    /// Returns the DNS name, without a trailing dot. Upper case is preserved.
    ///
    /// RFC 6066, 3, permits neither a trailing dot nor literal addresses, but does not say what a
    /// server does about them. An address counts as no name, as in rustls: clients that were given
    /// an address to connect to send it as it is (`mosquitto_pub -h 127.0.0.1`, stunnel), so a
    /// refusal would stop them, and one name for every address would be chosen by the client.
    pub(crate) fn dns_name(&self) -> Option<&'a str> {
        match self {
            Self::HostName(name) => {
                Some(without_trailing_dot(name)).filter(|name| !is_ip_address(name))
            }
            Self::Other { .. } => None,
        }
    }
}

/// Reads the names, at most one of each type.
pub(crate) fn read<'a>(r: &mut Reader<'a>) -> Result<Vec<ServerName<'a>>, Fault> {
    let mut seen = [false; 256];
    r.list16("server_name.server_name_list", 1..)?.items(|r| {
        let name_type = r.u8("server_name.name_type")?;
        // RFC 6066, 3: not more than one name of the same name_type.
        if seen
            .get_mut(usize::from(name_type))
            .is_some_and(|seen| core::mem::replace(seen, true))
        {
            return Err(Illegal::DuplicateEntry {
                list: "server_name_list",
            }
            .into());
        }
        Ok(match name_type {
            HOST_NAME => ServerName::HostName(host_name(r.vec16("server_name.host_name", 1..)?)?),
            _ => ServerName::Other {
                name_type,
                name: r.vec16("server_name.name", ..)?,
            },
        })
    })
}

pub(crate) fn write(names: &[ServerName<'_>], w: &mut Writer) {
    w.vec16(|w| {
        for name in names {
            match name {
                ServerName::HostName(name) => {
                    w.u8(HOST_NAME);
                    w.opaque16(name.as_bytes());
                }
                ServerName::Other { name_type, name } => {
                    w.u8(*name_type);
                    w.opaque16(name);
                }
            }
        }
    });
}

/// Checks the text of a host_name: a DNS name, perhaps with a trailing dot, or an IP address.
///
/// Applications use it as a DNS name, and make paths and keys from it, so only such names are
/// accepted: labels of letters, digits, hyphens and underscores (which many names have). This
/// excludes spaces, control characters and the zero byte, and a colon, which would add a port.
fn host_name(bytes: &[u8]) -> Result<&str, Illegal> {
    let text = str::from_utf8(bytes).map_err(|_| Illegal::ServerName)?;
    let name = without_trailing_dot(text);
    let is_name = name.len() <= MAX_DNS_NAME && name.split('.').all(is_label);
    if is_name || is_ip_address(name) {
        Ok(text)
    } else {
        Err(Illegal::ServerName)
    }
}

fn without_trailing_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Returns true for an IPv4 address, and for an IPv6 address, which may be in brackets, as in a
/// URL, and have a zone, also one with a dot, such as `eth0.100`.
fn is_ip_address(text: &str) -> bool {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let v6 = inner.unwrap_or(text);
    let is_v6 = match v6.split_once('%') {
        Some((address, zone)) => {
            address.parse::<Ipv6Addr>().is_ok() && zone.split('.').all(is_label)
        }
        None => v6.parse::<Ipv6Addr>().is_ok(),
    };
    is_v6 || text.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::{AlertDescription, ExtensionType};
    use crate::error::DecodeProblem;
    use crate::message::extensions::placement::Place;
    use crate::message::testing::{breach, extension, fault, hex, message_with, vector};
    use crate::message::{ClientHello, ClientHelloExtension, Message};

    const TYPE: ExtensionType = ExtensionType::SERVER_NAME;

    fn client_hello(data: &str) -> ClientHello<'static> {
        match extension(Place::ClientHello, TYPE, data) {
            Message::ClientHello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    fn with_name(name: &[u8]) -> Vec<u8> {
        message_with(
            Place::ClientHello,
            &[(TYPE, &vector(2, &[&[0][..], &vector(2, name)].concat()))],
        )
    }

    #[test]
    fn a_name() {
        assert_eq!(
            client_hello("0009 00 0006 736572766572").server_name(),
            Some("server")
        );
    }

    /// RFC 6066, 3: other types of name begin with a length, so they can be skipped.
    #[test]
    fn a_name_of_another_type() {
        let hello = client_hello("000c 07 0002 0102 00 0004 612e6264");
        assert_eq!(hello.server_name(), Some("a.bd"));
        let expected = vec![
            ServerName::Other {
                name_type: 7,
                name: &[1, 2],
            },
            ServerName::HostName("a.bd"),
        ];
        assert_eq!(
            hello.extensions,
            Some(vec![ClientHelloExtension::ServerName(expected)])
        );
        assert_eq!(client_hello("0003 07 0000").server_name(), None);
    }

    /// RFC 6066, 3: "The ServerNameList MUST NOT contain more than one name of the same name_type."
    #[test]
    fn two_names_of_one_type_are_refused() {
        for list in ["0008 00 0001 61 00 0001 62", "0006 07 0000 07 0000"] {
            let fault = fault(&message_with(Place::ClientHello, &[(TYPE, &hex(list))]));
            assert!(
                matches!(
                    fault,
                    Fault::Illegal(Illegal::DuplicateEntry {
                        list: "server_name_list"
                    })
                ),
                "{fault}"
            );
            assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
        }
    }

    /// `HostName<1..2^16-1>`, `server_name_list<1..2^16-1>`
    #[test]
    fn neither_list_nor_name_is_empty() {
        assert_eq!(
            breach(&with_name(b"")),
            ("ClientHello", "server_name.host_name", DecodeProblem::Empty)
        );
        let bytes = message_with(Place::ClientHello, &[(TYPE, &hex("0000"))]);
        assert_eq!(
            breach(&bytes),
            (
                "ClientHello",
                "server_name.server_name_list",
                DecodeProblem::Empty
            )
        );
    }

    /// RFC 6066, 3: "represented as a byte string using ASCII encoding without a trailing dot".
    /// Some clients send the dot.
    #[test]
    fn a_trailing_dot_is_left_out() {
        for name in ["server.", "Server.Example.", "192.0.2.1.example."] {
            let bytes = with_name(name.as_bytes());
            let Message::ClientHello(hello) = Message::decode(&bytes).unwrap() else {
                panic!("not a ClientHello")
            };
            assert_eq!(hello.server_name(), Some(&name[..name.len() - 1]));
            // A second ClientHello is compared with what came.
            assert_eq!(Message::ClientHello(hello).encode().unwrap(), bytes);
        }
    }

    /// RFC 6066, 3: "Literal IPv4 and IPv6 addresses are not permitted". Some clients send them.
    #[test]
    fn an_ip_address_is_no_name() {
        for name in [
            "192.0.2.1",
            "192.0.2.1.",
            "2001:db8::1",
            "2001:DB8::1",
            "::1",
            "::ffff:192.0.2.1",
            "[::1]",
            "[2001:db8::1]",
            "fe80::1%eth0",
            "[fe80::1%2]",
            "fe80::1%eth0.100",
        ] {
            let bytes = with_name(name.as_bytes());
            let Message::ClientHello(hello) = Message::decode(&bytes).unwrap() else {
                panic!("not a ClientHello")
            };
            assert_eq!(hello.server_name(), None, "{name}");
            assert_eq!(Message::ClientHello(hello).encode().unwrap(), bytes);
        }
    }

    /// RFC 6066, 3: "the fully qualified DNS hostname of the server".
    #[test]
    fn what_is_no_dns_name_is_refused() {
        // RFC 1035, 2.3.4: 255 bytes with all lengths, so 253 as text.
        let long = ["abc"; 63].join(".");
        let (longest, too_long) = (format!("a.{long}"), format!("ab.{long}"));
        assert_eq!((longest.len(), too_long.len()), (253, 254));
        for name in [
            ".",
            "..",
            "server..",
            ".server",
            "a..b",
            "server:443",
            "192.0.2.1:443",
            "[192.0.2.1]",
            "[::1]:443",
            "[::1",
            "::1]",
            "[]",
            "[server]",
            "192.0.2.1%eth0",
            "server%eth0",
            "fe80::1%",
            "fe80::1%a b",
            "m\u{fc}nchen.example",
            "a b",
            "a\0b",
            "a\n",
            &too_long,
        ] {
            let fault = fault(&with_name(name.as_bytes()));
            assert!(
                matches!(fault, Fault::Illegal(Illegal::ServerName)),
                "{name:?}: {fault}"
            );
            assert_eq!(fault.alert(), AlertDescription::ILLEGAL_PARAMETER);
        }
        assert!(matches!(
            fault(&with_name(&[0xff])),
            Fault::Illegal(Illegal::ServerName)
        ));
        for name in [
            "server",
            "Server.Example",
            "a_b.example",
            "xn--mnchen-3ya.example",
            "1.example",
            "192.0.2.1.example",
            &longest,
            &format!("{longest}."),
        ] {
            assert!(
                Message::decode(&with_name(name.as_bytes())).is_ok(),
                "{name}"
            );
        }
    }

    /// RFC 6066, 3: the server's answer "SHALL be empty".
    #[test]
    fn an_answer_is_empty() {
        let Message::EncryptedExtensions(answer) = extension(Place::EncryptedExtensions, TYPE, "")
        else {
            panic!("not EncryptedExtensions")
        };
        assert!(answer.server_name());
    }
}
