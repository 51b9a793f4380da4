//! Checks the chain of the approval service's events: a second implementation of the form that docs/approval-service.md
//! describes, without the service's code.
//!
//! What is signed up to the last head that was kept elsewhere is proven whole. After it, the owner of the database could have
//! taken away the newest events, and whether that happened cannot be known: they are signed, and unproven to be all.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{PublicKey, Signature};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

const BEGIN: &str = "breakglass-trail-begin-1\n";
const DOMAIN: &str = "breakglass-trail-1\n";

/// The type of the event that a restore writes.
const RESTORED: &str = "breakglass.service.restored";

/// The public keys of the chain, by their ids.
#[derive(Debug, Default, Clone)]
pub struct Keys(BTreeMap<String, PublicKey>);

impl Keys {
    /// Adds a public key: its 32 bytes. Its id follows from it.
    pub fn add(&mut self, public: [u8; 32]) {
        let digest = Digest::of(&[&public]).to_string();
        let kid = digest.get(..32).unwrap_or_default().to_owned();
        self.0.insert(kid, PublicKey::new(public));
    }

    /// Whether a signature over this text is of the key with this id; nothing without such a key.
    fn verify(&self, kid: &str, text: &str, signature: &str) -> Option<bool> {
        let key = self.0.get(kid)?;
        let bytes = URL_SAFE_NO_PAD.decode(signature).ok();
        let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
        let message = format!("{DOMAIN}{text}");
        Some(signature.is_some_and(|signature| key.verify(message, &signature).is_ok()))
    }
}

/// A head that was kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Head {
    /// The place of its event.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// What the service signed of it, where it wrote the head.
    #[serde(flatten)]
    pub signed: Option<SignedHead>,
}

/// What the service signs of a head that it tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SignedHead {
    /// When it was told.
    pub time: String,
    /// The id of the key.
    pub kid: String,
    /// The signature over the line `breakglass-trail-1` and `head`, time, place and hash, with a blank between two.
    pub signature: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The place of the event.
    pub seq: i64,
    /// What of it.
    pub fault: Fault,
}

/// What can be wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no event: a member is missing, or of another type.
    Unreadable(String),
    /// Its hash is not that of what it says.
    Changed,
    /// The signature is not of its key.
    BadSignature,
    /// No key was given for this id.
    UnknownKey(String),
    /// It does not go on from the event before it: events between are missing, or others were put there.
    NotNext,
    /// It is not in the chain, although the chain had begun.
    NotInChain,
    /// It is not above the place before it.
    OutOfOrder,
    /// The event at this place has another hash than the head that was kept.
    NotTheHead,
    /// The event that the head names is not there.
    HeadMissing,
    /// The head that was kept is not signed by the key that it names.
    HeadNotSigned,
    /// A restore lost events.
    LostByRestore {
        /// The place of the restore's own event.
        restored_at: i64,
        /// The place of the head from which it goes on.
        from: i64,
        /// The head that was lost; nothing where it is not known.
        lost: Option<Head>,
    },
    /// A restore says that it goes on from another head than that of the event before it.
    RestoredElsewhere,
}

impl Fault {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Fault::Unreadable(why) => format!("cannot be read: {why}"),
            Fault::Changed => "changed: its hash is not that of what it says".to_owned(),
            Fault::BadSignature => "not signed by the key that it names".to_owned(),
            Fault::UnknownKey(kid) => {
                format!("signed with the key {kid}, which was not given: give it with --trail-key if it is one of yours")
            }
            Fault::NotNext => {
                "does not go on from the event before it: events between them are missing, or were replaced".to_owned()
            }
            Fault::NotInChain => "in no chain, although the chain had begun".to_owned(),
            Fault::OutOfOrder => "not in order".to_owned(),
            Fault::NotTheHead => "another event than the head that was kept names".to_owned(),
            Fault::HeadMissing => "missing: the head that was kept names it".to_owned(),
            Fault::HeadNotSigned => "the head that was kept is not signed by the key that it names".to_owned(),
            Fault::LostByRestore { restored_at, from, lost: Some(Head { seq, hash, .. }) } => {
                let first = from.saturating_add(1);
                format!(
                    "lost by the restore at place {restored_at}: the events from place {first} to {seq}, between the heads \
                     of place {from} and of place {seq} ({hash})"
                )
            }
            Fault::LostByRestore { restored_at, from, lost: None } => format!(
                "the restore at place {restored_at} goes on from place {from}, and which events it lost is not known"
            ),
            Fault::RestoredElsewhere => {
                "a restore that says it goes on from another event than the one before it".to_owned()
            }
        }
    }
}

