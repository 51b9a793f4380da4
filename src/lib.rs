//! The Envoy HTTP filter.
