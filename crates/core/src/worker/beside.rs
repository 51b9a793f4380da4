//! Two configurations under one plugin name: an update, or two listeners.
//!
//! Envoy tells a plugin neither that its listener was replaced nor that another one has come beside it: both are a new
//! root context with the same name, and the old one goes on. So what comes later counts as an update, because a
//! configuration that withdraws a scope must not have to wait for anything. Where that was not meant every request of
//! one listener is `scope_withdrawn`, and the log has to say why.

/// Whether it was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Beside {
    /// Nothing was refused.
    #[default]
    Silent,
    /// Something was refused since the last tick.
    Due,
    Said,
}

impl Beside {
    /// A new request was refused, because a later configuration does not cover it.
    pub(super) fn refused(&mut self) {
        if *self == Beside::Silent {
            *self = Beside::Due;
        }
    }

    /// What is to be logged since the last tick: once.
    pub(super) fn warning(&mut self) -> Option<String> {
        if *self != Beside::Due {
            return None;
        }
        *self = Beside::Said;
        Some(
            "a request was refused (scope_withdrawn, or scope_changed) because a later configuration of this plugin does not cover it. \
             After an update that is right: what still reaches the old listener is judged by both. Where two listeners \
             or filter chains have this filter with two configurations, give each configuration a plugin name of its \
             own (config.name of the Wasm filter): configurations under one name count as updates of one"
                .to_owned(),
        )
    }
}
