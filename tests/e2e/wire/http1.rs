//! A client of HTTP/1.1 that chooses each byte.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::SocketAddr;

use breakglass_tests::client::connect;

use super::case::{Case, Content, Framing};
use super::message::{Field, Message, Otherwise};

/// Sends the requests over one connection, and reads what comes for each.
pub(super) fn send(to: SocketAddr, cases: &[Case], pipelined: bool) -> Vec<(u32, Vec<Message>)> {
    let mut to = connect(to);
    let mut from = BufReader::new(to.try_clone().unwrap());
    if pipelined {
        let all = cases.iter().flat_map(|case| [head(case), body(&case.content).concat()]);
        to.write_all(&all.collect::<Vec<_>>().concat()).unwrap();
    }
    let mut results = Vec::new();
    for case in cases {
        let mut answers = Vec::new();
        let sent = if pipelined { Ok(()) } else { write(&mut to, case) };
        if let Err(error) = sent.and_then(|()| read(&mut from, &mut to, case, &mut answers)) {
            answers.push(Message::broken(error.kind()));
        }
        results.push((case.id, answers));
    }
    results
}

/// Sends a request, but for the content of one that waits.
fn write(to: &mut impl Write, case: &Case) -> Result<()> {
    to.write_all(&head(case))?;
    if case.expects { Ok(()) } else { write_body(to, case) }
}

fn write_body(to: &mut impl Write, case: &Case) -> Result<()> {
    body(&case.content).iter().try_for_each(|piece| to.write_all(piece))
}

/// Reads what comes for a request, up to its answer.
fn read(
    from: &mut impl BufRead,
    to: &mut impl Write,
    case: &Case,
    answers: &mut Vec<Message>,
) -> Result<()> {
    let mut waits = case.expects;
    loop {
        let mut answer = Message::read_head(from)?;
        let status = answer.status().unwrap_or(0);
        let is_last = status >= 200;
        if is_last && case.method != "HEAD" && ![204, 304].contains(&status) {
            answer.read_content(from, Otherwise::Connection)?;
        }
        answers.push(answer);
        if std::mem::take(&mut waits) {
            write_body(to, case)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

fn head(case: &Case) -> Vec<u8> {
    let start = [case.method.as_bytes(), b" ", &case.target, b" HTTP/1.1\r\n"].concat();
    let own = format!("host: {}\r\nx-case: {}\r\n", case.host, case.id);
    let framing = framing(&case.content, false);
    [start, own.into_bytes(), fields(&case.fields), framing, b"\r\n".to_vec()].concat()
}

/// An answer's bytes, to a request of this method.
pub(super) fn answer(case: &Case) -> Vec<u8> {
    let answer = &case.answer;
    let start = format!("HTTP/1.1 {} Planned\r\n", answer.status).into_bytes();
    let may_have_content = ![204, 304].contains(&answer.status);
    let framing = if may_have_content { framing(&answer.content, true) } else { Vec::new() };
    let mut bytes = [start, fields(&answer.fields), framing, b"\r\n".to_vec()].concat();
    if may_have_content && case.method != "HEAD" {
        bytes.extend(body(&answer.content).concat());
    }
    bytes
}

fn fields(fields: &[Field]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| [name, &b":"[..], value, b"\r\n"].concat()).collect()
}

fn framing(content: &Content, of_answer: bool) -> Vec<u8> {
    let field = match content.framing {
        // An answer that says nothing ends with its connection.
        Framing::Absent if of_answer => "content-length: 0\r\n".to_owned(),
        Framing::Absent => String::new(),
        Framing::Length => format!("content-length: {}\r\n", content.length()),
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::Connection => "connection: close\r\n".to_owned(),
    };
    field.into_bytes()
}

fn body(content: &Content) -> Vec<Vec<u8>> {
    if content.framing != Framing::Chunked {
        return content.pieces.clone();
    }
    let chunk =
        |piece: &Vec<u8>| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let trailers = fields(content.trailers.as_deref().unwrap_or_default());
    let end = [&b"0\r\n"[..], &trailers, b"\r\n"].concat();
    content.pieces.iter().map(chunk).chain([end]).collect()
}
