//! Which crate may depend on which (ARCHITECTURE.md, "Parts"): arrows point one way.

use breakglass_layout::manifest::packages;

use crate::root;

/// What each may depend on, for tests alone not counted.
const ARROWS: &[(&str, &[&str])] = &[
    ("breakglass-filter", &["breakglass-types", "breakglass-core"]),
    ("breakglass-native", &["breakglass-types", "breakglass-core"]),
    ("breakglass-types", &[]),
    ("breakglass-config-schema", &["breakglass-types"]),
    ("breakglass-core", &["breakglass-types", "breakglass-config-schema"]),
    ("breakglass-api", &["breakglass-types"]),
    ("breakglass-audit", &["breakglass-types"]),
    (
        "breakglass-identity",
        &["breakglass-types", "breakglass-config-schema", "breakglass-core", "breakglass-audit"],
    ),
    (
        "breakglass-server",
        &[
            "breakglass-types",
            "breakglass-api",
            "breakglass-config-schema",
            "breakglass-core",
            "breakglass-audit",
            "breakglass-identity",
        ],
    ),
    (
        "breakglass",
        &[
            "breakglass-types",
            "breakglass-server",
            "breakglass-audit",
            "breakglass-api",
            "breakglass-core",
        ],
    ),
    ("breakglass-testing", &["breakglass-types", "breakglass-server"]),
    ("breakglass-layout", &[]),
    ("breakglass-tests", &["breakglass-types"]),
];

#[test]
fn every_dependency_points_down() {
    let mut wrong = Vec::new();
    for package in packages(&root()).unwrap() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            wrong.push(format!("{}: say in {} what it may depend on", package.name, file!()));
            continue;
        };
        for other in package.depends_on.iter().filter(|other| !allowed.contains(&other.as_str())) {
            wrong.push(format!("{} depends on {other}, and may on {allowed:?} only", package.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
