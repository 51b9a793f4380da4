//! The actions of callers, operators and clocks.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// The most actions of one sequence.
pub(crate) const MOST: usize = 14;

/// A number of a request that stands for one that there is not.
pub(crate) const UNKNOWN: usize = MOST;

/// One action. Callers are named by their API tokens; requests by their number in the order of submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Submit(&'static str, Ask),
    Question(&'static str, usize),
    Answer(&'static str, usize),
    Approve(&'static str, usize, Approval),
    Deny(&'static str, usize),
    Cancel(&'static str, usize),
    Token(&'static str, usize),
    Revoke(&'static str, usize),
    Kill(&'static str, Target),
    /// So many seconds pass.
    Wait(i64),
    Clock(SetClock),
    /// The service looks at the clock.
    Tick,
    Reload(Reload),
}

/// What a submission asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub scopes: Vec<&'static str>,
    pub duration_s: i64,
    pub incident: Option<&'static str>,
    pub emergency: bool,
    pub extends: Option<usize>,
    pub key: Option<&'static str>,
}

/// What an approval says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approval {
    pub digest: Shown,
    pub scopes: Narrow,
    pub duration_s: Option<i64>,
    pub note: Option<&'static str>,
}

/// Which digest an approval names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Right,
    Other,
    None,
}

/// Which scopes an approval names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Narrow {
    None,
    First,
    Reversed,
    Wider,
    Twice,
    Empty,
}

/// What the kill switch is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Grant(usize),
    Subject(&'static str),
    Incident(&'static str),
    Scope(&'static str),
    All,
}

/// How the wall clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetClock {
    Step(i64),
    Lose,
    Right,
}

/// Which configuration is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    First,
    AliceLosesGroup,
    AliceLeaves,
    AliceLeavesAndKeeps,
    AliceHasAnotherToken,
    BobLeaves,
    CarolLosesGroup,
    ShorterScope,
    ScopeGone,
    ScopeMoves,
    ShortActivation,
}

impl Narrow {
    /// The scopes that it names, of a request for these.
    pub(crate) fn of(self, asked: &[String]) -> Option<Vec<String>> {
        let first = asked.first().cloned().into_iter();
        match self {
            Narrow::None => None,
            Narrow::First => Some(first.collect()),
            Narrow::Reversed => Some(asked.iter().rev().cloned().collect()),
            Narrow::Wider => Some(asked.iter().cloned().chain(["lonely".to_owned()]).collect()),
            Narrow::Twice => Some(first.clone().chain(first).collect()),
            Narrow::Empty => Some(Vec::new()),
        }
    }
}

/// The place of the request that `number` means among so many.
pub(crate) fn place(number: usize, count: usize) -> Option<usize> {
    (number < UNKNOWN).then(|| number.checked_rem(count)).flatten()
}

impl Ask {
    pub(crate) fn of(scopes: &[&'static str], duration_s: i64) -> Ask {
        let scopes = scopes.to_vec();
        Ask { scopes, duration_s, incident: None, emergency: false, extends: None, key: None }
    }
}

impl Approval {
    pub(crate) fn whole() -> Approval {
        Approval { digest: Shown::Right, scopes: Narrow::None, duration_s: None, note: None }
    }
}

fn number() -> impl Strategy<Value = usize> {
    prop_oneof![30 => 0..UNKNOWN, 1 => Just(UNKNOWN)]
}

fn requester() -> impl Strategy<Value = &'static str> {
    prop_oneof![24 => Just("alice"), 4 => Just("bob"), 4 => Just("alice-2"), 2 => anybody()]
}

fn approver() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just("frank"), 5 => Just("carol"), 3 => Just("bob"), 2 => Just("dave"), 2 => Just("alice"), 1 => anybody()
    ]
}

fn anybody() -> impl Strategy<Value = &'static str> {
    let callers =
        ["alice", "alice-2", "bob", "carol", "dave", "erin", "frank", "grace", "envoy", "stranger"];
    select(callers.to_vec())
}

fn duration() -> impl Strategy<Value = i64> {
    select(vec![1_i64, 60, 600, 900, 1800, 1800, 1800, 1800, 1800, 3601])
}

fn ask() -> impl Strategy<Value = Ask> {
    let scopes: Vec<Vec<&'static str>> = vec![
        vec!["orders:read"],
        vec!["orders:read"],
        vec!["orders:read", "orders:write"],
        vec!["orders:write", "db:admin"],
        vec!["orders:read", "db:admin"],
        vec!["orders:read", "orders:write"],
        vec!["orders:write", "db:admin"],
        vec!["db:admin"],
        vec!["staging:read"],
        vec!["orders:read", "staging:read"],
        vec!["lonely"],
        vec!["orders:read", "nothing"],
        vec!["orders:read", "orders:read"],
        vec![],
    ];
    let extends = prop_oneof![4 => Just(None), 1 => number().prop_map(Some)];
    let key = prop_oneof![3 => Just(None), 1 => select(vec![Some("k1"), Some("k2")])];
    let incident = select(vec![None, Some("INC-1"), Some("INC-2")]);
    (select(scopes), duration(), incident, any::<bool>(), extends, key).prop_map(
        |(scopes, duration_s, incident, emergency, extends, key)| Ask {
            scopes,
            duration_s,
            incident,
            emergency,
            extends,
            key,
        },
    )
}

