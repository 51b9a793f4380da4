//! How often one account may sign in: each sign-in leaves rows and events, which stay. In memory: only people who proved at
//! their provider who they are have an entry, for as long as it counts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Moment;

/// With so many entries those that do not count any more are removed.
const PRUNE: usize = 1024;

/// Counts the sign-ins of each account, from the first of them on.
#[derive(Debug)]
pub struct AccountLimiter {
    most: u32,
    within_s: i64,
    accounts: Mutex<HashMap<String, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Moment,
    count: u32,
}

/// The account signs in too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften {
    /// After so many seconds it may again.
    pub after_s: i64,
}

impl AccountLimiter {
    /// So many within this time, in seconds.
    #[must_use]
    pub fn new(most: u32, within_s: i64) -> AccountLimiter {
        AccountLimiter { most, within_s, accounts: Mutex::default() }
    }

    /// Counts a sign-in of the account now.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn take(&self, now: Moment, account: &str) -> Result<(), TooOften> {
        // Each change of it leaves it whole.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= PRUNE {
            accounts.retain(|_, window| self.left_s(*window, now).is_some());
        }
        let window = accounts.entry(account.to_owned()).or_insert(Window { since: now, count: 0 });
        let Some(after_s) = self.left_s(*window, now) else {
            *window = Window { since: now, count: 1 };
            return Ok(());
        };
        if window.count >= self.most {
            return Err(TooOften { after_s });
        }
        window.count = window.count.saturating_add(1);
        Ok(())
    }

    /// How long the window still counts; nothing where it does not, also where the clock was set back before it.
    fn left_s(&self, window: Window, now: Moment) -> Option<i64> {
        let age_s = now.seconds().saturating_sub(window.since.seconds());
        (0..self.within_s).contains(&age_s).then(|| self.within_s.saturating_sub(age_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_its_own_count_which_begins_anew_after_the_time() {
        let limiter = AccountLimiter::new(2, 100);
        let take = |seconds, account| limiter.take(Moment::from_seconds(seconds), account);
        let refused = |after_s| Err(TooOften { after_s });
        assert_eq!(
            [take(1000, "a"), take(1050, "a"), take(1060, "a")],
            [Ok(()), Ok(()), refused(40)]
        );
        assert_eq!(
            [take(1060, "b"), take(1099, "a"), take(1100, "a")],
            [Ok(()), refused(1), Ok(())]
        );
        assert_eq!([take(1100, "a"), take(1199, "a")], [Ok(()), refused(1)]);
        assert_eq!(take(900, "a"), Ok(()), "a clock that was set back counts anew");
    }

    #[test]
    fn entries_that_do_not_count_are_removed() {
        let limiter = AccountLimiter::new(2, 100);
        for index in 0..5000 {
            limiter.take(Moment::from_seconds(index), &index.to_string()).unwrap();
        }
        assert!(limiter.accounts.lock().unwrap().len() <= PRUNE);
    }
}
