//! A client of HTTP/2, and what an upstream does with a stream.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Error, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use tokio::net::TcpStream;

use super::case::{Case, Content, Framing};
use super::message::{Field, Message, fields_of};

/// How long a stream may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sends the requests over one connection, all at the same time, and reads the answer to each.
pub(super) async fn send(to: SocketAddr, cases: &[Case]) -> Vec<(u32, Vec<Message>)> {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let streams: Vec<_> = cases
        .iter()
        .map(|case| {
            tokio::spawn(tokio::time::timeout(PATIENCE, exchange(client.clone(), case.clone())))
        })
        .collect();
    let mut results = Vec::new();
    for (case, stream) in cases.iter().zip(streams) {
        let answer = match stream.await.unwrap() {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Message::broken(error),
            Err(_) => Message::broken("no answer"),
        };
        results.push((case.id, vec![answer]));
    }
    connection.abort();
    results
}

async fn exchange(client: SendRequest<Bytes>, case: Case) -> Result<Message, Error> {
    let path = str::from_utf8(&case.target).unwrap();
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(case.method.as_bytes()).unwrap();
    *request.uri_mut() = format!("http://{}{path}", case.host).parse().unwrap();
    *request.headers_mut() = map(&case.fields, &case.content);
    request.headers_mut().insert("x-case", case.id.into());
    let ends = case.content.framing == Framing::Absent;
    let mut client = client.ready().await?;
    let (answer, stream) = client.send_request(request, ends)?;
    if !ends {
        send_content(stream, &case.content)?;
    }
    let (head, body) = answer.await?.into_parts();
    let start = format!("HTTP/2 {}", head.status.as_u16());
    read(start, &head.headers, body).await
}

/// Answers a stream as planned.
pub(super) fn answer(case: &Case, mut respond: SendResponse<Bytes>) -> Result<(), Error> {
    let answer = &case.answer;
    let is_bare = case.method == "HEAD" || [204, 304].contains(&answer.status);
    let mut response = Response::new(());
    *response.status_mut() = answer.status.try_into().unwrap();
    *response.headers_mut() = map(&answer.fields, &answer.content);
    let ends = is_bare || answer.content.framing == Framing::Absent;
    let stream = respond.send_response(response, ends)?;
    if ends { Ok(()) } else { send_content(stream, &answer.content) }
}

/// Reads what follows a head to its end.
pub(super) async fn read(
    start: String,
    headers: &HeaderMap,
    mut body: RecvStream,
) -> Result<Message, Error> {
    let mut message = Message {
        start: start.into_bytes(),
        fields: fields_of(headers),
        ends_with_head: body.is_end_stream(),
        ..Message::default()
    };
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        message.content.extend_from_slice(&data);
    }
    message.trailers = body.trailers().await?.map(|trailers| fields_of(&trailers));
    Ok(message)
}

fn send_content(mut stream: SendStream<Bytes>, content: &Content) -> Result<(), Error> {
    let trails = content.trailers.is_some();
    for (at, piece) in content.pieces.iter().enumerate() {
        let is_last = at + 1 == content.pieces.len();
        stream.send_data(piece.clone().into(), is_last && !trails)?;
    }
    match &content.trailers {
        Some(trailers) => stream.send_trailers(headers(trailers)),
        None if content.pieces.is_empty() => stream.send_data(Bytes::new(), true),
        None => Ok(()),
    }
}

fn map(fields: &[Field], content: &Content) -> HeaderMap {
    let mut map = headers(fields);
    if content.framing == Framing::Length {
        map.insert("content-length", content.length().into());
    }
    map
}

fn headers(fields: &[Field]) -> HeaderMap {
    let field = |(name, value): &Field| {
        (HeaderName::from_bytes(name).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        map.append(name, value);
    }
    map
}
