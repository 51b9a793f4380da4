//! How often time passes for a worker.

use std::time::Duration;

/// How often time passes for a worker while it has requests. What one VM of a proxy knows, the others know a
/// tick later.
pub const TICK: Duration = Duration::from_millis(25);

/// How often time passes at least for a worker without requests: each tick of each VM costs an idle Envoy, most of it
/// because nothing that it needs is in a cache any more. Such a worker looks at what the others know when its next
/// request comes, and its time passes sooner where it has something to do by itself (`Worker::due`).
pub const IDLE_TICK: Duration = Duration::from_secs(10);

/// How often time passes at least for the worker that polls for the others: they must see that it is still there.
pub const LEAD_TICK: Duration = Duration::from_secs(3);

/// How soon time passes when a call is to be made, or others are to be told.
pub const SOON: Duration = Duration::from_millis(1);
