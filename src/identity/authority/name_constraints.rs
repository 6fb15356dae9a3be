//! The names that an authority may issue for (name constraints; RFC 5280, 4.2.1.10).
//!
//! ```text
//! NameConstraints ::= SEQUENCE { permittedSubtrees [0] OPTIONAL, excludedSubtrees [1] OPTIONAL }
//! ```
//!
//! The constraints of every certificate on a path apply. But a peer that trusts only an authority
//! in the middle ([`Authority::trust`](crate::Authority::trust)) does not look at anything above
//! it. So [`narrowed`] repeats the constraints from above in the authority below.

use core::net::IpAddr;

use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::constraints::name::{GeneralSubtree, GeneralSubtrees};
use x509_cert::ext::pkix::name::GeneralName;

use crate::error::ConfigError;
use crate::identity::alt_name::AltName;

/// Permits these names, and no others. RFC 5280, 4.2.1.10: a form of name is not restricted if no
/// subtree is of that form, so the forms that are not permitted must be excluded, each by the
/// subtree that contains everything.
///
/// For addresses this is a netmask of zeros. For the others it is empty text, which RFC 5280
/// defines for DNS names alone. Path validation here, and that of Go, gives it the same meaning for
/// URIs and mail addresses (for OpenSSL it excludes none of these). otherName cannot be excluded as
/// a whole, and some implementations refuse any certificate with a critical constraint on one, so
/// otherNames stay unrestricted; nothing here reads them. The subject is not restricted either: it
/// only tells people the name of an authority.
pub(crate) fn only(permitted: &[AltName]) -> der::Result<NameConstraints> {
    let subnet = |address: &[u8], mask: u8| {
        Ok(GeneralName::IpAddress(OctetString::new(
            [address, &vec![mask; address.len()]].concat(),
        )?))
    };
    let everything = || Ia5String::new("");
    let mut excluded = vec![
        GeneralName::UniformResourceIdentifier(everything()?),
        GeneralName::Rfc822Name(everything()?),
    ];
    if !permitted.iter().any(|name| matches!(name, AltName::Dns(_))) {
        excluded.push(GeneralName::DnsName(everything()?));
    }
    if !permitted
        .iter()
        .any(|name| matches!(name, AltName::Ip(IpAddr::V4(_))))
    {
        excluded.push(subnet(&[0; 4], 0)?);
    }
    if !permitted
        .iter()
        .any(|name| matches!(name, AltName::Ip(IpAddr::V6(_))))
    {
        excluded.push(subnet(&[0; 16], 0)?);
    }
    let permitted = permitted.iter().map(|name| match name {
        AltName::Ip(IpAddr::V4(ip)) => subnet(&ip.octets(), 0xff),
        AltName::Ip(IpAddr::V6(ip)) => subnet(&ip.octets(), 0xff),
        AltName::Dns(text) => Ok(GeneralName::DnsName(Ia5String::new(text)?)),
        AltName::Uri(text) => Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(
            text,
        )?)),
    });
    Ok(NameConstraints {
        permitted_subtrees: Some(
            permitted
                .map(|base| base.map(subtree))
                .collect::<der::Result<_>>()?,
        ),
        excluded_subtrees: Some(excluded.into_iter().map(subtree).collect()),
    })
}

fn subtree(base: GeneralName) -> GeneralSubtree {
    GeneralSubtree {
        base,
        minimum: 0,
        maximum: None,
    }
}

/// Reads the extension of a certificate.
pub(crate) fn read(extension: &[u8]) -> Result<NameConstraints, ConfigError> {
    NameConstraints::from_der(extension).map_err(|_| ConfigError::Issue {
        reason: "the name constraints of an authority above cannot be read",
    })
}

/// Returns the constraints of an authority below one that has `above`: its own, and those.
///
/// Permitted subtrees of one form add up within a certificate, so adding those from above would
/// permit more below. They are left out if there are some of their form below, which must then lie
/// inside them.
pub(crate) fn narrowed(
    own: Option<NameConstraints>,
    above: NameConstraints,
) -> Result<NameConstraints, ConfigError> {
    let Some(own) = own else { return Ok(above) };
    let (mut permitted, mut excluded) = (
        own.permitted_subtrees.unwrap_or_default(),
        own.excluded_subtrees.unwrap_or_default(),
    );
    let limits = above.permitted_subtrees.unwrap_or_default();
    for GeneralSubtree { base, .. } in &permitted {
        let mut same_form = limits
            .iter()
            .map(|limit| &limit.base)
            .filter(|limit| form(limit) == form(base))
            .peekable();
        if same_form.peek().is_some() && !same_form.any(|limit| is_within(base, limit)) {
            return Err(ConfigError::Issue {
                reason: "an authority above may not issue for a name that this one permits",
            });
        }
    }
    let more: GeneralSubtrees = limits
        .into_iter()
        .filter(|limit| {
            !permitted
                .iter()
                .any(|own| form(&own.base) == form(&limit.base))
        })
        .collect();
    permitted.extend(more);
    for subtree in above.excluded_subtrees.unwrap_or_default() {
        if !excluded.contains(&subtree) {
            excluded.push(subtree);
        }
    }
    // RFC 5280, 4.2.1.10: neither list is ever empty.
    let some = |list: GeneralSubtrees| (!list.is_empty()).then_some(list);
    Ok(NameConstraints {
        permitted_subtrees: some(permitted),
        excluded_subtrees: some(excluded),
    })
}