/// What was found of the whole chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many events were read.
    pub events: u64,
    /// How many of them were written before the chain; the first link covers them.
    pub before: u64,
    /// The place of the last event.
    pub last: i64,
    /// Its hash.
    pub head: Option<String>,
    /// Up to this place all is proven to be there; nothing without a head that was kept.
    pub proven: Option<i64>,
    /// How many events came after that.
    pub unproven: u64,
    /// What is wrong, in the order of the events.
    pub findings: Vec<Finding>,
}

/// Reads events in their order, and keeps none.
#[derive(Debug)]
pub struct Check<'a> {
    keys: &'a Keys,
    /// The heads that were kept and not met yet, by their places.
    kept: BTreeMap<i64, Vec<&'a Head>>,
    /// The place of the last head that was met and is what is there.
    proven: Option<i64>,
    begin: Option<Sha256>,
    verdict: Verdict,
    /// The restores: from which place each goes on, its own, and the head that it lost.
    restores: Vec<(i64, i64, Option<Head>)>,
}

/// What the event of a restore says.
#[derive(Deserialize)]
struct Restore {
    from: Head,
    lost: Option<Head>,
    replaced: String,
}

#[derive(Deserialize)]
struct Link {
    prev: String,
    hash: String,
    kid: String,
    signature: String,
}

