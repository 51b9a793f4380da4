//! The exit codes: what a script may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: it failed; trying again may help. The service was unreachable, failed, or is not ours; or when the
    /// time to wait was over there was no decision, or some proxy had not confirmed.
    Fail,
    /// 2: the answer is no. Denied, forbidden, not an approver, revoked, expired, already decided.
    Deny,
    /// 2 as well, of `breakglass probe`: some entrance is not guarded.
    NotGuarded,
    /// 2 as well, of `breakglass database check` and `breakglass doctor`: something there is not as it should be.
    Findings,
    /// 3: what was given is not valid. Command line, configuration, unknown id or scope.
    Invalid,
    /// 4: the log is not what was written.
    Broken,
    /// 5: the log is not complete, or it cannot be known whether it is.
    Incomplete,
    /// 6: both.
    BrokenAndIncomplete,
    /// 7: nothing was read that could have been checked.
    NothingChecked,
    /// 8: what was asked about is nowhere.
    NothingFound,
    /// 9: revoked, and some proxy that has not confirmed is gone or cut off: it refuses new requests by itself,
    /// and what already ran there may run on.
    CutOff,
    /// 10: you have to sign in first, and there is no terminal at which to ask you: stderr has the command.
    SignIn,
    /// 130: SIGINT (Ctrl-C) came while it waited; what shells say of a command that it ended.
    Interrupted,
    /// 143: the same for SIGTERM.
    Terminated,
}

/// What `--help` says about them.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  failure: the service was unreachable or failed, what answered is not the service, there was no
     decision in time, some proxy did not confirm in time, or you did not confirm
  2  denied: the answer is no (unknown API token, forbidden, not an approver, denied, revoked,
     already decided)
  3  invalid input: command line, configuration, unknown id or scope
  9  revoked, and every proxy that did not confirm is gone or cut off: it refuses new requests by
     itself, and streams may run there until the grants end
 10  sign in first, by the command on stderr: your session has ended, or this takes a stronger or a
     newer sign-in, and there is no terminal at which to ask you
  130, 143  interrupted by Ctrl-C or SIGTERM while it waited";

impl Exit {
    /// The code for an answer of the service with this HTTP status.
    #[must_use]
    pub fn of_status(status: u16) -> Exit {
        match status {
            200..=299 => Exit::Done,
            401 | 403 | 409 => Exit::Deny,
            400 | 404 | 405 | 413 | 415 | 422 => Exit::Invalid,
            _ => Exit::Fail,
        }
    }
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Fail => 1,
            Exit::Deny | Exit::NotGuarded | Exit::Findings => 2,
            Exit::Invalid => 3,
            Exit::Broken => 4,
            Exit::Incomplete => 5,
            Exit::BrokenAndIncomplete => 6,
            Exit::NothingChecked => 7,
            Exit::NothingFound => 8,
            Exit::CutOff => 9,
            Exit::SignIn => 10,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_neither_a_failure_nor_invalid_input() {
        for (status, exit) in [
            (200, Exit::Done),
            (400, Exit::Invalid),
            (401, Exit::Deny),
            (403, Exit::Deny),
            (404, Exit::Invalid),
            (409, Exit::Deny),
            (413, Exit::Invalid),
            (422, Exit::Invalid),
            (429, Exit::Fail),
            (500, Exit::Fail),
            (503, Exit::Fail),
            (302, Exit::Fail),
        ] {
            assert_eq!(Exit::of_status(status), exit, "{status}");
        }
    }
}
