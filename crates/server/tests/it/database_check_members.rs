//! `breakglass database check`: each member that a row and its event both have is compared, and each key file is looked at.

use breakglass_server::store::check::Part;
use breakglass_testing::copies::{copy, ended};

use crate::database_check::{busy, checked, edit, texts};

/// The first request, which is granted and revoked; the one that was denied; the one that was talked about.
const GRANTED: &str = "id = (SELECT request_id FROM events WHERE seq = 1)";
const DENIED: &str = "denied_at IS NOT NULL";

#[tokio::test]
async fn each_member_of_a_row_that_its_event_has_too_is_compared() {
    let folder = ended(busy().await).await;
    let rows = [
        // What was asked for.
        (format!("UPDATE requests SET requester = 'dave' WHERE {DENIED}"), "breakglass.request.submitted` at place", "`actor`"),
        (format!("UPDATE requests SET requester = 'dave' WHERE {DENIED}"), "breakglass.request.denied` at place", "`requester`"),
        (format!("UPDATE requests SET requester_roles = '[\"x\"]' WHERE {DENIED}"), "submitted", "`roles`"),
        (format!("UPDATE requests SET requester_groups = '[\"x\"]' WHERE {DENIED}"), "submitted", "`groups`"),
        (format!("UPDATE requests SET audience = 'staging' WHERE {DENIED}"), "submitted", "`audience`"),
        (format!("UPDATE requests SET scopes = '[\"orders:write\"]' WHERE {DENIED}"), "submitted", "`scopes`"),
        (format!("UPDATE requests SET incident = 'INC-9' WHERE {DENIED}"), "denied", "`incident`"),
        (format!("UPDATE requests SET emergency = 1 - emergency WHERE {DENIED}"), "submitted", "`emergency`"),
        (format!("UPDATE requests SET reason = 'x' WHERE {DENIED}"), "submitted", "`reason`"),
        (format!("UPDATE requests SET duration_s = duration_s - 1 WHERE {DENIED}"), "submitted", "`duration_s`"),
        (format!("UPDATE requests SET scope_digests = json_object('orders:read', printf('%064x', 1)) WHERE {DENIED}"), "submitted", "`scope_digests`"),
        (format!("UPDATE requests SET extends = (SELECT id FROM requests WHERE {GRANTED}) WHERE {DENIED}"), "submitted", "`extends`"),
        (format!("UPDATE requests SET submitted_at = submitted_at - 1 WHERE {DENIED}"), "submitted", "`time`"),
        // What became of it.
        (format!("UPDATE requests SET denied_at = denied_at + 1 WHERE {DENIED}"), "denied", "`time`"),
        (format!("UPDATE requests SET denied_by = 'dave' WHERE {DENIED}"), "denied", "`actor`"),
        ("UPDATE requests SET cancelled_at = cancelled_at + 1 WHERE cancelled_at IS NOT NULL".to_owned(), "cancelled", "`time`"),
        ("UPDATE requests SET lapsed_at = lapsed_at + 1 WHERE lapsed_at IS NOT NULL".to_owned(), "lapsed", "`time`"),
        (format!("UPDATE requests SET activated_at = activated_at + 1 WHERE {GRANTED}"), "activated", "`time`"),
        (format!("UPDATE requests SET jti = 'grant_other' WHERE {GRANTED}"), "approved", "`jti`"),
        (format!("UPDATE requests SET jti = 'grant_other' WHERE {GRANTED}"), "activated", "`jti`"),
        (format!("UPDATE requests SET approved_at = approved_at + 1 WHERE {GRANTED}"), "approved", "`approved_at`"),
        (format!("UPDATE requests SET expires_at = expires_at + 1 WHERE {GRANTED}"), "approved", "`expires_at`"),
        (format!("UPDATE approvals SET digest = printf('%064x', 1) WHERE request_{GRANTED}"), "approved", "`digest of the approval`"),
        ("UPDATE revocations SET reason = 'x' WHERE epoch = 2".to_owned(), "revoked", "`reason`"),
        ("UPDATE revocations SET revoked_at_ms = revoked_at_ms + 1000 WHERE epoch = 2".to_owned(), "revoked", "`time`"),
        // What happens once at most.
        ("INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, drill, data)
          SELECT 1000, 'again', time_ms, type, version, actor, request_id, 1000, audience, subject, drill, data FROM events
          WHERE type = 'breakglass.request.denied'".to_owned(), "denied", "of it again at place 1000"),
        // Remarks.
        ("UPDATE discussion SET author = 'dave' WHERE position = 2".to_owned(), "remark 2", "and the event at place"),
        ("UPDATE discussion SET kind = 'question' WHERE position = 2".to_owned(), "remark 2", "and the event at place"),
        ("UPDATE discussion SET at_ms = at_ms + 1 WHERE position = 2".to_owned(), "remark 2", "and the event at place"),
        ("DELETE FROM events WHERE type = 'breakglass.request.answered'".to_owned(), "remark 2", "has no event on the trail"),
    ];
    for (sql, which, what) in rows {
        let directory = copy(folder.path());
        edit(&directory, &sql).await;
        let report = checked(&directory).await;
        let found = texts(&report, Part::Requests);
        let is_it = |text: &&str| text.contains(which) && text.contains(what);
        assert!(found.iter().any(is_it), "{sql}  {which} {what}: {report:#?}");
    }
}

#[tokio::test]
async fn each_member_of_the_older_trail_is_compared() {
    let folder = ended(busy().await).await;
    let (audit, service) = (
        "row 2 of `audit` and the event at place",
        "row 2 of `service_trail` and the event at place",
    );
    for (sql, what) in [
        ("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 2", audit),
        ("UPDATE audit SET actor = 'dave' WHERE seq = 2", audit),
        ("UPDATE audit SET action = 'deny' WHERE seq = 2", audit),
        ("UPDATE audit SET jti = 'grant_other' WHERE seq = 2", audit),
        ("UPDATE audit SET detail = '{}' WHERE seq = 2", audit),
        ("UPDATE service_trail SET at_ms = at_ms + 1 WHERE seq = 2", service),
        ("UPDATE service_trail SET actor = 'dave' WHERE seq = 2", service),
        ("UPDATE service_trail SET action = 'restored' WHERE seq = 2", service),
        ("UPDATE service_trail SET detail = '{}' WHERE seq = 2", service),
        (
            "DELETE FROM service_trail WHERE seq = 2",
            "`service_trail` has 1 rows, and the trail 2 events of the service",
        ),
        (
            "DELETE FROM service_trail WHERE seq = 1",
            "`service_trail` has 1 rows, and the last one has number 2: 1 are missing",
        ),
        ("DELETE FROM audit WHERE seq = 1", "`audit` has 4 rows of it, and the trail 5 events"),
    ] {
        let directory = copy(folder.path());
        edit(&directory, sql).await;
        let report = checked(&directory).await;
        let found = texts(&report, Part::OlderTrail);
        assert!(found.iter().any(|text| text.contains(what)), "{sql}  {what}: {report:#?}");
    }
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_found_beside_one_that_can() {
    let folder = ended(busy().await).await;
    let unusable = format!("trail-9-{}.pem", "0".repeat(32));
    for (signing, what) in [
        (false, format!("{unusable}: this key of the trail cannot be used")),
        (true, "1 files of signing keys cannot be used, beside 1 that can".to_owned()),
    ] {
        let directory = copy(folder.path());
        let keys = directory.path().join("keys");
        let signing_key = || {
            let entries = std::fs::read_dir(&keys).unwrap();
            let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.find(|name| !name.starts_with("trail-")).unwrap()
        };
        // Of another thumbprint than its name says.
        let name = match signing {
            true => {
                signing_key()
                    .chars()
                    .rev()
                    .skip(5)
                    .collect::<String>()
                    .chars()
                    .rev()
                    .collect::<String>()
                    + "A.pem"
            }
            false => unusable.clone(),
        };
        let file = keys.join(name);
        std::fs::copy(keys.join(signing_key()), &file).unwrap();
        let report = checked(&directory).await;
        let found = texts(&report, Part::Keys);
        assert!(found.iter().any(|text| text.contains(&what)), "{file:?} {what}: {report:#?}");
        assert_eq!(report.findings.len(), 1, "{report:#?}");
    }
}
