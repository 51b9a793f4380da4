//! Asks who is on call, for each schedule that approvers are named by.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::app::App;
use crate::config::{Config, OnCallSource};
use crate::json_call::{Silence, Source, ask};
use crate::on_call::people;

/// How often it is looked for schedules that are due.
const LOOK: Duration = Duration::from_millis(500);

/// How many calls are under way at a time.
const AT_ONCE: usize = 4;

/// An answer, or why there is none.
struct Said {
    url: String,
    schedule: String,
    people: Result<Vec<String>, Silence>,
}

/// What is known of the calls of this process.
#[derive(Debug, Default)]
pub struct Asking {
    /// When each URL was asked last.
    asked: BTreeMap<String, Instant>,
    /// Those that gave no answer then.
    silent: BTreeSet<String>,
}

/// Asks for as long as the service runs.
pub async fn keep_asking(app: App) {
    let mut asking = Asking::default();
    loop {
        asking.ask(&app).await;
        sleep(LOOK).await;
    }
}

impl Asking {
    /// Asks for the schedules that are due, each once.
    pub async fn ask(&mut self, app: &App) {
        let config = app.config();
        let all = schedules(&config);
        let urls: BTreeSet<&str> = all.iter().map(|(_, url)| url.as_str()).collect();
        app.shifts().keep(&urls);
        self.asked.retain(|url, _| urls.contains(url.as_str()));
        self.silent.retain(|url| urls.contains(url.as_str()));
        let Some(source) = &config.on_call else { return };
        let is_due = |asked: Option<&Instant>| asked.is_none_or(|at| at.elapsed() >= source.every);
        let due = all.iter().filter(|(_, url)| is_due(self.asked.get(url.as_str())));
        let due: Vec<&(String, Url)> = due.collect();
        for some in due.chunks(AT_ONCE) {
            let mut calls = JoinSet::new();
            for (schedule, url) in some {
                self.asked.insert(url.to_string(), Instant::now());
                calls.spawn(say(source.clone(), schedule.clone(), url.clone()));
            }
            for said in calls.join_all().await {
                take(app, said, &mut self.silent);
            }
        }
    }
}

/// Each schedule that is to be known, with where it is got from.
fn schedules(config: &Config) -> Vec<(String, Url)> {
    let source = config.on_call.iter();
    let all = source.flat_map(|source| {
        let schedules = config.schedules().into_iter();
        schedules.filter_map(|schedule| Some((schedule.to_owned(), source.url.of(schedule).ok()?)))
    });
    all.collect()
}

async fn say(source: OnCallSource, schedule: String, url: Url) -> Said {
    let answer = ask(Source::from(&source), url.clone(), source.timeout, ()).await;
    let people = answer.and_then(|answer| people(&source, &answer));
    Said { url: url.to_string(), schedule, people }
}

/// Keeps an answer. What was said before silence counts for as long as the configuration says.
fn take(app: &App, said: Said, silent: &mut BTreeSet<String>) {
    let Said { url, schedule, people } = said;
    match people {
        Ok(people) => {
            if silent.remove(&url) {
                tracing::info!(schedule, "it is known again who is on call");
            }
            app.shifts().put(&url, people);
        }
        // Once, and not at each call.
        Err(Silence { cause, to_do }) if silent.insert(url) => match to_do {
            Some(to_do) => {
                tracing::error!(schedule, cause, "it is not said who is on call: {to_do}")
            }
            None => tracing::warn!(schedule, cause, "it is not said who is on call"),
        },
        Err(_) => {}
    }
}
