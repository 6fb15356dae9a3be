//! [`AltName`]: a name of a certificate's subjectAltName (RFC 5280, 4.2.1.6).

use core::fmt;
use core::net::IpAddr;

use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use crate::error::{CertificateError, Error, NameError};
use crate::identity::der::{inside, malformed};
use crate::identity::server_name::ServerName;
#[cfg(any(test, fuzzing, feature = "authority"))]
use crate::identity::uri;
use crate::identity::uri::MAX_URI;

/// A name of subjectAltName.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AltName {
    /// A DNS name, which may begin with `*.`, in lower case.
    Dns(String),
    Ip(IpAddr),
    Uri(String),
}

impl AltName {
    /// Parses a name for a new certificate: a DNS name, which may begin with `*.`, or an IP
    /// address.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (wildcard, rest) = text
            .strip_prefix("*.")
            .map_or((false, text), |rest| (true, rest));
        let name = ServerName::parse(rest)?;
        match (name.dns(), name.ip()) {
            (Some(dns), _) => Ok(Self::Dns(if wildcard {
                format!("*.{dns}")
            } else {
                dns.to_owned()
            })),
            (None, Some(ip)) if !wildcard => Ok(Self::Ip(ip)),
            _ => Err(NameError::Invalid.into()),
        }
    }
}

#[cfg(any(test, fuzzing, feature = "authority"))]
impl AltName {
    /// Parses a name for a new certificate of an authority, which may be a URI too.
    pub(crate) fn parse_or_uri(text: &str) -> Result<Self, Error> {
        if !uri::is_meant(text) {
            return Self::parse(text);
        }
        if uri::is_valid(text) {
            Ok(Self::Uri(text.to_owned()))
        } else {
            Err(NameError::Uri.into())
        }
    }

    /// Returns a server's name that this name is to cover: itself, or one below a wildcard.
    pub(crate) fn example(&self) -> Option<ServerName> {
        match self {
            Self::Dns(name) => match name.strip_prefix("*.") {
                Some(parent) => ServerName::parse(&format!("a.{parent}")).ok(),
                None => ServerName::parse(name).ok(),
            },
            Self::Ip(ip) => Some(ServerName::from(*ip)),
            Self::Uri(_) => None,
        }
    }
}

/// Returns the URI of the extension if there is exactly one, of any length and form.
pub(crate) fn only_uri(der: &[u8]) -> Result<Option<&str>, CertificateError> {
    let (mut count, mut last) = (0_usize, None);
    each_name(der, |number, bytes| {
        if number == 6 {
            count += 1;
            last = core::str::from_utf8(bytes).ok();
        }
    })?;
    Ok(last.filter(|_| count == 1))
}

/// Reads all names in the extension. Their number is limited by the size of a handshake message.
pub(crate) fn read_names(der: &[u8]) -> Result<Vec<AltName>, CertificateError> {
    let mut names = Vec::new();
    each_name(der, |number, bytes| match number {
        2 => names.extend(dns_name(bytes).map(AltName::Dns)),
        6 => {
            // RFC 3986, section 2: graphic ASCII, so it brings no line break into a log.
            let graphic = bytes.len() <= MAX_URI && bytes.iter().all(u8::is_ascii_graphic);
            names.extend(
                core::str::from_utf8(bytes)
                    .ok()
                    .filter(|_| graphic)
                    .map(|uri| AltName::Uri(uri.to_owned())),
            );
        }
        7 => {
            let four = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
            let sixteen = <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
            names.extend(four.or(sixteen).map(AltName::Ip));
        }
        _ => {}
    })?;
    Ok(names)
}

/// Calls a function with the tag and the content of each name.
fn each_name<'a>(
    der: &'a [u8],
    mut with: impl FnMut(u32, &'a [u8]),
) -> Result<(), CertificateError> {
    let mut outer = SliceReader::new(der).map_err(malformed)?;
    let mut list = inside(&mut outer, Tag::Sequence)?;
    outer.finish().map_err(malformed)?;
    while !list.is_finished() {
        let name = AnyRef::decode(&mut list).map_err(malformed)?;
        let Tag::ContextSpecific {
            constructed,
            number: TagNumber(number),
        } = name.tag()
        else {
            return Err(CertificateError::Malformed);
        };
        match (number, constructed) {
            // rfc822Name, dNSName, uniformResourceIdentifier, iPAddress, registeredID; otherName,
            // x400Address, directoryName, ediPartyName
            (1 | 2 | 6 | 7 | 8, false) | (0 | 3 | 4 | 5, true) => with(number, name.value()),
            // Path validation stops here too, so it has not checked anything after this.
            _ => return Err(CertificateError::Malformed),
        }
    }
    Ok(())
}

/// Reads a dNSName in lower case: a DNS name, which may begin with `*.`.
fn dns_name(bytes: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
    let name = ServerName::parse(text.strip_prefix("*.").unwrap_or(&text)).ok()?;
    name.dns()?;
    Some(text)
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) | Self::Uri(text) => f.write_str(text),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}
