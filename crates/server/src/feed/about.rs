//! What a proxy says of itself with a poll: whatever is missing or cannot be read counts as not said, so that no
//! description of a proxy keeps a revocation from it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::request::Parts;
pub use breakglass_types::OnUnavailable;
use breakglass_types::hex;
use breakglass_types::instant::parse_duration;
use breakglass_types::limits::{MAX_CLOCK_SKEW, MAX_GRANT_S};
use breakglass_types::names::{DIGEST_DIGITS, PROCESS_DIGITS, said};

/// The longest version that is kept, in bytes.
const MAX_VERSION: usize = 64;

/// A proxy by its own words, which prove nothing: it holds a credential, and may be wrong or lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The id of the Envoy process: 32 lower-case hex digits.
    pub process: Option<Box<str>>,
    /// Where the connection came from. Not its own words: the nearest peer, which may be a balancer.
    pub address: Option<IpAddr>,
    /// The filter's version.
    pub version: Option<Box<str>>,
    /// The digest of its configuration: 64 lower-case hex digits.
    pub config: Option<Box<str>>,
    /// For how long it believes what it knows.
    pub bounds: Option<Bounds>,
    /// Whether it refuses nothing, because its configuration says so.
    pub is_shadow: bool,
    /// The keys that it has of this service's; nothing where it does not say.
    pub keys: Option<Keys>,
}

/// The keys that a proxy has of those that this service publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Their `kid`s; nothing where there are too many to say.
    pub kids: Option<Box<[Box<str>]>>,
    /// How often it fetches them.
    pub refresh: Duration,
}

/// For how long a proxy that hears nothing goes on by what it knows, by its own configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For how long what the feed said counts.
    pub max_staleness: Duration,
    /// For how long an answer about one token counts.
    pub cache: Duration,
    /// How long after its end it takes a token.
    pub clock_skew: Duration,
    /// What it does after that.
    pub on_unavailable: OnUnavailable,
    /// How long after it last knew something `allow` counts; nothing where it does not say: an older filter, of
    /// which it has no end, or one in shadow mode.
    pub unavailable_for: Option<Duration>,
}

impl Bounds {
    /// How long after its last sign of life such a proxy knows nothing any more that counts.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.max_staleness.saturating_add(self.cache)
    }

    /// How long after its last sign of life such a proxy refuses every new request; nothing where it never does.
    #[must_use]
    pub fn refuses_after(&self) -> Option<Duration> {
        match self.on_unavailable {
            OnUnavailable::Deny => Some(self.patience()),
            OnUnavailable::Allow => Some(self.unavailable_for?.max(self.patience())),
        }
    }

    /// The weaker of both: what may be true of a process of which both were said.
    #[must_use]
    pub fn or(self, other: Bounds) -> Bounds {
        let allowing = [self, other].into_iter().filter(|one| one.allows());
        let ends = allowing.clone().map(|one| one.unavailable_for);
        let allow = allowing.count() > 0;
        Bounds {
            max_staleness: self.max_staleness.max(other.max_staleness),
            cache: self.cache.max(other.cache),
            clock_skew: self.clock_skew.max(other.clock_skew),
            on_unavailable: if allow { OnUnavailable::Allow } else { OnUnavailable::Deny },
            // One without an end has the last word.
            unavailable_for: ends.reduce(|one, other| Some(one?.max(other?))).flatten(),
        }
    }

    fn allows(&self) -> bool {
        self.on_unavailable == OnUnavailable::Allow
    }
}

impl About {
    /// What this request says.
    #[must_use]
    pub fn read(parts: &Parts) -> About {
        let headers = &parts.headers;
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        About {
            process: digits(headers, said::PROCESS, PROCESS_DIGITS),
            address: address.map(|ConnectInfo(address)| address.ip().to_canonical()),
            version: one(headers, said::VERSION)
                .filter(|version| {
                    version.len() <= MAX_VERSION
                        && version.bytes().all(|byte| byte.is_ascii_graphic())
                })
                .map(Box::from),
            config: digits(headers, said::CONFIG, DIGEST_DIGITS),
            bounds: bounds(headers),
            is_shadow: one(headers, said::ENFORCEMENT) == Some(said::SHADOW),
            keys: keys(headers),
        }
    }
}

