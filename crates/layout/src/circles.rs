//! Files that use each other in a loop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Which file uses which.
pub type Uses = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// The sets of files in which each reaches every other one.
#[must_use]
pub fn circles(uses: &Uses) -> Vec<BTreeSet<PathBuf>> {
    let reached: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        uses.keys().map(|file| (file, reach(uses, file))).collect();
    let mut circles: Vec<BTreeSet<PathBuf>> = Vec::new();
    for (file, others) in &reached {
        if circles.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let back = |other: &&&PathBuf| reached.get(**other).is_some_and(|its| its.contains(file));
        let circle: BTreeSet<PathBuf> =
            others.iter().filter(back).map(|other| (*other).clone()).collect();
        if circle.len() > 1 {
            circles.push(circle);
        }
    }
    circles
}

/// The arrows inside of a circle, one a line.
#[must_use]
pub fn arrows(uses: &Uses, circle: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut arrows = Vec::new();
    for (file, used) in uses.iter().filter(|(file, _)| circle.contains(*file)) {
        for other in used.intersection(circle) {
            arrows.push(format!("{} -> {}", file.display(), other.display()));
        }
    }
    arrows
}

fn reach<'u>(uses: &'u Uses, from: &PathBuf) -> BTreeSet<&'u PathBuf> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&PathBuf> = uses.get(from).into_iter().flatten().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(uses.get(file).into_iter().flatten());
        }
    }
    reached
}
