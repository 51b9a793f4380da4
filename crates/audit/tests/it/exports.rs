//! What other systems are told of the approval: why the grant exists, and by which rules a call was judged.

use breakglass_audit::export::Proof;
use breakglass_audit::{ecs, ocsf};
use serde_json::json;

#[test]
fn exports_have_the_basis_and_the_digests() {
    let record = json!({"v": 1, "time": "2026-11-22T02:13:00.000Z", "decision": "allow", "scope": "orders:read",
        "basis": "approved", "scope_digest": "used", "approved_digest": "approved"});
    let raw = record.to_string();
    let (ecs, ocsf) =
        (ecs::event(&record, &raw, Proof::Sealed), ocsf::event(&record, &raw, Proof::Sealed));
    for (name, value) in
        [("basis", "approved"), ("scope_digest", "used"), ("approved_digest", "approved")]
    {
        assert_eq!(ecs["breakglass"][name], value, "{ecs}");
        assert_eq!(ocsf["unmapped"][name], value, "{ocsf}");
    }
    // A record of a filter of before has none of them.
    let record = json!({"v": 1, "time": "2026-11-22T02:13:00.000Z", "decision": "allow"});
    let ecs = ecs::event(&record, "", Proof::Sealed);
    assert!(ecs["breakglass"].get("basis").is_none(), "{ecs}");
}
