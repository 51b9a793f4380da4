//! Queries that mount a blob, spelled as nobody would.

use crate::random::Random;

fn pick<'a>(of: &[&'a str], random: &mut Random) -> &'a str {
    of[random.below(of.len())]
}

/// A text with some of its characters changed in case or encoded, once or twice.
fn spelled(text: &str, often: usize, random: &mut Random) -> String {
    let mut spelled = String::new();
    for character in text.chars() {
        match random.below(often) {
            0 => spelled.push_str(&format!("%{:02x}", u32::from(character))),
            1 => spelled.push_str(&format!("%{:02X}", u32::from(character))),
            2 => spelled.push_str(&format!("%25{:02x}", u32::from(character))),
            3 => spelled.extend(character.to_uppercase()),
            _ => spelled.push(character),
        }
    }
    spelled
}

/// A request's target: most of them could mount a blob of `repository`.
pub(super) fn of(repository: &str, random: &mut Random) -> String {
    let often = [6, 12, 40, 1000][random.below(4)];
    let mut parts = Vec::new();
    for _ in 0..=random.below(2) {
        parts.push(
            pick(&["a", "a=b", "q=1%20x", "to=now", "from=pub/app", "%zz", ""], random).to_owned(),
        );
    }
    let odd = ["", "", "", "", "+", "%20", " ", "%00"];
    let after = ["", "", "", "", "[]", "%5b0%5d", "+", "%00x"];
    let parameter = |name: &str, value: &str, random: &mut Random| {
        let name = format!(
            "{}{}{}",
            pick(&odd, random),
            spelled(name, often, random),
            pick(&after, random)
        );
        let equals = pick(&["=", "=", "=", "=", "%3d", "%3D"], random);
        format!("{name}{equals}{}", spelled(value, often, random))
    };
    let before = pick(&["", "", "", "/", "./", "x/../"], random);
    let behind = pick(&["", "", "", "/", "?x", ";x", "#x"], random);
    parts.push(parameter("from", &format!("{before}{repository}{behind}"), random));
    if random.below(8) > 0 {
        parts.push(parameter("mount", "sha256:abc", random));
    }
    for _ in 0..parts.len() {
        let (one, other) = (random.below(parts.len()), random.below(parts.len()));
        parts.swap(one, other);
    }
    let mut target = "/v2/loot/x/blobs/uploads/".to_owned();
    for (index, part) in parts.iter().enumerate() {
        let separator: &[&str] = match index {
            0 => &["?", "?", "?", "?", "?", "%3f", "#", "?a?"],
            _ => &["&", "&", "&", "&", ";", "%26", "%2526", "?", "&&"],
        };
        target.push_str(pick(separator, random));
        target.push_str(part);
    }
    target
}
