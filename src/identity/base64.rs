//! Base64 (RFC 4648, section 4) of public values. Keys are read and written in constant time by `pem`.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place > chunk.len() {
                out.push('=');
            } else {
                let [_, _, _, low] = (group >> (18 - 6 * place)).to_be_bytes();
                out.push(ALPHABET.get(usize::from(low & 63)).copied().map_or('=', char::from));
            }
        }
    }
    out
}

/// Nothing unless the text is exactly what [`encode`] would write: one value has one text.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut group = 0u32;
        for byte in chunk {
            group = group << 6 | u32::try_from(ALPHABET.iter().position(|letter| letter == byte)?).ok()?;
        }
        group <<= 6 * (4 - chunk.len());
        let [_, high, middle, low] = group.to_be_bytes();
        out.extend([high, middle, low].iter().take(chunk.len() - 1));
    }
    (encode(&out) == text).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4648() {
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
        }
        assert_eq!(encode(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn one_value_has_one_text() {
        for text in ["Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9v=", "Zm9 v", "Zm9v\n", "=", "====", "Z=g=", "Zm9-", "é"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
