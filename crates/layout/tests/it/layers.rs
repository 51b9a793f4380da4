//! The layers of the approval service: `routes/` (HTTP) -> `domain/` (use cases) -> `store/` (SQL), with `access/` (who may)
//! beside the last. What a layer must not know, no file of it names.

use breakglass_layout::manifest::packages;
use breakglass_layout::source::{Module, Source};

use crate::root;

/// Where a crate or module may not be named: everywhere below these folders of `crates/server/src`.
const FORBIDDEN: &[(&[&str], &[&str])] = &[
    // A use case, a right and a row do not depend on how the request came, nor on how the answer is written.
    (&["domain", "access", "store"], &["axum", "routes", "problem"]),
    // Who may do something is decided on what is handed over.
    (&["access"], &["sqlx", "store", "domain"]),
    (&["domain", "routes", "auth", "tasks", "issuer", "feed"], &["sqlx"]),
];

/// Whether the module names it: in its imports, in paths of its code, or as a word.
fn names(module: &Module, what: &str) -> bool {
    let is = |segments: &Vec<String>| segments.iter().any(|segment| segment == what);
    module.imports.values().any(|import| is(&import.target))
        || module.globs.iter().any(is)
        || module.named.iter().any(is)
}

#[test]
fn no_layer_names_what_it_must_not_know() {
    let root = root();
    let server = packages(&root).unwrap().into_iter().find(|one| one.name == "breakglass-server");
    let source = Source::read(&server.unwrap().roots()[0]).unwrap();
    let mut looked_at = 0;
    let mut wrong = Vec::new();
    for (path, module) in &source.modules {
        for (folders, forbidden) in FORBIDDEN {
            if !path.first().is_some_and(|first| folders.contains(&first.as_str())) {
                continue;
            }
            looked_at += 1;
            for what in forbidden.iter().filter(|what| names(module, what)) {
                wrong.push(format!("{}: names `{what}`", module.file.display()));
            }
        }
    }
    assert!(looked_at > 40, "the folders are somewhere else: {looked_at}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
