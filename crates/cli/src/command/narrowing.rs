//! What an approver narrows: fewer scopes, a shorter time. It is checked and shown before the approver says yes, and
//! compared with what was granted.

use breakglass_server::clock::meant;
use breakglass_server::duration;

use super::granted;
use super::needs::Left;
use crate::answer::{Grant, Mismatch, Request, one_line};
use crate::client::Failure;

/// What is granted of a request.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Narrowing {
    /// Grant this scope and leave out those that are not named; can be given more than once.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,

    /// Grant it for this long, where that is shorter than was asked for.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<i64>,
}

impl Narrowing {
    /// The scopes for the approval, where it names them.
    pub(super) fn scopes(&self) -> Option<Vec<String>> {
        (!self.scopes.is_empty()).then(|| self.scopes.clone())
    }

    /// The duration for the approval, where it names one.
    pub(super) fn duration(&self) -> Option<String> {
        self.duration.map(duration::format)
    }

    /// Checks that it widens nothing.
    ///
    /// # Errors
    /// [`Failure::Invalid`] names what was not asked for.
    pub(super) fn check(&self, request: &Request) -> Result<(), Failure> {
        let left = Left::of(request);
        if let Some(other) = self.scopes.iter().find(|scope| !left.scopes.contains(scope)) {
            return Err(Failure::Invalid(one_line(&format!(
                "not approved: --scope: expected one of `{}`, which {}, got `{other}`: an approval can only \
                 leave scopes out",
                left.scopes.join("`, `"),
                left.were(request)
            ))));
        }
        let asked = duration::parse(left.duration).unwrap_or(i64::MAX);
        match self.duration {
            Some(seconds) if seconds > asked => Err(Failure::Invalid(format!(
                "not approved: --duration: expected at most {}, which {}, got {}: an approval can only be \
                 shorter",
                left.duration,
                left.was(request),
                duration::format(seconds)
            ))),
            _ => Ok(()),
        }
    }

    /// What will be granted of this request, in lines; none where it is all that was asked for.
    pub(super) fn lines(&self, request: &Request) -> Vec<String> {
        let granted = self.granted(request);
        let left = Left::of(request).duration;
        let time = self.duration().unwrap_or_else(|| left.to_owned());
        let time =
            Some(time).filter(|time| duration::parse(time) != duration::parse(&request.duration));
        let left_out: Vec<String> =
            request.scopes.iter().filter(|scope| !granted.contains(scope)).cloned().collect();
        let mut lines = Vec::new();
        if time.is_some() || !left_out.is_empty() {
            let time = time.unwrap_or_else(|| request.duration.clone());
            lines.push(one_line(&format!("grants    {} for {time}", granted.join(", "))));
        }
        if !left_out.is_empty() {
            lines.push(one_line(&format!("left out  {}", left_out.join(", "))));
        }
        lines
    }

    /// Checks that no more was granted.
    ///
    /// # Errors
    /// [`Mismatch`] names what is more.
    pub(super) fn check_granted(&self, request: &Request, grant: &Grant) -> Result<(), Mismatch> {
        let expected = self.granted(request).join(" ");
        Mismatch::check("grant.scopes", &expected, &granted::scopes(request, grant).join(" "))?;
        let from = meant(&grant.approved_at).seconds();
        let lasts = meant(&grant.expires_at).seconds().saturating_sub(from);
        match self.duration {
            Some(seconds) if lasts > seconds => Err(Mismatch {
                member: "grant.expires_at",
                expected: format!("{} from the approval on", duration::format(seconds)),
                got: duration::format(lasts),
            }),
            _ => Ok(()),
        }
    }

    /// The scopes that are granted, in the order in which they were asked for.
    fn granted(&self, request: &Request) -> Vec<String> {
        let all = self.scopes.is_empty();
        let left = Left::of(request).scopes.iter();
        let granted = left.filter(|scope| all || self.scopes.contains(scope));
        granted.cloned().collect()
    }
}
