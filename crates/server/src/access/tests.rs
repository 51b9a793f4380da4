//! The rules against a directory that does not know everything.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::rules::{CanBeMet, Facts, Needs};
use super::*;
use crate::clock::Moment;
use crate::config::{Config, Person};

const PEOPLE: [&str; 4] = ["ann", "bea", "cid", "dan"];
const GROUPS: [&str; 5] = ["ops", "leads", "dbas", "stoppers", "readers"];

const SCOPES: [&str; 3] = ["orders", "payments", "staging"];

/// What a directory knows of a group.
#[derive(Debug, Clone, Copy)]
enum View {
    Complete,
    /// Some of its members.
    Seen,
    Nothing,
}

/// Who is in which group in truth, and what of it the directory knows.
#[derive(Debug, Clone)]
struct World {
    members: BTreeSet<(usize, usize)>,
    views: [View; GROUPS.len()],
    /// Of whom the directory cannot tell, where its view of the group is not complete.
    hidden: BTreeSet<(usize, usize)>,
}

impl World {
    fn of(members: &[(&str, &str)], views: [View; GROUPS.len()]) -> World {
        let place = |names: &[&str], name: &str| names.iter().position(|one| *one == name).unwrap();
        let members =
            members.iter().map(|(person, group)| (place(&PEOPLE, person), place(&GROUPS, group)));
        let everything =
            (0..PEOPLE.len()).flat_map(|one| (0..GROUPS.len()).map(move |group| (one, group)));
        World { members: members.collect(), views, hidden: everything.collect() }
    }

