//! Bytes as hexadecimal digits, and back.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Lower-case hexadecimal digits, two for each byte.
#[must_use]
pub fn lower(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(DIGITS.get(usize::from(digit)).copied().map_or('0', char::from));
        }
    }
    text
}

/// The value of one digit, of either case.
#[must_use]
pub fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a' - 10),
        b'A'..=b'F' => digit.checked_sub(b'A' - 10),
        _ => None,
    }
}

/// The `N` bytes that these digits of either case write; `None` for anything but `2 * N` digits.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut pairs = text.as_bytes().chunks(2);
    for byte in &mut bytes {
        let Some([high, low]) = pairs.next() else { return None };
        *byte = digit(*high)?.wrapping_mul(16) | digit(*low)?;
    }
    pairs.next().is_none().then_some(bytes)
}

/// Whether the text is exactly so many lower-case digits, as [`lower`] writes them.
#[must_use]
pub fn is_lower(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| DIGITS.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_what_it_writes() {
        let all: Vec<u8> = (0..=255).collect();
        let text = lower(&all);
        assert!(text.starts_with("000102") && text.ends_with("fdfeff"), "{text}");
        assert_eq!(decode::<256>(&text).unwrap(), all.as_slice());
        assert_eq!(decode::<256>(&text.to_uppercase()).unwrap(), all.as_slice());
        assert!(is_lower(&text, 512));
    }

    #[test]
    fn takes_so_many_digits_and_nothing_else() {
        assert_eq!(decode::<1>("0f"), Some([15]));
        assert_eq!(decode::<0>(""), Some([]));
        for text in ["", "0", "0g", "+f", " f", "0f0", "0f0f", "é"] {
            assert_eq!(decode::<1>(text), None, "{text}");
        }
        for text in ["", "0", "0F", "0g", "é"] {
            assert!(!is_lower(text, 2), "{text}");
        }
    }
}
