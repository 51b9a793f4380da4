//! Which values are taken out.

/// Members by name, and values by JSON pointer (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// In lower case.
    names: Vec<String>,
    pointers: Vec<Vec<String>>,
}

impl Rules {
    /// Reads rules: one that begins with a slash is a pointer, any other a name.
    pub(super) fn parse(rules: impl IntoIterator<Item = String>) -> Result<Rules, String> {
        let mut read = Rules::default();
        for rule in rules {
            match rule.strip_prefix('/') {
                None => read.names.push(rule.to_lowercase()),
                Some(pointer) => {
                    let tokens: Option<Vec<String>> = pointer.split('/').map(unescaped).collect();
                    let tokens = tokens.ok_or_else(|| {
                        format!("`{rule}` is no JSON pointer: `~` is written `~0`, and `/` `~1`")
                    })?;
                    read.pointers.push(tokens);
                }
            }
        }
        Ok(read)
    }

    /// Whether nothing is taken out.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.pointers.is_empty()
    }

    /// Whether the value to which these names and indices lead is taken out.
    pub(super) fn covers(&self, path: &[String]) -> bool {
        path.last().is_some_and(|name| self.is_named(name))
            || self.pointers.iter().any(|pointer| pointer == path)
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.contains(&name.to_lowercase())
    }

    /// Whether a text beside a `value` names something that is taken out: as a JSON Patch does
    /// (`{"op": "replace", "path": "/data/password", "value": ..}`, RFC 6902), as SCIM's does
    /// (`"path": "name.password"`), and as lists of names and values do.
    pub(super) fn is_named_by(&self, text: &str) -> bool {
        let separates = |c: char| "/.[]:=,;\"' ".contains(c);
        let names = |text: &str| text.split(separates).any(|name| self.is_named(name));
        let by_name = || self.is_named(text) || names(text);
        if text.is_empty() {
            // The whole document, in which the pointers begin.
            return !self.pointers.is_empty();
        }
        let Some(pointer) = text.strip_prefix('/') else { return by_name() };
        let Some(path) = pointer.split('/').map(unescaped).collect::<Option<Vec<_>>>() else {
            return true;
        };
        let leads = |rule: &Vec<String>| rule.starts_with(&path) || path.starts_with(rule);
        by_name()
            || path.iter().any(|name| self.is_named(name) || names(name))
            || self.pointers.iter().any(leads)
    }
}

/// A reference token of a JSON pointer without its escapes.
fn unescaped(token: &str) -> Option<String> {
    let rest = token.replace("~0", "").replace("~1", "");
    (!rest.contains('~')).then(|| token.replace("~1", "/").replace("~0", "~"))
}
