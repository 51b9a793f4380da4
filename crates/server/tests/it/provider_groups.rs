//! Groups of several identity providers: one provider cannot say a group of another, whatever it calls its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_server::config::Config;
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::{Difference, Effect};
use breakglass_server::domain::sessions::SignedIn;
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{config_with_providers, said, session};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::judged::acts;

/// The list in which the scopes of the tests name who may ask.
const REQUESTERS: &str = "requesters = [\"oncall\"]";

/// `corp`, whose people may approve, and `partner`, whose group `oncall` may ask as well.
fn configuration(directory: &TempDir) -> String {
    let text = config_with_providers(directory, "responders = [\"responders\"]");
    text.replace(REQUESTERS, "requesters = [\"oncall\", \"partner:oncall\"]")
        .replace("\"10m\"", "\"2h\"")
}

async fn start() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(&directory);
    Service::start_with(directory, &text, START).await
}

/// The configuration is read again, as `change` makes it.
fn reconfigure(service: &Service, change: impl Fn(String) -> String) {
    let text = change(configuration(&service.directory));
    service.app.reconfigure(Config::parse(&text).unwrap());
}

async fn ask(service: &Service, token: &str) -> (u16, Value) {
    let body = json!({ "scopes": ["orders:read"], "reason": "stuck", "duration": "30m" });
    let answer = service.post(token, "/v1/requests", body).await;
    (answer.status.as_u16(), answer.body["id"].clone())
}

/// A grant of this person whose first token was taken: the request's id, and the token.
async fn granted(service: &Service, token: &str) -> (String, Value) {
    let (status, id) = ask(service, token).await;
    assert_eq!(status, 201);
    let id = id.as_str().unwrap().to_owned();
    service.act("carol", &id, "approve").await.ok();
    let token = service.act(token, &id, "token").await.ok()["token"].clone();
    (id, token)
}

async fn state(service: &Service, id: &str) -> String {
    let request = service.app.store().request(service.app.now(), id).await.unwrap().unwrap();
    request.state.word().to_owned()
}

#[tokio::test]
async fn a_provider_cannot_say_the_groups_of_another_one() {
    let service = start().await;
    let (grant, _) = granted(&service, "alice").await;
    let pending = service.pending().await;
    // The names of the company's groups, and what an attacker makes of them.
    let every = [
        "oncall",
        "commanders",
        "dbas",
        "auditors",
        "admins",
        "responders",
        "corp:oncall",
        "partner:oncall",
        "../oncall",
        " oncall",
        "oncall\n",
        "\u{200b}oncall",
        "OnCall",
    ];
    let without_own = &every[1..];
    let tokens = session(&service, &said("partner", "eve", without_own)).await.access;
    let jti = service.get("carol", &format!("/v1/requests/{grant}")).await.ok();
    let jti = jti["grant"]["id"].as_str().unwrap().to_owned();
    for (answer, expected) in [
        (service.act(&tokens, &pending, "approve").await, (403, "not_an_approver")),
        (service.act(&tokens, &pending, "deny").await, (403, "not_an_approver")),
        (service.revoke(&tokens, &jti).await, (403, "not_an_approver")),
        (service.get(&tokens, "/v1/audit/events").await, (403, "not_an_auditor")),
        (service.get(&tokens, "/v1/sessions?all=true").await, (403, "not_an_administrator")),
        (service.get(&tokens, "/v1/directory/held-ends").await, (403, "not_an_administrator")),
    ] {
        assert_eq!(answer.refusal(), expected);
    }
    assert_eq!(ask(&service, &tokens).await.0, 403);
    let scopes = service.get(&tokens, "/v1/scopes").await.ok();
    assert!(!scopes.to_string().contains("orders:read"), "{scopes}");
    // The people of `corp` have what the same names allow.
    let bob = session(&service, &said("corp", "bo-2", &every)).await.access;
    service.act(&bob, &pending, "approve").await.ok();
    service.get(&bob, "/v1/audit/events").await.ok();
    service.get(&bob, "/v1/sessions?all=true").await.ok();
}

