//! `[[identity_providers]]`: what an operator configures of a provider.

mod check;
mod client_authentication;
mod level;
mod read;
mod required_claims;
mod well_known;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_config_schema::{
    Object, Place, Reader, boolean, duration, list, map, object, one_of, optional, or, or_none,
    parsed, required,
};
use breakglass_core::token::Algorithm;
use url::Url;

pub use check::identity_providers;
pub use client_authentication::ClientAuthentication;
pub use level::{Counts, Level};
pub use read::proxy;
pub use required_claims::RequiredClaims;

use client_authentication::AuthenticationReader;
use read::{client_id, distinct, issuer, name, path, scope, visible};
use required_claims::required_claims;
use well_known::{GOOGLE, TENANT};

object! {
    /// An identity provider at which people sign in (OpenID Connect).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct IdentityProvider {
        /// Its name: lower-case letters, digits and hyphens, because it is a part of the callback's path
        /// (`/signin/<name>/callback`).
        pub name: String = required(parsed("name", name)),
        /// Its issuer, byte for byte as it stands in its discovery document: with or without a slash at the end. For
        /// several tenants of Entra `https://login.microsoftonline.com/{tenantid}/v2.0`, with `tid` in
        /// `required_claims`.
        pub issuer: String = required(parsed("URL", issuer)),
        /// The id under which this service is registered there.
        pub client_id: String = required(parsed("text", client_id)),
        /// How this service proves to the provider who it is: exactly one way.
        pub client_authentication: ClientAuthentication = required(AuthenticationReader),
        /// A PEM file with the certificates to trust for it, instead of the public ones.
        pub ca_file: Option<PathBuf> = optional("the public ones", parsed("path", path)),
        /// An HTTP proxy by which it is reached, such as `http://proxy.internal:3128`. Variables of the environment name
        /// none.
        pub proxy: Option<Url> = optional("none", parsed("URL", proxy)),
        /// What is asked for; `openid` must be among them.
        pub scopes: Vec<String> = or(["openid", "profile", "email"], list(parsed("scope", scope)).and_then(distinct)),
        /// By which algorithms its tokens may be signed. Never `none`, never an HMAC.
        pub algorithms: Vec<Algorithm> = or(["RS256"], list(one_of(ALGORITHMS)).and_then(distinct)),
        /// The claims that say, with the issuer, who a person is. They must not change: for Entra `["tid", "oid"]`, because
        /// its `sub` is another one for each application. Names and mail addresses change.
        pub subject: Vec<String> = or(["sub"], list(parsed("claim", visible)).and_then(distinct)),
        /// Claims that an ID token must have, each with the values of which it must have one:
        /// `{ hd = ["corp.example"] }` for Google, `{ tid = ["<tenant>"], acct = ["0"] }` for Entra. Without them a
        /// provider that is open to all signs in all. Numbers and booleans are compared as text.
        pub required_claims: RequiredClaims = or_none(required_claims()),
        /// Other audiences that an ID token may name beside `client_id`. One that names any other is refused.
        pub trusted_audiences: Vec<String> = or_none(list(parsed("text", client_id)).and_then(distinct)),
        /// The claim with a person's groups.
        pub groups_claim: String = or("groups", parsed("claim", visible)),
        /// Where the groups are read.
        pub groups_from: GroupsFrom = or("id_token", one_of(GROUPS_FROM)),
        /// What it means that the claim is absent. `unknown`: that a person's groups are not known, so that nothing is
        /// allowed by them. `none`: that the person is in no group, for a provider that leaves the claim out then, as
        /// Keycloak does; with it, a mapper that was removed at the provider looks like people who lost their groups.
        /// Where the provider says that it left the groups out for their number (Entra), they are unknown in any case.
        pub groups_absent: GroupsAbsent = or("unknown", one_of(GROUPS_ABSENT)),
        /// Whether the groups of this provider are called `<name>:<group>` here, as `partner:sre`: in `requesters`,
        /// `approvers`, `auditors`, `responders` and `administrators`, in tokens and on the trail. No other provider can say
        /// such a group. With several providers all entries but one must have it, and that one is the entry with
        /// `may_approve` where there is one.
        pub qualify_groups: bool = or(false, boolean()),
        /// Whether people of this provider may approve. At most one may have it, so that one human with an account at two
        /// of them is not two people.
        pub may_approve: bool = or(false, boolean()),
        /// The levels of sign-in: how each is asked for there, and which answer counts.
        pub levels: BTreeMap<String, Level> = or_none(map("level", name, object())),
        /// How long one call to the provider may take.
        pub timeout: Duration = or("10s", duration().at_most(Duration::from_secs(60), "a person waits for it")),
        /// How long a person may take at the provider's pages. Some of its errors are pages of its own, after which
        /// nothing comes back: then the sign-in ends by this.
        pub sign_in_within: Duration = or("10m", duration().at_most(Duration::from_secs(60 * 60), "the browser that began it may be another person's by then")),
    }
}

