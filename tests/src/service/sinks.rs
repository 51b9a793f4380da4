//! Places that the service tells of events.

use std::fs;

use super::Service;
use crate::wait::until;

impl Service {
    /// Starts it again with one more sink, whose entry has these lines beside its name, and waits until it is told of what
    /// happens.
    ///
    /// # Panics
    /// When the service does not start: the message is its log.
    pub fn add_sink(&mut self, name: &str, entry: &str) {
        self.add(&format!("[[sinks]]\nname = \"{name}\"\n{entry}\n"));
        // A metric of a sink is there when the events before were read.
        let counted = format!("breakglass_sink_circuit_open{{sink=\"{name}\"}}");
        until("the sink", || self.metrics().contains(&counted).then_some(()));
    }

    /// Replaces what must be in its configuration, which it reads again by itself.
    ///
    /// # Panics
    /// When that is not in it.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let path = self.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` in {text}");
        let part = self.path("config.toml.part");
        fs::write(&part, text.replace(from, to)).unwrap();
        fs::rename(part, path).unwrap();
    }
}
