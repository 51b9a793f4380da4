//! Asking the approval service whether one grant still stands (RFC 7662).

use serde_json::{Value, json};

use crate::claims::Claims;
use crate::json::Json;

/// What the service says of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stands.
    Active,
    /// It was revoked, has ended, or the service does not know it.
    Inactive,
}

/// The body of a question (RFC 7662 section 2.1). A compact JWS needs no escaping in a form:
/// base64url and dots are unreserved.
#[must_use]
pub fn question(token: &str) -> Vec<u8> {
    format!("token={token}&token_type_hint=access_token").into_bytes()
}

/// The body of an answer (RFC 7662 section 2.2): the claims of a token whose grant holds, or that there is none.
#[must_use]
pub fn answer(claims: Option<&Claims>) -> Value {
    let Some(claims) = claims else { return json!({ "active": false }) };
    json!({
        "active": true,
        "jti": claims.jti,
        "sub": claims.sub,
        "scope": claims.scope.join(" "),
        "iss": claims.iss,
        "aud": claims.aud,
        "exp": claims.exp,
        "iat": claims.iat,
    })
}

/// Reads an answer (RFC 7662 section 2.2). `None` for whatever is no answer about this grant: any
/// status but 200, anything but strict JSON with a boolean `active`, another grant's `jti`.
#[must_use]
pub fn read_answer(status: u16, body: &[u8], jti: &str) -> Option<Verdict> {
    if status != 200 {
        return None;
    }
    let answer = Json::parse(body).ok()?;
    if answer.member("jti").is_some_and(|answered| answered.as_str() != Some(jti)) {
        return None;
    }
    match answer.member("active")?.as_bool()? {
        true => Some(Verdict::Active),
        false => Some(Verdict::Inactive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_what_it_writes() {
        let claims = br#"{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"jti":"j",
            "scope":"x y","breakglass":{"reason":"r","approvers":["bob"]}}"#;
        let claims = Claims::from_json(&Json::parse(claims).unwrap()).unwrap();
        let active = answer(Some(&claims)).to_string();
        assert_eq!(read_answer(200, active.as_bytes(), "j"), Some(Verdict::Active));
        assert_eq!(read_answer(200, active.as_bytes(), "other"), None);
        let inactive = answer(None).to_string();
        assert_eq!(read_answer(200, inactive.as_bytes(), "j"), Some(Verdict::Inactive));
    }

    #[test]
    fn only_a_whole_answer_about_this_grant_counts() {
        assert_eq!(read_answer(200, br#"{"active":true}"#, "g"), Some(Verdict::Active));
        assert_eq!(read_answer(200, br#"{"active":true,"jti":"g"}"#, "g"), Some(Verdict::Active));
        assert_eq!(read_answer(200, br#"{"active":false}"#, "g"), Some(Verdict::Inactive));
        for (status, body) in [
            (200, ""),
            (200, "true"),
            (200, "{}"),
            (200, "[]"),
            (200, r#"{"active":"true"}"#),
            (200, r#"{"active":1}"#),
            (200, r#"{"active":null}"#),
            (200, r#"{"active":false,"active":true}"#),
            (200, r#"{"active":true,"jti":"other"}"#),
            (200, r#"{"active":true,"jti":1}"#),
            (200, r#"{"active":true} x"#),
            (201, r#"{"active":true}"#),
            (401, r#"{"active":true}"#),
            (503, r#"{"active":true}"#),
            (0, r#"{"active":true}"#),
        ] {
            assert_eq!(read_answer(status, body.as_bytes(), "g"), None, "{status} {body}");
        }
    }
}