/// Where groups are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupsFrom {
    /// In the ID token.
    IdToken,
    /// In the answer of the userinfo endpoint.
    Userinfo,
}

/// What an absent claim of groups means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupsAbsent {
    /// The groups are not known.
    Unknown,
    /// There are none.
    None,
}

const GROUPS_FROM: &[(&str, GroupsFrom)] =
    &[("id_token", GroupsFrom::IdToken), ("userinfo", GroupsFrom::Userinfo)];

const GROUPS_ABSENT: &[(&str, GroupsAbsent)] =
    &[("unknown", GroupsAbsent::Unknown), ("none", GroupsAbsent::None)];

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::Rs256),
    ("PS256", Algorithm::Ps256),
    ("ES256", Algorithm::Es256),
    ("ES384", Algorithm::Es384),
    ("EdDSA", Algorithm::EdDsa),
];

impl Object for IdentityProvider {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let all = [
            self.check_scopes(place),
            self.check_tenants(place),
            self.check_audiences(place),
            self.check_subject(place),
        ];
        all.into_iter().collect()
    }
}

impl IdentityProvider {
    fn check_scopes(&self, place: &Place<'_>) -> Option<()> {
        match self.scopes.iter().any(|scope| scope == "openid") {
            true => Some(()),
            false => place
                .field("scopes")
                .error("expected `openid` among them: without it there is no ID token"),
        }
    }

    /// A provider with accounts of many companies needs a claim that says of which one a person is.
    fn check_tenants(&self, place: &Place<'_>) -> Option<()> {
        let missing = |claim: &str, example: &str| {
            let example = format!("{{ {claim} = [\"{example}\"] }}");
            place.field("required_claims").error(format!(
                "expected `{claim}`, such as `{example}`: without it every account that this issuer has signs in"
            ))
        };
        if self.issuer.contains(TENANT) && !self.required_claims.names("tid") {
            return missing("tid", "72f988bf-86f1-41af-91ab-2d7cd011db47");
        }
        if self.issuer == GOOGLE && !self.required_claims.names("hd") {
            return missing("hd", "corp.example");
        }
        Some(())
    }

    fn check_audiences(&self, place: &Place<'_>) -> Option<()> {
        let own = self.trusted_audiences.iter().position(|audience| *audience == self.client_id);
        match own {
            None => Some(()),
            Some(index) => {
                let place = place.field("trusted_audiences").item(index);
                place.error(
                    "this is `client_id`, which an ID token must name in any case: remove it",
                )
            }
        }
    }

    /// What a person, or an administrator on their behalf, can change is no identity.
    fn check_subject(&self, place: &Place<'_>) -> Option<()> {
        const MUTABLE: [&str; 5] = ["email", "name", "preferred_username", "unique_name", "upn"];
        let mut clean = Some(());
        for (index, claim) in self.subject.iter().enumerate() {
            if MUTABLE.contains(&claim.as_str()) {
                clean = place.field("subject").item(index).error(format!(
                    "`{claim}` can change, and can become another person's: expected one that cannot, such as `sub`, \
                     or `tid` and `oid`"
                ));
            }
        }
        clean
    }

    /// The URL of the discovery document (OpenID Connect Discovery section 4). For several tenants of Entra it is that of
    /// `common`.
    #[must_use]
    pub fn discovery_url(&self) -> String {
        let issuer = self.issuer.replace(TENANT, "common");
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }

    /// The path of the callback at this service.
    #[must_use]
    pub fn callback_path(&self) -> String {
        format!("/signin/{}/callback", self.name)
    }

    /// Whether a callback may name this issuer (RFC 9207). With a template, which tenant it is, the ID token says.
    #[must_use]
    pub(crate) fn may_answer_as(&self, iss: &str) -> bool {
        match self.issuer.split_once(TENANT) {
            Some((before, after)) => {
                iss.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
            }
            None => self.is_issuer(iss, None),
        }
    }

    /// Whether this is what the provider's tokens may have as `iss`. With a template, its tenant must be the token's own
    /// `tid`, which `required_claims` then judges.
    #[must_use]
    pub fn is_issuer(&self, iss: &str, tid: Option<&str>) -> bool {
        if self.issuer.contains(TENANT) {
            return tid.is_some_and(|tid| iss == self.issuer.replace(TENANT, tid));
        }
        // Google's tokens may leave the scheme out, by its documentation.
        iss == self.issuer || (self.issuer == GOOGLE && iss == "accounts.google.com")
    }
}
