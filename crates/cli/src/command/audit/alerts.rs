//! `breakglass audit alerts`: what proxies reported, each with whose word it is.

use breakglass_api::alerts::TYPE_PREFIX;
use serde_json::{Value, json};

use super::input::no_page;
use crate::answer::{Alert, Alerts, Instant, Whole};
use crate::client::{Client, Failure, Settings, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what came after the alert with this place.
    #[arg(long, default_value_t = 0, value_name = "PLACE")]
    after: i64,

    /// Only alerts of this kind, such as `out_of_scope`.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// Only alerts about this proxy, by the name of its credential.
    #[arg(long, value_name = "PROXY")]
    proxy: Option<String>,

    /// Only alerts about this grant.
    #[arg(long, value_name = "GRANT")]
    grant: Option<String>,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::new(settings)?;
    let filters = [("kind", &args.kind), ("proxy", &args.proxy), ("grant", &args.grant)];
    let filters: String = filters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("&{name}={}", query_value(value.as_ref()?))))
        .collect();
    let mut after = args.after;
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    let removed = loop {
        let path = format!("/v1/audit/alerts?after={after}{filters}");
        let page: Whole<Alerts> = client.page(&path)?;
        lines.extend(page.body.alerts.iter().map(line));
        all.extend(
            page.json.get("alerts").and_then(Value::as_array).into_iter().flatten().cloned(),
        );
        match page.body.next {
            Some(next) if next > after => after = next,
            Some(_) => return Err(no_page("alerts")),
            None => break page.body.removed_before,
        }
    };
    let removed = removed.as_ref().map(Instant::text);
    if let Some(removed) = removed {
        terminal.note(&format!("what is from before {removed} was removed"));
    }
    if all.is_empty() && !terminal.json {
        terminal.note("none");
        return Ok(Exit::Done);
    }
    let answer = json!({ "alerts": all, "next": null, "removed_before": removed });
    terminal.result(&lines.join("\n"), &answer)?;
    Ok(Exit::Done)
}

/// One alert on one line, whatever is in it: when, what, how often, whose word, and what is known of it.
fn line(alert: &Alert) -> String {
    let kind = alert.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&alert.kind);
    let kind = if alert.count > 1 { format!("{kind} x{}", alert.count) } else { kind.to_owned() };
    let mut words = vec![alert.at.text().to_owned(), kind];
    if !alert.page {
        words.push("no page".to_owned());
    }
    let data = &alert.data;
    words.push(match &data.node {
        Some(node) if *node != data.reported_by => {
            format!("reported by {} (node {node})", data.reported_by)
        }
        _ => format!("reported by {}", data.reported_by),
    });
    if let Some(suppressed) = &data.suppressed {
        let kinds = suppressed.kinds.iter().map(|(kind, count)| format!("{kind} {count}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        words.push(format!(
            "{} alerts of {} ({}) came without a page since {}, {} of them not kept: {kinds}",
            suppressed.alerts,
            data.proxy,
            data.class.word(),
            suppressed.since.text(),
            suppressed.not_kept,
        ));
    }
    if let Some(dropped) = data.dropped {
        words.push(format!("the proxy has dropped {dropped} alerts"));
    }
    if let Some(said) = &data.alert {
        let known = if data.grant_known == Some(false) { " (unknown here)" } else { "" };
        let with = |before: &str, member: &Option<String>, after: &str| {
            member.as_ref().map(|text| format!("{before}{text}{after}"))
        };
        let unverified = said.unverified.as_ref();
        let emergency = said.emergency.filter(|emergency| *emergency);
        let over = said.over.filter(|over| *over);
        let request = [&said.method, &said.host, &said.path].map(|one| one.clone());
        let request = request.into_iter().flatten().collect::<Vec<_>>().join(" ");
        words.extend(
            [
                over.map(|_| "over".to_owned()),
                with("", &said.grant, known),
                with("of ", &said.subject, ""),
                emergency.map(|_| "emergency".to_owned()),
                with("in ", &said.audience, ""),
                with("for ", &said.incident, ""),
                with("scope ", &said.scope, ""),
                Some(request),
                with("from ", &said.source_ip, ""),
                with("unverified kid ", &unverified.and_then(|one| one.kid.clone()), ""),
                with("unverified issuer ", &unverified.and_then(|one| one.issuer.clone()), ""),
                with("", &said.reason, ""),
                with("", &said.detail, ""),
            ]
            .into_iter()
            .flatten(),
        );
    }
    words
        .iter()
        .map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|words| !words.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(alert: Value) -> String {
        line(&serde_json::from_value(alert).unwrap())
    }

    #[test]
    fn an_alert_is_a_line_that_says_whose_word_it_is() {
        let at = "2026-11-28T02:13:00Z";
        let mut alert = json!({
            "place": 1, "id": "alert_1", "at": at, "seen_at": at, "type": "breakglass.alert.out_of_scope", "page": true,
            "count": 3, "data": {
                "reported_by": "edge", "proxy": "edge", "node": "edge-1", "class": "holders", "grant_known": false,
                "alert": { "kind": "out_of_scope", "first": at, "last": at, "count": 3, "grant": "grant_1",
                    "subject": "alice", "method": "GET", "host": "a.test", "path": "/x\n2026 forged" },
            },
        });
        assert_eq!(
            shown(alert.clone()),
            "2026-11-28T02:13:00Z  out_of_scope x3  reported by edge (node edge-1)  grant_1 (unknown here)  of alice  \
             GET a.test /x 2026 forged"
        );
        alert["type"] = json!("breakglass.alert.alerts_suppressed");
        alert["data"] = json!({
            "reported_by": "service", "proxy": "edge", "class": "holders",
            "suppressed": { "since": at, "alerts": 9, "not_kept": 2, "kinds": { "ceiling": 1, "out_of_scope": 8 } },
        });
        alert["count"] = json!(9);
        assert_eq!(
            shown(alert),
            "2026-11-28T02:13:00Z  alerts_suppressed x9  reported by service  9 alerts of edge (holders) came without a \
             page since 2026-11-28T02:13:00Z, 2 of them not kept: ceiling 1, out_of_scope 8"
        );
    }
}
