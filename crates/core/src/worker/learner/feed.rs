//! The client of the feed: when this VM polls, what it learns, and what the VMs of one proxy tell each other of it.

use crate::calls::{Answer, Calls};
use crate::instant::Instant;
use crate::revocations::Learnt;
use crate::sharing::Board;
use crate::ticks::TICK;

use super::Learner;

impl Learner {
    /// Asks the feed, if it is time and this VM's turn.
    pub(in crate::worker) fn poll(&mut self, calls: &mut Calls, now: Instant) {
        if self.config.revocation.feed.is_none() {
            return;
        }
        let left_behind = || self.revocations.is_left_behind(&self.config, now);
        if self.revocations.is_due(now) && (self.leads || left_behind()) {
            let query = self.revocations.ask(&self.config, self.node.as_deref(), now);
            calls.queue_feed(&query, now);
        }
    }

    /// Whether this VM is the one to poll, and no poll is under way: the sooner the next one, the less time in
    /// which nobody asks.
    pub(in crate::worker) fn is_to_poll(&self) -> bool {
        self.leads && self.config.revocation.feed.is_some() && !self.revocations.is_asking()
    }

    /// Whether this VM polls for the others too, which must see that it is still there.
    pub(in crate::worker) fn holds_lease(&self) -> bool {
        self.leads && self.sharing.is_some()
    }

    /// Whether what was learnt is still to be shared.
    pub(in crate::worker) fn has_news(&self) -> bool {
        self.has_news
    }

    /// The query of a poll that asks for no news: which proxy asks, and how far it has come.
    pub(in crate::worker) fn whereabouts(&self) -> String {
        self.revocations.whereabouts(self.node.as_deref())
    }

    /// What a worker without requests, which seldom looks, must know before it judges one.
    pub(in crate::worker) fn catch_up(
        &mut self,
        board: &dyn Board,
        calls: &mut Calls,
        now: Instant,
    ) {
        let is_recent = |at: Instant| at <= now && now.since(at) < TICK;
        if !self.looked_at.is_some_and(is_recent) {
            self.look_for_news(board, now);
            // What others share may not go on from what is known here.
            self.poll(calls, now);
        }
    }

    /// Shares what is known with the other VMs of this proxy, and learns what they know. Whether some grant is known
    /// to be revoked that was not.
    pub(in crate::worker) fn share(&mut self, board: &dyn Board, now: Instant) -> bool {
        let Some(sharing) = &self.sharing else { return false };
        self.leads = sharing.leads(board, now);
        let is_new = self.look_for_news(board, now);
        if std::mem::take(&mut self.has_news)
            && let Some(sharing) = &mut self.sharing
            && let Some((position, feed, as_of)) = self.revocations.position()
        {
            sharing.publish(board, (position, feed), as_of, now);
        }
        is_new
    }

    /// Another VM of this proxy polls from now on, if this one did.
    pub(in crate::worker) fn resign(&self, board: &dyn Board) {
        if let Some(sharing) = &self.sharing {
            sharing.resign(board);
        }
    }

    /// The feed was asked. Whether some grant is known to be revoked that was not; `None` if that was no answer of a
    /// feed.
    pub(in crate::worker) fn learn_news(
        &mut self,
        answer: &Answer<'_>,
        calls: &mut Calls,
        now: Instant,
    ) -> Option<bool> {
        let learnt = match answer {
            Answer::Response { status: 200, body } => self.revocations.learn(body, now),
            Answer::Response { status: 400, .. } => {
                self.revocations.refused(now);
                None
            }
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                self.revocations.failed(now);
                None
            }
        };
        self.poll(calls, now);
        let Learnt { is_new, recent } = learnt?;
        if let Some((.., as_of)) = self.revocations.position() {
            self.knowledge.feed_as_of(as_of, now);
        }
        if let Some(sharing) = &mut self.sharing {
            self.has_news = true;
            sharing.learnt(recent, now);
        }
        Some(is_new)
    }

    /// Learns what the other VMs of this proxy know. Whether some grant is known to be revoked that was not.
    fn look_for_news(&mut self, board: &dyn Board, now: Instant) -> bool {
        let Some(sharing) = &mut self.sharing else { return false };
        self.looked_at = Some(now);
        let Some(window) = sharing.news(board) else { return false };
        let as_of = Instant::from_millis(window.as_of);
        self.knowledge.process_as_of(as_of, now);
        let is_new = self.revocations.follow(window, now);
        if self.revocations.position().is_some_and(|(.., known)| known == as_of) {
            self.knowledge.feed_as_of(as_of, now);
        }
        is_new
    }
}
