//! Challenges for entrances: `POST /v1/probes` and `POST /v1/probes/{id}/answers`.

use breakglass_api::probe::{Challenge, ProbeVerdicts, Verdict};

use super::{Body, Word, brief, check_id};

impl Body for Challenge {
    const NAME: &'static str = "a challenge";

    fn check(&self) -> Result<(), String> {
        let is_jwt = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let parts = self.challenge.split('.').filter(|part| !part.is_empty()).count();
        if parts != 3 || !self.challenge.bytes().all(is_jwt) {
            return Err("challenge: expected a JWS in compact form".to_owned());
        }
        check_id("id", &self.id)
    }
}

impl Body for ProbeVerdicts {
    const NAME: &'static str = "what answers to a challenge prove";

    fn check(&self) -> Result<(), String> {
        let fits = |verdict: &Word<Verdict>, node: bool| (*verdict == Verdict::Guarded) == node;
        if let Some(bad) = self.verdicts.iter().find(|one| !fits(&one.verdict, one.node.is_some()))
        {
            return Err(format!("verdict: `{}` and `node` do not fit", brief(bad.verdict.word())));
        }
        check_id("id", &self.id)
    }
}
