//! `POST /v1/proxies/configurations`: a proxy says what its configuration defines, where the answer to its poll asked for
//! it. It is about the proxies with this credential, and no other.

use axum::Json;
use axum::extract::State;
use breakglass_api::proxies::ConfigurationTaken;
use breakglass_types::configurations::{MAX_CONFIGURATION_BYTES, ReportedConfiguration};
use breakglass_types::hex;
use breakglass_types::names::DIGEST_DIGITS;

use super::body::{FieldErrors, JsonBody};
use crate::app::App;
use crate::auth::identity::AsProxy;
use crate::configurations::Taken;
use crate::problem::{Problem, Reason};
use crate::text;

/// The largest body.
pub(super) const MAX_BODY: usize = MAX_CONFIGURATION_BYTES;

pub(super) async fn report(
    State(app): State<App>,
    AsProxy(proxy): AsProxy,
    JsonBody(report): JsonBody<ReportedConfiguration>,
) -> Result<Json<ConfigurationTaken>, Problem> {
    check(&report)?;
    let configuration = report.configuration.clone();
    let config = app.config();
    match app.configurations().report(app.now(), &config, &proxy.credential_id(), report) {
        Taken::New => tracing::info!(proxy = proxy.name, configuration, "configuration reported"),
        Taken::Known => {}
        Taken::Contradicts => tracing::warn!(
            proxy = proxy.name,
            configuration,
            "two reports of one configuration with one credential say different things: both count, and no scope \
             in which they differ counts as approved; replace the credential if it may be in other hands"
        ),
        Taken::TooMany => {
            return Err(Problem::new(
                Reason::TooManyConfigurations,
                "this credential has reported as many configurations as it may in a minute: the answer to a later poll \
                 asks again",
            ));
        }
    }
    Ok(Json(ConfigurationTaken { configuration }))
}

fn check(report: &ReportedConfiguration) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    if !hex::is_lower(&report.configuration, DIGEST_DIGITS) {
        errors.add("configuration", "expected 64 lower-case hex digits");
    }
    if report.audiences.is_empty() {
        errors.add("audiences", "expected at least one audience");
    }
    for audience in &report.audiences {
        errors.check("audiences", text::name(audience));
    }
    for scope in report.scopes.keys() {
        errors.check("scopes", text::scope(scope));
    }
    errors.finish()
}
