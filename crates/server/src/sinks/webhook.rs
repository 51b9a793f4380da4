//! A webhook: the CloudEvent, signed as Standard Webhooks 1.0 says.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use breakglass_identity::secret_text;
use ring::hmac;
use url::Url;

use super::call::Call;
use super::event::{Event, For};
use super::notice::CLOUD_EVENT;

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// How long a secret is, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) fn call(url: &Url, secret_files: &[PathBuf], event: Event<'_>) -> Result<Call, String> {
    let body = event.notice.cloud_event(event.source).to_string().into_bytes();
    let (id, timestamp) = (&event.notice.id, event.now.seconds().to_string());
    let signature = match event.purpose {
        For::Preview => "v1,<signature>".to_owned(),
        For::Sending => {
            let mut signatures = Vec::new();
            for file in secret_files {
                let text = secret_text(file).map_err(|error| error.to_string())?;
                let secret = secret(&text).map_err(|why| format!("{}: {why}", file.display()))?;
                signatures.push(sign(&secret, id, &timestamp, &body));
            }
            signatures.join(" ")
        }
    };
    let headers = vec![
        ("content-type", CLOUD_EVENT.to_owned()),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ];
    Ok(Call { url: url.clone(), is_secret: false, headers, body })
}

/// The bytes of a secret.
fn secret(text: &str) -> Result<Vec<u8>, String> {
    let expected = || {
        format!(
            "expected `{SECRET_PREFIX}` and 24 to 64 bytes in base64, such as `openssl rand -base64 32` prints"
        )
    };
    let encoded = text.strip_prefix(SECRET_PREFIX).ok_or_else(expected)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| expected())?;
    if SECRET_BYTES.contains(&bytes.len()) { Ok(bytes) } else { Err(expected()) }
}

/// A signature over id, time and body, with its version.
fn sign(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn signs_as_the_specification_does() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_not_used() {
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_..."] {
            let refused = secret(text).unwrap_err();
            assert!(refused.contains("24 to 64 bytes") && !refused.contains("MfKQ"), "{refused}");
        }
    }
}
