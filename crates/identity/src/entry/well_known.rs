//! Issuers that are not as the standards have them.

/// What Entra's discovery documents for several tenants have in place of the tenant.
pub(super) const TENANT: &str = "{tenantid}";

/// Google's issuer, whose tokens may leave the scheme out.
pub(super) const GOOGLE: &str = "https://accounts.google.com";
