//! Requests in words.

use serde_json::Value;

/// A member of an answer as text; nothing where it is not there.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A list in an answer as text.
pub(crate) fn list(value: &Value, pointer: &str) -> String {
    let items = value.pointer(pointer).and_then(Value::as_array);
    let items: Vec<&str> = items.into_iter().flatten().filter_map(Value::as_str).collect();
    items.join(", ")
}

/// A request, one line for each thing that an approver has to know.
pub(crate) fn request(view: &Value) -> String {
    let emergency = if view.get("emergency").and_then(Value::as_bool) == Some(true) {
        " (emergency)"
    } else {
        ""
    };
    let mut lines = vec![
        format!("request   {}", text(view, "/id")),
        format!("state     {}{emergency}", text(view, "/state")),
        format!("who       {}", text(view, "/requester")),
        format!("scopes    {}", list(view, "/scopes")),
        format!("audience  {}", text(view, "/audience")),
        format!("duration  {} from approval", text(view, "/duration")),
        format!("reason    {}", text(view, "/reason")),
    ];
    let mut add = |label: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{label:<10}{value}"));
        }
    };
    add("incident", text(view, "/incident").to_owned());
    add("approvers", list(view, "/approvers"));
    if text(view, "/state") == "pending" {
        add("lapses", text(view, "/lapses_at").to_owned());
    }
    add("grant", text(view, "/grant/id").to_owned());
    if view.get("grant").is_some() {
        let (by, at) = (text(view, "/grant/approved_by"), text(view, "/grant/approved_at"));
        add("approved", format!("by {by} at {at}"));
        add("ends", text(view, "/grant/expires_at").to_owned());
    }
    add("denied", refusal(view, "/denied"));
    add("cancelled", text(view, "/cancelled_at").to_owned());
    add("revoked", refusal(view, "/grant/revoked"));
    lines.join("\n")
}

fn refusal(view: &Value, pointer: &str) -> String {
    let Some(refusal) = view.pointer(pointer) else { return String::new() };
    let member = |name: &str| text(refusal, name);
    format!("by {} at {}: {}", member("/by"), member("/at"), member("/reason"))
}
