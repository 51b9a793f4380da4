//! Clusters that tests share, one of each kind for a process. A test shares one only where what the others do there
//! cannot make it pass: what applies everything, what begins with nothing, and what changes definitions has its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{
    LazyLock, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread;

use crate::cluster::Cluster;
use crate::definitions::define_all;

/// The newest definitions, and nothing else but what the tests that share it put there:
///
/// - `admission`: both folders of policies, which judge Istio's objects and Envoy Gateway's. Almost all that is asked of
///   them is asked dry; what is kept has a name that no other test uses. Who changes the parameters of a folder is
///   alone with it ([`Policies`]).
/// - `pods`: the approval service, one test at a time ([`pods`]). The policies are about none of its kinds.
/// - `objects::what_is_misspelt_is_refused`: asks dry; a field that there is none of is refused before any policy.
static NEWEST: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::for_the_process();
    define_all(&cluster);
    cluster
});

pub(crate) fn newest() -> &'static Cluster {
    &NEWEST
}

/// The same, for the one test at a time that has the approval service.
pub(crate) fn pods() -> (&'static Cluster, MutexGuard<'static, ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing that the next one does not make anew.
    let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    (newest(), alone)
}

/// A cluster whose definitions change: `versions` has one of Istio after the other, and
/// `admission::gateway::what_was_there_before_goes_on_and_cannot_be_changed_into_more` those of Envoy Gateway, with
/// objects in it before its policies. They are about different kinds.
static CHANGING: LazyLock<Cluster> = LazyLock::new(Cluster::for_the_process);

pub(crate) fn changing() -> &'static Cluster {
    &CHANGING
}

/// The policies of a folder in [`newest`], as they are shipped.
pub(crate) struct Policies {
    parameters: RwLock<()>,
    applied: LazyLock<()>,
    restore: fn(&Cluster),
}

/// A test that asks the policies of a folder, whose parameters nothing changes meanwhile.
pub(crate) struct Asking {
    pub(crate) cluster: &'static Cluster,
    _shared: RwLockReadGuard<'static, ()>,
}

/// A test that changes the parameters of a folder. Dropping it puts back what is shipped.
pub(crate) struct Changing {
    pub(crate) cluster: &'static Cluster,
    restore: fn(&Cluster),
    _alone: RwLockWriteGuard<'static, ()>,
}

impl Policies {
    /// The policies of a folder: how they are applied at first, and how what is shipped is put back.
    pub(crate) const fn new(apply: fn(), restore: fn(&Cluster)) -> Policies {
        Policies { parameters: RwLock::new(()), applied: LazyLock::new(apply), restore }
    }

    pub(crate) fn ask(&'static self) -> Asking {
        LazyLock::force(&self.applied);
        let shared = self.parameters.read().unwrap_or_else(PoisonError::into_inner);
        Asking { cluster: newest(), _shared: shared }
    }

    pub(crate) fn change(&'static self) -> Changing {
        LazyLock::force(&self.applied);
        let alone = self.parameters.write().unwrap_or_else(PoisonError::into_inner);
        Changing { cluster: newest(), restore: self.restore, _alone: alone }
    }
}

impl std::ops::Deref for Asking {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

impl std::ops::Deref for Changing {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        let restore = || (self.restore)(self.cluster);
        if thread::panicking() {
            // The test says more than what comes of this.
            let _ = catch_unwind(AssertUnwindSafe(restore));
        } else {
            restore();
        }
    }
}
