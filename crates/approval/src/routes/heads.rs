//! `POST /v1/audit/heads`: a proxy says how far its audit chains are. `GET /v1/audit/heads`: an
//! auditor reads all that was said.
//!
//! A head that contradicts an earlier one is kept too, and marked: what came is evidence, and the
//! log shows who is right.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{FieldErrors, JsonBody, QueryString};
use crate::app::App;
use crate::clock::{Moment, parse_rfc3339, rfc3339};
use crate::identity::{AsPerson, AsProxy};
use crate::limits::MAX_HEADS;
use crate::policy;
use crate::problem::Problem;
use crate::store::{Head, HeadFilter, ReportedHead, Reporter};
use crate::text;

/// The most heads that one answer lists.
const PAGE: i64 = 1000;

/// Members that this version does not know are no error: the filter may be newer, and a head that
/// is refused is a head that is lost.
#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    node: String,
    heads: Vec<HeadBody>,
}

#[derive(Deserialize)]
struct HeadBody {
    chain: String,
    seq: i64,
    hash: String,
    began: String,
    #[serde(default)]
    ended: bool,
    #[serde(default)]
    grants: BTreeMap<String, i64>,
}

pub(super) async fn report(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    JsonBody(Body { node, heads }): JsonBody<Body>,
) -> Result<Json<Value>, Problem> {
    let mut errors = FieldErrors::default();
    // An Envoy without a node id is known by its credential.
    let node = if node.is_empty() { proxy.name.clone() } else { node };
    errors.check("node", text::name(&node));
    if !(1..=MAX_HEADS).contains(&heads.len()) {
        errors.add("heads", format!("expected 1 to {MAX_HEADS} heads, got {}", heads.len()));
    }
    for (index, head) in heads.iter().enumerate() {
        head.check(&format!("heads[{index}]"), &mut errors);
    }
    errors.finish()?;

    let heads: Vec<Head> = heads.into_iter().map(Head::from).collect();
    let reporter = Reporter { proxy: &proxy.name, node: &node };
    let reported = app.store().report_heads(app.now()?, reporter, &heads).await?;
    app.metrics().reported(reported);
    if reported.conflicts > 0 {
        let conflicts = reported.conflicts;
        tracing::warn!(proxy = proxy.name, node, conflicts, "heads contradict earlier ones");
    }
    Ok(Json(json!({ "accepted": reported.accepted, "conflicts": reported.conflicts })))
}

impl HeadBody {
    fn check(&self, path: &str, errors: &mut FieldErrors) {
        let mut digits = |name: &str, text: &str, count: usize| {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if text.len() != count || !text.bytes().all(hex) {
                let expected = format!("expected {count} lower-case hexadecimal digits");
                errors.add(format!("{path}.{name}"), expected);
            }
        };
        digits("chain", &self.chain, 32);
        digits("hash", &self.hash, 64);
        if self.seq < 1 {
            errors.add(format!("{path}.seq"), "expected a number from 1");
        }
        if parse_rfc3339(&self.began).is_none() {
            errors.add(format!("{path}.began"), "expected an instant as RFC 3339 has it");
        }
        for (grant, count) in &self.grants {
            errors.check(&format!("{path}.grants"), text::name(grant));
            if *count < 1 {
                errors.add(format!("{path}.grants"), "expected counts from 1");
            }
        }
    }
}

impl From<HeadBody> for Head {
    fn from(head: HeadBody) -> Head {
        let HeadBody { chain, seq, hash, began, ended, grants } = head;
        Head { chain, seq, hash, began, ended, grants }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    after: i64,
    since: Option<String>,
    chain: Option<String>,
    node: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(parameters): QueryString<Parameters>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), Problem> {
    policy::check_auditor(app.config(), &person)?;
    let mut errors = FieldErrors::default();
    let since = parameters.since.as_deref().and_then(|text| {
        let since = parse_rfc3339(text);
        if since.is_none() {
            errors.add("since", "expected an instant such as `2026-11-22T02:13:00Z`");
        }
        since
    });
    errors.finish()?;
    let now = app.now()?;
    let (heads, more) = app
        .store()
        .heads(HeadFilter {
            after: parameters.after,
            since,
            chain: parameters.chain.as_deref(),
            node: parameters.node.as_deref(),
            limit: PAGE,
        })
        .await?;
    let next = heads.last().filter(|_| more).map(|head| head.id);
    let heads: Vec<Value> = heads.into_iter().map(view).collect();
    let answer = json!({ "as_of": rfc3339(now.seconds()), "heads": heads, "next": next });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn view(head: ReportedHead) -> Value {
    json!({
        "reported_at": rfc3339(Moment::from_millis(head.reported_at_ms).seconds()),
        "proxy": head.proxy,
        "node": head.node,
        "chain": head.chain,
        "seq": head.seq,
        "hash": head.hash,
        "began": head.began,
        "ended": head.ended,
        "grants": head.grants,
        "conflict": head.conflict,
    })
}
