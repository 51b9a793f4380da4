//! `breakglass scopes import`: a filter's configuration as a file of definitions.
//!
//! It is read as a filter reads it, from whatever carries it: by itself, in an Envoy configuration, a WasmPlugin, an
//! EnvoyFilter, a TrafficExtension or an EnvoyExtensionPolicy; JSON or YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use breakglass_core::config::Config;
use breakglass_types::scope_rules::ScopeRules;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_audit::text::harmless_json;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file that has the filter's configuration: JSON or YAML; `-` for stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Only for this environment of the configuration's issuers; can be given more than once. Without it, for all.
    #[arg(long = "audience", value_name = "NAME")]
    audiences: Vec<String>,
}

/// The configurations of filters in one file, together.
#[derive(Debug, Default)]
struct Imported {
    audiences: BTreeSet<String>,
    scopes: BTreeMap<String, ScopeRules>,
}

pub(crate) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let invalid = |cause: String| Failure::Invalid(format!("{}: {cause}", args.file.display()));
    let text = read(&args.file).map_err(|error| invalid(error.to_string()))?;
    let wanted: BTreeSet<&str> = args.audiences.iter().map(String::as_str).collect();
    let Imported { audiences, scopes } = import(&text, &wanted).map_err(invalid)?;
    let mut forms = serde_json::Map::new();
    for (name, rules) in scopes {
        let form = serde_json::from_str(&rules.canonical());
        forms.insert(name, form.map_err(|error| Failure::Failed(error.to_string()))?);
    }
    let file = json!({ "audiences": audiences, "scopes": forms });
    terminal.result(&harmless_json(&format!("{file:#}")), &file)?;
    Ok(Exit::Done)
}

fn read(path: &Path) -> std::io::Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// What the configurations in `text` define, for the audiences that are wanted, or for all.
fn import(text: &str, wanted: &BTreeSet<&str>) -> Result<Imported, String> {
    let mut found = Vec::new();
    for document in documents(text)? {
        configurations(&document, &mut found);
    }
    if found.is_empty() {
        return Err("no configuration of a filter is in it: expected one with `issuers` and `scopes`, by itself or in \
                    a Wasm filter of an Envoy configuration, a WasmPlugin, a TrafficExtension or an \
                    EnvoyExtensionPolicy"
            .to_owned());
    }
    let mut imported: Option<Imported> = None;
    let mut known = BTreeSet::new();
    for configuration in &found {
        let one = define(configuration)?;
        known.extend(one.audiences.iter().cloned());
        let audiences: BTreeSet<String> = one
            .audiences
            .iter()
            .filter(|name| wanted.is_empty() || wanted.contains(name.as_str()))
            .cloned()
            .collect();
        if audiences.is_empty() {
            continue;
        }
        let one = Imported { audiences, ..one };
        imported = Some(match imported {
            None => one,
            Some(before) => together(before, one)?,
        });
    }
    if let Some(name) = wanted.iter().find(|name| !known.contains(**name)) {
        let known: Vec<String> = known.into_iter().collect();
        return Err(format!(
            "--audience {name}: no issuer of the configuration has it; there are: {}",
            known.join(", ")
        ));
    }
    imported.ok_or_else(|| "no configuration is for these audiences".to_owned())
}

/// One file is for one list of audiences: what a name opens there is the same.
fn together(mut before: Imported, one: Imported) -> Result<Imported, String> {
    if before.audiences != one.audiences {
        return Err("it has configurations for different audiences: import them one by one, with `--audience`".to_owned());
    }
    for (name, rules) in one.scopes {
        match before.scopes.get(&name) {
            Some(earlier) if *earlier != rules => {
                return Err(format!(
                    "it has configurations that define `{name}` differently for the same audience: requests for it \
                     can have the digest of one only; give that one"
                ));
            }
            _ => before.scopes.insert(name, rules),
        };
    }
    Ok(before)
}

/// The values in a text: one of JSON, or the documents of YAML.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(vec![value]);
    }
    serde_yaml_ng::Deserializer::from_str(text)
        .map(Value::deserialize)
        .collect::<Result<Vec<Value>, _>>()
        .map_err(|error| format!("expected JSON or YAML: {error}"))
}

/// Every configuration of a filter in `value`, wherever it is, as JSON text.
fn configurations(value: &Value, found: &mut Vec<String>) {
    let below: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => {
            let has_list = |name: &str| members.get(name).is_some_and(Value::is_array);
            if has_list("issuers") && has_list("scopes") {
                return found.push(value.to_string());
            }
            if let Some(text) = wasm_text(value) {
                found.push(text.to_owned());
            }
            members.values().collect()
        }
        _ => Vec::new(),
    };
    below.into_iter().for_each(|value| configurations(value, found));
}

/// The configuration of a Wasm filter that is a `google.protobuf.StringValue`.
fn wasm_text(value: &Value) -> Option<&str> {
    value.get("root_id").or_else(|| value.get("rootId"))?;
    let configuration = value.get("configuration")?;
    let text = configuration.get("value").unwrap_or(configuration).as_str()?;
    // Another plugin's is none of ours.
    (text.contains("\"issuers\"") && text.contains("\"scopes\"")).then_some(text)
}

fn define(configuration: &str) -> Result<Imported, String> {
    // A credential decides nothing of a scope, so none is asked for.
    let environment = |_: &str| Some("not-read".to_owned());
    let config = Config::parse(configuration.as_bytes(), &environment).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        format!("the filter's configuration is not valid:\n{}", errors.join("\n"))
    })?;
    let audiences = config.issuers.iter().flat_map(|issuer| issuer.audiences.iter().cloned());
    let scopes = config.scopes.iter().map(|scope| (scope.name.clone(), scope.rules()));
    Ok(Imported { audiences: audiences.collect(), scopes: scopes.collect() })
}
