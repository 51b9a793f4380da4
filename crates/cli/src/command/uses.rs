//! `breakglass uses`: what a grant was used for, as the proxies counted it.

use crate::answer::{Mismatch, Use, UsesOfGrant, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The grant's id, as `breakglass status` shows it.
    #[arg(value_name = "GRANT")]
    grant: String,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/grants/{}/uses", segment(&args.grant)?);
    let answer: Whole<UsesOfGrant> = client.get(&path)?;
    let UsesOfGrant { grant, uses, other_records } = &answer.body;
    Mismatch::check("grant", &args.grant, grant)?;
    if uses.is_empty() && *other_records == 0 {
        terminal.note("no proxy has reported a record of this grant; a proxy reports within seconds of a request's end");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&table(uses).join("\n"), &answer.json)?;
    if *other_records > 0 {
        terminal.note(&format!(
            "{other_records} more records are of no known kind: of a proxy whose filter is too old to say, or of more kinds than \
             it keeps apart; the log has them"
        ));
    }
    Ok(Exit::Done)
}

/// One line a use, in columns: records, outcome, method, rule, scope.
pub(super) fn table(uses: &[Use]) -> Vec<String> {
    let cells: Vec<[String; 5]> = uses.iter().map(cells).collect();
    let width = |column: fn(&[String; 5]) -> &str| {
        cells.iter().map(|line| column(line).chars().count()).max().unwrap_or_default().min(40)
    };
    let widths = (
        width(|[records, ..]| records),
        width(|[_, outcome, ..]| outcome),
        width(|[_, _, method, ..]| method),
        width(|[_, _, _, rule, _]| rule),
    );
    let line = |[records, outcome, method, rule, scope]: &[String; 5]| {
        let (one, two, three, four) = widths;
        format!("{records:>one$}  {outcome:<two$}  {method:<three$}  {rule:<four$}  {scope}")
    };
    cells.iter().map(line).map(|line| line.trim_end().to_owned()).collect()
}

fn cells(used: &Use) -> [String; 5] {
    let or_none = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), one_line);
    [
        used.records.to_string(),
        one_line(&used.outcome),
        one_line(&used.method),
        or_none(&used.rule),
        or_none(&used.scope),
    ]
}
