//! What a rule covers, it covers however the request is spelled: a resource with a marker in its body, asked for
//! in 400 spellings of its path.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use breakglass_tests::client::Answer;
use breakglass_tests::spellings::{Spelling, sample};
use serde_json::{Value, json};

use crate::application_gate::ApplicationGate;

/// How many spellings of each resource.
const SPELLINGS: usize = 400;

/// A resource with a marker in its body.
pub(crate) struct Resource<'a> {
    /// Its path, as it is spelled in 400 ways.
    pub(crate) path: &'a str,
    /// The rule that names it.
    pub(crate) rule: &'a str,
    /// What is in its body and in no other.
    pub(crate) marker: &'a str,
    /// What the application asks of every request.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// How many spellings reach it at least where no rule names it: those that a test can fail by.
    pub(crate) reachable: usize,
}

impl Resource<'_> {
    /// No spelling reaches it past `protected`, nor past `ceiling` under a token; without the rule several do.
    pub(crate) fn assert_held(&self, application: SocketAddr) {
        let everything = json!({"name": "everything", "methods": ["GET"], "paths": ["/**"]});
        let rule = json!([{"paths": [self.rule]}]);

        let open = ApplicationGate::new(application, &json!({"scopes": [everything]}));
        let reached = self.reached(&open, None);
        let kinds: BTreeSet<_> = reached.iter().collect();
        println!("{}: {} of {SPELLINGS} spellings reach it: {kinds:?}", self.path, reached.len());
        assert!(reached.len() >= self.reachable, "{} of {}", reached.len(), self.reachable);

        let rules = json!({"scopes": [everything], "protected": rule, "ceiling": rule});
        let closed = ApplicationGate::new(application, &rules);
        assert_eq!(
            self.reached(&closed, None),
            Vec::<String>::new(),
            "past {rule}, without a token"
        );
        let token = closed.token(&["everything"]);
        assert_eq!(
            self.reached(&closed, Some(&token)),
            Vec::<String>::new(),
            "past the ceiling {rule}"
        );
        self.assert_refused(&closed, None, "token_missing");
        self.assert_refused(&closed, Some(&token), "ceiling");
        assert!(closed.verified() >= 2);
        closed.harness.has_its_first_vms();
    }

    /// The kinds of the spellings by which the marker is read.
    fn reached(&self, gate: &ApplicationGate, token: Option<&str>) -> Vec<String> {
        let spellings = sample(self.path, SPELLINGS);
        assert_eq!(spellings.len(), SPELLINGS);
        let reads = |spelling: &&Spelling| {
            let answer = self.ask(gate, &spelling.target, token);
            answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.body).contains(self.marker))
        };
        spellings.iter().filter(reads).map(|spelling| spelling.class.clone()).collect()
    }

    fn ask(
        &self,
        gate: &ApplicationGate,
        target: &[u8],
        token: Option<&str>,
    ) -> io::Result<Answer> {
        let mut request = gate.get(target);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(token) = token {
            request = request.token(token);
        }
        request.try_send(gate.address())
    }

    fn assert_refused(&self, gate: &ApplicationGate, token: Option<&str>, reason: &str) {
        let problem: Value = self.ask(gate, self.path.as_bytes(), token).unwrap().json();
        assert_eq!(problem["reason"], reason, "{problem}");
    }
}