#[tokio::test]
async fn a_group_that_carries_its_provider_counts_from_that_one_alone() {
    let service = start().await;
    let eve = session(&service, &said("partner", "eve", &["oncall"])).await.access;
    let (_, token) = granted(&service, &eve).await;
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["groups"], json!(["partner:oncall"]));
    let who = service.get(&eve, "/v1/whoami").await.ok();
    assert_eq!(who["groups"]["names"], json!(["partner:oncall"]));
    // What `corp` calls so does not count, and the trail has it.
    let al = session(&service, &said("corp", "al-1", &["partner:oncall", "loners"])).await.access;
    assert_eq!(ask(&service, &al).await.0, 403);
    let who = service.get(&al, "/v1/whoami").await.ok();
    assert_eq!(who["groups"]["names"], json!(["loners"]));
    let signed_in = acts(&service, "signed_in").await;
    let of = |account: &str| signed_in.iter().find(|one| one["account"] == account).unwrap();
    assert_eq!(of("corp:al-1")["groups"], json!(["loners"]));
    assert_eq!(of("corp:al-1")["groups_not_counted"], json!(["partner:oncall"]));
    assert_eq!(of("partner:eve")["groups"], json!(["partner:oncall"]));
    assert_eq!(of("partner:eve").get("groups_not_counted"), None);
}

/// The two accounts are two people: what one of them may do is nothing to the other.
#[tokio::test]
async fn groups_of_two_accounts_of_one_human_do_not_add_up() {
    let service = start().await;
    let both = ["corp", "partner"].map(|provider| said(provider, "x-1", &[]));
    let [mut corp, mut partner] = both;
    corp.groups = said("corp", "", &["commanders"]).groups;
    partner.groups = said("partner", "", &["oncall", "commanders"]).groups;
    let corp = session(&service, &corp).await.access;
    let partner = session(&service, &partner).await.access;
    assert_eq!(ask(&service, &corp).await.0, 403);
    let id = service.pending().await;
    assert_eq!(service.act(&partner, &id, "approve").await.status, 403);
    service.act(&corp, &id, "approve").await.ok();
}

/// One may ask by the account at the one provider, and would approve by that at the other.
#[tokio::test]
async fn one_mail_address_at_two_providers_may_be_one_human() {
    let service = start().await;
    let with_mail = async |provider: &str, subject: &str, groups: &[&str], mail: &str| {
        let said = SignedIn { mail: Some(mail.to_owned()), ..said(provider, subject, groups) };
        session(&service, &said).await.access
    };
    let approver = with_mail("corp", "x-1", &["commanders"], "X@corp.example").await;
    let other = with_mail("corp", "y-2", &["commanders"], "y@corp.example").await;
    let no_mail = with_mail("corp", "z-3", &["commanders"], " ").await;
    for (mail, refused) in [
        ("x@corp.example", true),
        ("x\u{200b}@corp.example", true),
        ("x@other.example", false),
        ("", false),
    ] {
        let requester = with_mail("partner", "x-9", &["oncall"], mail).await;
        let (_, id) = ask(&service, &requester).await;
        let id = id.as_str().unwrap();
        let shown = service.get(&requester, &format!("/v1/requests/{id}")).await.ok();
        assert_eq!(
            shown["approvers"].to_string().contains("corp:x-1"),
            !refused,
            "{mail}: {shown}"
        );
        let answer = service.act(&approver, id, "approve").await;
        match refused {
            true => assert_eq!(answer.refusal(), (403, "self_approval"), "{mail}"),
            false => drop(answer.ok()),
        }
        if refused {
            service.act(&other, id, "approve").await.ok();
        }
    }
    // Colleagues of one provider with one address are two people.
    let alike = with_mail("corp", "x-2", &["oncall"], "x@corp.example").await;
    let (_, id) = ask(&service, &alike).await;
    service.act(&approver, id.as_str().unwrap(), "approve").await.ok();
    let (_, id) = ask(&service, &with_mail("partner", "n", &["oncall"], " ").await).await;
    service.act(&no_mail, id.as_str().unwrap(), "approve").await.ok();
}