    fn config(&self) -> Config {
        let people = PEOPLE.iter().enumerate().map(|(one, name)| {
            let groups: Vec<&str> = (0..GROUPS.len())
                .filter(|group| self.members.contains(&(one, *group)))
                .map(|group| GROUPS[group])
                .collect();
            let groups =
                if groups.is_empty() { String::new() } else { format!("groups = {groups:?}") };
            format!("[[people]]\nname = \"{name}\"\ntoken_sha256 = \"{one:064x}\"\n{groups}\n")
        });
        let scope = |name: &str, audience: &str, approvers: &str| {
            format!(
                "[[scopes]]\nname = \"{name}\"\naudience = \"{audience}\"\nrequesters = [\"ops\"]\n\
                 approvers = {approvers}\nmax_duration = \"1h\"\n"
            )
        };
        let text = format!(
            "listen = \"127.0.0.1:0\"\nissuer = \"https://approvals.test\"\ndatabase = \"d\"\n\
             key_directory = \"k\"\nauditors = [\"readers\"]\nresponders = {{ prod = [\"stoppers\"] }}\n{}{}{}{}",
            people.collect::<String>(),
            scope("orders", "prod", r#"["leads"]"#),
            scope("payments", "prod", r#"["leads", "dbas"]"#),
            scope("staging", "staging", r#"["dbas"]"#),
        );
        Config::parse(&text).unwrap()
    }

    /// In truth.
    fn is_in(&self, person: &str, groups: &[&str]) -> bool {
        let is = |names: &[&str], index: usize, name: &str| names[index] == name;
        self.members.iter().any(|(one, group)| {
            is(&PEOPLE, *one, person) && groups.iter().any(|name| is(&GROUPS, *group, name))
        })
    }

    /// In truth.
    fn approves(&self, person: &str, scope: &str) -> bool {
        let groups: &[&str] = match scope {
            "orders" => &["leads"],
            "payments" => &["leads", "dbas"],
            "staging" => &["dbas"],
            _ => &[],
        };
        self.is_in(person, groups)
    }
}

impl Directory for World {
    fn is_member(&self, person: &str, group: &str) -> Membership {
        let place = |names: &[&str], name: &str| names.iter().position(|one| *one == name);
        let (Some(one), Some(group)) = (place(&PEOPLE, person), place(&GROUPS, group)) else {
            return Membership::No;
        };
        let is_known = matches!(self.views[group], View::Complete);
        match self.members.contains(&(one, group)) {
            _ if !is_known && self.hidden.contains(&(one, group)) => Membership::Unknown,
            true => Membership::Yes,
            false => Membership::No,
        }
    }

    fn members(&self, group: &str) -> Members {
        let Some(group) = GROUPS.iter().position(|one| *one == group) else {
            return Members::Complete(Vec::new());
        };
        let members = self.members.iter().filter(|(_, other)| *other == group);
        let known = |one: &&(usize, usize)| match self.views[group] {
            View::Complete => true,
            View::Seen => !self.hidden.contains(*one),
            View::Nothing => false,
        };
        let names = members.filter(known).map(|(one, _)| PEOPLE[*one].to_owned()).collect();
        match self.views[group] {
            View::Complete => Members::Complete(names),
            View::Seen => Members::Seen(names),
            View::Nothing => Members::Unknown,
        }
    }
}

fn any_pairs() -> impl Strategy<Value = BTreeSet<(usize, usize)>> {
    proptest::collection::btree_set((0..PEOPLE.len(), 0..GROUPS.len()), 0..16)
}

fn any_world() -> impl Strategy<Value = World> {
    let view = prop_oneof![Just(View::Complete), Just(View::Seen), Just(View::Nothing)];
    let views = proptest::array::uniform5(view);
    (any_pairs(), views, any_pairs()).prop_map(|(members, views, hidden)| World {
        members,
        views,
        hidden,
    })
}

fn any_scopes() -> impl Strategy<Value = Vec<String>> {
    let scopes = proptest::sample::subsequence(SCOPES.to_vec(), 1..=SCOPES.len());
    scopes.prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

/// That what is known is right: a yes is true, and a no that is not "unknown" is true as well.
fn holds(answer: Result<(), Refused>, truth: bool, what: &str) -> Result<(), TestCaseError> {
    match answer {
        Ok(()) => prop_assert!(truth, "{} is allowed", what),
        Err(Refused::MembershipUnknown) => {}
        Err(refused) => prop_assert!(!truth, "{}: {:?}", what, refused),
    }
    Ok(())
}

fn person<'c>(config: &'c Config, name: &str) -> &'c Person {
    config.people.iter().find(|person| person.name == name).unwrap()
}

/// The time of all questions.
const NOW: Moment = Moment::from_seconds(1_795_313_580);

fn facts<'a>(requester: &'a str, scopes: &'a [String]) -> Facts<'a> {
    Facts { requester, scopes, duration_s: 60, held: &[], emergency: false, submitted_at: NOW }
}

/// Whether the person's yes counts, as the first.
fn approve(
    access: &Access<'_>,
    person: &Person,
    requester: &str,
    scopes: &[String],
) -> Result<(), Refused> {
    let needs = Needs::of(access.config, access.directory, &facts(requester, scopes));
    let needs = needs.unwrap_or_default();
    access.check_approve(person, requester, &needs, &[]).map(|_| ())
}

proptest! {
    #[test]
    fn approvers_are_no_more_and_no_others_than_there_are(world in any_world(), scopes in any_scopes()) {
        let config = world.config();
        let truth: BTreeSet<String> = PEOPLE[1..]
            .iter()
            .filter(|name| scopes.iter().any(|scope| world.approves(name, scope)))
            .map(|name| (*name).to_owned())
            .collect();
        for (directory, is_all) in [(&world as &dyn Directory, false), (&config, true)] {
            let access = Access::new(&config, directory);
            let approvers = access.approvers(" Ann", &scopes, NOW);
            let names: BTreeSet<String> = approvers.names().iter().cloned().collect();
            match &approvers {
                Approvers::Complete(_) => prop_assert_eq!(&names, &truth),
                Approvers::Seen(_) => prop_assert!(!names.is_empty() && names.is_subset(&truth)),
                Approvers::Unknown => {}
            }
            prop_assert!(!is_all || matches!(approvers, Approvers::Complete(_)));
            for name in PEOPLE {
                let answer = approve(&access, person(&config, name), "ann", &scopes);
                prop_assert!(!is_all || answer != Err(Refused::MembershipUnknown));
                holds(answer, truth.contains(name), name)?;
            }
        }
    }

    #[test]
    fn who_may_end_and_see_is_never_guessed(world in any_world(), scopes in any_scopes()) {
        let config = world.config();
        for (directory, is_all) in [(&world as &dyn Directory, false), (&config, true)] {
            let access = Access::new(&config, directory);
            let held = Held { holder: "ann", approvers: vec!["bea"], audience: "prod", scopes: &scopes };
            for name in PEOPLE {
                let one = person(&config, name);
                let approves = scopes.iter().any(|scope| world.approves(name, scope));
                let all = scopes.iter().all(|scope| world.approves(name, scope));
                let responds = world.is_in(name, &["stoppers"]);
                let audits = world.is_in(name, &["readers"]);
                let (holds_it, approved) = (name == "ann", name == "bea");
                let answers = [
                    ("deny", access.check_deny(one, &held), !holds_it && (approves || responds)),
                    ("revoke", access.check_revoke(one, &held), holds_it || approved || approves || responds),
                    ("show", access.check_involved(one, &held), holds_it || approves || responds || audits),
                    ("all", access.check_revoke_all(one, [held.clone()].into_iter()), holds_it || all || responds),
                    ("audit", access.check_auditor(one), audits),
                ];
                for (what, answer, truth) in answers {
                    prop_assert!(!is_all || answer != Err(Refused::MembershipUnknown));
                    holds(answer, truth, &format!("{name} {what}"))?;
                }
                let visible = access.visible_scopes(one);
                for scope in &config.scopes {
                    let sees = world.approves(name, &scope.name) || (responds && scope.audience == "prod");
                    let shown = visible.contains(&scope.name);
                    prop_assert!(sees || !shown);
                    prop_assert!(shown || !sees || !is_all);
                }
            }
        }
    }

    #[test]
    fn a_request_is_taken_where_it_is_not_certain_that_no_person_approves_it(
        world in any_world(), scopes in any_scopes(),
    ) {
        let config = world.config();
        let access = Access::new(&config, &world);
        let asked = access.check_ask(person(&config, "ann"), &scopes, 3600);
        let answer = asked.and_then(|_| needs(&access, &facts("ann", &scopes)));
        let is_requester = world.is_in("ann", &["ops"]);
        let is_approvable = scopes
            .iter()
            .all(|scope| PEOPLE[1..].iter().any(|name| world.approves(name, scope)));
        match answer {
            Ok(needs) => {
                prop_assert!(is_requester);
                prop_assert!(is_approvable || needs.can_be_met(&world, "ann") == CanBeMet::Unknown);
            }
            Err(Refused::NoApprover) => prop_assert!(is_requester && !is_approvable),
            Err(Refused::NotARequester { .. }) => prop_assert!(!is_requester),
            Err(Refused::MembershipUnknown) => {}
            Err(Refused::Unfit { audiences, .. }) => prop_assert_eq!(audiences, ["prod", "staging"]),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }
}

/// What a request with these facts needs, where it is not certain that too few people may approve it.
fn needs(access: &Access<'_>, facts: &Facts<'_>) -> Result<Needs, Refused> {
    let needs = Needs::of(access.config, access.directory, facts).ok_or(Refused::NoApprover)?;
    access.check_can_be_met(&needs, facts.requester).map(|()| needs)
}

const SILENT: [View; GROUPS.len()] = [View::Nothing; GROUPS.len()];

#[test]
fn what_is_not_known_is_accepted_at_submission_and_refused_at_approval() {
    // The directory knows who may ask, and nothing else.
    let mut views = SILENT;
    views[0] = View::Complete;
    let world = World::of(&[("ann", "ops"), ("bea", "leads")], views);
    let config = world.config();
    let access = Access::new(&config, &world);
    let scopes = ["orders".to_owned()];
    assert_eq!(access.check_ask(person(&config, "ann"), &scopes, 60), Ok("prod".to_owned()));
    let needs = needs(&access, &facts("ann", &scopes)).unwrap();
    assert_eq!(needs.can_be_met(&world, "ann"), CanBeMet::Unknown);
    assert_eq!(access.approvers("ann", &scopes, NOW), Approvers::Unknown);
    let answer = approve(&access, person(&config, "bea"), "ann", &scopes);
    assert_eq!(answer, Err(Refused::MembershipUnknown));
    let own = approve(&access, person(&config, "ann"), "Ann", &scopes);
    assert_eq!(own, Err(Refused::SelfApproval));
}

#[test]
fn those_who_are_known_by_name_end_a_grant_while_the_directory_is_silent() {
    let world = World::of(&[("cid", "leads"), ("dan", "stoppers")], SILENT);
    let config = world.config();
    let access = Access::new(&config, &world);
    let scopes = ["orders".to_owned()];
    let held = Held { holder: "ann", approvers: vec!["bea"], audience: "prod", scopes: &scopes };
    for name in ["ann", "bea"] {
        assert_eq!(access.check_revoke(person(&config, name), &held), Ok(()), "{name}");
    }
    for name in ["cid", "dan"] {
        let answer = access.check_revoke(person(&config, name), &held);
        assert_eq!(answer, Err(Refused::MembershipUnknown), "{name}");
    }
}

#[test]
fn a_responder_stops_what_is_of_the_audience_and_approves_nothing_by_that() {
    let world = World::of(&[("cid", "stoppers"), ("bea", "leads"), ("bea", "dbas")], SILENT);
    let config = world.config();
    let access = Access::of(&config);
    let cid = person(&config, "cid");
    let scopes = ["orders".to_owned()];
    let held = |audience| Held { holder: "ann", approvers: Vec::new(), audience, scopes: &scopes };
    assert_eq!(access.check_deny(cid, &held("prod")), Ok(()));
    assert_eq!(access.not_approvable(cid, &held("prod")), [""; 0]);
    let refused = Refused::MayNotDeny { responders: true };
    assert_eq!(access.check_deny(cid, &held("staging")), Err(refused));
    assert_eq!(access.not_approvable(cid, &held("staging")), ["orders"]);
    assert_eq!(access.visible_scopes(cid), ["orders", "payments"]);
    let approvers = Approvers::Complete(vec!["bea".to_owned()]);
    let refused = Refused::NotAnApprover { approvers };
    assert_eq!(approve(&access, cid, "ann", &scopes), Err(refused));
    // It would change what receipts say, and stops nothing.
    let refused = Refused::MayNotForget { scopes: scopes.to_vec() };
    assert_eq!(access.check_forget(cid, [scopes.as_slice()].into_iter()), Err(refused));
}
