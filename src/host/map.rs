//! The form in which header maps cross the ABI: a count, the sizes of each name and value, then
//! names and values, each with a NUL behind it; all numbers little-endian and 32 bits.

use std::ops::Range;

use breakglass_core::headers::Headers;

/// Reads a map. `None` if the buffer is not one.
pub(super) fn read(buffer: Vec<u8>) -> Option<Headers> {
    // Envoy hands an empty map over as no buffer at all.
    if buffer.is_empty() {
        return Some(Headers::default());
    }
    let number = |index: usize| -> Option<usize> {
        let start = index.checked_mul(4)?;
        let bytes = buffer.get(start..start.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    let mut next = count.checked_mul(8)?.checked_add(4)?;
    if next > buffer.len() {
        return None;
    }
    let mut take = |size: usize| -> Option<Range<usize>> {
        let end = next.checked_add(size)?;
        let range = next..end;
        next = end.checked_add(1)?;
        (end < buffer.len()).then_some(range)
    };
    let mut fields = Vec::with_capacity(count);
    for index in 0..count {
        let sizes = index.checked_mul(2)?;
        let name = take(number(sizes.checked_add(1)?)?)?;
        let value = take(number(sizes.checked_add(2)?)?)?;
        fields.push((name, value));
    }
    Some(Headers::new(buffer, fields))
}

/// Writes a map. `None` if a size does not fit.
pub(super) fn write(headers: &[(&'static str, String)]) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.extend(u32::try_from(headers.len()).ok()?.to_le_bytes());
    for (name, value) in headers {
        buffer.extend(u32::try_from(name.len()).ok()?.to_le_bytes());
        buffer.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
    }
    for (name, value) in headers {
        for bytes in [name.as_bytes(), value.as_bytes()] {
            buffer.extend_from_slice(bytes);
            buffer.push(0);
        }
    }
    Some(buffer)
}
