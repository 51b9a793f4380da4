//! In which groups a person is, as far as the provider says so.

use breakglass_types::json::Json;
use breakglass_types::limits::MAX_NAME_BYTES;

use crate::entry::{GroupsAbsent, GroupsFrom, IdentityProvider};
use crate::limits::MAX_GROUPS;
use crate::verify::IdentityClaims;

use super::Userinfo;

/// The groups of a person. They are compared byte for byte, and not fit to be shown as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// These, and no other that a configuration can name; at least one.
    Known(Vec<String>),
    /// The person is in none.
    None,
    /// The provider does not say, for this reason. That allows nothing, and is no evidence that a person lost a group.
    Unknown(String),
}

impl Groups {
    /// Reads the groups from where the entry says.
    #[must_use]
    pub fn read(
        provider: &IdentityProvider,
        identity: &IdentityClaims,
        userinfo: Option<&Userinfo>,
    ) -> Groups {
        let json = match (provider.groups_from, userinfo) {
            (GroupsFrom::IdToken, _) => identity.json(),
            (GroupsFrom::Userinfo, Some(userinfo)) => userinfo.json(),
            (GroupsFrom::Userinfo, None) => {
                return Groups::Unknown("the userinfo endpoint was not asked".to_owned());
            }
        };
        read(provider, json)
    }

    /// Whether the person is in this group; `None` where that is not known.
    #[must_use]
    pub fn contains(&self, group: &str) -> Option<bool> {
        match self {
            Groups::Known(groups) => Some(groups.iter().any(|one| one == group)),
            Groups::None => Some(false),
            Groups::Unknown(_) => None,
        }
    }
}

fn read(provider: &IdentityProvider, json: &Json) -> Groups {
    let claim = provider.groups_claim.as_str();
    if is_left_out(json, claim) {
        return Groups::Unknown(format!(
            "the provider left `{claim}` out of its answer for their number: have it send the groups alone that are \
             assigned to this application"
        ));
    }
    let Some(value) = json.member(claim) else {
        return match provider.groups_absent {
            GroupsAbsent::None => Groups::None,
            GroupsAbsent::Unknown => Groups::Unknown(format!(
                "the provider's answer has no claim `{claim}`: have it send one, or, if it leaves the claim out for who \
                 is in no group, set `groups_absent = \"none\"`"
            )),
        };
    };
    let names: Option<Vec<&str>> =
        value.as_array().and_then(|items| items.iter().map(Json::as_str).collect());
    let Some(names) = names else {
        return Groups::Unknown(format!("expected `{claim}` to be a list of texts"));
    };
    if names.len() > MAX_GROUPS {
        return Groups::Unknown(format!("expected at most {MAX_GROUPS} groups in `{claim}`"));
    }
    // No configuration can name the others.
    let names = names.into_iter().filter(|name| !name.is_empty() && name.len() <= MAX_NAME_BYTES);
    let names: Vec<String> = names.map(str::to_owned).collect();
    match names.is_empty() {
        true => Groups::None,
        false => Groups::Known(names),
    }
}

/// Whether the provider says that there are groups which it did not send: Entra's overage. The address that it names to ask is
/// never followed.
fn is_left_out(json: &Json, claim: &str) -> bool {
    let is_elsewhere =
        json.member("_claim_names").is_some_and(|names| names.member(claim).is_some());
    is_elsewhere || json.member("hasgroups").is_some_and(|value| *value != Json::Bool(false))
}
