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

/// What to do for the answer.
#[derive(Debug)]
pub enum Refresh {
    /// Ask.
    Ask(Turn),
    /// Wait until this is closed: another caller asks.
    Wait(watch::Receiver<()>),
}

impl Refreshes {
    /// Asks about this account, or waits for the question that is under way.
    pub fn of(&self, account: &str) -> Refresh {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = under_way.get(account) {
            return Refresh::Wait(ended.clone());
        }
        let (sender, receiver) = watch::channel(());
        under_way.insert(account.to_owned(), receiver);
        let account = account.to_owned();
        Refresh::Ask(Turn { refreshes: self.clone(), account, _ended: sender })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let under_way = &self.refreshes.0;
        under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}
