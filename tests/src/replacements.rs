//! The `replacements` of a kustomization, as far as the shipped ones use them: a field of one object,
//! copied into a part of fields of others.

use serde_json::Value;

/// Applies the `replacements` of a kustomization's file to its objects.
///
/// # Panics
/// When one uses what is not understood here, or a field is missing.
pub(crate) fn apply(objects: &mut [Value], replacements: &Value) {
    for replacement in replacements.as_array().unwrap_or(&Vec::new()) {
        let source = &replacement["source"];
        let from = objects.iter().find(|object| is_selected(object, source));
        let from = from.unwrap_or_else(|| panic!("no object for {source}"));
        let field = pointer(&source["fieldPath"]);
        let value = from.pointer(&field).and_then(Value::as_str).expect("a text").to_owned();
        for target in replacement["targets"].as_array().expect("targets") {
            let mut found = 0;
            for object in objects.iter_mut().filter(|one| is_selected(one, &target["select"])) {
                found += 1;
                for field in target["fieldPaths"].as_array().expect("fields") {
                    let field = pointer(field);
                    let place = object.pointer_mut(&field);
                    let place = place.unwrap_or_else(|| panic!("{field} is missing"));
                    *place = replaced(place, &target["options"], &value).into();
                }
            }
            assert!(found > 0, "no object for {target}");
        }
    }
}

fn is_selected(object: &Value, select: &Value) -> bool {
    object["kind"] == select["kind"] && object["metadata"]["name"] == select["name"]
}

fn pointer(field: &Value) -> String {
    let field = field.as_str().expect("a field");
    assert!(!field.contains(['[', '*', '\\']), "`{field}` is not understood here");
    format!("/{}", field.replace('.', "/"))
}

/// The text with its part of that index replaced.
fn replaced(text: &Value, options: &Value, value: &str) -> String {
    let delimiter = options["delimiter"].as_str().expect("a delimiter");
    let index = options["index"].as_u64().and_then(|index| usize::try_from(index).ok());
    let text = text.as_str().expect("a text");
    let mut parts: Vec<&str> = text.split(delimiter).collect();
    let part = parts.get_mut(index.expect("an index")).expect("so many parts");
    *part = value;
    parts.join(delimiter)
}
