//! The reference: what an object may hold, as Markdown for people.

use breakglass_types::instant::format_duration;

use super::{Description, Field, Presence, Takes};

/// The reference of a whole configuration: a table of its fields, then a section for each of them
/// that is an object or a list of objects. The objects in those have rows, such as `jwks.remote`.
#[must_use]
pub fn reference(whole: &Description) -> String {
    let sections = sections(whole);
    let mut text = TABLE_HEAD.to_owned();
    for field in &whole.fields {
        let section = sections.iter().find(|section| section.fields.contains(&field.name));
        match section {
            Some(section) => push_row(&mut text, &section.link_to(field.name), field, ""),
            None => push_rows(&mut text, "", field, &mut Vec::new()),
        }
    }
    for section in &sections {
        let (heading, about) = (section.heading(), paragraphs(section.object.about));
        text.push_str(&format!("\n### {heading}\n\n{about}\n\n{TABLE_HEAD}"));
        let mut described = Vec::new();
        for field in &section.object.fields {
            push_rows(&mut text, "", field, &mut described);
        }
    }
    text
}

const TABLE_HEAD: &str = "| field | takes | without it | meaning |\n|---|---|---|---|\n";

/// What describes one object: of which fields it is what they hold, or list.
struct Section<'a> {
    object: &'a Description,
    fields: Vec<&'static str>,
}

fn sections(whole: &Description) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for field in &whole.fields {
        let Some(object) = object_in(&field.takes) else { continue };
        match sections.iter_mut().find(|section| section.object.name == object.name) {
            Some(section) => section.fields.push(field.name),
            None => sections.push(Section { object, fields: vec![field.name] }),
        }
    }
    sections
}

impl Section<'_> {
    fn heading(&self) -> String {
        self.fields.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// A link by the name that a heading gets: its words, without what else is in it.
    fn link_to(&self, field: &str) -> String {
        format!("[`{field}`](#{})", self.fields.join("-"))
    }
}

/// The document with `text` in place of what is between the marks of its generated part. `None` if
/// it has no such part.
#[must_use]
pub fn with_generated(document: &str, part: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- generated: {part} -->\n"), "<!-- end of generated -->");
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{text}\n{end}{after}"))
}

/// The row of a field, and those of the fields in it, unless another field was just as it is.
fn push_rows<'a>(
    text: &mut String,
    parent: &str,
    field: &'a Field,
    described: &mut Vec<(&'a str, String)>,
) {
    let name = format!("{parent}{}", field.name);
    let object = object_in(&field.takes);
    let same = object.and_then(|object| described.iter().find(|(known, _)| *known == object.name));
    let hint = same.map(|(_, other)| format!(" Its fields are those of `{other}`."));
    push_row(text, &format!("`{name}`"), field, &hint.unwrap_or_default());
    if let (Some(object), None) = (object, same) {
        described.push((object.name, name.clone()));
        for field in &object.fields {
            push_rows(text, &format!("{name}."), field, described);
        }
    }
}

fn push_row(text: &mut String, name: &str, field: &Field, hint: &str) {
    let meaning = format!("{}{hint}", paragraphs(field.about).replace('\n', " "));
    let cells = [name.to_owned(), takes(&field.takes), without(&field.presence), meaning];
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}

/// The object that a place takes, among other things or as the items of a list.
fn object_in(takes: &Takes) -> Option<&Description> {
    match takes {
        Takes::Object(object) => Some(object),
        Takes::Either(any) => any.iter().find_map(object_in),
        Takes::List(item) => object_in(item),
        _ => None,
    }
}

/// Documentation without the space before each line.
fn paragraphs(about: &str) -> String {
    let lines: Vec<_> =
        about.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

fn takes(takes: &Takes) -> String {
    match takes {
        Takes::Boolean => "`true` or `false`".to_owned(),
        Takes::Number(min, max) => format!("whole number, {min} to {max}"),
        Takes::Text(kind) => (*kind).to_owned(),
        Takes::Duration(shortest, longest) => {
            let mut text = "duration".to_owned();
            if shortest.is_zero() {
                text.push_str(", `\"0s\"` too");
            }
            if let Some(longest) = longest {
                text.push_str(&format!(", at most `\"{}\"`", format_duration(*longest)));
            }
            text
        }
        Takes::Words(words) => quoted(words).join(" or "),
        Takes::List(item) => match item.as_ref() {
            Takes::Text(kind) => format!("list of {kind}s"),
            Takes::Words(words) => format!("list of {}", quoted(words).join(", ")),
            Takes::Object(_) => "list of objects".to_owned(),
            other => format!("list of {}", self::takes(other)),
        },
        Takes::Map(kind, item) => format!("table by {kind} of {}", self::takes(item)),
        Takes::Object(_) => "object".to_owned(),
        Takes::Either(any) => any.iter().map(self::takes).collect::<Vec<_>>().join(" or "),
        Takes::Foreign(what) => (*what).to_owned(),
    }
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("`\"{word}\"`")).collect()
}

fn without(presence: &Presence) -> String {
    match presence {
        Presence::Required => "required".to_owned(),
        Presence::RequiredWithout(other) => format!("required without `{other}`"),
        Presence::Optional(absent) => (*absent).to_owned(),
        Presence::Default(default) => format!("`{default}`"),
    }
}
