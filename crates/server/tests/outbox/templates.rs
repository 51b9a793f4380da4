//! Messages in the words of the configuration: what a template writes is escaped whatever it says, a wrong one keeps a
//! configuration from being taken, and one that fails later keeps no message from being sent.

use std::fs;
use std::path::Path;

use breakglass_server::clock::Moment;
use breakglass_server::reload::ConfigFile;
use breakglass_server::sinks::{Event, For, Message, Notice, prepare};
use breakglass_testing::service::START;
use serde_json::Value;
use tempfile::TempDir;

use super::deliveries::with_sinks;
use super::hostile::{letter, plain_and_html};
use super::sinks::sinks;

/// A sink of each kind that takes a template.
const SINKS: &str = "[[sinks]]\nname = \"m\"\ntype = \"mail\"\nhost = \"localhost\"\nfrom = \"b@corp.example\"\n\
    to = [\"o@corp.example\"]\ntemplate_file = \"AT/template\"\n\
    [[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"AT/url\"\ntemplate_file = \"AT/template\"\n";

/// The text of Slack's sections, and the letter's parts, of this notice by this template.
pub(crate) fn rendered(template: &str, notice: &Notice) -> (String, String, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("template"), template).unwrap();
    rendered_in(&directory, notice)
}

fn rendered_in(directory: &TempDir, notice: &Notice) -> (String, String, String) {
    fs::write(directory.path().join("url"), "https://hooks.slack.test/services/T/B/secret")
        .unwrap();
    let sinks = sinks(directory, SINKS);
    let now = Moment::from_seconds(START);
    let source = "https://approvals.test";
    let purpose = For::Sending;
    let event = Event { notice, to: None, source, now, purpose };
    let Message::Call(call) = prepare(&sinks[1], event).unwrap() else { panic!() };
    let message: Value = serde_json::from_slice(&call.body).unwrap();
    let blocks = message["blocks"].as_array().unwrap().iter();
    let sections = blocks.filter(|block| block["type"] == "section");
    let sections = sections.map(|block| block["text"]["text"].as_str().unwrap());
    let slack = sections.collect::<Vec<_>>().join("\n");
    let (plain, html) = plain_and_html(&letter(&sinks[0], notice));
    (slack, plain, html)
}

fn submitted() -> Notice {
    Notice::example("breakglass.request.submitted", Moment::from_seconds(START))
}

#[test]
fn a_template_says_what_it_wants_of_an_event() {
    let template = "{{ request.requester }} wants {{ request.scopes|join(', ') }} for {{ request.duration }}\n\
        {% for line in lines %}{% if line.label == 'Why' %}because: {{ line.value }}{% endif %}{% endfor %}\n\
        {{ command_label }}: {{ command }}\n{{ link }} ({{ event.severity }}, {{ event.type }}, {{ event.id }})";
    let (slack, plain, html) = rendered(template, &submitted());
    let id = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1";
    let lines = [
        "alice wants orders:write for 30m".to_owned(),
        "because: orders are stuck".to_owned(),
        format!("Answer: breakglass approve {id}"),
        format!(
            "https://approvals.test/requests/{id} (notice, breakglass.request.submitted, evt_{})",
            "0".repeat(32)
        ),
    ];
    assert_eq!(slack, lines.join("\n"));
    assert!(plain.starts_with(&lines.join("\r\n")), "{plain}");
    assert!(html.contains(&lines.join("<br>\r\n")), "{html}");
    assert!(!plain.contains("Environment"), "nothing of the usual words: {plain}");
    for text in [&plain, &html] {
        assert!(text.contains("sent 2026-11-22T02:13:00Z by https://approvals.test"), "{text}");
    }
}

