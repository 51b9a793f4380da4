use super::*;
use crate::testing::test;

const PROCESS: &str = "000102030405060708090a0b0c0d0e0f";
const CONFIG: &str = "ab54d286c51f8a0a2b5f3d1d4d7e6f8091a2b3c4d5e6f708192a3b4c5d6e7f80";

fn asked() -> Asked<'static> {
    Asked { challenge: "aaa.bbb.ccc", authority: b"orders.internal:8443" }
}

fn answering() -> Answering<'static> {
    Answering { process: PROCESS, version: "1.2.3", config: CONFIG }
}

/// The bytes as another program computes them: `hmac` and `hashlib` of Python 3.
///
/// ```python
/// def texts(*all):
///     return b"".join(len(one).to_bytes(8, "big") + one for one in all)
///
/// def mac(key, text):
///     return hmac.new(key, text, hashlib.sha256).digest()
///
/// key = mac(hashlib.sha256(b"token-envoy").digest(), b"breakglass probe 1")
/// answer = mac(key, texts(b"credential", challenge, authority)) + mac(
///     key, texts(b"node", challenge, authority, process, version, config))
/// report = hashlib.sha256(texts(b"breakglass probe report 1", challenge, authority, answer)).hexdigest()
/// ```
#[test]
fn the_answer_is_that_of_another_implementation() {
    let answer = ProbeKey::from_credential("token-envoy").answer(&asked(), &answering());
    assert_eq!(
        answer.text(),
        "PXbACE2RO1ddpexI7-Xfshm9U2Lc0Ar1LZBKzx7CoRJCqxQ7vVoufgdT9N4PBWkSXEOmxYsjIjETljDltQM-oA"
    );
    assert_eq!(
        answer.report(&asked()),
        "7492ed1de6901be00039e9dbe571fc7609ccec5f82615842defb28adee4c1062"
    );
    assert_eq!(ProbeAnswer::read(&answer.text()), Some(answer));
}

#[test]
fn an_answer_counts_for_what_it_was_made_of_and_nothing_else() {
    let key = ProbeKey::from_credential("token-envoy");
    let answer = key.answer(&asked(), &answering());
    assert!(key.made(&answer, &asked()) && key.made_by(&answer, &asked(), &answering()));
    let other = ProbeKey::from_credential("token-other");
    assert!(!other.made(&answer, &asked()) && !other.made_by(&answer, &asked(), &answering()));
    let without = ProbeKey::from_random([7; 16]);
    assert!(!without.made(&answer, &asked()));
    // Letters that move from one text to the next make another list.
    for (challenge, authority) in [
        ("aaa.bbb.ccd", "orders.internal:8443"),
        ("aaa.bbb.ccc", "orders.internal"),
        ("aaa.bbb.cccorders", ".internal:8443"),
        ("", "aaa.bbb.cccorders.internal:8443"),
    ] {
        let asked = Asked { challenge, authority: authority.as_bytes() };
        assert!(!key.made(&answer, &asked), "{challenge} {authority}");
        assert!(!key.made_by(&answer, &asked, &answering()), "{challenge} {authority}");
    }
    let moved = format!("1{PROCESS}");
    for answering in [
        Answering { process: "", ..answering() },
        Answering { version: "1.2.4", ..answering() },
        Answering { config: PROCESS, ..answering() },
        Answering { process: &moved, version: ".2.3", ..answering() },
    ] {
        assert!(!key.made_by(&answer, &asked(), &answering), "{answering:?}");
    }
    for at in 0..ANSWER_BYTES {
        let mut other = answer.clone();
        other.0[at] ^= 1;
        assert!(!key.made_by(&other, &asked(), &answering()), "byte {at}");
    }
}

#[test]
fn what_no_filter_writes_is_no_answer() {
    let text = ProbeKey::from_credential("a").answer(&asked(), &answering()).text();
    let shorter: String = text.chars().skip(1).collect();
    for other in ["", "aaa.bbb.ccc", &shorter, &format!("{text}A"), &format!("{text}="), " "] {
        assert_eq!(ProbeAnswer::read(other), None, "{other:?}");
    }
    assert_eq!(text.len(), 86);
}
