//! `POST /v1/audit/heads`: a proxy says how far its audit chains are. `GET /v1/audit/heads`: an
//! auditor reads all that was said.
//!
//! A head that contradicts an earlier one is kept too, and marked: what came is evidence, and the
//! log shows who is right.

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderName, header};
use breakglass_api::Word;
use breakglass_api::heads::{self as api, HeadReport, Heads, HeadsQuery, HeadsReported, NewHead};
use breakglass_api::uses::Use;
use breakglass_types::hex;
use breakglass_types::names::{DIGEST_DIGITS, PROCESS_DIGITS};
use breakglass_types::uses::{MAX_USE_METHOD_BYTES, MAX_USE_RULE_BYTES, MAX_USE_SCOPE_BYTES};

use super::body::{FieldErrors, JsonBody, QueryString};
use crate::app::App;
use crate::auth::identity::{AsAuditor, AsProxy};
use crate::clock::{Moment, parse_rfc3339, rfc3339, written};
use crate::config::Proxy;
use crate::evidence::{EvidenceError, Head, HeadFilter, Proof, ReportedHead, Reporter};
use crate::limits::{MAX_HEADS, MAX_REPORTED_GRANTS, MAX_REPORTED_USES};
use crate::problem::{Problem, Reason};
use crate::text;

/// The most heads that one answer lists.
const PAGE: usize = 1000;

pub(super) async fn report(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    request: Request,
) -> Result<Json<HeadsReported>, Problem> {
    // Of a body that is too large nothing is read but how large it says it is.
    let bytes = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let bytes = bytes.map(str::to_owned);
    let mut node = None;
    let refusal = match take(&app, &proxy, request, &mut node).await {
        Ok(answer) => return Ok(answer),
        Err(refusal) => refusal,
    };
    let reason = match &refusal {
        Refusal::Evidence(EvidenceError::Quota(quota)) => quota.word(),
        Refusal::Evidence(_) | Refusal::Problem(_) => "",
    };
    let problem = match refusal {
        Refusal::Evidence(error) => error.into(),
        Refusal::Problem(problem) => problem,
    };
    let reason = if reason.is_empty() { problem.reason().word() } else { reason };
    app.metrics().report_refused(reason);
    // A proxy repeats what was refused.
    if let Some(unlogged) = app.evidence().logs_refusal(&proxy.name) {
        tracing::warn!(
            proxy = proxy.name,
            node,
            bytes,
            reason,
            unlogged,
            "report of heads refused"
        );
    }
    Err(problem)
}

/// Why a report is refused.
enum Refusal {
    Evidence(EvidenceError),
    Problem(Problem),
}

impl From<EvidenceError> for Refusal {
    fn from(error: EvidenceError) -> Refusal {
        Refusal::Evidence(error)
    }
}

impl<P: Into<Problem>> From<Unfit<P>> for Refusal {
    fn from(Unfit(problem): Unfit<P>) -> Refusal {
        Refusal::Problem(problem.into())
    }
}

/// What is wrong with a report, whatever the database says.
struct Unfit<P>(P);

