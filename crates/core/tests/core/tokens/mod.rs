//! Tokens, each with one thing wrong with it, and what is refused of it: how it is written, how it is signed,
//! what it claims.

#![expect(clippy::arithmetic_side_effects, clippy::string_slice, reason = "test code")]

mod claims;
mod form;
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{Key, Request, Stage, assert_permitted, assert_refused, b64, claims, with};

/// One worker, before which token after token comes.
struct Judge {
    stage: Stage,
    stream: u32,
}

impl Judge {
    fn new(config: &Value) -> Judge {
        Judge { stage: Stage::new(config), stream: 0 }
    }

    fn judge(&mut self, token: &[u8]) -> Step {
        self.stream += 1;
        let request = Request::new("GET", "/v1/orders").header("x-breakglass-token", token);
        self.stage.request(self.stream, &request)
    }

    #[track_caller]
    fn permits(&mut self, token: impl AsRef<[u8]>) {
        assert_permitted(&self.judge(token.as_ref()));
        assert_eq!(self.stage.logged(self.stream).unwrap()["decision"], "allow");
    }

    /// It is refused with this status and for this reason; its record.
    #[track_caller]
    fn refuses(&mut self, token: impl AsRef<[u8]>, status: u16, reason: &str) -> (Value, Value) {
        let token = token.as_ref();
        let step = self.judge(token);
        let told = format!("{reason} for {}", String::from_utf8_lossy(token));
        let Step::Refuse(refusal, _) = &step else { panic!("{told}: {step:?}") };
        assert_eq!(refusal.reason.code(), reason, "{told}");
        assert_refused(&step, reason);
        assert_eq!(refusal.reason.status(), status, "{told}");
        let record = self.stage.logged(self.stream).unwrap();
        assert_eq!((&record["decision"], &record["reason"]), (&json!("deny"), &json!(reason)));
        (serde_json::from_slice(&refusal.body).unwrap(), record)
    }

    /// The same, and nothing of what it says is told or recorded: nobody has vouched for it.
    #[track_caller]
    fn disbelieves(&mut self, token: impl AsRef<[u8]>, reason: &str) {
        let (problem, record) = self.refuses(token, 401, reason);
        assert_eq!(problem.get("grant"), None, "{problem}");
        for member in ["grant", "subject", "incident", "justification", "approvers", "scope"] {
            assert_eq!(record[member], Value::Null, "{record}");
        }
    }
}

/// A good token with these claims in place of its own; a null takes one away.
fn token(changes: Value) -> String {
    Key::new(1).sign(&with(claims(), changes))
}

fn header(changes: Value) -> Value {
    with(json!({"alg": "ES256", "kid": "key-1", "typ": "breakglass+jwt"}), changes)
}

/// A good token with these members in its header.
fn with_header(changes: Value) -> String {
    Key::new(1).sign_parts(&header(changes).to_string(), claims().to_string().as_bytes())
}

/// A token whose header is as given and whose signature was made something else of.
fn with_signature(header: &Value, change: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let token = Key::new(1).sign_parts(&header.to_string(), claims().to_string().as_bytes());
    let (input, signature) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", b64(change(&URL_SAFE_NO_PAD.decode(signature).unwrap())))
}
