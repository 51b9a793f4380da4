//! The table `emergency.txt`: what is in the way of an emergency, how it is taken, and what it needs.

use breakglass_types::Basis;

use super::super::{EmergenciesLately, EmergencyFacts, Facts, FixedEmergency, Needs};
use super::cases::{USUAL_MOMENT, config};
use super::{cells, owned};
use crate::clock::parse_rfc3339;
use crate::config::Config;
use crate::duration;

const CASES: &str = include_str!("emergency.txt");

/// Of the columns, those that say what comes out.
const RESULTS: usize = 3;

const PROVIDER: &str = "
[[identity_providers]]
name = 'corp'
issuer = 'https://corp.test'
client_id = 'breakglass'
client_authentication.secret_file = '/dev/null'
may_approve = true
[identity_providers.levels.mfa]
acr_values = ['mfa']
counts.amr = ['otp']
";

fn lately(cell: &str) -> EmergenciesLately {
    let each = cell.split(',').filter_map(|one| one.trim().split_once(' '));
    each.map(|(scope, count)| (scope.to_owned(), count.parse().unwrap())).collect()
}

/// Such as `r[1 of leads; 2 of dbas]`.
fn said(needs: &Needs) -> String {
    let each = needs.iter().map(|need| {
        let stages = need.stages.iter();
        let stages = stages.map(|stage| format!("{} of {}", stage.count, stage.from.join("+")));
        let label = need.rule.clone().unwrap_or_else(|| need.scopes.join("+"));
        format!("{label}[{}]", stages.collect::<Vec<_>>().join("; "))
    });
    each.collect::<Vec<_>>().join(" ")
}

fn results(config: &Config, row: &[&str]) -> [String; RESULTS] {
    let [asks, time, known, lately_cell] = row else { panic!("{row:?}") };
    let scopes = owned(asks.split_whitespace());
    let is = |word: &str| known.split_whitespace().any(|one| one == word);
    let facts = Facts {
        requester: "ann",
        scopes: &scopes,
        duration_s: duration::parse(time).unwrap(),
        held: &[],
        emergency: !is("quiet"),
        submitted_at: parse_rfc3339(USUAL_MOMENT).unwrap(),
    };
    let asked = EmergencyFacts {
        has_incident: is("incident"),
        incident_unchecked: is("unchecked"),
        signed_in: is("signed-in"),
        lately: &lately(lately_cell),
        review_overdue: is("overdue"),
    };
    let emergency = FixedEmergency::of(config, config, &facts, &asked);
    let basis = emergency.as_ref().map_or(Basis::Approved, FixedEmergency::basis);
    let needs = Needs::of_basis(basis, config, config, &facts).unwrap();
    let alone_still = needs.are_alone_still(config, config, &facts);
    let (obstacles, taken) = match &emergency {
        None => ("none".to_owned(), "like any other"),
        Some(fixed) => {
            let words: Vec<&str> = fixed.obstacles.iter().map(|one| one.word()).collect();
            let taken = match (fixed.is_alone(), basis) {
                (true, Basis::Emergency) => "alone",
                (false, Basis::Emergency) => "one",
                _ => "all",
            };
            (if words.is_empty() { "-".to_owned() } else { words.join(" ") }, taken)
        }
    };
    // What is judged before the first token is what was judged at the submission, while nothing changes.
    assert!(alone_still || taken != "alone", "{row:?}");
    let written = serde_json::to_value(&emergency).unwrap();
    assert_eq!(serde_json::from_value::<Option<FixedEmergency>>(written).unwrap(), emergency);
    [obstacles, taken.to_owned(), said(&needs)]
}

#[test]
fn an_emergency_is_taken_as_the_table_says() {
    let (mut count, mut wrong) = (0, Vec::new());
    for section in CASES.split("\n== ").skip(1) {
        let (rules, rows) = section.split_once("\n--\n").unwrap();
        let (title, rules) = rules.split_once('\n').unwrap();
        let config = config("ann: oncall", &format!("{rules}{PROVIDER}"));
        for line in rows.lines().filter(|line| line.contains('|')) {
            let row = cells(line);
            let (given, expected) = row.split_at(row.len() - RESULTS);
            let found = results(&config, given);
            if found != expected {
                wrong.push(format!("{title}: {line} | {}", found.join(" | ")));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "row | found:\n{}", wrong.join("\n"));
    assert!(count >= 36, "{count} cases");
}
