//! TLS at the sockets of the service: its certificates, and those of its clients.
//!
//! 1. TLS 1.2 and 1.3, HTTP/1.1. No session is resumed: each connection is checked against the certificate authorities
//!    that hold when it begins.
//! 2. Certificates and client certificate authorities are read again when their files change. What cannot be used (it does
//!    not parse, the key is another one's, it has expired) is not taken: what was in use stays in use, and the log and
//!    `GET /healthz?detail=1` say so.
//! 3. A client certificate that was accepted is checked again at each request after the authorities have changed, and
//!    its end is compared with the clock at each request.
//! 4. Validity is judged by the time that the service believes.

mod certificate;
mod endpoint;
mod error;
mod material;
mod now;
mod part;
mod peer;
mod recorder;

pub use certificate::Certificate;
pub use endpoint::{Endpoint, Handshake};
pub use error::TlsError;
pub use now::Now;
pub use peer::{ClientCertificate, Distrusted};