async fn take(
    app: &App,
    proxy: &Proxy,
    request: Request,
    known_node: &mut Option<String>,
) -> Result<Json<HeadsReported>, Refusal> {
    let JsonBody(HeadReport { node, process, heads }) =
        JsonBody::from_request(request, app).await.map_err(Unfit)?;
    let mut errors = FieldErrors::default();
    // An Envoy without a node id is known by its credential.
    let node = if node.is_empty() { proxy.name.clone() } else { node };
    errors.check("node", text::name(&node));
    if let Some(process) = &process {
        hex_digits("process", process, PROCESS_DIGITS, &mut errors);
    }
    if errors.is_empty() {
        *known_node = Some(node.clone());
    }
    let grants = heads.iter().map(|head| head.grants.len()).fold(0, usize::saturating_add);
    let uses = heads.iter().flat_map(|head| head.uses.values());
    let uses = uses.map(Vec::len).fold(0, usize::saturating_add);
    if uses > MAX_REPORTED_USES {
        let detail = format!("expected at most {MAX_REPORTED_USES} uses in a report, got {uses}");
        return Err(Unfit(Problem::new(Reason::BodyTooLarge, detail)).into());
    }
    if grants > MAX_REPORTED_GRANTS {
        let detail =
            format!("expected at most {MAX_REPORTED_GRANTS} grants in a report, got {grants}");
        return Err(Unfit(Problem::new(Reason::BodyTooLarge, detail)).into());
    }
    if !(1..=MAX_HEADS).contains(&heads.len()) {
        errors.add("heads", format!("expected 1 to {MAX_HEADS} heads, got {}", heads.len()));
    }
    for (index, head) in heads.iter().enumerate() {
        check(head, &format!("heads[{index}]"), &mut errors);
    }
    errors.finish().map_err(Unfit)?;

    let heads: Vec<Head> = heads.into_iter().map(Head::from).collect();
    let proven = proven_owners(app, &proxy.name, &heads).await?;
    let reporter = Reporter { proxy: &proxy.name, node: &node, process: process.as_deref() };
    let reported = app.evidence().report_heads(app.now(), reporter, &heads, &proven).await?;
    app.metrics().reported(&reported);
    let (conflicts, disputed) = (reported.conflicts, reported.disputed);
    if conflicts > 0 {
        tracing::warn!(proxy = proxy.name, node, conflicts, "heads contradict earlier ones");
    }
    if let Some(first) = reported.first_disputed {
        let (chain, owner) = (first.chain, first.owner);
        tracing::warn!(
            proxy = proxy.name,
            node,
            disputed,
            chain,
            owner,
            "heads of chains that are another proxy's"
        );
    }
    let conflicts = conflicts.saturating_add(disputed);
    Ok(Json(HeadsReported { accepted: reported.accepted, conflicts }))
}

/// The owners of those chains whose ids prove one. The reporter's own key is tried first; all others only for
/// chains that no proxy has reported before: the owners of the others are known.
async fn proven_owners(
    app: &App,
    proxy: &str,
    heads: &[Head],
) -> Result<HashMap<String, String>, Refusal> {
    let chains: HashSet<&str> = heads.iter().map(|head| head.chain.as_str()).collect();
    let (own, others): (Vec<&str>, Vec<&str>) =
        chains.into_iter().partition(|chain| app.chain_owners().proves(proxy, chain));
    let mut proven: HashMap<String, String> =
        own.into_iter().map(|chain| (chain.to_owned(), proxy.to_owned())).collect();
    if !others.is_empty() {
        let unknown = app.evidence().unknown_chains(&others).await?;
        let found = app.chain_owners().search(unknown).await;
        proven.extend(found.map_err(|error| Unfit(Problem::internal(&error)))?);
    }
    Ok(proven)
}

fn hex_digits(field: &str, text: &str, count: usize, errors: &mut FieldErrors) {
    if !hex::is_lower(text, count) {
        errors.add(field, format!("expected {count} lower-case hexadecimal digits"));
    }
}

fn check(head: &NewHead, path: &str, errors: &mut FieldErrors) {
    hex_digits(&format!("{path}.chain"), &head.chain, PROCESS_DIGITS, errors);
    hex_digits(&format!("{path}.hash"), &head.hash, DIGEST_DIGITS, errors);
    if let Some(configuration) = &head.configuration {
        hex_digits(&format!("{path}.configuration"), configuration, DIGEST_DIGITS, errors);
    }
    if head.seq < 1 {
        errors.add(format!("{path}.seq"), "expected a number from 1");
    }
    if parse_rfc3339(&head.began).is_none() {
        errors.add(format!("{path}.began"), "expected an instant as RFC 3339 has it");
    }
    for (grant, count) in &head.grants {
        errors.check(&format!("{path}.grants"), text::name(grant));
        if *count < 1 {
            errors.add(format!("{path}.grants"), "expected counts from 1");
        }
    }
    for (grant, uses) in &head.uses {
        errors.check(&format!("{path}.uses"), text::name(grant));
        for used in uses {
            check_use(used, &format!("{path}.uses"), errors);
        }
    }
}

