//! Objects that are named by bucket and key (`secret/s.txt`), where a request's own bucket may be in its host.
//!
//! To an S3 that is addressed as `loot.s3.internal`, the object `secret/s.txt` is what `GET /s.txt` at
//! `secret.s3.internal` reads.

use crate::policy::template::segments_of;
use crate::policy::{HostName, Readings};

/// The key as a path.
pub(super) fn key(object: &[u8]) -> Readings<'static> {
    let readings = Readings::of(object);
    let Some(texts) = readings.texts() else { return Readings::Anything };
    let keys = texts.iter().filter_map(|text| {
        let slash = text.iter().position(|byte| *byte == b'/')?;
        text.get(slash..).map(<[u8]>::to_vec)
    });
    Readings::Known(keys.collect())
}

/// The hosts that the bucket may have: beside that of the request, or below it; `None` is every host.
pub(super) fn hosts(object: &[u8], host: Option<&HostName>) -> Vec<Option<HostName>> {
    let readings = Readings::of(object);
    let (Some(texts), Some(host)) = (readings.texts(), host) else { return vec![None] };
    let host = host.as_str();
    let beside = host.split_once('.').map(|(_, parent)| parent);
    let mut buckets: Vec<&[u8]> =
        texts.iter().filter_map(|text| segments_of(text).next()).collect();
    buckets.sort_unstable();
    buckets.dedup();
    let domains = [Some(host), beside];
    let named = buckets.into_iter().flat_map(|bucket| {
        let below =
            domains.iter().flatten().map(|domain| [bucket, b".", domain.as_bytes()].concat());
        // Some write the bucket's whole host (Tencent's).
        below.chain(bucket.contains(&b'.').then(|| bucket.to_vec())).collect::<Vec<_>>()
    });
    // What is no host is none that a bucket has.
    named.filter_map(|name| HostName::from_authority(&name).map(Some)).collect()
}
