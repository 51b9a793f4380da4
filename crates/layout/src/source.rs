//! The modules of a crate, as its files say them. What is for tests alone is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Item, ItemMod, UseTree, Visibility};

use crate::LayoutError;
use crate::attributes::{attributes, is_for_tests};

/// A path as written, such as `crate`, `policy`, `Scope`.
pub type Segments = Vec<String>;

/// One name that a `use` brings into a module.
#[derive(Debug, Clone)]
pub struct Import {
    /// Where it is said to be.
    pub target: Segments,
    /// Whether others may take it from here.
    pub is_public: bool,
}

/// One module.
#[derive(Debug, Default)]
pub struct Module {
    /// The file that it is written in.
    pub file: PathBuf,
    /// What it defines.
    pub defined: BTreeSet<String>,
    /// Its child modules.
    pub children: BTreeSet<String>,
    /// What it imports, by the name that it has here.
    pub imports: BTreeMap<String, Import>,
    /// The modules of which it imports everything.
    pub globs: Vec<Segments>,
    /// The paths in its code, beside `use`.
    pub named: BTreeSet<Segments>,
    /// Single words in its code, beside `use`.
    pub words: BTreeSet<String>,
}

/// A crate: its modules by their path from the root, which is the empty one.
#[derive(Debug, Default)]
pub struct Source {
    /// The modules.
    pub modules: BTreeMap<Segments, Module>,
    /// The macros that the root exports, with the module that defines each.
    pub macros: BTreeMap<String, Segments>,
    /// The lines of each file that are not for tests alone.
    pub lines: BTreeMap<PathBuf, usize>,
    /// The functions: file, name, lines.
    pub functions: Vec<(PathBuf, String, usize)>,
}

impl Source {
    /// Reads the crate whose root is the file `root`.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub fn read(root: &Path) -> Result<Source, LayoutError> {
        let mut source = Source::default();
        let children = root.parent().unwrap_or(root).to_owned();
        source.file(root, &children, &Segments::new())?;
        Ok(source)
    }

    fn file(&mut self, path: &Path, children: &Path, at: &Segments) -> Result<(), LayoutError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| LayoutError::File(path.to_owned(), error))?;
        let file =
            syn::parse_file(&text).map_err(|error| LayoutError::Rust(path.to_owned(), error))?;
        self.lines.insert(path.to_owned(), text.lines().count());
        self.module(&file.items, path, children, at)
    }

    fn module(
        &mut self,
        items: &[Item],
        path: &Path,
        children: &Path,
        at: &Segments,
    ) -> Result<(), LayoutError> {
        let mut module = Module { file: path.to_owned(), ..Module::default() };
        for item in items {
            if is_for_tests(attributes(item)) {
                self.leave_out(path, item);
                continue;
            }
            match item {
                Item::Use(used) => {
                    let is_public = !matches!(used.vis, Visibility::Inherited);
                    import(&used.tree, &mut Segments::new(), is_public, &mut module);
                }
                Item::Mod(child) => {
                    module.children.insert(child.ident.to_string());
                    self.child(child, path, children, at)?;
                }
                other => {
                    if let Item::Macro(item) = other
                        && let Some(name) = &item.ident
                        && item
                            .attrs
                            .iter()
                            .any(|attribute| attribute.path().is_ident("macro_export"))
                    {
                        self.macros.insert(name.to_string(), at.clone());
                    }
                    defined(other, &mut module.defined);
                    names(other.to_token_stream(), &mut module);
                    crate::figures::functions(other, path, &mut self.functions);
                }
            }
        }
        self.modules.insert(at.clone(), module);
        Ok(())
    }

    fn child(
        &mut self,
        child: &ItemMod,
        path: &Path,
        children: &Path,
        at: &Segments,
    ) -> Result<(), LayoutError> {
        let name = child.ident.to_string();
        let below = children.join(&name);
        let at: Segments = at.iter().cloned().chain([name.clone()]).collect();
        if let Some((_, items)) = &child.content {
            return self.module(items, path, &below, &at);
        }
        let beside = children.join(format!("{name}.rs"));
        let file = if beside.is_file() { beside } else { below.join("mod.rs") };
        self.file(&file, &below, &at)
    }

    fn leave_out(&mut self, path: &Path, item: &Item) {
        let span = item.span();
        let lines = span.end().line.saturating_sub(span.start().line).saturating_add(1);
        if let Some(all) = self.lines.get_mut(path) {
            *all = all.saturating_sub(lines);
        }
    }
}

fn defined(item: &Item, defined: &mut BTreeSet<String>) {
    let name = match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        Item::Macro(item) => {
            // A macro that defines types, such as `object!`.
            let mut tokens = item.mac.tokens.clone().into_iter().peekable();
            while let Some(token) = tokens.next() {
                if let (TokenTree::Ident(word), Some(TokenTree::Ident(name))) =
                    (token, tokens.peek())
                    && ["struct", "enum"].contains(&word.to_string().as_str())
                {
                    defined.insert(name.to_string());
                }
            }
            item.ident.as_ref()
        }
        _ => None,
    };
    defined.extend(name.map(ToString::to_string));
}

fn import(tree: &UseTree, before: &mut Segments, is_public: bool, module: &mut Module) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            import(&path.tree, before, is_public, module);
            before.pop();
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            let mut target = before.clone();
            // `use a::{self}` names `a`.
            if name != "self" {
                target.push(name);
            }
            if let Some(name) = target.last().cloned() {
                module.imports.insert(name, Import { target, is_public });
            }
        }
        UseTree::Rename(name) => {
            let mut target = before.clone();
            if name.ident != "self" {
                target.push(name.ident.to_string());
            }
            module.imports.insert(name.rename.to_string(), Import { target, is_public });
        }
        UseTree::Glob(_) => module.globs.push(before.clone()),
        UseTree::Group(group) => {
            for tree in &group.items {
                import(tree, before, is_public, module);
            }
        }
    }
}

/// Every path and word in these tokens, those inside of macros too.
fn names(tokens: TokenStream, module: &mut Module) {
    let mut path = Segments::new();
    // How many colons, and whether a dot, came right before.
    let (mut colons, mut dot) = (0_u8, false);
    let mut finish = |path: &mut Segments| {
        if let [word] = path.as_slice() {
            module.words.insert(word.clone());
        } else if !path.is_empty() {
            module.words.extend(path.first().cloned());
            module.named.insert(path.clone());
        }
        path.clear();
    };
    let mut groups = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                if colons != 2 || path.is_empty() {
                    finish(&mut path);
                }
                if !dot {
                    path.push(word.to_string());
                }
                (colons, dot) = (0, false);
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' => {
                colons = 2_u8.min(colons.saturating_add(1))
            }
            other => {
                finish(&mut path);
                colons = 0;
                dot = matches!(&other, TokenTree::Punct(mark) if mark.as_char() == '.');
                if let TokenTree::Group(group) = other {
                    groups.push(group.stream());
                }
            }
        }
    }
    finish(&mut path);
    for group in groups {
        names(group, module);
    }
}