#[tokio::test]
async fn an_entry_that_changes_gives_no_provider_the_groups_of_another() {
    let service = start().await;
    let eve = session(&service, &said("partner", "eve", &["oncall", "auditors"])).await.access;
    let al = session(&service, &said("corp", "al-1", &["oncall", "auditors"])).await.access;
    let (grant, _) = granted(&service, &eve).await;
    let reads = "/v1/audit/events";
    // Without the other provider the groups of this one go on to carry its name.
    reconfigure(&service, |text| {
        let parts: Vec<&str> = text.split("[[identity_providers]]").collect();
        format!("{}[[identity_providers]]{}", parts[0], parts[2])
    });
    assert_eq!(service.get(&eve, reads).await.refusal(), (403, "not_an_auditor"));
    assert_eq!(ask(&service, &eve).await.0, 201);
    // Under another name its people are others, and so are its groups.
    reconfigure(&service, |text| text.replace("name = \"partner\"", "name = \"agency\""));
    assert_eq!(service.get(&eve, reads).await.refusal(), (401, "session_ended"));
    let new = said("agency", "eve", &["oncall", "auditors"]);
    let new = SignedIn { issuer: "https://partner.test".to_owned(), ..new };
    // The account has the old name: a person there would be two people here.
    assert!(breakglass_testing::sessions::code(&service, &new).await.is_err());
    // Put back, it has what it had.
    reconfigure(&service, |text| text);
    assert_eq!(service.get(&eve, reads).await.refusal(), (403, "not_an_auditor"));
    service.get(&al, reads).await.ok();
    assert_eq!(ask(&service, &eve).await.0, 201);
    // The other way round: now it is `corp` whose groups carry its name, and no list names them.
    reconfigure(&service, |text| {
        let text = text.replace("qualify_groups = true", "");
        text.replace("may_approve = true", "qualify_groups = true")
    });
    assert_eq!(service.get(&al, reads).await.refusal(), (403, "not_an_auditor"));
    // That the configuration calls a group otherwise is no word of the provider: its next answer ends no grant by it.
    session(&service, &said("partner", "eve", &["oncall"])).await;
    assert_eq!(state(&service, &grant).await, "active");
    reconfigure(&service, |text| text);
    session(&service, &said("partner", "eve", &["others"])).await;
    assert_eq!(state(&service, &grant).await, "revoked");
}

#[tokio::test]
async fn many_people_of_one_provider_who_lose_a_group_hold_nothing_of_another_one() {
    let service = start().await;
    let mut grants = Vec::new();
    for (provider, subject) in
        [("partner", "p-1"), ("partner", "p-2"), ("partner", "p-3"), ("corp", "al-1")]
    {
        let person = session(&service, &said(provider, subject, &["oncall"])).await.access;
        grants.push(granted(&service, &person).await.0);
    }
    for subject in ["p-1", "p-2", "p-3"] {
        session(&service, &said("partner", subject, &[])).await;
    }
    session(&service, &said("corp", "al-1", &[])).await;
    let mut states = Vec::new();
    for id in &grants {
        states.push(state(&service, id).await);
    }
    assert_eq!(states, ["revoked", "revoked", "active", "revoked"]);
    let mass = acts(&service, "mass_loss").await;
    assert_eq!(
        mass,
        [json!({ "group": "partner:oncall", "provider": "partner", "people": 3, "members": 3 })]
    );
    let admin = session(&service, &said("corp", "ad-4", &["admins"])).await.access;
    let held = service.get(&admin, "/v1/directory/held-ends").await.ok();
    assert_eq!(held["held_ends"][0]["group"], "partner:oncall", "{held}");
}

fn parse(text: &str) -> Config {
    Config::parse(text).unwrap()
}

#[test]
fn what_will_not_work_is_a_warning_and_a_change_of_it_may_grant() {
    let directory = tempfile::tempdir().unwrap();
    let text = configuration(&directory);
    let about = |text: &str, what: &str| {
        parse(text).warnings().into_iter().filter(|one| one.contains(what)).collect::<Vec<_>>()
    };
    for what in ["carries", "no list names", "can be in the group", "looks like one of"] {
        assert_eq!(about(&text, what), Vec::<String>::new());
    }
    let unnamed = config_with_providers(&directory, "");
    let found = about(&unnamed, "no list names");
    assert!(
        found.len() == 1 && found[0].starts_with("identity_providers[1] (`partner`)"),
        "{found:?}"
    );
    let looks = text.replace("partner:oncall", "Partner:oncall");
    assert_eq!(about(&looks, "looks like one of").len(), 1);
    let all = text.replace("may_approve = true", "may_approve = true\nqualify_groups = true");
    let found = about(&all, "can be in the group");
    assert!(found.len() == 2 && found[0].contains("called as `corp:admins`"), "{found:?}");
    let none = Definitions::default();
    let difference = Difference::between((&parse(&text), &none), (&parse(&all), &none));
    let said: Vec<_> =
        difference.changes.iter().map(|one| (one.effect(), one.to_string())).collect();
    assert!(
        said[0].0 == Effect::Grants && said[0].1.contains("in which groups they are"),
        "{said:?}"
    );
}
