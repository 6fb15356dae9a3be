//! [`DistinguishedName`]: the name of a subject or an issuer (RFC 5280, 4.1.2.4), as text.
//!
//! ```text
//! Name ::= SEQUENCE OF RelativeDistinguishedName
//! RelativeDistinguishedName ::= SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
//! ```
//!
//! Path validation compares names as bytes. This text is for people, logs and hooks.

use core::fmt::Write as _;

use const_oid::db::{DB, rfc4519};
use der::asn1::{
    AnyRef, BmpString, Ia5StringRef, ObjectIdentifier, PrintableStringRef, TeletexStringRef,
    Utf8StringRef,
};
use der::{Decode, Reader, SliceReader, Tag, Tagged};

use crate::error::CertificateError;
use crate::identity::der::{inside, malformed};

/// An attribute's type and value.
struct Attribute<'a> {
    kind: ObjectIdentifier,
    value: AnyRef<'a>,
    /// The value with tag and length.
    der: &'a [u8],
}

/// The relative names in the order of the encoding, each with its attributes.
pub(crate) struct DistinguishedName<'a>(Vec<Vec<Attribute<'a>>>);

impl<'a> DistinguishedName<'a> {
    /// Reads a Name with tag and length.
    ///
    /// DER sorts the attributes of a relative name; that is not checked, since OpenSSL shows such
    /// names in the order in which they are encoded.
    pub(crate) fn read(name: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = SliceReader::new(name).map_err(malformed)?;
        let mut sequence = inside(&mut outer, Tag::Sequence)?;
        outer.finish().map_err(malformed)?;
        let mut names = Vec::new();
        while !sequence.is_finished() {
            let mut set = inside(&mut sequence, Tag::Set)?;
            let mut attributes = Vec::new();
            while !set.is_finished() {
                let mut pair = inside(&mut set, Tag::Sequence)?;
                let kind = ObjectIdentifier::decode(&mut pair).map_err(malformed)?;
                let der = pair.tlv_bytes().map_err(malformed)?;
                let value = AnyRef::from_der(der).map_err(malformed)?;
                pair.finish().map_err(malformed)?;
                attributes.push(Attribute { kind, value, der });
            }
            names.push(attributes);
        }
        Ok(Self(names))
    }

    /// Returns the name as text (RFC 4514): the last relative name first. Characters that RFC 4514
    /// allows to stand unescaped are escaped if they are not [`plain`].
    pub(crate) fn text(&self) -> String {
        let relative = |attributes: &Vec<Attribute<'_>>| {
            let attributes: Vec<_> = attributes.iter().map(Attribute::text).collect();
            attributes.join("+")
        };
        let names: Vec<_> = self.0.iter().rev().map(relative).collect();
        names.join(",")
    }

    /// Returns the first common name. `None` if it is not [`plain`], since an escaped one could be
    /// another's.
    pub(crate) fn common_name(&self) -> Option<String> {
        let mut attributes = self.0.iter().flatten();
        let common_name = attributes.find(|attribute| attribute.kind == rfc4519::COMMON_NAME)?;
        let name = match common_name.value.tag() {
            Tag::BmpString => BmpString::from_der(common_name.der).ok()?.to_string(),
            Tag::Ia5String => return None,
            _ => common_name.string()?.to_owned(),
        };
        name.chars().all(plain).then_some(name)
    }
}

impl Attribute<'_> {
    /// The value, if it is a string of one of the usual types.
    fn string(&self) -> Option<&str> {
        let der = self.der;
        match self.value.tag() {
            Tag::PrintableString => Some(PrintableStringRef::from_der(der).ok()?.as_str()),
            Tag::Utf8String => Some(Utf8StringRef::from_der(der).ok()?.as_str()),
            Tag::Ia5String => Some(Ia5StringRef::from_der(der).ok()?.as_str()),
            Tag::TeletexString => Some(TeletexStringRef::from_der(der).ok()?.as_str()),
            _ => None,
        }
    }

    /// `TYPE=value`; `1.2.3=#hex` if the type has no name or the value is not a string (RFC 4514,
    /// 2.3 and 2.4).
    fn text(&self) -> String {
        let mut out = String::new();
        let (Some(name), Some(value)) = (short_name(&self.kind), self.string()) else {
            let _ = write!(out, "{}=#", self.kind);
            out.extend(self.der.iter().map(|byte| format!("{byte:02x}")));
            return out;
        };
        out.push_str(&name.to_ascii_uppercase());
        out.push('=');
        let last = value.chars().count().saturating_sub(1);
        for (at, character) in value.chars().enumerate() {
            match character {
                '#' if at == 0 => out.push_str("\\#"),
                ' ' if at == 0 || at == last => out.push_str("\\ "),
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', character]),
                _ if plain(character) => out.push(character),
                // RFC 4514, 2.4: each octet of the UTF-8 form as a backslash and two digits.
                _ => {
                    let mut buffer = [0; 4];
                    let octets = character.encode_utf8(&mut buffer).bytes();
                    out.extend(octets.map(|byte| format!("\\{byte:02x}")));
                }
            }
        }
        out
    }
}

/// The shortest name of an attribute type, the first of several of that length.
fn short_name(kind: &ObjectIdentifier) -> Option<&'static str> {
    DB.find_names_for_oid(*kind).min_by_key(|name| name.len())
}

/// Returns true if a character affects nothing but itself: no control character, no line or
/// paragraph separator, and none that changes the direction of the text around it (Unicode UAX #9,
/// table 4). The others could make a name look like another, or one line of a log like two.
pub(crate) fn plain(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}
