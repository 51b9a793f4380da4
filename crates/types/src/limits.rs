//! Bounds that two programs must agree on. Those of one program alone are in that program.
//!
//! Where two of them must fit each other, a `const` assertion says so beside the second one: whoever changes the first
//! cannot compile, and reads here why.

use std::time::Duration;

/// How far a filter's clock may be off at most, and so how long after its `exp` a token may still be taken.
///
/// INVARIANT (skew): a revocation is known for this long after the token's `exp`, in the approval service's feed and in
/// every filter. Were it forgotten before the token's last accepted instant, the revoked token would be let in again.
/// Everything that ends with a grant ends this much later: the signing keys, the feed, the kill switch.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// [`MAX_CLOCK_SKEW`] in seconds, for arithmetic with instants in a database.
pub const CLOCK_SKEW_S: i64 = MAX_CLOCK_SKEW.as_secs().cast_signed();

/// The longest grant that a scope may allow, in seconds: break-glass access is for one incident.
///
/// INVARIANT (longest-grant): a replaced signing key stays published this long, so that no token
/// outlives the key that proves it.
pub const MAX_GRANT_S: i64 = 24 * 60 * 60;

const _: () = assert!(CLOCK_SKEW_S < MAX_GRANT_S);

/// The largest token that is minted, in bytes, and the largest that a filter takes where its configuration says
/// nothing: far above any real token, and far below what is expensive to parse.
///
/// INVARIANT (token-size): what is minted is taken. A larger token would be approved, and then refused by every proxy.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// The largest token that the command line believes, in bytes: a newer service may mint larger ones than this version.
pub const MAX_BELIEVED_TOKEN_BYTES: usize = 2 * MAX_TOKEN_BYTES;

/// [`MAX_TOKEN_BYTES`], as a configuration counts.
pub const DEFAULT_TOKEN_BYTES: u64 = MAX_TOKEN_BYTES as u64;

/// The least and the most that a filter's configuration may say instead, in bytes.
pub const TOKEN_BYTES_RANGE: (u64, u64) = (256, 64 * 1024);

const _: () = assert!(
    TOKEN_BYTES_RANGE.0 <= DEFAULT_TOKEN_BYTES && DEFAULT_TOKEN_BYTES <= TOKEN_BYTES_RANGE.1
);

/// The largest body that the approval service takes, in bytes, where no other bound is named.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

// INVARIANT (token-size): a filter can ask about each token that is minted, and a person can revoke it (RFC 7662,
// RFC 7009: a form of the token and its type), and a reason has room in a request even if each byte of it is escaped.
const _: () = assert!(MAX_TOKEN_BYTES + 256 <= MAX_BODY_BYTES);
const _: () = assert!(6 * MAX_TEXT_BYTES + MAX_TOKEN_BYTES <= MAX_BODY_BYTES);

/// The longest `iss`, `sub`, `jti`, scope, role or similar name, in bytes. Names become header and
/// log values, so they have a bound.
pub const MAX_NAME_BYTES: usize = 256;

/// The longest free text (the reason), in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The largest report of alerts (`POST /v1/alerts`), in bytes: what a filter's queue holds at most too.
///
/// INVARIANT (alert-report): the service takes every report that a filter makes: its bytes, its alerts, the lengths of
/// their texts. One that is refused is made again, and in the end its alerts are dropped.
pub const MAX_ALERTS_BODY_BYTES: usize = 64 * 1024;

/// The most alerts in one report.
pub const MAX_ALERTS: usize = 64;

/// The largest alert, in bytes of JSON.
pub const MAX_ALERT_BYTES: usize = 32 * 1024;

/// The longest path in an alert, in bytes before escaping.
pub const MAX_ALERT_PATH_BYTES: usize = 1024;

/// The longest of the other texts in an alert, and of the report's node, in bytes before escaping.
pub const MAX_ALERT_TEXT_BYTES: usize = MAX_NAME_BYTES;

/// The last instant that a claim may name: the end of the year 9999, in seconds. Larger numbers
/// are milliseconds by mistake, or an attempt at an overflow.
pub const LAST_INSTANT: u64 = 253_402_300_799;

/// The longest that `?wait=` may ask for: below the idle timeouts that proxies commonly have.
///
/// INVARIANT (poll-wait): no filter asks for more, whatever its configuration says: each of its polls would be refused,
/// and it would never hear of a revocation.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// [`MAX_WAIT`] in seconds.
pub const MAX_WAIT_S: i64 = MAX_WAIT.as_secs().cast_signed();

/// How often the head of a living chain is heard of at least, even if nothing happens.
///
/// INVARIANT (head-repeat): `breakglass audit verify` calls a chain silent after [`CHAIN_SILENT_AFTER`]: three of these, so
/// that two lost reports accuse nobody.
pub const HEAD_HEARD_EVERY: Duration = Duration::from_secs(60);

/// After how long without a head a chain that was not said to have ended counts as silent.
pub const CHAIN_SILENT_AFTER: Duration = Duration::from_secs(3 * 60);

const _: () = assert!(3 * HEAD_HEARD_EVERY.as_secs() <= CHAIN_SILENT_AFTER.as_secs());

/// How long a challenge of `breakglass probe` lives, in seconds. A filter takes none that lives longer.
pub const PROBE_LIFETIME_S: u64 = 60;

/// Within what time filters fetch a new signing key, as the service takes it, in seconds. It signs challenges with the
/// key before for so long.
pub const KEYS_FETCHED_S: i64 = 60 * 60;

/// How often a filter fetches the keys where its configuration says nothing, in seconds.
pub const DEFAULT_KEYS_REFRESH_S: u64 = 300;

const _: () = assert!(DEFAULT_KEYS_REFRESH_S as i64 * 2 <= KEYS_FETCHED_S);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn seconds_are_the_same_time() {
        assert_eq!(i64::try_from(MAX_CLOCK_SKEW.as_secs()), Ok(CLOCK_SKEW_S));
        assert_eq!(i64::try_from(MAX_WAIT.as_secs()), Ok(MAX_WAIT_S));
        assert_eq!((MAX_CLOCK_SKEW.subsec_nanos(), MAX_WAIT.subsec_nanos()), (0, 0));
    }
}
