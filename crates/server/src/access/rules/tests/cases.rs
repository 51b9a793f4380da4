//! The table `cases.txt`: rules, a request, answers; which rules match, who counts where, whose answer would count next.

use super::super::{Answer, Facts, HeldTime, Needs};
use super::{cells, owned};
use crate::clock::parse_rfc3339;
use crate::config::Config;
use crate::duration;

const CASES: &str = include_str!("cases.txt");

/// Of the columns, those that say what comes out.
const RESULTS: usize = 3;

const HEAD: &str = "listen = '127.0.0.1:0'\nissuer = 'https://approvals.test'\ndatabase = 'd'\n\
                    key_directory = 'k'\n";

/// A Wednesday at noon.
pub(super) const USUAL_MOMENT: &str = "2026-11-25T12:00:00Z";

pub(super) fn config(people: &str, rules: &str) -> Config {
    let people = people.lines().enumerate().map(|(index, line)| {
        let (name, groups) = line.split_once(':').unwrap();
        let groups: Vec<&str> = groups.split_whitespace().collect();
        format!("[[people]]\nname = '{name}'\ntoken_sha256 = '{index:064x}'\ngroups = {groups:?}\n")
    });
    let text = format!("{HEAD}{}{rules}", people.collect::<String>());
    Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn held(cell: &str) -> Vec<HeldTime> {
    let each = cell.split(',').filter_map(|one| one.trim().split_once(' '));
    let held = each.map(|(scopes, time)| HeldTime {
        scopes: owned(scopes.split('+')),
        seconds: duration::parse(time).unwrap(),
    });
    held.collect()
}

/// `bea` with all groups, or `eve:dbas+leads` with these alone.
fn answers(config: &Config, cell: &str) -> Vec<(String, Vec<String>)> {
    let each = cell.split_whitespace().map(|word| match word.split_once(':') {
        Some((name, groups)) => (name.to_owned(), owned(groups.split('+'))),
        None => {
            let person =
                config.person(word).unwrap_or_else(|| panic!("`{word}` is no person of the table"));
            (word.to_owned(), person.groups.clone())
        }
    });
    each.collect()
}

/// What comes out of a row: who counts where, whose answer would count next, and whether it is approved.
fn results(config: &Config, row: &[&str]) -> [String; RESULTS] {
    let [who, asks, time, held_before, flags, said] = row else { panic!("{row:?}") };
    let scopes = owned(asks.split_whitespace());
    let moment = flags.split_whitespace().find(|word| *word != "emergency");
    let facts = Facts {
        requester: who,
        scopes: &scopes,
        duration_s: duration::parse(time).unwrap(),
        held: &held(held_before),
        emergency: flags.split_whitespace().any(|word| word == "emergency"),
        submitted_at: parse_rfc3339(moment.unwrap_or(USUAL_MOMENT)).unwrap(),
    };
    let Some(needs) = Needs::of(config, config, &facts) else {
        return ["none", "-", "no"].map(str::to_owned);
    };
    let said = answers(config, said);
    let answers: Vec<Answer<'_>> =
        said.iter().map(|(person, groups)| Answer { person, groups }).collect();
    let counts = needs.filled(&answers).into_iter().map(|filled| {
        let stages: Vec<String> = filled.stages.iter().map(|people| people.join(" ")).collect();
        let label = filled.need.rule.clone().unwrap_or_else(|| filled.need.scopes.join("+"));
        let of = match &filled.need.rule {
            Some(_) if filled.need.scopes != scopes => {
                format!("({})", filled.need.scopes.join("+"))
            }
            _ => String::new(),
        };
        format!("{label}{of}[{}]", stages.join("; "))
    });
    let counts = counts.collect::<Vec<_>>().join(" ");
    let mut open = needs.open_to(config, who, &answers).into_names().unwrap();
    open.sort_unstable();
    let open = if open.is_empty() { "-".to_owned() } else { open.join(" ") };
    let met = if needs.are_met(&answers) { "yes" } else { "no" };
    [counts, open, met.to_owned()]
}

#[test]
fn rules_ask_for_people_and_answers_count_as_the_table_says() {
    let (people, sections) = CASES.split_once("\n\n").unwrap();
    let people: Vec<&str> = people.lines().filter(|line| !line.starts_with('#')).collect();
    let (mut count, mut wrong) = (0, Vec::new());
    for section in sections.split("\n== ") {
        let (rules, rows) = section.split_once("\n--\n").unwrap();
        let (title, rules) = rules.split_once('\n').unwrap();
        let config = config(&people.join("\n"), rules);
        for line in rows.lines().filter(|line| line.contains('|') && !line.starts_with('#')) {
            let row = cells(line);
            let (given, expected) = row.split_at(row.len() - RESULTS);
            let found = results(&config, given);
            if found != expected {
                wrong.push(format!(
                    "{}: {}| {}",
                    title.trim_start_matches("== "),
                    line,
                    found.join(" | ")
                ));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "row | found:\n{}", wrong.join("\n"));
    assert!(count >= 120, "{count} cases");
}
