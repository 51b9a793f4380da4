//! Where the link of a message leads: a page that knows nothing.

use breakglass_testing::service::Service;
use serde_json::Value;

fn text(body: &Value) -> &str {
    body.as_str().unwrap()
}

#[tokio::test]
async fn the_page_is_the_same_for_every_id_and_every_reader() {
    let service = Service::start().await;
    let known = service.pending().await;
    let unknown = "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1";
    let shown = service.get("stranger", &format!("/requests/{known}")).await;
    assert_eq!(shown.status, 200);
    let page = text(&shown.body).to_owned();
    for secret in ["alice", "orders", "stuck", "pending", "payments"] {
        assert!(!page.contains(secret), "{secret}: {page}");
    }
    for verb in ["status", "approve", "deny", "question"] {
        assert!(page.contains(&format!("breakglass {verb} {known}")), "{verb}: {page}");
    }
    for tag in ["<script", "<form", "<img", "<link", "style", "onclick", "http"] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
    assert!(
        page.contains("name=\"color-scheme\" content=\"light dark\"")
            && page.contains("width=device-width")
    );
    let header = |name: &str| shown.headers[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    // It looks nothing up.
    service.app.store().close().await;
    for (who, id) in [("carol", &*known), ("carol", unknown), ("nobody", unknown)] {
        let other = service.get(who, &format!("/requests/{id}")).await;
        assert_eq!((other.status.as_u16(), text(&other.body)), (200, &*page.replace(&known, id)));
    }
}

#[tokio::test]
async fn what_has_not_the_shape_of_an_id_is_no_page_and_is_not_repeated() {
    let service = Service::start().await;
    for id in [
        "req_1",
        "req_01kan5s3m0w8z4t2c9x7y6b5d1",
        "grant_01KAN5S3M0W8Z4T2C9X7Y6B5D1",
        "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1x",
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "req_%00",
        "%ff%fe",
        "req_01KAN5S3M0W8Z4T2C9X7Y6B5D1%0d%0ax:y",
    ] {
        let answer = service.get("carol", &format!("/requests/{id}")).await;
        assert_eq!(answer.status, 404, "{id}");
        let page = text(&answer.body);
        assert!(page.contains("No such page") && !page.contains("script"), "{page}");
        assert!(answer.headers.contains_key("content-security-policy"), "{id}");
    }
    assert_eq!(service.get("carol", "/requests/").await.status, 404);
}