fn approval() -> impl Strategy<Value = Approval> {
    let digest =
        prop_oneof![16 => Just(Shown::Right), 1 => Just(Shown::Other), 1 => Just(Shown::None)];
    let scopes = prop_oneof![
        12 => Just(Narrow::None), 3 => Just(Narrow::First), 1 => Just(Narrow::Reversed), 1 => Just(Narrow::Wider),
        1 => Just(Narrow::Twice), 1 => Just(Narrow::Empty)
    ];
    let duration = select(vec![None, None, None, None, None, Some(60), Some(60), Some(1801)]);
    (digest, scopes, duration, option::of(Just("seen"))).prop_map(
        |(digest, scopes, duration_s, note)| Approval { digest, scopes, duration_s, note },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        number().prop_map(Target::Grant),
        select(vec!["alice", "bob", "Alice", "mallory"]).prop_map(Target::Subject),
        select(vec!["INC-1", "INC-2", "INC-3"]).prop_map(Target::Incident),
        select(vec!["orders:read", "orders:write", "db:admin", "nothing"]).prop_map(Target::Scope),
        Just(Target::All),
    ]
}

fn reload() -> impl Strategy<Value = Reload> {
    select(vec![
        Reload::First,
        Reload::AliceLosesGroup,
        Reload::AliceLeaves,
        Reload::AliceLeavesAndKeeps,
        Reload::AliceHasAnotherToken,
        Reload::AliceHasAnotherToken,
        Reload::AliceHasAnotherToken,
        Reload::BobLeaves,
        Reload::CarolLosesGroup,
        Reload::ShorterScope,
        Reload::ScopeGone,
        Reload::ScopeMoves,
        Reload::ShortActivation,
    ])
}

/// At most [`MOST`] actions. The first ones mostly make requests, and grants of them: without these nearly every action
/// would be refused.
pub(crate) fn sequence() -> impl Strategy<Value = Vec<Action>> {
    let asks = vec(good_ask(), 1..=2);
    let yes = vec((Just("frank"), 0..2_usize, approval()), 0..=2);
    let yes =
        yes.prop_map(|all| all.into_iter().map(|(who, on, what)| Action::Approve(who, on, what)));
    let tokens = vec((0..2_usize).prop_map(|on| Action::Token("alice", on)), 0..=1);
    // Grants come to their end: some by a time at which their requester is told before.
    let ends = option::weighted(0.2, select(vec![1500_i64, 1700, 1800]));
    let ends = ends.prop_map(|wait| {
        wait.map_or_else(Vec::new, |seconds| vec![Action::Wait(seconds), Action::Tick])
    });
    (asks, yes, tokens, ends, vec(action(), 4..=MOST - 7)).prop_map(
        |(asks, yes, tokens, ends, more)| {
            asks.into_iter().chain(yes).chain(tokens).chain(ends).chain(more).collect()
        },
    )
}

/// What alice may ask for.
fn good_ask() -> impl Strategy<Value = Action> {
    let scopes: Vec<Vec<&'static str>> = vec![
        vec!["orders:read"],
        vec!["orders:read", "orders:write"],
        vec!["orders:write", "db:admin"],
        vec!["db:admin", "orders:read"],
        vec!["staging:read"],
    ];
    let incident = select(vec![None, Some("INC-1")]);
    let key = select(vec![None, Some("k1")]);
    (select(scopes), select(vec![60_i64, 900, 1800]), incident, key).prop_map(
        |(scopes, duration_s, incident, key)| {
            Action::Submit("alice", Ask { incident, key, ..Ask::of(&scopes, duration_s) })
        },
    )
}

/// Any action; those more often that lead somewhere.
fn action() -> impl Strategy<Value = Action> {
    let seconds = select(vec![
        1_i64, 1, 1, 59, 60, 60, 299, 300, 599, 600, 600, 900, 1800, 1800, 3600, 90_000,
    ]);
    let clock = prop_oneof![
        6 => Just(SetClock::Right), 1 => Just(SetClock::Lose),
        2 => select(vec![-3600_i64, -60, 60, 3600]).prop_map(SetClock::Step)
    ];
    prop_oneof![
        10 => (requester(), ask()).prop_map(|(who, ask)| Action::Submit(who, ask)),
        14 => (approver(), number(), approval()).prop_map(|(who, on, approval)| Action::Approve(who, on, approval)),
        10 => (requester(), number()).prop_map(|(who, on)| Action::Token(who, on)),
        3 => (approver(), number()).prop_map(|(who, on)| Action::Question(who, on)),
        3 => (requester(), number()).prop_map(|(who, on)| Action::Answer(who, on)),
        3 => (approver(), number()).prop_map(|(who, on)| Action::Deny(who, on)),
        3 => (requester(), number()).prop_map(|(who, on)| Action::Cancel(who, on)),
        4 => (prop_oneof![approver(), requester()], number()).prop_map(|(who, on)| Action::Revoke(who, on)),
        4 => (prop_oneof![approver(), requester()], target()).prop_map(|(who, what)| Action::Kill(who, what)),
        6 => seconds.prop_map(Action::Wait),
        2 => clock.prop_map(Action::Clock),
        4 => Just(Action::Tick),
        5 => reload().prop_map(Action::Reload),
    ]
}
