//! From a path in a module to the file that defines what it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::source::{Module, Segments, Source};

/// Longer than any chain of re-exports: a loop of them ends here.
const MAX_STEPS: usize = 16;

/// What a path names.
enum Named<'s> {
    Module(Segments),
    Item(&'s Path),
}

impl Source {
    /// Which file uses which.
    ///
    /// A module that only hands on what a child defines (`pub use child::Name`) does not use the child; who takes
    /// the name from there uses the file that defines it.
    #[must_use]
    pub fn uses(&self) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
        let mut uses: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        for (at, module) in &self.modules {
            let used = uses.entry(module.file.clone()).or_default();
            let imported = module
                .imports
                .iter()
                .filter(|(name, import)| !import.is_public || module.words.contains(name.as_str()));
            let imported = imported.map(|(_, import)| &import.target);
            // A word alone may be one that a glob brought.
            let words = module.words.iter().filter(|_| !module.globs.is_empty());
            let words: Vec<Segments> = words.map(|word| vec![word.clone()]).collect();
            for path in imported.chain(&module.named).chain(&words) {
                if let Some(Named::Item(file)) = self.resolve(at, path, 0)
                    && file != module.file
                {
                    used.insert(file.to_owned());
                }
            }
        }
        uses
    }

    fn resolve(&self, at: &Segments, path: &[String], steps: usize) -> Option<Named<'_>> {
        let (first, rest) = path.split_first()?;
        let mut parent = at.clone();
        match first.as_str() {
            "crate" => self.below(Segments::new(), rest, steps),
            "self" => self.below(at.clone(), rest, steps),
            "super" => {
                parent.pop()?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.resolve(&parent, rest, steps),
                    _ => self.below(parent, rest, steps),
                }
            }
            _ => self.below(at.clone(), path, steps),
        }
    }

    fn below(&self, at: Segments, path: &[String], steps: usize) -> Option<Named<'_>> {
        let Some((name, rest)) = path.split_first() else { return Some(Named::Module(at)) };
        let module = self.modules.get(&at)?;
        if steps > MAX_STEPS {
            return None;
        }
        let steps = steps.saturating_add(1);
        if module.children.contains(name) {
            let child: Segments = at.iter().cloned().chain([name.clone()]).collect();
            if self.modules.contains_key(&child) {
                return self.below(child, rest, steps);
            }
        }
        if module.defined.contains(name) {
            return Some(Named::Item(&module.file));
        }
        if let Some(named) = self.imported(&at, module, name, rest, steps) {
            return Some(named);
        }
        let exporter = self.macros.get(name).filter(|_| at.is_empty())?;
        self.modules.get(exporter).map(|module| Named::Item(&module.file))
    }

    fn imported(
        &self,
        at: &Segments,
        module: &Module,
        name: &str,
        rest: &[String],
        steps: usize,
    ) -> Option<Named<'_>> {
        if let Some(import) = module.imports.get(name) {
            // An outer crate of the same name as what is imported from it would be a loop.
            let target = &import.target;
            if target.first().is_some_and(|first| first == name) && target.len() == 1 {
                return None;
            }
            return match self.resolve(at, target, steps)? {
                Named::Module(module) => self.below(module, rest, steps),
                item @ Named::Item(_) => Some(item),
            };
        }
        module.globs.iter().find_map(|glob| match self.resolve(at, glob, steps)? {
            Named::Module(from) if from != *at => {
                let path: Segments =
                    [name.to_owned()].into_iter().chain(rest.iter().cloned()).collect();
                self.below(from, &path, steps)
            }
            _ => None,
        })
    }
}
