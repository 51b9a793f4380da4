//! Who may call what by a session: with and without a factor, after its end, and where a device code began it.

use breakglass_testing::service::Service;
use breakglass_testing::sessions::{device_session, said, session};

use crate::callers::{OK, Parties, TABLE, call, outcome};
use crate::step_up::{factor, service};

/// What a factor is required for here.
const TAKES_FACTOR: [(&str, &str); 5] = [
    ("post", "/v1/requests"),
    ("post", "/v1/requests/{id}/approve"),
    ("post", "/v1/requests/{id}/token"),
    ("post", "/v1/reviews/{id}/sign"),
    ("post", "/v1/reviews/{id}/dispute"),
];

/// What is as an approval is, and not for a session that began with a device code.
const NOT_BY_DEVICE: [&str; 3] = ["/approve", "/sign", "/dispute"];

/// The columns of the table.
const REQUESTER: usize = 3;
const APPROVER: usize = 4;

/// How a person is known who may what a column says.
struct Caller {
    name: &'static str,
    column: usize,
    has_factor: bool,
    by_device: bool,
    is_over: bool,
    access: String,
}

impl Caller {
    fn expected(&self, operation: (&str, &str), row: &[u16; 8]) -> u16 {
        match row[self.column] {
            // As without a credential.
            _ if self.is_over => row[0],
            OK if !self.has_factor && TAKES_FACTOR.contains(&operation) => 401,
            OK if self.by_device && NOT_BY_DEVICE.iter().any(|end| operation.1.ends_with(end)) => {
                403
            }
            by_role => by_role,
        }
    }
}

async fn callers(service: &Service) -> Vec<Caller> {
    let mut callers = Vec::new();
    // What is over comes first: the time passes for it.
    for is_over in [true, false] {
        for (column, who, group) in
            [(REQUESTER, "al-1", "oncall"), (APPROVER, "ca-3", "commanders")]
        {
            let kinds = [
                ("with a factor", false, true),
                ("without", false, false),
                ("by device", true, true),
            ];
            // One of each that is over is enough: what it was says nothing any more.
            for (name, by_device, has_factor) in kinds.into_iter().take(if is_over { 1 } else { 3 })
            {
                // An approver by device became one after that: by the next sign-in, if not by the one before.
                let groups: &[&str] = if by_device && column == APPROVER { &[] } else { &[group] };
                let mut said = said("corp", who, groups);
                said.factor = has_factor.then(|| factor("mfa", service.app.now().seconds()));
                let tokens = match by_device {
                    true => device_session(service, &said).await,
                    false => session(service, &said).await,
                };
                let access = tokens.access;
                callers.push(Caller { name, column, has_factor, by_device, is_over, access });
            }
            let now = said("corp", who, &[group]);
            session(service, &now).await;
        }
        if is_over {
            service.advance(600);
        }
    }
    callers
}

#[tokio::test]
async fn every_operation_answers_every_kind_of_session() {
    let level = "{ request = { level = \"mfa\" }, activation = { level = \"mfa\" }, approval = { level = \"mfa\" } }";
    let service = service(&[("orders:read", level)]).await;
    let callers = callers(&service).await;
    let full = |column| {
        let is_it = |one: &&Caller| {
            one.column == column && one.has_factor && !one.by_device && !one.is_over
        };
        callers.iter().find(is_it).unwrap().access.as_str()
    };
    let parties = Parties { requester: full(REQUESTER), approver: full(APPROVER) };
    for (method, path, row) in TABLE {
        for caller in &callers {
            let answer = call(&service, (method, path), &caller.access, parties).await;
            let Caller { name, column, is_over, .. } = caller;
            let who = format!("{method} {path}: column {column}, {name}, over: {is_over}");
            assert_eq!(outcome(&answer), caller.expected((method, path), row), "{who}: {answer:?}");
        }
    }
}