/// The texts are of the proxy's configuration: what characters they have is not judged here.
fn check_use(used: &Use, path: &str, errors: &mut FieldErrors) {
    let Use { scope, method, rule, outcome, records } = used;
    let (scope, rule) = (scope.as_deref().unwrap_or("-"), rule.as_deref().unwrap_or("-"));
    for (name, text, longest) in [
        ("scope", scope, MAX_USE_SCOPE_BYTES),
        ("method", method, MAX_USE_METHOD_BYTES),
        ("rule", rule, MAX_USE_RULE_BYTES),
        ("outcome", outcome, MAX_USE_METHOD_BYTES),
    ] {
        if text.is_empty() || text.len() > longest {
            let bytes = text.len();
            errors.add(
                path.to_owned(),
                format!("`{name}`: expected 1 to {longest} bytes, got {bytes}"),
            );
        }
    }
    if *records < 1 {
        errors.add(path.to_owned(), "expected counts from 1");
    }
}

impl From<NewHead> for Head {
    fn from(head: NewHead) -> Head {
        let NewHead { chain, seq, hash, began, ended, grants, configuration, uses } = head;
        Head { chain, seq, hash, began, ended, configuration, grants, uses }
    }
}

pub(super) async fn list(
    State(app): State<App>,
    _: AsAuditor,
    QueryString(parameters): QueryString<HeadsQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<Heads>), Problem> {
    let mut errors = FieldErrors::default();
    let since = parameters.since.as_deref().and_then(|text| {
        let since = parse_rfc3339(text);
        if since.is_none() {
            errors.add("since", "expected an instant such as `2026-11-22T02:13:00Z`");
        }
        since
    });
    let retention = app.evidence().retention().await?;
    if let Some(since) = since.filter(|since| retention.blurs(*since)) {
        // Which head was the last one before it is not known any more.
        let hour = |millis| rfc3339(Moment::from_millis(millis).seconds());
        let (before, after) = retention.hours(since);
        errors.add(
            "since",
            format!(
                "heads from before {} are kept one an hour: expected a full hour, such as `{}` or `{}`",
                hour(retention.thinned_before_ms),
                hour(before),
                hour(after),
            ),
        );
    }
    errors.finish()?;
    let now = app.now();
    let page = app
        .evidence()
        .heads(HeadFilter {
            after: parameters.after,
            since,
            chain: parameters.chain.as_deref(),
            node: parameters.node.as_deref(),
            limit: PAGE,
        })
        .await?;
    let instant = |millis| (millis > 0).then(|| written(Moment::from_millis(millis)));
    let answer = Heads {
        as_of: written(now),
        heads: page.heads.into_iter().map(view).collect(),
        next: page.next,
        thinned_before: instant(page.retention.thinned_before_ms),
        removed_before: instant(page.retention.removed_before_ms),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

fn view(head: ReportedHead) -> api::Head {
    let (proof, owner) = match head.proof() {
        Proof::Proven => (api::Proof::Proven, None),
        Proof::FirstReport => (api::Proof::FirstReport, None),
        Proof::Disputed(owner) => (api::Proof::Disputed, Some(owner.to_owned())),
    };
    let conflict = head.conflict().map(|word| Word::read(word.to_owned()));
    api::Head {
        reported_at: written(Moment::from_millis(head.reported_at_ms)),
        seen_at: written(Moment::from_millis(head.seen_at_ms)),
        proxy: head.proxy,
        node: head.node,
        process: head.process,
        chain: head.chain,
        seq: head.seq,
        hash: head.hash,
        began: head.began,
        ended: head.ended,
        configuration: head.configuration,
        grants: head.grants,
        conflict,
        proof: proof.into(),
        owner,
    }
}
