//! The address that a request comes from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::Serialize;

/// The downstream address, as Envoy sees it (after its own treatment of `x-forwarded-for` and the
/// PROXY protocol). An IPv4 address that is written as IPv6 is the IPv4 address. It is recorded
/// without port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SourceAddress(IpAddr);

impl fmt::Display for SourceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl SourceAddress {
    /// Reads Envoy's attribute `source.address`: `192.0.2.1:443` or `[2001:db8::1]:443`.
    #[must_use]
    pub fn from_attribute(text: &[u8]) -> Option<SourceAddress> {
        let address: SocketAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(SourceAddress(address.ip().to_canonical()))
    }

    /// Whether the address lies in `network`.
    #[must_use]
    pub fn is_in(&self, network: &IpNet) -> bool {
        network.contains(&self.0)
    }
}

/// Reads a CIDR such as `10.0.0.0/8` or `2001:db8::/32`.
///
/// # Errors
/// A message that says what was expected.
pub(super) fn parse_network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text.parse().map_err(|_| {
        format!(
            "`{}` is not a network; write it as \"10.0.0.0/8\" or \"2001:db8::/32\"",
            text.escape_debug()
        )
    })?;
    if network.addr() != network.network() {
        return Err(format!(
            "`{text}` has bits beyond its prefix; write the network as \"{}\"",
            network.trunc()
        ));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn is_in(address: &str, network: &str) -> bool {
        SourceAddress::from_attribute(address.as_bytes())
            .unwrap()
            .is_in(&parse_network(network).unwrap())
    }

    #[test]
    fn knows_the_network_of_both_families() {
        assert!(is_in("10.1.2.3:55", "10.0.0.0/8") && !is_in("11.1.2.3:55", "10.0.0.0/8"));
        assert!(is_in("[2001:db8::1]:55", "2001:db8::/32"));
        assert!(!is_in("[2001:db9::1]:55", "2001:db8::/32"));
        assert!(is_in("[::ffff:10.1.2.3]:55", "10.0.0.0/8"));
        assert!(!is_in("10.1.2.3:55", "::/0"));
    }

    #[test]
    fn refuses_what_is_no_address_or_no_network() {
        for text in [&b""[..], b"10.1.2.3", b"/run/envoy.sock", b"\xff:1", b"[::1]"] {
            assert_eq!(SourceAddress::from_attribute(text), None);
        }
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "x/8", "2001:db8::1/32"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }
}
