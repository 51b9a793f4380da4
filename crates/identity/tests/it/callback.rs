//! The query of a callback.

use breakglass_identity::{Callback, InvalidCallback, MAX_CALLBACK_BYTES};

#[test]
fn reads_a_query_and_refuses_one_that_says_two_things() {
    let read = |query: &str| Callback::from_query(query).map(|callback| callback.state);
    assert_eq!(
        read("code=a&state=s%2B1&session_state=x&iss=https%3A%2F%2Fid"),
        Ok("s+1".to_owned())
    );
    assert_eq!(read("error=access_denied&state=s"), Ok("s".to_owned()));
    for query in ["", "code=a", "code=a&state=", "STATE=s"] {
        assert_eq!(read(query), Err(InvalidCallback::NoState), "{query}");
    }
    for (query, twice) in [
        ("code=a&code=b&state=s", "code"),
        ("code=a&state=s&state=s", "state"),
        ("state=s&error=a&error=b", "error"),
        ("state=s&iss=a&%69ss=b", "iss"),
    ] {
        assert_eq!(read(query), Err(InvalidCallback::Twice(twice)), "{query}");
    }
    let large = format!("state=s&code={}", "x".repeat(MAX_CALLBACK_BYTES));
    assert_eq!(read(&large), Err(InvalidCallback::TooLarge));
    let callback = Callback::from_query("code=c0de&state=st4te").unwrap();
    let debug = format!("{callback:?}");
    assert!(!debug.contains("c0de") && !debug.contains("st4te"), "{debug}");
}
