//! Ordinary paths with escapes: none has so many readings that it counts as every path, and none is
//! refused by a rule for another resource.

use std::fmt::Write as _;

use breakglass_core::policy::{PathTemplate, Readings};

use crate::random::Random;
use crate::support::test;

/// How many paths are made; `READINGS_ORDINARY` in the environment asks for another number.
const GENERATED: usize = if cfg!(target_arch = "wasm32") { 500 } else { 10_000 };

/// Rules of the applications that the paths are of, for what none of these paths is.
const OTHER_RULES: [&str; 20] = [
    "/admin/**",
    "/_admin/{x}",
    "/internal/**",
    "/api/v4/admin/**",
    "/api/v4/projects/{id}/variables/**",
    "/api/v4/projects/{id}/repository/files/{file}/raw",
    "/api/v4/users/**",
    "/api/queues/{vhost}/{queue}/contents",
    "/api/users/**",
    "/api/definitions",
    "/api/datasources/proxy/**",
    "/api/admin/settings",
    "/secret-bucket/**",
    "/bucket/private/**",
    "/bucket/{key}/acl",
    "/metrics",
    "/actuator/**",
    "/v1/sys/**",
    "/.git/**",
    "/",
];

const BY_HAND: [&str; 44] = [
    "/files/Quarterly%20Report%20(final)%20%231%20%26%20more%3F.pdf",
    "/files/100%25%20off%3B%20really%21.txt",
    "/files/C%2B%2B%20%26%20C%23%20notes.md",
    "/files/%C3%9Cbersicht%20%E2%80%93%20K%C3%B6ln%2C%20Stra%C3%9Fe.xlsx",
    "/files/re%CC%81sume%CC%81%20(NFD).docx",
    "/files/%E6%97%A5%E6%9C%AC%E8%AA%9E%20%E3%83%95%E3%82%A1%E3%82%A4%E3%83%AB.txt",
    "/files/Screen%20Shot%202024-01-05%20at%2010.30.00%E2%80%AFAM.png",
    "/files/wait%E2%80%A6%20what%3F!.txt",
    "/files/price%20%C2%A5500%20%E2%82%A9900.csv",
    "/files/%C2%BD%20cup.txt",
    "/files/it%27s%20%22quoted%22%20%3Ctag%3E%20a%7Cb%20*.txt",
    "/files/caf%E9.txt",
    "/files/a%20%20b%20.txt",
    "/files/trailing%20dot./x%20/y..txt",
    "/files/%F0%9F%9A%80%20launch%3A%20plan%20%23%202.pptx",
    "/bucket/photos%2F2024%2FJan%20%231%3B%20a%2Bb%3D50%25%20off%3F.jpg",
    "/bucket/photos/2024/Jan%20%231%3B%20a%2Bb%3D50%25%20off%3F.jpg",
    "/bucket//double//slash//key",
    "/bucket/dt=2024-01-01T00%3A00%3A00Z/part-00000-a%3Db.c000.snappy.parquet",
    "/bucket/a+b/c+d%2Be.txt",
    "/bucket/path%20with%2520double%2520encoding.txt",
    "/bucket/.hidden/..almost/...dots",
    "/bucket/arn%3Aaws%3As3%3A%3A%3Akey%2Fx",
    "/bucket/https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%26d%23e",
    "/api/v4/projects/group%2Fproject",
    "/api/v4/projects/group%2Fsub%2Fproject/repository/files/src%2Fmain%2Fjava%2FApp.java",
    "/api/v4/projects/group%2Fproject/repository/branches/feature%2F%23123-fix",
    "/api/v4/projects/group%2Fproject/repository/files/docs%2Fa%20b.md?ref=main",
    "/api/v4/projects/group%2Fproject/merge_requests/7/notes",
    "/api/v4/projects/12/packages/npm/@scope%2Fname",
    "/@scope%2fname/-/name-1.0.0.tgz",
    "/api/queues/%2F/orders",
    "/api/queues/%2F/orders/get",
    "/api/exchanges/%2F/amq.topic/publish",
    "/api/bindings/%2F/e/x/q/y%20z/%23.a%2A",
    "/api/vhosts/team%2Fa",
    "/d/abc123/my-dashboard?orgId=1",
    "/api/datasources/uid/P%20x/resources/api/v1/label/__name__/values",
    "/api/search?query=%25",
    "/explore?left=%7B%22a%22%3A1%7D",
    "/api/v1/namespaces/default/services/https:web:443/proxy/x",
    "/v2/library/nginx/manifests/sha256:0123abcd",
    "/odata/Orders(7)/Items('a%20b')",
    "/wiki/C%C3%B4te_d%E2%80%99Ivoire_(disambiguation)",
];

/// Words and marks of which people make names.
const PARTS: [&str; 46] = [
    "report", "2024", "Final", "draft", "orders", "v1.2", "photo", "Q3", "notes", "x", "über",
    "naïve", "東京", "café", "e\u{301}", "data", "copy", "1", " ", " ", " ", "-", "_", ".", "(",
    ")", "#", "&", "+", "=", ",", ";", "!", "'", "@", "$", "~", "[", "]", "%", "?", ":", "*", "\"",
    "🚀", "…",
];

