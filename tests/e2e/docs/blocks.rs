//! The code blocks of the documents: each says by its mark what becomes of it, and no other mark
//! is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{documents, read};

/// What stands between two fences.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) document: PathBuf,
    /// What stands behind the opening fence: the language, and what becomes of the block.
    pub(super) mark: String,
    pub(super) text: String,
}

/// The blocks of a document; one in a list is indented.
fn blocks_of(document: &Path) -> Vec<Block> {
    let text = read(document);
    let mut lines = text.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let content = line.trim_start();
        let Some(mark) = content.strip_prefix("```") else { continue };
        let indent = line.len() - content.len();
        let mut inside = Vec::new();
        loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("{}: a block does not end: {mark}", document.display()));
            if line.trim() == "```" {
                break;
            }
            inside.push(line.get(indent..).unwrap_or_default());
        }
        let (mark, text) = (mark.trim().to_owned(), inside.join("\n"));
        found.push(Block { document: document.to_owned(), mark, text });
    }
    found
}

/// Every block of every document.
pub(super) fn all() -> Vec<Block> {
    documents().iter().flat_map(|document| blocks_of(document)).collect()
}

/// The blocks with a mark, in all documents.
pub(super) fn marked(mark: &str) -> Vec<Block> {
    all().into_iter().filter(|block| block.mark == mark).collect()
}

/// The first block of a document with a mark.
pub(super) fn block(document: &str, mark: &str) -> Block {
    let mut blocks = blocks_of(Path::new(document)).into_iter();
    blocks.find(|block| block.mark == mark).unwrap_or_else(|| panic!("{document}: `{mark}`"))
}

/// The commands of a shell block: its lines, put together where they are broken, without comments.
pub(super) fn commands(block: &Block) -> Vec<String> {
    let text = block.text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// What becomes of a block with this mark, and where; nothing if no such mark is known.
fn fate(mark: &str) -> Option<&'static str> {
    Some(match mark {
        "sh run" => "run, with breakglass and Envoy alone (commands.rs)",
        "sh as requester" | "sh as approver" | "sh as auditor" => {
            "run, beside a service and an Envoy (commands.rs)"
        }
        "sh kubernetes" | "sh kubernetes refused" => {
            "run on a real API server (tests/platforms/kubernetes/walk.rs)"
        }
        "sh audit" => "run, on a log (crates/cli/tests/it/audit/documented.rs)",
        "sh demo" => "run: scripts/demo (session.rs), and scripts/test, which runs all this",
        "console demo" => "compared with what scripts/demo prints (session.rs)",
        "json audit" => "compared with what is printed (crates/cli/.../documented.rs)",
        "json" => "parsed (examples.rs)",
        "yaml filter" => "taken by the filter (examples.rs)",
        "yaml cluster" | "yaml istio cluster" | "yaml connection manager" | "yaml http filter" => {
            "taken by Envoy (examples.rs)"
        }
        "yaml browsers" => "put into Envoy, and asked as a browser asks (browsers.rs)",
        "yaml authorization" => "valid by the schema of its kind (examples.rs)",
        "yaml cert-manager" => "compared with the objects and the configuration (examples.rs)",
        "sh signed in" | "toml profile" => {
            "taken by the command line (crates/cli/.../signin/documented.rs)"
        }
        "toml service" | "toml service part" => "taken by the service (examples.rs)",
        "sh gateway" | "yaml gateway" => {
            "run, with a stand-in for kubectl (scripts/platforms gateway: documented.rs)"
        }
        "jinja template" | "text template" => {
            "written by a sink (crates/server/tests/outbox/templates.rs)"
        }
        "text" => "text: a picture, a form, a message",
        _ if reason_not_to_run(mark).is_some() => "shell, not run",
        _ => return None,
    })
}

/// Why a block of shell is not run.
fn reason_not_to_run(mark: &str) -> Option<&str> {
    mark.strip_prefix("sh not run: ").filter(|reason| !reason.is_empty())
}

#[test]
fn every_block_is_tested_or_says_why_it_is_not() {
    let (mut blocks, mut run, mut not_run) = (BTreeMap::new(), 0, Vec::new());
    for block in all() {
        let place = block.document.display();
        let fate = fate(&block.mark)
            .unwrap_or_else(|| panic!("{place}: what becomes of a block `{}`?", block.mark));
        *blocks.entry(fate).or_insert(0) += 1;
        let commands = commands(&block);
        match reason_not_to_run(&block.mark) {
            Some(reason) => not_run.extend(
                commands.into_iter().map(|command| format!("{place}: {command}\n      {reason}")),
            ),
            None if block.mark.starts_with("sh ") => run += commands.len(),
            None => {}
        }
    }
    println!("documents: {} blocks", blocks.values().sum::<usize>());
    blocks.iter().for_each(|(fate, count)| println!("  {count:3} {fate}"));
    println!("documents: {run} shell commands are run, {} are not:", not_run.len());
    not_run.iter().for_each(|command| println!("  {command}"));
    assert!(run >= RUN, "{run} commands are run; there were {RUN}");
    assert!(not_run.len() <= NOT_RUN, "{} are not run; there were {NOT_RUN}", not_run.len());
}

/// How many commands are run, at least. Raise it with the documents.
const RUN: usize = 30;

/// How many commands are not run, at most: those for a cluster, a Docker engine, a release, a quiet machine.
const NOT_RUN: usize = 23;