impl<'a> Check<'a> {
    /// A check with these keys, against these heads.
    #[must_use]
    pub fn new(keys: &'a Keys, heads: &'a [Head]) -> Check<'a> {
        let begin = Some(Sha256::new().chain_update(BEGIN));
        let mut kept: BTreeMap<i64, Vec<&Head>> = BTreeMap::new();
        for head in heads {
            kept.entry(head.seq).or_default().push(head);
        }
        let (verdict, restores) = (Verdict::default(), Vec::new());
        let mut check = Check { keys, kept, proven: None, begin, verdict, restores };
        for head in heads {
            check.signature_of(head);
        }
        check
    }

    fn signature_of(&mut self, Head { seq, hash, signed }: &Head) {
        let Some(SignedHead { time, kid, signature }) = signed else { return };
        match self.keys.verify(kid, &format!("head {time} {seq} {hash}"), signature) {
            None => self.found(*seq, Fault::UnknownKey(kid.clone())),
            Some(false) => self.found(*seq, Fault::HeadNotSigned),
            Some(true) => {}
        }
    }

    /// The next event, as the interface shows it.
    pub fn event(&mut self, event: &Value) {
        self.verdict.events = self.verdict.events.saturating_add(1);
        let Some(seq) = event.get("seq").and_then(Value::as_i64) else {
            let after = self.verdict.last;
            return self.found(after, Fault::Unreadable("it has no `seq`".to_owned()));
        };
        if seq <= self.verdict.last {
            self.found(seq, Fault::OutOfOrder);
        }
        let before = std::mem::replace(&mut self.verdict.last, seq);
        let form = form(event);
        match event.get("link").filter(|link| !link.is_null()) {
            Some(link) => match Link::deserialize(link) {
                Ok(link) => {
                    if event.get("type").and_then(Value::as_str) == Some(RESTORED) {
                        self.restore(before, &link.prev, event);
                    }
                    self.link((before, seq), &form, link);
                }
                Err(error) => self.found(seq, Fault::Unreadable(error.to_string())),
            },
            None => match &mut self.begin {
                Some(begin) => {
                    begin.update(&form);
                    begin.update("\n");
                    self.verdict.before = self.verdict.before.saturating_add(1);
                }
                None => self.found(seq, Fault::NotInChain),
            },
        }
    }

    fn link(&mut self, (before, seq): (i64, i64), form: &[u8], link: Link) {
        let begun = self.begin.take().map(|begin| Digest::from(begin).to_string());
        if let Some(begun) = &begun {
            // A head from before the first link has the hash from which that goes on.
            self.meet(before, begun);
        }
        let before = begun.or_else(|| self.verdict.head.take());
        if before.is_none_or(|before| before != link.prev) {
            self.found(seq, Fault::NotNext);
        }
        if Digest::of(&[link.prev.as_bytes(), b"\n", form]).to_string() != link.hash {
            self.found(seq, Fault::Changed);
        }
        match self.keys.verify(&link.kid, &link.hash, &link.signature) {
            None => self.found(seq, Fault::UnknownKey(link.kid)),
            Some(false) => self.found(seq, Fault::BadSignature),
            Some(true) => {}
        }
        self.verdict.unproven = self.verdict.unproven.saturating_add(1);
        self.meet(seq, &link.hash);
        self.verdict.head = Some(link.hash);
    }

    /// Compares the heads that were kept of this place.
    fn meet(&mut self, seq: i64, hash: &str) {
        let Some(heads) = self.kept.remove(&seq) else { return };
        if heads.iter().all(|head| head.hash == hash) {
            self.proven = Some(seq);
            self.verdict.unproven = 0;
        } else {
            self.found(seq, Fault::NotTheHead);
        }
    }

    /// The event of a restore, after the event at the place `before` with the hash `prev`. Whether it is signed, its link
    /// says.
    fn restore(&mut self, before: i64, prev: &str, event: &Value) {
        let seq = self.verdict.last;
        let data = event.get("data").cloned().unwrap_or_default();
        let Restore { from, lost, replaced } = match Restore::deserialize(data) {
            Ok(restore) => restore,
            Err(error) => return self.found(seq, Fault::Unreadable(error.to_string())),
        };
        if from.hash != prev || from.seq != before {
            self.found(seq, Fault::RestoredElsewhere);
        }
        if lost.is_some() || replaced != "whole" {
            let (restored_at, from, lost) = (seq, from.seq, lost.clone());
            self.found(seq, Fault::LostByRestore { restored_at, from, lost });
        }
        self.restores.push((from.seq, seq, lost));
    }

    /// What of a head that is not there: a restore lost it, or it is missing.
    fn missing(&self, head: &Head) -> Fault {
        let within = |(from, at, _): &&(i64, i64, Option<Head>)| *from < head.seq && head.seq < *at;
        match self.restores.iter().find(within) {
            Some((_, _, Some(lost))) if lost.seq == head.seq && lost.hash != head.hash => {
                Fault::NotTheHead
            }
            Some((from, restored_at, _)) => Fault::LostByRestore {
                restored_at: *restored_at,
                from: *from,
                lost: Some(head.clone()),
            },
            None => Fault::HeadMissing,
        }
    }

    fn found(&mut self, seq: i64, fault: Fault) {
        self.verdict.findings.push(Finding { seq, fault });
    }

    /// What was found of all of them.
    #[must_use]
    pub fn end(mut self) -> Verdict {
        for head in std::mem::take(&mut self.kept).into_values().flatten() {
            self.found(head.seq, self.missing(head));
        }
        // All up to the first fault is proven by the last head before it.
        let sound = |place: &i64| {
            self.verdict.findings.iter().all(|finding| {
                finding.seq > *place || matches!(finding.fault, Fault::LostByRestore { .. })
            })
        };
        self.verdict.proven = self.proven.filter(sound);
        if self.verdict.proven.is_none() {
            self.verdict.unproven = self.verdict.events;
        }
        self.verdict
    }
}

/// What of an event is hashed: RFC 8785, for the texts, whole numbers and lists that are in one.
fn form(event: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(members) = event.as_object() {
        let hashed = members.iter().filter(|(name, _)| *name != "time" && *name != "link");
        object(hashed, &mut text);
    }
    text
}

fn object<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>, text: &mut Vec<u8>) {
    let sorted: BTreeMap<&str, &Value> =
        members.map(|(name, value)| (name.as_str(), value)).collect();
    text.push(b'{');
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        scalar(&Value::from(name), text);
        text.push(b':');
        write(value, text);
    }
    text.push(b'}');
}

fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(members) => object(members.iter(), text),
        Value::Array(items) => {
            text.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(b',');
                }
                write(item, text);
            }
            text.push(b']');
        }
        scalar_value => scalar(scalar_value, text),
    }
}

fn scalar(value: &Value, text: &mut Vec<u8>) {
    text.extend_from_slice(value.to_string().as_bytes());
}
