//! The feed of revocations: the body of an answer to `GET /v1/revocations`. The approval service writes it, the filter
//! reads it. `T` is how texts are held: borrowed by who writes, owned by who reads.

use serde::{Deserialize, Serialize};

/// Where the approval service publishes it.
pub const PATH: &str = "/v1/revocations";

/// The largest answer that a filter reads, in bytes: Envoy takes no answer that is larger.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// The most revocations that a filter knows at a time: beyond it an answer is no answer, and the knowledge goes stale.
/// At about 330 bytes each (`scripts/bench revocations`) this is an eighth of what a VM may hold.
pub const MAX_REVOCATIONS: usize = 400_000;

/// What one revocation takes in an answer, in bytes, at most, where the `jti` is one of the approval service's:
/// `{"jti":"","exp":},`, `grant_` with a ULID, and an end of 12 digits.
const REVOKED_BYTES: usize = 18 + 32 + 12;

// INVARIANT (feed-size): an answer with as many revocations as a filter can know is one that it can read. Were it
// not, a filter that has to read everything again would never be able to.
const _: () = assert!(MAX_REVOCATIONS * REVOKED_BYTES + 1024 <= MAX_ANSWER_BYTES);

/// The largest epoch: no service has a larger one (SQLite's own largest number), or can be asked what
/// comes after it.
pub const MAX_EPOCH: u64 = i64::MAX.unsigned_abs();

/// What came after an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Feed))]
pub struct FeedAnswer<T> {
    /// The position in the feed after this answer; `after` of the next question.
    pub epoch: u64,
    /// In the order of revocation. None that every filter honours as ended.
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub revoked: Vec<Revoked<T>>,
    /// `revoked` is everything: forget what was known before.
    pub reset: bool,
    /// Which feed the epoch belongs to: an id made with the database. Older services say none.
    #[serde(default = "nothing")]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = String))]
    pub feed: Option<T>,
    /// The random tag of `epoch`, to be sent back with it: it tells the epoch from the same number given again. Older
    /// services say none.
    #[serde(default = "nothing")]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = String))]
    pub tag: Option<T>,
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revoked<T> {
    /// The grant.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub jti: T,
    /// When the grant would have ended, in seconds since 1970.
    pub exp: u64,
}

fn nothing<T>() -> Option<T> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn reads_what_it_writes_and_what_an_older_service_wrote() {
        let revoked = vec![Revoked { jti: "g2", exp: 1_001_000 }];
        let answer =
            FeedAnswer { epoch: 2, revoked, reset: true, feed: Some("f"), tag: Some("t2") };
        let text = r#"{"epoch":2,"revoked":[{"jti":"g2","exp":1001000}],"reset":true,"feed":"f","tag":"t2"}"#;
        assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        assert_eq!(serde_json::from_str::<FeedAnswer<&str>>(text).unwrap(), answer);
        let older = r#"{"epoch":2,"revoked":[],"reset":false}"#;
        let older: FeedAnswer<Box<str>> = serde_json::from_str(older).unwrap();
        assert_eq!((older.feed, older.tag), (None, None));
    }

    #[test]
    fn the_largest_revocation_of_ours_takes_as_much_as_is_reckoned_with() {
        let jti = format!("grant_{}", "0".repeat(26));
        let one = Revoked { jti: jti.as_str(), exp: crate::limits::LAST_INSTANT };
        assert_eq!(serde_json::to_string(&one).unwrap().len() + ",".len(), REVOKED_BYTES);
    }
}
