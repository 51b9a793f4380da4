//! The configuration: people with groups, scopes with those who may ask and those who may approve.

use breakglass_testing::credentials::hex;

use crate::action::Reload;

#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub people: Vec<Person>,
    pub scopes: Vec<Scope>,
    pub rules: Vec<Rule>,
    pub pending_s: i64,
    pub activate_s: i64,
    pub most_pending: usize,
    pub keeps: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub name: &'static str,
    pub token: &'static str,
    pub groups: Vec<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub name: &'static str,
    pub audience: &'static str,
    pub requesters: &'static str,
    pub approvers: &'static str,
    pub most_s: i64,
}

/// An approval rule: over this duration, or always.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub name: &'static str,
    pub scopes: Vec<&'static str>,
    pub over_s: Option<i64>,
    pub stages: Vec<(&'static str, usize)>,
    pub in_order: bool,
}

impl Person {
    fn is_in(&self, group: &str) -> bool {
        self.groups.contains(&group)
    }
}

impl Setup {
    /// That of the tests of the whole interface: see `breakglass_testing::service`.
    pub(crate) fn first() -> Setup {
        let person =
            |name, groups: &[&'static str]| Person { name, token: name, groups: groups.to_vec() };
        let scope = |name, audience, requesters, approvers, most_s| Scope {
            name,
            audience,
            requesters,
            approvers,
            most_s,
        };
        Setup {
            people: vec![
                person("alice", &["oncall", "loners"]),
                person("bob", &["oncall", "commanders"]),
                person("carol", &["commanders"]),
                person("dave", &["dbas"]),
                person("erin", &[]),
                person("frank", &["dbas", "commanders"]),
                person("grace", &["auditors"]),
            ],
            scopes: vec![
                scope("orders:read", "prod", "oncall", "commanders", 3600),
                scope("orders:write", "prod", "oncall", "commanders", 1800),
                scope("db:admin", "prod", "oncall", "dbas", 3600),
                scope("staging:read", "staging", "oncall", "commanders", 3600),
                scope("lonely", "prod", "loners", "loners", 3600),
            ],
            rules: vec![
                Rule {
                    name: "long",
                    scopes: vec!["orders:read", "orders:write"],
                    over_s: Some(1800),
                    stages: vec![("commanders", 2), ("dbas", 1)],
                    in_order: false,
                },
                Rule {
                    name: "database",
                    scopes: vec!["db:admin"],
                    over_s: Some(60),
                    stages: vec![("dbas", 1), ("commanders", 1)],
                    in_order: true,
                },
            ],
            pending_s: 600,
            activate_s: 900,
            most_pending: 2,
            keeps: false,
        }
    }

    pub(crate) fn of(reload: Reload) -> Setup {
        let mut setup = Setup::first();
        match reload {
            Reload::First => {}
            Reload::AliceLosesGroup => setup.at("alice").groups = vec!["loners"],
            Reload::AliceLeaves => setup.people.retain(|person| person.name != "alice"),
            Reload::AliceLeavesAndKeeps => {
                setup.people.retain(|person| person.name != "alice");
                setup.keeps = true;
            }
            Reload::AliceHasAnotherToken => setup.at("alice").token = "alice-2",
            Reload::BobLeaves => setup.people.retain(|person| person.name != "bob"),
            Reload::CarolLosesGroup => setup.at("carol").groups = Vec::new(),
            Reload::ShorterScope => setup.scopes[0].most_s = 600,
            Reload::ScopeGone => setup.scopes.retain(|scope| scope.name != "orders:write"),
            Reload::ScopeMoves => setup.scopes[2].audience = "staging",
            Reload::ShortActivation => setup.activate_s = 60,
        }
        setup
    }

    fn at(&mut self, name: &str) -> &mut Person {
        self.people.iter_mut().find(|person| person.name == name).unwrap()
    }

    pub(crate) fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    pub(crate) fn may_request(&self, person: &Person, scope: &str) -> bool {
        self.scope(scope).is_some_and(|scope| person.is_in(scope.requesters))
    }

    pub(crate) fn may_approve(&self, person: &Person, scope: &str) -> bool {
        let of_rules = self.rules.iter().filter(|rule| rule.scopes.contains(&scope));
        let mut of_rules = of_rules.flat_map(|rule| &rule.stages);
        self.scope(scope).is_some_and(|scope| {
            person.is_in(scope.approvers) || of_rules.any(|(group, _)| person.is_in(group))
        })
    }

    /// What the service reads.
    pub(crate) fn text(&self, directory: &str) -> String {
        let list = |groups: &[&str]| {
            let quoted: Vec<String> = groups.iter().map(|group| format!("{group:?}")).collect();
            quoted.join(", ")
        };
        let mut text = format!(
            "listen = \"127.0.0.1:0\"\nissuer = \"https://approvals.test\"\n\
             database = \"{directory}/approvals.db\"\nkey_directory = \"{directory}/keys\"\n\
             auditors = [\"auditors\"]\npending_lifetime = \"{}s\"\nactivate_within = \"{}s\"\n\
             max_pending_requests = {}\nkeep_grants_of_leavers = {}\n",
            self.pending_s, self.activate_s, self.most_pending, self.keeps
        );
        for Person { name, token, groups } in &self.people {
            text += &format!("[[people]]\nname = \"{name}\"\ntoken_sha256 = \"{}\"\n", hex(token));
            if !groups.is_empty() {
                text += &format!("groups = [{}]\n", list(groups));
            }
        }
        text += &format!(
            "[[proxies]]\nname = \"envoy\"\ntoken_sha256 = \"{}\"\naudiences = [\"prod\", \"staging\"]\n",
            hex("envoy")
        );
        for Scope { name, audience, requesters, approvers, most_s } in &self.scopes {
            text += &format!(
                "[[scopes]]\nname = \"{name}\"\naudience = \"{audience}\"\nrequesters = [\"{requesters}\"]\n\
                 approvers = [\"{approvers}\"]\nmax_duration = \"{most_s}s\"\n"
            );
        }
        for Rule { name, scopes, over_s, stages, in_order } in &self.rules {
            let scopes: Vec<&str> =
                scopes.iter().filter(|name| self.scope(name).is_some()).copied().collect();
            let need = stages
                .iter()
                .map(|(from, count)| format!("{{ from = [\"{from}\"], count = {count} }}"));
            let need: Vec<String> = need.collect();
            text += &format!(
                "[[approval_rules]]\nname = \"{name}\"\nscopes = [{}]\nneed = [{}]\nin_order = {in_order}\n",
                list(&scopes),
                need.join(", ")
            );
            if let Some(over_s) = over_s {
                text += &format!("when = {{ duration_over = \"{over_s}s\" }}\n");
            }
        }
        text
    }
}
