//! What the random requests and answers are made of.

pub(super) const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
pub(super) const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_!#$%&'*+.^`|~";
pub(super) const PLAIN: &[u8] = b"abcXYZ019-_";
pub(super) const PATH: &[u8] = b"abcXYZ019-._~!$&'()*+,;=:@";

/// Of HTTP/1.1 and HTTP/2 alike: what is visible, and what is beyond ASCII.
pub(super) const VALUE: &[u8] =
    b"abcXYZ019 \t\"'(),/:;<=>?@[\\]{}!#$%&*+-.^_`|~\x80\xa0\xc3\xa9\xff";

pub(super) const METHODS: [&str; 15] = [
    "GET", "GET", "GET", "HEAD", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
    "PROPFIND", "PURGE", "M-SEARCH", "TRACE",
];

/// What a client may say besides random fields. Of what begins with `x-breakglass-`, nothing is a token.
pub(super) const REQUEST_FIELDS: [(&str, &str); 35] = [
    ("accept", "*/*"),
    ("accept-encoding", "gzip, br"),
    ("authorization", "Basic Zm9vOmJhcg=="),
    ("authorization", "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"),
    ("cache-control", "no-cache"),
    ("content-encoding", "gzip"),
    ("content-type", "application/json"),
    ("content-type", "application/grpc"),
    ("cookie", "a=b; c=d"),
    ("cookie", "e=f"),
    ("forwarded", "for=192.0.2.1;proto=https"),
    ("from", "alice@example.com"),
    ("if-none-match", "\"etag\""),
    ("max-forwards", "3"),
    ("origin", "https://app.example"),
    ("range", "bytes=0-9"),
    ("referer", "https://app.example/admin"),
    ("te", "trailers"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("trailer", "x-checksum"),
    ("user-agent", "wire/1.0"),
    ("via", "1.1 somewhere"),
    ("x-breakglass-anything", "1"),
    ("x-breakglass-grant", "grant_forged"),
    (
        "x-breakglass-probe",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtleS0xIiwidHlwIjoiYnJlYWtnbGFzcy1wcm9iZStqd3QifQ.eyJhdWQiOiJ1cm46YnJlYWtnbGFzczpwcm9iZSJ9.c2ln",
    ),
    ("x-breakglass-subject", "mallory@example.com"),
    ("x-empty", ""),
    ("x-envoy-max-retries", "0"),
    ("x-forwarded-for", "192.0.2.7, 192.0.2.8"),
    ("x-forwarded-host", "elsewhere.example"),
    ("x-forwarded-proto", "https"),
    ("x-http-method-override", "PATCH"),
    ("x-original-url", "/v1/elsewhere"),
    ("x-request-id", "client-chosen"),
    ("x-request-id", "0af76519-16cd-43dd-8448-eb211c80319c"),
];

/// What an upstream may say besides random fields.
pub(super) const ANSWER_FIELDS: [(&str, &str); 17] = [
    ("allow", "GET, HEAD"),
    ("cache-control", "no-store"),
    ("content-encoding", "gzip"),
    ("content-type", "text/html; charset=utf-8"),
    ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("etag", "W/\"1\""),
    ("location", "https://elsewhere.example/there?x=1"),
    ("retry-after", "1"),
    ("server", "wire"),
    ("set-cookie", "a=b; Path=/; HttpOnly"),
    ("set-cookie", "c=d"),
    ("vary", "origin, accept"),
    ("www-authenticate", "Basic realm=\"x\", Bearer"),
    ("x-breakglass-grant", "of the upstream"),
    ("x-breakglass-token", "of the upstream"),
    ("x-empty", ""),
    ("x-request-id", "of-the-upstream"),
];

pub(super) const STATUSES: [u16; 22] = [
    200, 200, 200, 201, 202, 203, 204, 205, 206, 301, 302, 304, 307, 400, 401, 403, 404, 409, 418,
    426, 500, 503,
];

/// What hosts are called.
pub(super) const HOSTS: [&str; 6] = [
    "orders.internal",
    "orders.internal:8443",
    "127.0.0.1",
    "[::1]:80",
    "a",
    "xn--bcher-kva.example",
];
