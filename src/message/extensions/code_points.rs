//! Extensions that are lists of code points, in the order of preference.
//!
//! ```text
//! struct {
//!     select (Handshake.msg_type) {
//!         case client_hello:
//!              ProtocolVersion versions<2..254>;
//!         case server_hello: /* and HelloRetryRequest */
//!              ProtocolVersion selected_version;
//!     };
//! } SupportedVersions;
//!
//! struct {
//!     SignatureScheme supported_signature_algorithms<2..2^16-2>;
//! } SignatureSchemeList;
//!
//! struct {
//!     NamedGroup named_group_list<2..2^16-1>;
//! } NamedGroupList;
//!
//! struct {
//!     PskKeyExchangeMode ke_modes<1..255>;
//! } PskKeyExchangeModes;
//!
//! struct {                                                        /* RFC 7250, section 3 */
//!     select(ClientOrServerExtension) {
//!         case client:
//!           CertificateType client_certificate_types<1..2^8-1>;
//!         case server:
//!           CertificateType client_certificate_type;
//!     }
//! } ClientCertTypeExtension;                                      /* ServerCertTypeExtension is the same */
//! ```

use crate::code_point::{CertificateType, NamedGroup, ProtocolVersion, PskKeyExchangeMode, SignatureScheme};
use crate::error::Fault;
use crate::message::codec::{Reader, Writer};

/// supported_versions in a ClientHello.
pub(crate) fn read_versions(r: &mut Reader<'_>) -> Result<Vec<ProtocolVersion>, Fault> {
    let field = "supported_versions.versions";
    r.list8(field, 2..=254)?.code_points(field, ProtocolVersion)
}

pub(crate) fn write_versions(versions: &[ProtocolVersion], w: &mut Writer) {
    w.vec8(|w| versions.iter().for_each(|version| w.u16(version.0)));
}

/// signature_algorithms and signature_algorithms_cert.
pub(crate) fn read_schemes(r: &mut Reader<'_>, field: &'static str) -> Result<Vec<SignatureScheme>, Fault> {
    r.list16(field, 2..=65534)?.code_points(field, SignatureScheme)
}

pub(crate) fn write_schemes(schemes: &[SignatureScheme], w: &mut Writer) {
    w.vec16(|w| schemes.iter().for_each(|scheme| w.u16(scheme.0)));
}

/// supported_groups.
pub(crate) fn read_groups(r: &mut Reader<'_>) -> Result<Vec<NamedGroup>, Fault> {
    let field = "supported_groups.named_group_list";
    r.list16(field, 2..)?.code_points(field, NamedGroup)
}

pub(crate) fn write_groups(groups: &[NamedGroup], w: &mut Writer) {
    w.vec16(|w| groups.iter().for_each(|group| w.u16(group.0)));
}

/// psk_key_exchange_modes.
pub(crate) fn read_modes(r: &mut Reader<'_>) -> Result<Vec<PskKeyExchangeMode>, Fault> {
    Ok(r.vec8("psk_key_exchange_modes.ke_modes", 1..)?.iter().copied().map(PskKeyExchangeMode).collect())
}

pub(crate) fn write_modes(modes: &[PskKeyExchangeMode], w: &mut Writer) {
    w.vec8(|w| modes.iter().for_each(|mode| w.u8(mode.0)));
}

/// client_certificate_type or server_certificate_type in a ClientHello.
pub(crate) fn read_certificate_types(r: &mut Reader<'_>, field: &'static str) -> Result<Vec<CertificateType>, Fault> {
    Ok(r.vec8(field, 1..)?.iter().copied().map(CertificateType).collect())
}

pub(crate) fn write_certificate_types(types: &[CertificateType], w: &mut Writer) {
    w.vec8(|w| types.iter().for_each(|certificate_type| w.u8(certificate_type.0)));
}