#[test]
fn nothing_that_a_template_says_turns_escaping_off() {
    let mut notice = submitted();
    notice.asked.as_mut().unwrap().reason = "<!channel> *b* & \u{202e}\u{1b}[2J".to_owned();
    for template in [
        "{{ request.reason }}",
        "{% autoescape false %}{{ request.reason }}{% endautoescape %}",
        "{% autoescape 'none' %}{{ request.reason }}{% endautoescape %}",
        "{{ request.reason|upper|lower }}",
        "{{ [request.reason] }}",
        "{{ {'a': request.reason} }}",
        "{{ '<b>' ~ request.reason }}",
    ] {
        let (slack, plain, html) = rendered(template, &notice);
        assert!(!slack.contains(['<', '>', '*']), "{template}: {slack}");
        assert!(slack.contains("&lt;!channel&gt; ∗b∗ &amp; "), "{template}: {slack}");
        assert!(
            !html.contains("<!channel") && html.contains("&lt;!channel&gt;"),
            "{template}: {html}"
        );
        assert!(plain.contains("<!channel>"), "{template}: {plain}");
        for text in [&slack, &plain, &html] {
            assert!(!text.contains(['\u{202e}', '\u{1b}']), "{template}: {text}");
        }
    }
    // What a client writes is no template.
    notice.asked.as_mut().unwrap().reason = "{{7*7}} {% for a in b %}".to_owned();
    let (slack, plain, html) = rendered("{{ request.reason }}", &notice);
    for text in [slack, plain, html] {
        assert!(text.replace('∗', "*").contains("{{7*7}} {% for a in b %}"), "{text}");
    }
}

#[test]
fn a_template_that_fails_keeps_no_message_from_being_sent() {
    let broken = [
        "{{ nothing_of_this_name }}",
        "{% if %}",
        "{{ title|safe }}",
        "{{ title|escape }}",
        "{% include 'url' %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
    ];
    for template in broken {
        let (slack, plain, html) = rendered(template, &submitted());
        for text in [&slack, &plain, &html] {
            assert!(text.contains("the template of this sink failed"), "{template}: {text}");
            assert!(text.contains("orders are stuck"), "{template}: {text}");
            assert!(text.contains("breakglass approve req_"), "{template}: {text}");
        }
    }
    // Its file is gone, is no text, or is too large.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("template");
    for content in [None, Some(vec![0xff, 0xfe]), Some(vec![b'x'; 70_000])] {
        content
            .map_or_else(|| drop(fs::remove_file(&file)), |bytes| fs::write(&file, bytes).unwrap());
        let (slack, ..) = rendered_in(&directory, &submitted());
        assert!(slack.contains("the template of this sink failed"), "{slack}");
    }
}

/// What reading the configuration with this template says.
fn read(template: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("template"), template).unwrap();
    read_in(directory.path(), &with_sinks(&directory, SINKS))
}

fn read_in(folder: &Path, text: &str) -> Result<(), String> {
    let file = folder.join("config.toml");
    fs::write(&file, text).unwrap();
    ConfigFile::read(&file, &[]).result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_wrong_template_keeps_a_configuration_from_being_taken() {
    assert_eq!(
        read("{{ title }}\n{% if request %}{{ request.reason }}{% endif %}\n{{ link }}"),
        Ok(())
    );
    for (template, expected) in [
        ("one\n{{ nothing_of_this_name }}", "line 2: undefined value"),
        ("one\n\n{% if %}", "line 3: syntax error"),
        ("{{ title|safe }}", "line 1: unknown filter"),
        ("{% include 'url' %}", "line 1: syntax error"),
        // Events of the service itself have no request.
        ("{{ request.reason }}", "for an event of the type breakglass.service."),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "out of fuel",
        ),
    ] {
        let error = read(template).unwrap_err();
        let wrong: Vec<&str> = error.lines().collect();
        assert_eq!(wrong.len(), 2, "each sink: {error}");
        for (index, line) in wrong.iter().enumerate() {
            assert!(
                line.contains(&format!("config.toml: sinks[{index}].template_file: ")),
                "{line}"
            );
            assert!(line.contains("/template: ") && line.contains(expected), "{expected}: {line}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let text = with_sinks(&directory, SINKS);
    assert!(read_in(directory.path(), &text).unwrap_err().contains("No such file"));
    let other = "[[sinks]]\nname = \"o\"\ntype = \"otlp\"\nurl = \"https://otel.test\"\ntemplate_file = \"/t\"";
    let error = read_in(directory.path(), &with_sinks(&directory, other)).unwrap_err();
    assert!(error.contains("sinks[0].template_file"), "{error}");
}

/// The example of docs/notifications.md.
#[test]
fn the_documented_template_is_taken_and_says_what_the_document_says() {
    let document = include_str!("../../../../docs/notifications.md");
    let block = |mark: &str| {
        let rest = document.split(&format!("```{mark}\n")).nth(1).unwrap();
        rest.split("```").next().unwrap()
    };
    assert_eq!(read(block("jinja template")), Ok(()));
    let (slack, ..) = rendered(block("jinja template"), &submitted());
    assert_eq!(slack.trim_end(), block("text template").trim_end());
}
