//! server_name (RFC 6066, section 3): which of a server's names the client wants.
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

use core::net::IpAddr;

use crate::error::{Fault, Illegal};
use crate::message::codec::{Reader, Writer};

const HOST_NAME: u8 = 0;

/// A name, of the one type there is or of another.
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
    /// A DNS name in ASCII, without a trailing dot, and no IP address. Upper case is kept as it came.
    HostName(&'a str),
    /// A type of the future. RFC 6066 lets all of them begin with a length, so that they can be skipped.
    Other { name_type: u8, name: &'a [u8] },
}

/// The names, each of another type.
pub(crate) fn read<'a>(r: &mut Reader<'a>) -> Result<Vec<ServerName<'a>>, Fault> {
    let mut seen = [false; 256];
    r.list16("server_name.server_name_list", 1..)?.items(|r| {
        let name_type = r.u8("server_name.name_type")?;
        // RFC 6066, 3: not more than one name of the same name_type.
        if seen.get_mut(usize::from(name_type)).is_some_and(|seen| core::mem::replace(seen, true)) {
            return Err(Illegal::DuplicateEntry { list: "server_name_list" }.into());
        }
        Ok(match name_type {
            HOST_NAME => ServerName::HostName(host_name(r.vec16("server_name.host_name", 1..)?)?),
            _ => ServerName::Other { name_type, name: r.vec16("server_name.name", ..)? },
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

/// RFC 6066, 3: ASCII without a trailing dot; literal IPv4 and IPv6 addresses are not permitted.
///
/// Which characters a DNS name may have beyond that is not for TLS to say (names with an underscore are in use), but spaces and control
/// characters, the zero byte among them, are in none. A colon would make it an IPv6 address or bring a port along.
fn host_name(bytes: &[u8]) -> Result<&str, Illegal> {
    let name = str::from_utf8(bytes).map_err(|_| Illegal::ServerName)?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') && !name.ends_with('.');
    if is_name && name.parse::<IpAddr>().is_err() { Ok(name) } else { Err(Illegal::ServerName) }
}
