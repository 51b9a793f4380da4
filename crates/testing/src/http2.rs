//! Frames of HTTP/2 as an attacker writes them (RFC 9113, section 4.1; RFC 7541).

use crate::service::token_of;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PRIORITY: u8 = 2;
pub const PING: u8 = 6;
pub const WINDOW_UPDATE: u8 = 8;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

/// The error codes of section 7.
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The block of a GET, in HPACK without a table and without Huffman.
pub fn get(who: &str, path: &str) -> Vec<u8> {
    block(0x82, who, path)
}

/// The same of a POST.
pub fn post(who: &str, path: &str) -> Vec<u8> {
    block(0x83, who, path)
}

/// With `:scheme` http.
fn block(method: u8, who: &str, path: &str) -> Vec<u8> {
    let mut block = vec![method, 0x86];
    let mut literal = |name: &[u8], value: &str| {
        block.extend_from_slice(name);
        let length = value.len();
        match u8::try_from(length).unwrap() {
            short @ ..127 => block.push(short),
            long => block.extend_from_slice(&[127, long - 127]),
        }
        block.extend_from_slice(value.as_bytes());
    };
    literal(&[0x04], path);
    literal(&[0x01], "approvals.test");
    if !who.is_empty() {
        literal(&[0x0f, 8], &format!("Bearer {}", token_of(who)));
    }
    block
}

/// A whole request.
pub fn whole(stream: u32, who: &str, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(who, path))
}

/// With what a client begins: the preface, and SETTINGS.
pub fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..]].concat()
}