fn bounds(headers: &HeaderMap) -> Option<Bounds> {
    let longest = Duration::from_secs(MAX_GRANT_S.unsigned_abs());
    // Relies on INVARIANT (skew): no filter takes a larger one.
    let skew = MAX_CLOCK_SKEW;
    let duration = |name| one(headers, name).and_then(parse_duration);
    Some(Bounds {
        // No grant lives longer, so it makes no difference how much longer it is.
        max_staleness: duration(said::MAX_STALENESS)?.min(longest),
        cache: duration(said::CACHE)?.min(longest),
        clock_skew: duration(said::CLOCK_SKEW).unwrap_or(skew).min(skew),
        on_unavailable: OnUnavailable::from_word(one(headers, said::ON_UNAVAILABLE)?)?,
        unavailable_for: duration(said::UNAVAILABLE_FOR).map(|long| long.min(longest)),
    })
}

fn keys(headers: &HeaderMap) -> Option<Keys> {
    let refresh = one(headers, said::KEYS_REFRESH).and_then(parse_duration)?;
    let kids = one(headers, said::KEYS).and_then(|list| {
        let kids: Vec<&str> = list.split(',').filter(|kid| !kid.is_empty()).collect();
        let can_be_said =
            kids.len() <= said::MAX_KEYS_SAID && kids.iter().all(|kid| said::is_kid_said(kid));
        can_be_said.then(|| kids.into_iter().map(Box::from).collect())
    });
    Some(Keys { kids, refresh })
}

