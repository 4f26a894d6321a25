//! Base64 (RFC 4648 §4 and §5) and hex, for the few short marks that are written in them.
//!
//! Pure. Small on purpose: the crate for every encoding there is would be a twentieth of the binary.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// With `+`, `/` and padding (§4).
pub fn standard(bytes: &[u8]) -> String {
    let mut text = encode(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// With `-` and `_`, without padding (§5).
pub fn url_safe(bytes: &[u8]) -> String {
    encode(bytes, URL_SAFE)
}

/// Reads what [`standard`] writes; `None` for anything that it would not write.
pub fn from_standard(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text.trim_end_matches('='), STANDARD)?;
    (standard(&bytes) == text).then_some(bytes)
}

/// Reads what [`url_safe`] writes; `None` for anything that it would not write.
pub fn from_url_safe(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text, URL_SAFE)?;
    (url_safe(&bytes) == text).then_some(bytes)
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for n in 0..=three.len() {
            text.push(alphabet[(bits >> (18 - 6 * n)) as usize & 63] as char);
        }
    }
    text
}

fn decode(text: &str, alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let (mut bits, mut count) = (0u32, 0);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    for byte in text.bytes() {
        bits = bits << 6 | alphabet.iter().position(|&digit| digit == byte)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_written_and_read() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(standard(plain.as_bytes()), text);
            assert_eq!(url_safe(plain.as_bytes()), text.trim_end_matches('='));
            assert_eq!(from_standard(text).as_deref(), Some(plain.as_bytes()));
            assert_eq!(
                from_url_safe(text.trim_end_matches('=')).as_deref(),
                Some(plain.as_bytes())
            );
        }
        assert_eq!(
            (standard(&[0xfb, 0xff]), url_safe(&[0xfb, 0xff])),
            ("+/8=".into(), "-_8".into())
        );
        assert_eq!(hex(&[0, 0x9c, 0xff]), "009cff");
    }

    #[test]
    fn what_would_be_written_otherwise_is_not_read() {
        for text in ["Zg", "Zg=", "Zh==", "Zg===", "Z", "Zm8", "Z m8", "====", "Zm9v\n"] {
            assert_eq!(from_standard(text), None, "{text:?}");
        }
        for text in ["Zg==", "Zh", "Z", "+_8"] {
            assert_eq!(from_url_safe(text), None, "{text:?}");
        }
    }
}
