//! Trailers of a request: a token in them decides nothing, and does not pass.

use std::rc::Rc;

use crate::bodies::Traffic;
use crate::calls::StreamId;
use crate::decision::{Answers, Token};
use crate::headers::Headers;
use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::request::{Attributes, Facts, Seen, SortedTrailers};
use crate::step::Step;

use super::{Waiting, Worker};

/// What is to be done with the trailers of a request.
#[derive(Debug)]
#[must_use]
pub struct TrailersStep {
    /// The trailers to remove.
    pub remove: Vec<String>,
    /// The step for the request itself, if there is one.
    pub step: Option<Step>,
}

impl Worker {
    /// The trailers of a request came. Those that are not the client's to set are removed, and so is a
    /// token in a trailer that is called like a token source. A request that has passed without a record
    /// is refused then: its token was never judged. (Its headers, and what there was of its body, have
    /// reached the upstream by now.) `unrecorded` are the headers of such a request.
    pub fn request_trailers(
        &mut self,
        stream: StreamId,
        trailers: &Headers,
        unrecorded: Option<&Headers>,
        attributes: &dyn Attributes,
        traffic: &Rc<Traffic>,
        now: Instant,
    ) -> TrailersStep {
        let SortedTrailers { remove, has_token } = SortedTrailers::sort(trailers, &self.config);
        let Some(headers) = unrecorded.filter(|_| has_token && !attributes.has_record()) else {
            return TrailersStep { remove, step: None };
        };
        let mut facts = Facts::of(&mut Seen::sort(headers, &self.config));
        facts.ask(attributes);
        let waiting = Waiting {
            arrived: now,
            token: Token::Refused(DenyReason::TokenMalformed),
            facts,
            certificate: None,
            answers: Answers::default(),
            traffic: Rc::clone(traffic),
            kept: Headers::default(),
            void_at: None,
        };
        let step = self.decide(stream, waiting, &|| None, now);
        TrailersStep { remove, step: Some(step) }
    }
}
