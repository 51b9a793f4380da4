//! Questions to identity providers about people's groups that are under way: one of each person at a time, and all who need its
//! answer wait for it. A refresh token may be good for one use, so that two at once could end the session there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Those that are under way, by the names of the accounts; a handle that is cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Refreshes(Arc<Mutex<HashMap<String, watch::Receiver<()>>>>);

/// The right to ask: callers who wait go on when it is dropped.
#[derive(Debug)]
pub struct Turn {
    refreshes: Refreshes,
    account: String,
    _ended: watch::Sender<()>,
}

impl Refreshes {
    /// The question about this account: what is closed when it has ended; and the right to ask it, for the first who comes.
    pub fn of(&self, account: &str) -> (watch::Receiver<()>, Option<Turn>) {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = under_way.get(account) {
            return (ended.clone(), None);
        }
        let (sender, receiver) = watch::channel(());
        under_way.insert(account.to_owned(), receiver.clone());
        let account = account.to_owned();
        (receiver, Some(Turn { refreshes: self.clone(), account, _ended: sender }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let under_way = &self.refreshes.0;
        under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}
