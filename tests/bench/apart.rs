//! What is measured on a core of its own, so that who measures takes none of its time.

use std::fmt;
use std::process::{self, Command, Stdio};
use std::thread::available_parallelism;

use crate::process::Running;

/// Whether that could be done.
pub(crate) struct Apart(bool);

impl Apart {
    /// Gives core 0 to these, and the others to this process with all that it starts from now on.
    pub(crate) fn from(proxies: &[Running]) -> Apart {
        let Some(last) =
            available_parallelism().ok().map(|cores| cores.get() - 1).filter(|last| *last > 0)
        else {
            return Apart(false);
        };
        let on = |cores: &str, process: u32| {
            let pin = Command::new("taskset")
                .args(["--all-tasks", "--cpu-list", "--pid", cores, &process.to_string()])
                .stdout(Stdio::null())
                .status();
            pin.is_ok_and(|status| status.success())
        };
        let are_pinned = proxies.iter().all(|proxy| on("0", proxy.process().0));
        Apart(are_pinned && on(&format!("1-{last}"), process::id()))
    }
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            true => "on a core of its own",
            false => "on the cores of the load too",
        })
    }
}
