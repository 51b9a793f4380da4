use std::sync::LazyLock;

use super::*;

const MINE: Digest = [1; 32];
const OTHER: Digest = [2; 32];

fn at(seconds: i64) -> Moment {
    Moment::from_seconds(seconds)
}

fn device(source: &str, now: i64) -> Device {
    Device {
        source: Some(source.parse().unwrap()),
        started_at: at(now),
        ends_at: Devices::end(at(now)),
        provider: None,
        level: None,
        max_age: None,
        account: None,
    }
}

fn begun(devices: &Devices, source: &str, now: i64) -> Result<Codes, TooMany> {
    static RANDOMNESS: LazyLock<Randomness> = LazyLock::new(|| Randomness::from_seed(1));
    devices.begin(at(now), device(source, now), &RANDOMNESS)
}

#[test]
fn the_first_browser_decides() {
    let devices = Devices::default();
    let codes = begun(&devices, "192.0.2.1", 1000).unwrap();
    let (code, found) = devices.find(at(1001), &codes.user_code, &MINE).unwrap();
    assert_eq!((code, found), (sha256(&codes.device_code), device("192.0.2.1", 1000)));
    assert_eq!(devices.confirmed(at(1001), &code, &MINE), Err(NotYours::Decided));
    devices.find(at(1001), &codes.user_code, &OTHER).unwrap();
    devices.confirm(at(1002), &code, &MINE).unwrap();
    for answer in [
        devices.find(at(1003), &codes.user_code, &OTHER).map(drop),
        devices.confirm(at(1003), &code, &OTHER).map(drop),
        devices.confirmed(at(1003), &code, &OTHER).map(drop),
        devices.refuse(at(1003), &code, &OTHER, "no"),
        devices.signed_in(at(1003), &code, &OTHER),
    ] {
        assert_eq!(answer, Err(NotYours::Decided));
    }
    assert_eq!(devices.poll(at(1003), &code), Poll::Pending);
    // The same browser can begin again.
    devices.find(at(1004), &codes.user_code, &MINE).unwrap();
    devices.confirm(at(1004), &code, &MINE).unwrap();
    devices.signed_in(at(1005), &code, &MINE).unwrap();
    assert_eq!(devices.refuse(at(1006), &code, &MINE, "no"), Err(NotYours::Decided));
    assert_eq!(devices.poll(at(1010), &code), Poll::SignedIn);
    devices.decide(&code, None);
    assert_eq!(devices.poll(at(1020), &code), Poll::Taken);
}

#[test]
fn it_is_over_after_five_minutes_and_when_the_clock_goes_back() {
    let devices = Devices::default();
    let codes = begun(&devices, "192.0.2.1", 1000).unwrap();
    let code = sha256(&codes.device_code);
    assert!(devices.find(at(1299), &codes.user_code, &MINE).is_ok());
    for now in [999, 1300] {
        assert_eq!(devices.find(at(now), &codes.user_code, &MINE), Err(NotYours::Unknown), "{now}");
        assert_eq!(devices.poll(at(now), &code), Poll::Expired, "{now}");
    }
    assert_eq!(devices.find(at(1001), "WDJBMJHT", &MINE), Err(NotYours::Unknown));
}

#[test]
fn a_device_that_asks_too_often_waits_longer_each_time() {
    let devices = Devices::default();
    let code = sha256(&begun(&devices, "192.0.2.1", 1000).unwrap().device_code);
    let poll = |seconds| devices.poll(at(seconds), &code);
    assert_eq!([poll(1000), poll(1005)], [Poll::Pending, Poll::Pending]);
    // The one before was late.
    assert_eq!(devices.poll(Moment::from_millis(1_009_100), &code), Poll::Pending);
    assert_eq!(poll(1012), Poll::SlowDown);
    assert_eq!([poll(1018), poll(1034)], [Poll::SlowDown, Poll::Pending], "10 s, then 15 s");
    // What has come meanwhile does not count for more.
    devices.confirm(at(1034), &code, &MINE).unwrap();
    devices.signed_in(at(1034), &code, &MINE).unwrap();
    assert_eq!([poll(1036), poll(1056)], [Poll::SlowDown, Poll::SignedIn]);
}

#[test]
fn a_flood_gets_its_places_and_takes_no_other_from_a_person_who_has_one() {
    let devices = Devices::default();
    let mine = begun(&devices, "192.0.2.1", 1000).unwrap();
    for _ in 0..MAX_PER_SOURCE {
        begun(&devices, "192.0.2.2", 1001).unwrap();
    }
    assert!(begun(&devices, "192.0.2.2", 1201).is_err());
    // As long as one of the others has two, it is not the one of this person that gives way.
    for number in 0..MAX - 10 {
        let source = format!("198.51.{}.{}", number / 200 % 40, number % 200);
        begun(&devices, &source, 1202).unwrap();
    }
    let all = devices.all();
    assert_eq!((all.by_device_code.len(), all.by_user_code.len()), (MAX, MAX));
    drop(all);
    assert!(devices.find(at(1203), &mine.user_code, &MINE).is_ok());
    // When they are over, there is room again.
    begun(&devices, "192.0.2.2", 1600).unwrap();
    assert_eq!(devices.all().by_device_code.len(), 1);
}