/// The value of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn digits(headers: &HeaderMap, name: &str, count: usize) -> Option<Box<str>> {
    one(headers, name).filter(|text| hex::is_lower(text, count)).map(Box::from)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn about(headers: &[(&str, &str)]) -> About {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        About::read(&request.body(()).unwrap().into_parts().0)
    }

    const BOUNDS: [(&str, &str); 3] = [
        ("breakglass-max-staleness", "10s"),
        ("breakglass-cache", "5500ms"),
        ("breakglass-on-unavailable", "deny"),
    ];

    #[test]
    fn reads_what_a_filter_says() {
        let (process, config) = ("0".repeat(31) + "a", "b".repeat(64));
        let mut headers = BOUNDS.to_vec();
        headers.push(("breakglass-process", &process));
        headers.push(("breakglass-config", &config));
        headers.push(("breakglass-version", "0.2.0-rc.1"));
        let about = about(&headers);
        assert_eq!(about.process.as_deref(), Some(&*process));
        assert_eq!(about.config.as_deref(), Some(&*config));
        assert_eq!(about.version.as_deref(), Some("0.2.0-rc.1"));
        let bounds = about.bounds.unwrap();
        assert_eq!(bounds.patience(), Duration::from_millis(15_500));
        assert_eq!(bounds.on_unavailable, OnUnavailable::Deny);
        assert_eq!(bounds.clock_skew, Duration::from_secs(60), "the largest there is");
        headers.push(("breakglass-clock-skew", "5s"));
        let about = super::tests::about(&headers);
        assert_eq!(about.bounds.map(|bounds| bounds.clock_skew), Some(Duration::from_secs(5)));
    }

    #[test]
    fn reads_which_keys_it_has() {
        let refresh = ("breakglass-keys-refresh", "300s");
        let kids = |list: &str| -> Option<Vec<String>> {
            let keys = about(&[refresh, ("breakglass-keys", list)]).keys.unwrap();
            assert_eq!(keys.refresh, Duration::from_secs(300));
            Some(keys.kids?.iter().map(ToString::to_string).collect())
        };
        assert_eq!(kids("a,b-_9"), Some(vec!["a".to_owned(), "b-_9".to_owned()]));
        assert_eq!(kids(""), Some(Vec::new()), "it has none");
        for list in ["a b", "a\u{e9}", &"a".repeat(65), &["a"; 17].join(",")] {
            assert_eq!(kids(list), None, "{list}");
        }
        assert_eq!(about(&[refresh]).keys.unwrap().kids, None);
        assert_eq!(about(&[("breakglass-keys", "a")]).keys, None);
        assert_eq!(about(&[("breakglass-keys", "a"), ("breakglass-keys-refresh", "x")]).keys, None);
    }

    #[test]
    fn what_cannot_be_read_is_not_said() {
        let none = About::default();
        assert_eq!(about(&[]), none);
        let (short, long, upper) = ("a".repeat(31), "a".repeat(33), "A".repeat(32));
        for process in ["", &short, &long, &upper, "g"] {
            assert_eq!(about(&[("breakglass-process", process)]), none, "{process}");
        }
        let twice = "a".repeat(32);
        let twice = [("breakglass-process", twice.as_str()), ("breakglass-process", &twice)];
        assert_eq!(about(&twice), none);
        for version in ["", "1 2", &"1".repeat(65)] {
            assert_eq!(
                about(&[("breakglass-version", version)]).version.as_deref().unwrap_or(""),
                ""
            );
        }
        for missing in 0..BOUNDS.len() {
            let mut some = BOUNDS.to_vec();
            some.remove(missing);
            assert_eq!(about(&some).bounds, None);
            for value in ["", "never", "-1s", "99999999999999999999s"] {
                let mut some = BOUNDS.to_vec();
                some[missing].1 = value;
                assert_eq!(about(&some).bounds, None, "{value}");
            }
        }
    }

    #[test]
    fn a_bound_beyond_every_grant_is_that_of_a_grant() {
        let mut headers = BOUNDS.to_vec();
        headers[0].1 = "5000000000000h";
        let staleness = about(&headers).bounds.unwrap().max_staleness;
        assert_eq!(staleness, Duration::from_secs(24 * 60 * 60));
    }

    #[test]
    fn of_two_descriptions_the_weaker_counts() {
        let deny = about(&BOUNDS).bounds.unwrap();
        let allow = Bounds {
            max_staleness: Duration::from_secs(1),
            cache: Duration::from_secs(60),
            clock_skew: Duration::ZERO,
            on_unavailable: OnUnavailable::Allow,
            unavailable_for: None,
        };
        for both in [deny.or(allow), allow.or(deny)] {
            assert_eq!(both.patience(), Duration::from_secs(70));
            assert_eq!(both.on_unavailable, OnUnavailable::Allow);
            assert_eq!(both.refuses_after(), None, "one of them never does");
        }
        let for_a_while = |minutes: u64| Bounds {
            unavailable_for: Some(Duration::from_secs(minutes * 60)),
            ..allow
        };
        for (one, other, seconds) in [
            (deny, for_a_while(5), Some(300)),
            (for_a_while(5), deny, Some(300)),
            (for_a_while(5), for_a_while(10), Some(600)),
            (for_a_while(1), for_a_while(0), Some(61)),
            (for_a_while(5), allow, None),
            (allow, for_a_while(5), None),
        ] {
            let both = one.or(other).refuses_after();
            assert_eq!(both, seconds.map(Duration::from_secs), "{one:?} {other:?}");
        }
    }

    #[test]
    fn allow_ends_where_a_filter_says_so() {
        let mut headers = BOUNDS.to_vec();
        headers[2].1 = "allow";
        assert_eq!(about(&headers).bounds.unwrap().refuses_after(), None, "an older filter");
        headers.push(("breakglass-unavailable-for", "15m"));
        let ends = |headers: &[(&str, &str)]| about(headers).bounds.unwrap().refuses_after();
        assert_eq!(ends(&headers), Some(Duration::from_secs(900)));
        headers[3].1 = "10s";
        let patience = Some(Duration::from_millis(15_500));
        assert_eq!(ends(&headers), patience, "what is fresh counts anyway");
        headers[3].1 = "never";
        assert_eq!(ends(&headers), None);
    }
}
