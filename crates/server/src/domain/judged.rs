//! People whose groups were asked for where they had to be: what opens access takes a [`JudgedActor`], and only [`judge`] makes
//! one.

use std::ops::Deref;
use std::sync::Arc;

use breakglass_api::request::OldGroups;
use serde_json::{Value, json};

use super::refused::GroupsUnknown;
use super::{Refused, directory, find};
use crate::access::{self, Actor, SignIn};
use crate::app::App;
use crate::clock::written;
use crate::config::{Config, GroupsSource, LastAnswer, Person};
use crate::store::Request;

/// A person, as the configuration or the identity provider has them now.
#[derive(Debug, Clone)]
pub struct Judged {
    person: Arc<Person>,
    source: GroupsSource,
}

/// A person who wants to do something: with the groups, and how they signed in for it.
#[derive(Debug, Clone)]
pub struct JudgedActor {
    judged: Judged,
    sign_in: SignIn,
}

impl Deref for JudgedActor {
    type Target = Judged;

    fn deref(&self) -> &Judged {
        &self.judged
    }
}

impl JudgedActor {
    /// How they signed in.
    #[must_use]
    pub fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }
}

/// An approver and the requester of the request that is to be approved.
#[derive(Debug, Clone)]
pub struct JudgedParties {
    /// Who approves.
    pub approver: JudgedActor,
    requester: Option<Judged>,
}

/// Asks the provider of the person for the groups, where its last answer is too old.
pub async fn judge(app: &App, actor: Actor) -> JudgedActor {
    let Actor { person, sign_in } = actor;
    directory::refresh(app, &person.name).await;
    let judged = named(&app.config(), &person.name)
        .unwrap_or(Judged { person, source: GroupsSource::Configuration });
    JudgedActor { judged, sign_in }
}

/// The same for the requester of a request, beside its approver. A person who may not approve costs the requester's provider
/// nothing, and where people do not sign in nothing is asked, nor the request read once more.
///
/// # Errors
/// [`Refused`] if there is no such request.
pub async fn judge_parties(
    app: &App,
    approver: JudgedActor,
    request: &str,
) -> Result<JudgedParties, Refused> {
    let config = app.config();
    if config.identity_providers.is_empty() {
        return Ok(JudgedParties { approver, requester: None });
    }
    let request = find::request(app, app.now(), request).await?;
    let any = request.scopes.iter().filter_map(|name| config.scope(name));
    let mut may = any.map(|one| access::Access::of(&config).may_approve(approver.person(), one));
    let requester = request.requester;
    if may.any(access::Membership::is_yes) && approver.person.name != requester {
        directory::refresh(app, &requester).await;
    }
    let requester = named(&app.config(), &requester);
    Ok(JudgedParties { approver, requester })
}

fn named(config: &Config, name: &str) -> Option<Judged> {
    let (person, source) = (config.person(name)?, config.people.groups_source(name)?);
    Some(Judged { person, source })
}

impl Judged {
    /// The person.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// Where the groups are those of an old answer, because the provider is away: which, for the requester and the approver.
    #[must_use]
    pub fn old_groups(&self) -> Option<OldGroups> {
        let GroupsSource::LastAnswer(LastAnswer { provider, said_at, cause }) = &self.source else {
            return None;
        };
        Some(OldGroups {
            person: self.person.name.clone(),
            provider: provider.clone(),
            said_at: written(*said_at),
            cause: cause.clone(),
        })
    }

    /// A refusal, with why the groups are not known where that is the reason.
    pub(super) fn explain(&self, refused: impl Into<Refused>) -> Refused {
        let refused = refused.into();
        match (&refused, &self.source) {
            (
                Refused::Access(access::Refused::MembershipUnknown),
                GroupsSource::Unknown { provider, why },
            ) => Refused::GroupsUnknown(GroupsUnknown {
                person: self.person.name.clone(),
                provider: provider.clone(),
                why: why.clone(),
            }),
            _ => refused,
        }
    }
}

impl JudgedParties {
    /// The requester of this request, as the configuration has the person now; none where there is none any more.
    ///
    /// # Errors
    /// [`Refused::Internal`] if these are the parties of another request.
    pub(super) fn requester(
        &self,
        config: &Config,
        request: &Request,
    ) -> Result<Option<Judged>, Refused> {
        match &self.requester {
            Some(judged) if judged.person.name != request.requester => {
                Err(Refused::Internal("another requester was judged".to_owned()))
            }
            Some(judged) => Ok(Some(judged.clone())),
            // Nothing was asked, or there was no such person. What a provider says counts while it is fresh, asked or not.
            None => Ok(named(config, &request.requester)),
        }
    }

    /// Where groups are those of an old answer: see [`Judged::old_groups`].
    #[must_use]
    pub fn old_groups(&self) -> Vec<OldGroups> {
        let both = [Some(&*self.approver), self.requester.as_ref()];
        both.into_iter().flatten().filter_map(Judged::old_groups).collect()
    }
}

/// What the trail says of them: added to the detail of what was done by these answers.
pub(super) fn note(detail: &mut Value, old: &[OldGroups]) {
    if let (Some(detail), false) = (detail.as_object_mut(), old.is_empty()) {
        detail.insert("old_groups".to_owned(), json!(old));
    }
}
