//! Asking the approval service whether one grant still stands (RFC 7662).

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
