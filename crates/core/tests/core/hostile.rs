//! No input makes the core panic: valid inputs, mutated by a fixed sequence of random numbers, go
//! through everything that reads bytes from outside. What comes of them is judged elsewhere; here
//! it matters that something does, and that a mutated token is never permitted.

use breakglass_core::config::Config;
use breakglass_core::introspection::read_answer;
use breakglass_core::policy::{HostName, PlainPath, Readings, SourceAddress};
use breakglass_core::step::Step;
use serde_json::json;

use crate::random::Random;
use crate::support::{Key, Request, Stage, claims, config, test, with};

/// How many mutations each reader is given.
const ROUNDS: u32 = 3_000;

impl Random {
    /// `text` with up to four bytes changed, cut out, doubled or put in.
    fn mutate(&mut self, text: &[u8]) -> Vec<u8> {
        const ODD: &[u8] = b"\0\n\r\t %./\\;#?\"{}[]:,=-_Aa09\x7f\x80\xc0\xfe\xff";
        let mut mutated = text.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(mutated.len());
            let odd = ODD[self.below(ODD.len())];
            match self.below(5) {
                0 if !mutated.is_empty() => mutated[at] = odd,
                1 if !mutated.is_empty() => drop(mutated.remove(at)),
                2 => mutated.insert(at, odd),
                3 => mutated.truncate(at),
                _ => {
                    let double = mutated[at..].to_vec();
                    mutated.extend(double);
                }
            }
        }
        mutated
    }
}

#[test]
fn no_token_makes_it_panic_and_no_mutated_one_is_permitted() {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let token = Key::new(1).sign(&claims());
    let mut stage = Stage::new(&config());
    for stream in 0..ROUNDS {
        let mutated = random.mutate(token.as_bytes());
        if mutated == token.as_bytes() {
            continue;
        }
        let request =
            Request::new("GET", "/v1/orders").header("x-breakglass-token", mutated.as_slice());
        let step = stage.request(stream, &request);
        assert!(matches!(step, Step::Refuse(..)), "{:?}", String::from_utf8_lossy(&mutated));
    }
}

#[test]
fn no_signed_claims_make_it_panic() {
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let key = Key::new(1);
    let wide = json!({"scopes": [{"name": "orders:read", "methods": ["GET"], "paths": ["/**"]}]});
    let mut stage = Stage::new(&with(config(), wide));
    let text = claims().to_string();
    for stream in 0..ROUNDS / 10 {
        let token = key.sign_text(&random.mutate(text.as_bytes()));
        let step = stage.request(stream, &Request::under(&token));
        assert!(!matches!(step, Step::Pass(_) | Step::Wait));
    }
}

#[test]
fn no_path_host_or_address_makes_it_panic() {
    let mut random = Random::new(0xd1b5_4a32_d192_ed03);
    for seed in
        ["/v1/orders/%2e%2e/%252f;x=1//a\\b?c=d", "orders.internal:443", "[2001:db8::1]:443"]
    {
        for _ in 0..ROUNDS {
            let mutated = random.mutate(seed.as_bytes());
            let plain = PlainPath::parse(&mutated).is_ok();
            // A path with one reading has one reading on both sides.
            if let (true, Readings::Known(readings)) = (plain, Readings::of(&mutated)) {
                assert!(!readings.is_empty());
            }
            let _ = HostName::from_authority(&mutated);
            let _ = SourceAddress::from_attribute(&mutated);
        }
    }
}

#[test]
fn no_answer_and_no_configuration_makes_it_panic() {
    let mut random = Random::new(0x94d0_49bb_1331_11eb);
    let answer = br#"{"active":true,"jti":"grant-1","exp":1800000800}"#;
    let configuration = config().to_string();
    for _ in 0..ROUNDS {
        let _ = read_answer(200, &random.mutate(answer), "grant-1");
        let _ = Config::parse(&random.mutate(configuration.as_bytes()), &|_| None);
    }
}
