//! What is read out of code: on crates that are made for it.

use std::fs;

use breakglass_layout::circles::circles;
use breakglass_layout::manifest::packages;
use breakglass_layout::source::Source;

/// The circles of a crate of these files, by the names of their files.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let uses = Source::read(&folder.path().join("lib.rs")).unwrap().uses();
    let circles = circles(&uses);
    let names = circles.iter().map(|circle| {
        circle
            .iter()
            .map(|file| file.strip_prefix(folder.path()).unwrap().display().to_string())
            .collect()
    });
    names.collect()
}

const LIB: (&str, &str) = ("lib.rs", "mod a; mod b;");

#[test]
fn finds_a_circle_however_it_is_tied() {
    for (a, b) in [
        ("use crate::b::B; pub struct A;", "use crate::a::A; pub struct B;"),
        ("use super::b; pub fn a() { b::b() }", "pub fn b() { super::a::a() }"),
        ("use super::b::*; pub struct A(B);", "pub struct B; use super::a::A;"),
        (
            "pub struct A; use crate::b::{self, B};",
            "pub struct B; pub fn b() { vec![crate::a::A] }",
        ),
        ("pub use crate::b::B; pub struct A(B);", "pub struct B; use crate::a::A as Other;"),
        (
            "pub enum A { One } use crate::b::B;",
            "pub fn b() -> u8 { crate::a::A::One } pub struct B;",
        ),
    ] {
        let b = if b.contains("B;") || a.contains("b::b") {
            b
        } else {
            "pub struct B; use super::a::A;"
        };
        assert_eq!(found(&[LIB, ("a.rs", a), ("b.rs", b)]), [["a.rs", "b.rs"]], "{a}\n{b}");
    }
}

#[test]
fn a_name_that_is_handed_on_leads_to_the_file_that_defines_it() {
    // Neither file uses the other one: `mod.rs` only shows what its child has.
    let face = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod one; mod two; pub use one::One; pub use two::Two;"),
        ("a/one.rs", "pub struct One;"),
        ("a/two.rs", "use super::One; pub struct Two(One);"),
    ];
    assert!(found(&face).is_empty());
    // Here they do.
    let mut tied = face;
    tied[2].1 = "use crate::a::Two; pub struct One(Box<Two>);";
    assert_eq!(found(&tied), [["a/one.rs", "a/two.rs"]]);
}

#[test]
fn what_is_for_tests_alone_ties_nothing() {
    let tests = "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }";
    assert!(
        found(&[LIB, ("a.rs", tests), ("b.rs", "use crate::a::A; pub struct B(A);")]).is_empty()
    );
}

#[test]
fn finds_a_circle_through_a_macro_and_through_three() {
    let lib = ("lib.rs", "mod a; mod b; mod c;");
    let a = ("a.rs", "pub struct A; use crate::b::B;");
    let b = ("b.rs", "pub struct B; crate::made! { pub struct Made }");
    let c = ("c.rs", "#[macro_export] macro_rules! made { () => {} } use crate::a::A;");
    assert_eq!(found(&[lib, a, b, c]), [["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn dependencies_for_tests_are_no_arrows() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("Cargo.toml"), "[workspace]\nmembers = [\"x\"]").unwrap();
    fs::create_dir(at("x")).unwrap();
    let text = "[package]\nname = \"x\"\n[dependencies]\nbreakglass-a.workspace = true\nserde = \"1\"\n\
                [dev-dependencies]\nbreakglass-b.workspace = true";
    fs::write(at("x/Cargo.toml"), text).unwrap();
    let packages = packages(folder.path()).unwrap();
    let names: Vec<&String> = packages.iter().flat_map(|package| &package.depends_on).collect();
    assert_eq!(names, ["breakglass-a"]);
}