const EXTENSIONS: [&str; 8] = ["", ".txt", ".tar.gz", ".pdf", ".JPG", ".c++", ".md", ".json"];

fn name(random: &mut Random) -> String {
    // A name begins and ends with a word, as names do.
    let mut name = PARTS[random.below(14)].to_owned();
    for _ in 0..random.below(7) {
        name.push_str(PARTS[random.below(PARTS.len())]);
    }
    name.push_str(PARTS[random.below(14)]);
    name.push_str(EXTENSIONS[random.below(EXTENSIONS.len())]);
    name
}

/// As `encodeURIComponent` does it, or as those do that leave `keep` as it is.
fn encoded(text: &str, keep: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || b"-_.!~'()".contains(&byte)
            || keep.as_bytes().contains(&byte)
        {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn generated(random: &mut Random) -> String {
    let name = |random: &mut Random| name(random);
    let key = |random: &mut Random| {
        let names: Vec<_> = (0..=random.below(4)).map(|_| name(random)).collect();
        names.join("/")
    };
    match random.below(8) {
        0 => format!("/files/{}", encoded(&name(random), "")),
        1 => format!("/bucket/{}", encoded(&key(random), "/")),
        2 => format!("/bucket/{}", encoded(&key(random), "")),
        3 => format!("/bucket/{}", encoded(&key(random), "/:@+=,&$")),
        4 => {
            let (project, file) = (encoded(&key(random), ""), encoded(&key(random), ""));
            format!("/api/v4/projects/{project}/repository/files/{file}")
        }
        5 => {
            let vhost = ["%2F".to_owned(), encoded(&name(random), "")];
            format!("/api/queues/{}/{}", vhost[random.below(2)], encoded(&name(random), ""))
        }
        6 => format!(
            "/api/datasources/uid/{}/resources/{}",
            encoded(&name(random), ""),
            encoded(&key(random), "/")
        ),
        _ => format!(
            "/api/folders/{}/{}",
            encoded(&encoded(&name(random), ""), ""),
            encoded(&name(random), ":")
        ),
    }
}

#[test]
fn no_ordinary_path_counts_as_every_path_or_is_taken_for_another_one() {
    let rules: Vec<_> = OTHER_RULES.iter().map(|rule| PathTemplate::parse(rule).unwrap()).collect();
    let mut random = super::random();
    let number = super::setting("READINGS_ORDINARY").unwrap_or(GENERATED);
    let made = (0..number).map(|_| generated(&mut random));
    let (mut most, mut longest, mut sum, mut wrong) = (0, String::new(), 0, Vec::new());
    for path in BY_HAND.map(str::to_owned).into_iter().chain(made) {
        let readings = Readings::of(path.as_bytes());
        let count = match &readings {
            Readings::Plain(_) => 1,
            Readings::Known(readings) => readings.len(),
            Readings::Anything => usize::MAX,
        };
        if count == usize::MAX {
            wrong.push(format!("{path} counts as every path"));
            continue;
        }
        if count > most {
            longest.clone_from(&path);
        }
        (most, sum) = (most.max(count), sum + count);
        let other = OTHER_RULES.iter().zip(&rules).filter(|(_, rule)| rule.refuses(&readings));
        wrong.extend(other.map(|(rule, _)| format!("{path} is refused by {rule}")));
    }
    println!("{number} paths: {} readings on average, at most {most}: {longest}", sum / number);
    assert!(
        wrong.is_empty(),
        "{} of {number}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

/// Says what it costs to read a path; a machine that does something else as well decides the numbers.
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::disallowed_methods, reason = "it measures")]
#[test]
fn what_reading_a_path_costs() {
    let spread = "/%2f%5c%2e%3b%3f%23%252f%u002f%c0%af;a\\..//*: .%ff".repeat(80);
    let long = |odd: &str| format!("/{}{odd}", "a".repeat(4000));
    let (slashes, clean) = (long("%2f;%23*:.%20"), long("//x%5c..;%3f%252f"));
    for (what, path) in [
        ("plain", "/api/v4/projects/17/repository/files/README.md"),
        ("one blank", "/api/v4/projects/17/repository/files/READ%20ME.md"),
        ("one slash", "/api/v4/projects/group%2Fproject/repository/files/README.md"),
        ("a file's name", BY_HAND[0]),
        ("an object's key", BY_HAND[15]),
        ("4 KiB, odd everywhere", &spread),
        ("4 KiB, odd at the end", &slashes),
        ("4 KiB, odd at the end", &clean),
    ] {
        let begin = std::time::Instant::now();
        let rounds = if path.len() > 1000 { 3 } else { 300 };
        for _ in 0..rounds {
            std::hint::black_box(Readings::of(std::hint::black_box(path.as_bytes())));
        }
        println!("{what}: {:?}", begin.elapsed() / rounds);
    }
}