/// Returns the form of a name. Only names of one form are compared.
fn form(name: &GeneralName) -> core::mem::Discriminant<GeneralName> {
    core::mem::discriminant(name)
}

/// Returns true if a subtree lies inside another. For forms that we do not use, only if they are
/// equal.
fn is_within(inner: &GeneralName, outer: &GeneralName) -> bool {
    match (inner, outer) {
        (GeneralName::DnsName(inner), GeneralName::DnsName(outer)) => {
            let (inner, outer) = (
                inner.as_str().to_ascii_lowercase(),
                outer.as_str().to_ascii_lowercase(),
            );
            let parent = inner.strip_suffix(&outer);
            parent.is_some_and(|rest| {
                rest.is_empty() || outer.is_empty() || outer.starts_with('.') || rest.ends_with('.')
            })
        }
        (GeneralName::IpAddress(inner), GeneralName::IpAddress(outer)) => {
            let (inner, outer) = (inner.as_bytes(), outer.as_bytes());
            let halves = |both: &'_ [u8]| {
                both.split_at_checked(both.len() / 2)
                    .map(|(address, mask)| (address.to_vec(), mask.to_vec()))
            };
            let (Some((inner_address, inner_mask)), Some((outer_address, outer_mask))) =
                (halves(inner), halves(outer))
            else {
                return false;
            };
            let narrower = inner_mask
                .iter()
                .zip(&outer_mask)
                .all(|(inner, outer)| inner & outer == *outer);
            let mut bytes = inner_address.iter().zip(&outer_address).zip(&outer_mask);
            inner.len() == outer.len()
                && narrower
                && bytes.all(|((inner, outer), mask)| inner & mask == outer & mask)
        }
        _ => inner == outer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(text: &str) -> GeneralName {
        GeneralName::DnsName(Ia5String::new(text).unwrap())
    }

    fn ip(bytes: &[u8]) -> GeneralName {
        GeneralName::IpAddress(OctetString::new(bytes).unwrap())
    }

    #[test]
    fn subtrees_inside_subtrees() {
        for (inner, outer) in [
            ("a.example", "a.example"),
            ("b.A.example", "a.example"),
            ("a", ""),
            ("", ""),
            ("b.a", ".a"),
        ] {
            assert!(is_within(&dns(inner), &dns(outer)), "{inner} {outer}");
        }
        for (inner, outer) in [
            ("example", "a.example"),
            ("xa.example", "a.example"),
            ("", "a"),
            ("a", ".a"),
            ("a.b", "a"),
        ] {
            assert!(!is_within(&dns(inner), &dns(outer)), "{inner} {outer}");
        }
        let (ten, one) = (
            ip(&[10, 0, 0, 0, 255, 0, 0, 0]),
            ip(&[10, 1, 2, 3, 255, 255, 255, 255]),
        );
        assert!(is_within(&one, &ten) && is_within(&ten, &ten) && !is_within(&ten, &one));
        assert!(!is_within(&ip(&[11, 1, 2, 3, 255, 255, 255, 255]), &ten));
        assert!(
            !is_within(&ip(&[10; 32]), &ten)
                && !is_within(&ip(&[10, 255]), &ten)
                && !is_within(&ip(&[]), &ten)
        );
        assert!(!is_within(&dns("a"), &ten));
    }

    #[test]
    fn below_is_never_wider_than_above() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| AltName::Dns((*name).to_owned()))
                .collect::<Vec<_>>()
        };
        let bases = |list: &Option<GeneralSubtrees>| {
            list.iter()
                .flatten()
                .map(|one| one.base.clone())
                .collect::<Vec<_>>()
        };
        let above = only(&names(&["example", "other"])).unwrap();
        assert_eq!(narrowed(None, above.clone()), Ok(above.clone()));
        let below = narrowed(Some(only(&names(&["a.example"])).unwrap()), above.clone()).unwrap();
        assert_eq!(bases(&below.permitted_subtrees), [dns("a.example")]);
        // Each exclusion appears only once.
        assert_eq!(
            bases(&below.excluded_subtrees),
            bases(&above.excluded_subtrees)
        );
        assert!(
            narrowed(
                Some(only(&names(&["a.example", "example.org"])).unwrap()),
                above
            )
            .is_err()
        );

        // A form that does not appear below, and a part that is excluded above.
        let above = NameConstraints {
            permitted_subtrees: Some(vec![subtree(ip(&[0; 8]))]),
            excluded_subtrees: Some(vec![subtree(dns("x.a"))]),
        };
        let below = narrowed(Some(only(&names(&["a"])).unwrap()), above).unwrap();
        assert_eq!(bases(&below.permitted_subtrees), [dns("a"), ip(&[0; 8])]);
        assert!(bases(&below.excluded_subtrees).contains(&dns("x.a")));
    }
}
