//! `breakglass scopes narrow`: what a scope opens against what its grants were used for, and a narrower scope to paste.
//!
//! A verdict says no more than is known: where some records are of no known kind, there is no proposal without `--anyway`.

use std::collections::BTreeSet;

use breakglass_server::clock::{Clock, Moment, SystemClock, meant, parse_rfc3339, written};
use breakglass_server::duration;
use breakglass_types::scope_rules::ScopeRules;
use serde_json::{Value, json};

use crate::answer::{Mismatch, ScopeUses, Whole};
use crate::client::{Client, Failure, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The scope.
    #[arg(value_name = "SCOPE")]
    scope: String,

    /// Look at grants that were over since then: a duration back from now, or an instant.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,

    /// Propose a narrower scope although not all is known of what the grants were used for.
    #[arg(long)]
    anyway: bool,
}

/// What a scope opens, split by whether it was used.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    methods: BTreeSet<String>,
    paths: BTreeSet<String>,
    unused_methods: BTreeSet<String>,
    unused_paths: BTreeSet<String>,
    /// What was used together: `GET /v1/orders`.
    pairs: BTreeSet<String>,
    /// What was used under other rules than the definition has now.
    elsewhere: BTreeSet<String>,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let since = since(&args.since)?;
    let since = written(since);
    let query = format!("scope={}&since={}", query_value(&args.scope), query_value(since.text()));
    let answer: Whole<ScopeUses> = client.get(&format!("/v1/scopes/uses?{query}"))?;
    let uses = &answer.body;
    Mismatch::check("scope", &args.scope, &uses.scope)?;
    let rules = uses.rules.clone().map(ScopeRules::from_canonical).transpose();
    let rules = rules.map_err(|error| Failure::Failed(format!("rules: {error}")))?;
    let unknown = unknown(uses);
    let compared = rules.as_ref().map(|rules| compare(uses, rules));
    let refused = match (&compared, unknown.is_empty() || args.anyway) {
        (None, _) => Some(
            "the service has no definition of the scope, so that what was never used is not known: name one in `definitions` \
             of its configuration (`breakglass scopes import`)",
        ),
        (Some(_), false) => {
            Some("not all is known of what the grants were used for: see above, or `--anyway`")
        }
        (Some(compared), true) if compared.pairs.is_empty() => Some(
            "no grant was used for anything that the scope opens: there is nothing to narrow it to",
        ),
        (Some(_), true) => None,
    };
    unknown.iter().for_each(|line| terminal.note(line));
    if let Some(why) = refused {
        terminal.note(why);
        if terminal.json {
            terminal.result(
                "",
                &json!({ "uses": answer.json, "not_known": unknown, "proposal": null }),
            )?;
        }
        return Ok(Exit::Fail);
    }
    let (Some(rules), Some(compared)) = (rules, compared) else { return Ok(Exit::Fail) };
    let narrow = narrowed(&args.scope, rules, &compared);
    let comments = comments(uses, &compared, &unknown);
    let text = comments.iter().map(|line| format!("# {line}")).chain([yaml(&narrow)]);
    let text = text.collect::<Vec<_>>().join("\n");
    terminal
        .result(&text, &json!({ "uses": answer.json, "not_known": unknown, "proposal": narrow }))?;
    if compared.unused_methods.is_empty() && compared.unused_paths.is_empty() {
        terminal.note("every method and every path template of the scope was used: the proposal is no narrower");
    }
    Ok(Exit::Done)
}

/// An instant, or as long ago.
fn since(text: &str) -> Result<Moment, Failure> {
    if let Some(instant) = parse_rfc3339(text) {
        return Ok(instant);
    }
    let invalid = || {
        Failure::Invalid(format!(
            "--since {text}: expected a duration such as `30d`, or an instant such as `2026-11-22T02:13:00Z`"
        ))
    };
    let seconds = duration::parse(text).map_err(|_| invalid())?;
    let now = SystemClock.now().map_err(|error| Failure::Failed(error.to_string()))?;
    let since = now.seconds().checked_sub(seconds).filter(|since| *since >= 0);
    since.map(Moment::from_seconds).ok_or_else(invalid)
}

