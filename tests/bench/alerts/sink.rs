//! A receiver of webhooks that notes when each event came.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::Value;
use tempfile::TempDir;

/// Any: nothing here checks a signature.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The receiver.
pub(crate) struct Sink {
    came: Arc<Mutex<Vec<(Instant, Value)>>>,
    _secret: TempDir,
}

impl Sink {
    /// One that this service tells of events of one type.
    pub(crate) fn of(service: &mut Service, kind: &str) -> Sink {
        let came = Arc::<Mutex<Vec<_>>>::default();
        let noted = Arc::clone(&came);
        let receiver = Receiver::answering(move |_, call| {
            noted.lock().unwrap().push((Instant::now(), call.json()));
            Reply::Status(204, "", "")
        });
        let secret = TempDir::new().unwrap();
        let file = secret.path().join("secret");
        fs::write(&file, SECRET).unwrap();
        let (url, file) = (&receiver.url, file.display());
        let entry = format!(
            "type = \"webhook\"\nurl = \"{url}\"\nsecret_files = [\"{file}\"]\ntypes = [\"{kind}\"]"
        );
        service.add_sink("measured", &entry);
        Sink { came, _secret: secret }
    }

    /// When the first event came of each of these, which its attribute `of` names.
    pub(crate) fn until_heard<'w>(
        &self,
        of: &str,
        wanted: impl Iterator<Item = &'w String> + Clone,
    ) -> BTreeMap<String, Instant> {
        until("each event at the receiver", || {
            let came = self.came.lock().unwrap();
            let named =
                |(at, event): &(Instant, Value)| Some((event[of].as_str()?.to_owned(), *at));
            // The first one counts: it is put in last.
            let came: BTreeMap<_, _> = came.iter().rev().filter_map(named).collect();
            wanted.clone().all(|one| came.contains_key(one)).then_some(came)
        })
    }
}
