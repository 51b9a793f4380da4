//! Sessions, and who is calling.

use breakglass_api::session::{Session, Sessions};
use breakglass_api::whoami::{Notify, WhoAmI};

use super::{Body, check_id};

impl Body for Session {
    const NAME: &'static str = "a session";

    fn check(&self) -> Result<(), String> {
        check_id("id", &self.id)
    }
}

impl Body for Sessions {
    const NAME: &'static str = "a list of sessions";

    fn check(&self) -> Result<(), String> {
        self.sessions.iter().try_for_each(Body::check)
    }
}

impl Body for Notify {
    const NAME: &'static str = "how a person is told";
}

impl Body for WhoAmI {
    const NAME: &'static str = "who is calling";
}