/// What is not known of the uses, each in a sentence.
fn unknown(uses: &ScopeUses) -> Vec<String> {
    let mut lines = Vec::new();
    if uses.other_records > 0 {
        lines.push(format!(
            "{} records of these grants are of no known kind: of proxies whose filter is too old to say, or of more kinds than are \
             kept apart",
            uses.other_records
        ));
    }
    if uses.more {
        lines.push(format!(
            "there are more than the {} grants that were looked at: take a later `--since`",
            uses.grants
        ));
    }
    if let Some(removed) = uses.removed_before.as_ref().filter(|at| meant(at) > meant(&uses.since))
    {
        lines.push(format!(
            "what proxies reported before {} is gone: take a later `--since`, or a longer `evidence_retention`",
            removed.text()
        ));
    }
    lines
}

/// Only what passed counts: what was refused is no reason to keep anything open.
fn compare(uses: &ScopeUses, rules: &ScopeRules) -> Compared {
    let mut compared = Compared::default();
    let passed = uses.uses.iter().filter(|used| {
        used.scope.as_ref() == Some(&uses.scope)
            && ["allow", "cut"].contains(&used.outcome.as_str())
    });
    for used in passed {
        let rule = used.rule.as_deref().unwrap_or("-");
        let pair = format!("{} {rule}", used.method);
        if rules.methods.contains(&used.method) && rules.paths.contains(rule) {
            compared.methods.insert(used.method.clone());
            compared.paths.insert(rule.to_owned());
            compared.pairs.insert(pair);
        } else {
            compared.elsewhere.insert(pair);
        }
    }
    compared.unused_methods = rules.methods.difference(&compared.methods).cloned().collect();
    compared.unused_paths = rules.paths.difference(&compared.paths).cloned().collect();
    compared
}

/// The scope as a filter's configuration has it, with what was used alone.
fn narrowed(name: &str, rules: ScopeRules, compared: &Compared) -> Value {
    let rules =
        ScopeRules { methods: compared.methods.clone(), paths: compared.paths.clone(), ..rules };
    let mut scope: Value = serde_json::from_str(&rules.canonical()).unwrap_or_default();
    if let Some(members) = scope.as_object_mut() {
        members.remove("v");
        members.insert("name".to_owned(), json!(name));
    }
    scope
}

/// What the proposal rests on.
fn comments(uses: &ScopeUses, compared: &Compared, unknown: &[String]) -> Vec<String> {
    let ScopeUses { scope, since, until, grants, used, .. } = uses;
    let list =
        |texts: &BTreeSet<String>| texts.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        format!(
            "A proposal for the scope {scope}: what {grants} grants that were over from {} to {}",
            since.text(),
            until.text()
        ),
        format!(
            "were used for. Proxies reported records of {used} of them; of the others nothing is known, or nothing happened."
        ),
    ];
    lines.extend(unknown.iter().map(|line| format!("NOT KNOWN: {line}.")));
    let product = compared.methods.len().saturating_mul(compared.paths.len());
    for (words, texts) in [
        ("Left out, never used: methods", &compared.unused_methods),
        ("Left out, never used: paths", &compared.unused_paths),
        ("Used under rules that the definition does not have now", &compared.elsewhere),
    ] {
        if !texts.is_empty() {
            lines.push(format!("{words}: {}", list(texts)));
        }
    }
    if compared.pairs.len() < product {
        lines.push(format!(
            "Used together (several scopes can be narrower still): {}",
            list(&compared.pairs)
        ));
    }
    lines.push(
        "Take over from your configuration what no definition has: cut, drain, same_digest, request_body, response_body.".to_owned(),
    );
    lines
}

/// A list with one scope, each member on its line; the values are JSON, which YAML reads.
fn yaml(scope: &Value) -> String {
    let members = scope.as_object().into_iter().flatten();
    let name = scope.get("name").map(|name| format!("  - name: {name}"));
    let others = members.filter(|(member, _)| *member != "name");
    let others = others.map(|(member, value)| format!("    {member}: {value}"));
    ["scopes:".to_owned()].into_iter().chain(name).chain(others).collect::<Vec<_>>().join("\n")
}
