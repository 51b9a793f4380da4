//! Which moments are inside of which days and hours.

use breakglass_config_schema::{Reading, object};

use super::*;
use crate::clock::parse_rfc3339;

fn read(text: &str) -> Result<Schedule, Vec<String>> {
    let table = toml::from_str(text).unwrap();
    let read = Reading::new().read(&object::<Schedule>(), &table);
    read.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// A schedule, from when until when, and the first moment inside.
#[test]
fn the_first_moment_inside_is_found_to_the_minute() {
    let night = "hours = '22:00-06:00'\nzone = 'Europe/Berlin'";
    for (schedule, from, until, first) in [
        (night, "2026-11-28T20:59:30Z", "2026-11-29T20:00:00Z", Some("2026-11-28T21:00:00Z")),
        (night, "2026-11-28T21:00:30Z", "2026-11-29T20:00:00Z", Some("2026-11-28T21:00:30Z")),
        (night, "2026-11-29T05:00:00Z", "2026-11-29T20:00:00Z", None),
        (night, "2026-11-29T05:00:00Z", "2026-11-29T21:00:00Z", Some("2026-11-29T21:00:00Z")),
        (night, "2026-11-29T05:00:00Z", "2026-11-29T20:59:59Z", None),
        (
            "days = ['mon']\nzone = 'UTC'",
            "2026-11-28T12:00:00Z",
            "2026-11-30T12:00:00Z",
            Some("2026-11-30T00:00:00Z"),
        ),
        // Not before the beginning.
        (night, "2026-11-29T21:00:00Z", "2026-11-29T20:00:00Z", None),
    ] {
        let [from, until] = [from, until].map(|text| parse_rfc3339(text).unwrap());
        let found = read(schedule).unwrap().first_inside(from, until);
        assert_eq!(found, first.map(|text| parse_rfc3339(text).unwrap()), "{schedule} {from:?}");
    }
}

/// A schedule, a moment, and whether the moment is inside.
const CASES: &[(&str, &str, bool)] = &[
    // Days alone: by the zone's clock, not by that of UTC. 2026-11-28 is a Saturday.
    ("days = ['sat']\nzone = 'UTC'", "2026-11-27T23:59:59Z", false),
    ("days = ['sat']\nzone = 'UTC'", "2026-11-28T00:00:00Z", true),
    ("days = ['sat']\nzone = 'UTC'", "2026-11-28T23:59:59.999Z", true),
    ("days = ['sat']\nzone = 'UTC'", "2026-11-29T00:00:00Z", false),
    ("days = ['sat']\nzone = 'Europe/Berlin'", "2026-11-27T23:00:00Z", true),
    ("days = ['sat']\nzone = 'Europe/Berlin'", "2026-11-28T23:00:00Z", false),
    ("days = ['sat']\nzone = 'Pacific/Kiritimati'", "2026-11-27T10:00:00Z", true),
    ("days = ['sun']\nzone = 'America/Los_Angeles'", "2026-11-29T07:59:59Z", false),
    // Hours alone, every day; the end is not inside.
    ("hours = '09:00-17:30'\nzone = 'UTC'", "2026-11-28T08:59:59Z", false),
    ("hours = '09:00-17:30'\nzone = 'UTC'", "2026-11-28T09:00:00Z", true),
    ("hours = '09:00-17:30'\nzone = 'UTC'", "2026-11-28T17:29:59.999Z", true),
    ("hours = '09:00-17:30'\nzone = 'UTC'", "2026-11-28T17:30:00Z", false),
    ("hours = '00:00-24:00'\nzone = 'UTC'", "2026-11-28T23:59:59Z", true),
    ("hours = '00:00-24:00'\nzone = 'UTC'", "2026-11-28T00:00:00Z", true),
    ("hours = '22:00-24:00'\nzone = 'UTC'", "2026-11-28T23:59:59Z", true),
    ("hours = '22:00-24:00'\nzone = 'UTC'", "2026-11-29T00:00:00Z", false),
    ("hours = '22:00-00:00'\nzone = 'UTC'", "2026-11-28T23:59:59Z", true),
    ("hours = '22:00-00:00'\nzone = 'UTC'", "2026-11-29T00:00:00Z", false),
    // Over midnight: the day is that on which the hours began.
    ("hours = '18:00-08:00'\nzone = 'UTC'", "2026-11-28T07:59:59Z", true),
    ("hours = '18:00-08:00'\nzone = 'UTC'", "2026-11-28T08:00:00Z", false),
    ("hours = '18:00-08:00'\nzone = 'UTC'", "2026-11-28T18:00:00Z", true),
    ("days = ['sat', 'sun']\nhours = '18:00-08:00'\nzone = 'UTC'", "2026-11-28T07:00:00Z", false),
    ("days = ['sat', 'sun']\nhours = '18:00-08:00'\nzone = 'UTC'", "2026-11-28T18:00:00Z", true),
    ("days = ['sat', 'sun']\nhours = '18:00-08:00'\nzone = 'UTC'", "2026-11-29T07:00:00Z", true),
    ("days = ['sat', 'sun']\nhours = '18:00-08:00'\nzone = 'UTC'", "2026-11-30T07:59:59Z", true),
    ("days = ['sat', 'sun']\nhours = '18:00-08:00'\nzone = 'UTC'", "2026-11-30T18:00:00Z", false),
    ("days = ['mon']\nhours = '18:00-08:00'\nzone = 'UTC'", "2026-11-30T07:00:00Z", false),
    // The hour that clocks in Berlin skipped was 01:00Z: 02:00 to 03:00 there has no moment.
    ("hours = '02:00-03:00'\nzone = 'Europe/Berlin'", "2026-03-29T00:59:59Z", false),
    ("hours = '02:00-03:00'\nzone = 'Europe/Berlin'", "2026-03-29T01:00:00Z", false),
    ("hours = '02:00-03:00'\nzone = 'Europe/Berlin'", "2026-03-28T01:30:00Z", true),
    // The hour that they repeated is inside twice: 00:30Z and 01:30Z were 02:30.
    ("hours = '02:00-03:00'\nzone = 'Europe/Berlin'", "2026-10-25T00:30:00Z", true),
    ("hours = '02:00-03:00'\nzone = 'Europe/Berlin'", "2026-10-25T01:30:00Z", true),
    ("hours = '02:00-03:00'\nzone = 'Europe/Berlin'", "2026-10-25T02:00:00Z", false),
    // Summer time moves the hours against UTC.
    ("hours = '18:00-08:00'\nzone = 'Europe/Berlin'", "2026-07-01T16:00:00Z", true),
    ("hours = '18:00-08:00'\nzone = 'Europe/Berlin'", "2026-12-01T16:00:00Z", false),
    // Dates, both inside, by the zone's clock.
    ("dates = '2026-12-18/2027-01-03'\nzone = 'Europe/Berlin'", "2026-12-17T22:59:59Z", false),
    ("dates = '2026-12-18/2027-01-03'\nzone = 'Europe/Berlin'", "2026-12-17T23:00:00Z", true),
    ("dates = '2026-12-18/2027-01-03'\nzone = 'Europe/Berlin'", "2027-01-03T22:59:59Z", true),
    ("dates = '2026-12-18/2027-01-03'\nzone = 'Europe/Berlin'", "2027-01-03T23:00:00Z", false),
    ("dates = '2026-12-18/2026-12-18'\ndays = ['fri']\nzone = 'UTC'", "2026-12-18T12:00:00Z", true),
    (
        "dates = '2026-12-18/2026-12-18'\ndays = ['sat']\nzone = 'UTC'",
        "2026-12-18T12:00:00Z",
        false,
    ),
    (
        "dates = '2026-12-18/2026-12-18'\nhours = '22:00-06:00'\nzone = 'UTC'",
        "2026-12-18T05:00:00Z",
        false,
    ),
    (
        "dates = '2026-12-18/2026-12-18'\nhours = '22:00-06:00'\nzone = 'UTC'",
        "2026-12-19T05:00:00Z",
        true,
    ),
    (
        "dates = '2026-12-18/2026-12-18'\nhours = '22:00-06:00'\nzone = 'UTC'",
        "2026-12-19T22:00:00Z",
        false,
    ),
    // Zones that are no whole hours from UTC.
    ("hours = '09:00-10:00'\nzone = 'Asia/Kathmandu'", "2026-11-28T03:15:00Z", true),
    ("hours = '09:00-10:00'\nzone = 'Asia/Kathmandu'", "2026-11-28T03:14:59Z", false),
];

#[test]
fn a_moment_is_inside_by_the_clock_on_the_wall() {
    for (schedule, moment, is_inside) in CASES {
        let read = read(schedule).unwrap();
        assert_eq!(
            read.contains(parse_rfc3339(moment).unwrap()),
            *is_inside,
            "{schedule} {moment}"
        );
    }
    let years_away = read("hours = '00:00-24:00'\nzone = 'UTC'").unwrap();
    assert!(years_away.contains(Moment::from_millis(i64::MAX)));
}

#[test]
fn what_is_wrong_says_what_is_expected() {
    let table: &[(&str, &str)] = &[
        ("days = ['sat']", "zone: is required"),
        ("zone = 'UTC'", "expected `dates`, `days` or `hours`"),
        ("dates = '2026-12-18'\nzone = 'UTC'", "dates: expected two dates"),
        ("dates = '2026-12-18/2027-02-30'\nzone = 'UTC'", "dates: expected two dates"),
        ("dates = '2026-12-18/20270103'\nzone = 'UTC'", "dates: expected two dates"),
        ("dates = '2026-12-18T00:00/2027-01-03'\nzone = 'UTC'", "dates: expected two dates"),
        ("dates = '2026-12-18/2027-01-03/x'\nzone = 'UTC'", "dates: expected two dates"),
        ("dates = '2027-01-03/2026-12-18'\nzone = 'UTC'", "dates: expected the earlier date first"),
        ("days = []\nzone = 'UTC'", "days: an empty list never means all"),
        ("days = ['sat', 'sat']\nzone = 'UTC'", "days[1]: named twice"),
        ("days = ['Saturday']\nzone = 'UTC'", "days[0]: expected \"mon\" or"),
        ("days = ['sat']\nzone = 'Europe/Bern'", "zone: expected a time zone by its IANA name"),
        ("days = ['sat']\nzone = 'Etc/Unknown'", "zone: expected a time zone"),
        ("days = ['sat']\nzone = 'UTC+1'", "zone: expected a time zone"),
        ("days = ['sat']\nzone = '../../etc/passwd'", "zone: expected a time zone"),
        ("hours = '18:00-18:00'\nzone = 'UTC'", "hours: expected two different times"),
        ("hours = '24:00-08:00'\nzone = 'UTC'", "hours: expected hours from 00:00 to 24:00"),
        ("hours = '18:00-24:01'\nzone = 'UTC'", "hours: expected hours"),
        ("hours = '18:60-08:00'\nzone = 'UTC'", "hours: expected hours"),
        ("hours = '6:00-08:00'\nzone = 'UTC'", "hours: expected hours"),
        ("hours = '+6:00-08:00'\nzone = 'UTC'", "hours: expected hours"),
        ("hours = '18-08'\nzone = 'UTC'", "hours: expected hours"),
        ("hours = '18:00'\nzone = 'UTC'", "hours: expected hours"),
        ("hours = '18:00 - 08:00'\nzone = 'UTC'", "hours: expected hours"),
    ];
    for (text, words) in table {
        let errors = read(text).unwrap_err();
        assert!(errors.len() == 1 && errors[0].starts_with(words), "{text}: {errors:?}");
    }
}
