//! How long files and functions are.

use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{Block, ImplItemFn, Item, ItemFn, TraitItemFn};

use crate::attributes::is_for_tests;

/// Adds each function in `item`: its file, its name, its lines.
pub(crate) fn functions(item: &Item, path: &Path, found: &mut Vec<(PathBuf, String, usize)>) {
    Functions { path, found }.visit_item(item);
}

struct Functions<'f> {
    path: &'f Path,
    found: &'f mut Vec<(PathBuf, String, usize)>,
}

impl Functions<'_> {
    fn add(&mut self, name: String, from: usize, block: &Block) {
        let lines = block.span().end().line.saturating_sub(from).saturating_add(1);
        self.found.push((self.path.to_owned(), name, lines));
    }
}

impl<'a> Visit<'a> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.add(item.sig.ident.to_string(), item.sig.span().start().line, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            self.add(item.sig.ident.to_string(), item.sig.span().start().line, &item.block);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'a TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(item.sig.ident.to_string(), item.sig.span().start().line, block);
        }
    }
}

/// The middle one, and the greatest one.
#[must_use]
pub fn median_and_most(mut numbers: Vec<usize>) -> (usize, usize) {
    numbers.sort_unstable();
    let middle = numbers.len().checked_div(2).unwrap_or_default();
    (numbers.get(middle).copied().unwrap_or_default(), numbers.last().copied().unwrap_or_default())
}
