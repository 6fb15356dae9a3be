//! URIs in certificates: any, and SPIFFE IDs, which are names.
//!
//! ```text
//! spiffe-id  = "spiffe://" trust-domain 1*( "/" segment )        (the SPIFFE-ID standard, 2)
//! trust-domain = 1*255( a-z / 0-9 / "." / "-" / "_" )
//! segment    = 1*( A-Z / a-z / 0-9 / "." / "-" / "_" )           but neither "." nor ".."
//! ```
//!
//! Without percent-encoding, user, port, query or fragment, one SPIFFE ID has one text, so two of
//! them are compared as text.

/// The longest URI that is read from or written to a certificate, in bytes. The SPIFFE-ID standard
/// (2.3) has the same limit.
pub(crate) const MAX_URI: usize = 2048;

/// The longest name of a trust domain (the SPIFFE-ID standard, 2.3).
const MAX_TRUST_DOMAIN: usize = 255;

const SPIFFE: &str = "spiffe://";

/// Returns the trust domain of a SPIFFE ID that identifies a peer. The X.509-SVID standard (3.1)
/// requires a path. `None` if it is not such an ID.
pub(crate) fn spiffe_trust_domain(uri: &str) -> Option<&str> {
    if uri.len() > MAX_URI {
        return None;
    }
    let (domain, path) = uri.strip_prefix(SPIFFE)?.split_once('/')?;
    let is_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_segment_byte);
    (is_trust_domain(domain) && path.split('/').all(is_segment)).then_some(domain)
}

/// Returns true for the name of a trust domain, such as `example.org`.
pub(crate) fn is_trust_domain(name: &str) -> bool {
    let is_byte = |byte: u8| is_segment_byte(byte) && !byte.is_ascii_uppercase();
    !name.is_empty() && name.len() <= MAX_TRUST_DOMAIN && name.bytes().all(is_byte)
}

fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// Returns true if a text claims to be a SPIFFE ID. RFC 3986, 3.1: schemes have no case.
pub(crate) fn has_spiffe_scheme(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

/// Returns true if a text is meant as a URI, and not as a DNS name, an address, or one of these
/// with a port.
#[cfg(any(test, fuzzing, feature = "authority"))]
pub(crate) fn is_meant(text: &str) -> bool {
    text.contains("://") || text.starts_with("urn:")
}

/// Returns true for a URI that may stand in a new certificate (RFC 5280, 4.2.1.6): absolute, in the
/// characters of RFC 3986, and a valid SPIFFE ID if it has that scheme.
#[cfg(any(test, fuzzing, feature = "authority"))]
pub(crate) fn is_valid(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let is_scheme_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte);
    uri.len() <= MAX_URI
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_scheme_byte)
        && !matches!(rest, "" | "//")
        && rest.bytes().all(is_byte)
        && (!has_spiffe_scheme(uri) || spiffe_trust_domain(uri).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spiffe_ids() {
        for (uri, domain) in [
            ("spiffe://example.org/db", "example.org"),
            ("spiffe://a/b/C-d_e.f/0", "a"),
            ("spiffe://my_domain-1.x/..a/...", "my_domain-1.x"),
        ] {
            assert_eq!(spiffe_trust_domain(uri), Some(domain), "{uri}");
            assert!(is_valid(uri));
        }
        let long = format!("spiffe://a/{}", "x".repeat(MAX_URI - 11));
        assert_eq!(spiffe_trust_domain(&long), Some("a"));
        let domain = "d".repeat(255);
        assert!(spiffe_trust_domain(&format!("spiffe://{domain}/x")).is_some());
        for uri in [
            "",
            "spiffe:",
            "spiffe://",
            "spiffe:///x",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org/x/",
            "spiffe://example.org//x",
            "spiffe://example.org/./x",
            "spiffe://example.org/x/..",
            "spiffe://Example.org/x",
            "Spiffe://example.org/x",
            "SPIFFE://example.org/x",
            "spiffe://example.org:80/x",
            "spiffe://user@example.org/x",
            "spiffe://[::1]/x",
            "spiffe://example.org/x?q",
            "spiffe://example.org/x#f",
            "spiffe://example.org/%41",
            "spiffe://ex%41mple.org/x",
            "spiffe://bücher.example/x",
            "spiffe://example.org/bücher",
            "spiffe://example.org/x\0",
            "spiffe://example.org/x ",
            " spiffe://example.org/x",
            "https://example.org/x",
            "spiffe:/example.org/x",
            &format!("{long}x"),
            &format!("spiffe://{domain}d/x"),
        ] {
            assert_eq!(spiffe_trust_domain(uri), None, "{uri}");
        }
        for uri in ["SPIFFE://example.org/x", "spiffe://example.org", "spiffe:x"] {
            assert!(has_spiffe_scheme(uri) && !is_valid(uri), "{uri}");
        }
    }

    #[test]
    fn uris_of_other_schemes() {
        for uri in [
            "https://example.org/a?b=c",
            "urn:uuid:9eebccd2-12bf-40a6-b262-65fe0487d453",
            "a+b-c.1://[::1]:80/%41",
        ] {
            assert!(is_meant(uri) && is_valid(uri), "{uri}");
        }
        for uri in [
            "", ":", "a:", "a://", "://b", "1a://b", "a://b c", "a://b#c", "ä://b", "a://ä",
        ] {
            assert!(!is_valid(uri), "{uri}");
        }
        for text in [
            "db.internal",
            "db.internal:9846",
            "::1",
            "[::1]:80",
            "10.0.0.1",
        ] {
            assert!(!is_meant(text), "{text}");
        }
    }
}
