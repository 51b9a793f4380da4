//! Real Envoys beside `breakglass database restore`: one that has polled the service before, and one that starts after it.
//! What was revoked stays refused, and what is revoked from then on arrives.

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live};
use breakglass_tests::policy::APPROVER;
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::Value;

/// The load that a backup has to be whole under, in writes a second.
const WRITES: f64 = 50.0;

/// A grant and its token.
type Grant = (String, String);

fn read(grant: &Grant) -> Request {
    get("/v1/orders/17").token(&grant.1)
}

fn grant(service: &Service) -> Grant {
    service.grant(&["orders:read"], "30m")
}

/// An Envoy with two workers that follows the service's feed alone, and learns soon of a key that is gone.
fn gate(service: &Service) -> Gate {
    let plan = Plan::following(service, "3s").workers(2).alone();
    plan.set("/issuers/0/jwks/remote/refresh", "1s".into()).start()
}

/// Waits until both workers answer with `status`: each connection is another worker's by chance.
fn await_status(gate: &Gate, grant: &Grant, status: u16) {
    let asked = || gate.send(&read(grant)).status;
    until(&format!("{status} from both workers"), || {
        (0..8).all(|_| asked() == status).then_some(())
    });
}

/// The grants of a service whose backup was made in between.
struct Grants {
    /// Revoked before the backup.
    ended_before: Grant,
    /// Approved before the backup and revoked after it.
    ended_after: Grant,
    /// Approved and revoked after the backup.
    made_and_ended: Grant,
    /// Approved before the backup, and live.
    live: Grant,
    /// Approved after the backup, and live.
    made_after: Grant,
}

impl Grants {
    fn revoked(&self) -> [&Grant; 3] {
        [&self.ended_before, &self.ended_after, &self.made_and_ended]
    }
}

/// Backs the service up under load, with grants and revocations before and after, all of which `gate` knows; then stops it.
fn backed_up(service: &mut Service, gate: &Gate) -> Grants {
    let (ended_before, ended_after, live) = (grant(service), grant(service), grant(service));
    service.revoke(&ended_before.0);
    let (after, rate) = service.under_writes(|| {
        service.back_up();
        let (made_and_ended, made_after) = (grant(service), grant(service));
        service.revoke(&ended_after.0);
        service.revoke(&made_and_ended.0);
        (made_and_ended, made_after)
    });
    println!("{rate:.0} writes a second beside the backup");
    assert!(rate >= WRITES, "{rate} writes a second");
    let grants =
        Grants { ended_before, ended_after, made_and_ended: after.0, live, made_after: after.1 };
    for revoked in grants.revoked() {
        await_status(gate, revoked, 401);
    }
    for holds in [&grants.live, &grants.made_after] {
        await_status(gate, holds, 200);
    }
    service.stop();
    grants
}

/// Restores the backup on another machine, which has the stopped service's databases where they are `saved`, and starts the
/// service there at its old address.
fn restored(service: &mut Service, saved: bool) -> Value {
    service.move_elsewhere(saved);
    let done = service.database_command(&["restore", "--from", "backup"]);
    service.start_again();
    done
}

/// What is revoked after the restore arrives at each of these Envoys, and what is approved is allowed.
fn goes_on(service: &Service, gates: [&Gate; 2]) {
    let known = || {
        let told = service.run(APPROVER, &["proxies", "--json"]).json();
        told["proxies"].as_array().map_or(0, Vec::len)
    };
    until("both Envoys to poll", || (known() == gates.len()).then_some(()));
    let (new, other) = (grant(service), grant(service));
    for gate in gates {
        await_status(gate, &new, 200);
        gate.allows(&read(&new));
    }
    let arguments = ["revoke", &new.0, "--reason", "a drill", "--wait"];
    let receipt = service.run(APPROVER, &arguments);
    assert_eq!(receipt.code, 0, "{receipt:?}");
    for gate in gates {
        for _ in 0..8 {
            gate.refuses(&read(&new), 401, "revoked");
        }
        gate.allows(&read(&other));
        gate.has_its_first_vms();
    }
}

#[test]
fn a_restore_beside_the_old_database_revokes_what_ended_or_began_after_the_backup_and_nothing_else()
{
    let mut service = Service::start();
    let survivor = gate(&service);
    let grants = backed_up(&mut service, &survivor);
    let streams = [&grants.made_after, &grants.live]
        .map(|grant| Live::begin(Kind::Download, survivor.envoy.address(), &grant.1));
    let done = restored(&mut service, true);
    assert_eq!(done["replaced"], "whole", "{done}");
    assert_eq!((&done["ended_since"], &done["made_since"]), (&1.into(), &2.into()), "{done}");

    let fresh = gate(&service);
    for gate in [&survivor, &fresh] {
        await_status(gate, &grants.live, 200);
        await_status(gate, &grants.made_after, 401);
        for ended in grants.revoked().into_iter().chain([&grants.made_after]) {
            for _ in 0..4 {
                gate.refuses(&read(ended), 401, "revoked");
            }
        }
        gate.allows(&read(&grants.live));
    }
    let _ = streams[0].ended();
    streams[1].goes_on();
    goes_on(&service, [&survivor, &fresh]);
}

#[test]
fn a_restore_without_the_old_database_revokes_all_that_it_knows_and_a_new_key_ends_the_rest() {
    let mut service = Service::start();
    let survivor = gate(&service);
    let grants = backed_up(&mut service, &survivor);
    let done = restored(&mut service, false);
    assert_eq!(done["replaced"], "absent", "{done}");

    let fresh = gate(&service);
    // What an Envoy has heard of stays with it, also where the service has forgotten it.
    await_status(&survivor, &grants.live, 401);
    for ended in grants.revoked().into_iter().chain([&grants.live]) {
        for _ in 0..4 {
            survivor.refuses(&read(ended), 401, "revoked");
        }
    }
    await_status(&fresh, &grants.live, 401);
    for ended in [&grants.ended_before, &grants.ended_after, &grants.live] {
        for _ in 0..4 {
            fresh.refuses(&read(ended), 401, "revoked");
        }
    }
    // No feed lists what was approved after the backup, and introspection knows that.
    let asking = Plan::asking(&service).start();
    for unknown in [&grants.made_after, &grants.made_and_ended] {
        until("the keys", || (asking.send(&read(unknown)).status == 401).then_some(()));
        asking.refuses(&read(unknown), 401, "revoked");
    }
    await_status(&survivor, &grants.made_after, 200);
    await_status(&fresh, &grants.made_and_ended, 200);
    // What the documents say to do about it.
    let old = service.stolen_key().kid().to_owned();
    let rotated = service.keys(&["rotate", "--force"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    until("the service to sign with the new key", || {
        let retired = service.keys(&["retire", &old, "--force"]);
        (retired.code == 0).then_some(())
    });
    for (gate, unknown) in [
        (&survivor, &grants.made_after),
        (&fresh, &grants.made_after),
        (&fresh, &grants.made_and_ended),
    ] {
        await_status(gate, unknown, 401);
        gate.refuses(&read(unknown), 401, "key_unknown");
    }
    goes_on(&service, [&survivor, &fresh]);
}
