//! Storage faults: what is wrong with the database file's storage, and may be over the next moment.

/// What is wrong with the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file system, or the database, is full.
    Full,
    /// Reading, writing or opening a file failed.
    Io,
    /// The file cannot be written.
    ReadOnly,
    /// Another connection holds the lock, or all connections are in use, for longer than a request waits.
    Busy,
    /// SQLite got no memory.
    OutOfMemory,
}

/// `SQLITE_IOERR_NOMEM`: a result code of I/O that is not about I/O.
const IOERR_NOMEM: i32 = 10 | (12 << 8);

/// The storage fault that this error is, if it is one.
pub(super) fn fault(error: &sqlx::Error) -> Option<Fault> {
    let code = match error {
        sqlx::Error::Database(error) => error.code()?.parse::<i32>().ok()?,
        sqlx::Error::PoolTimedOut => return Some(Fault::Busy),
        sqlx::Error::Io(_) => return Some(Fault::Io),
        _ => return None,
    };
    // The primary result code is the low byte: https://www.sqlite.org/rescode.html
    match code & 0xff {
        _ if code == IOERR_NOMEM => Some(Fault::OutOfMemory),
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL (the locks of the write-ahead log).
        5 | 6 | 15 => Some(Fault::Busy),
        // SQLITE_NOMEM
        7 => Some(Fault::OutOfMemory),
        // SQLITE_READONLY
        8 => Some(Fault::ReadOnly),
        // SQLITE_IOERR, SQLITE_CANTOPEN; and SQLITE_CORRUPT, SQLITE_NOTADB, which is what reading the first page
        // comes to where the system says EIO.
        10 | 11 | 14 | 26 => Some(Fault::Io),
        // SQLITE_FULL
        13 => Some(Fault::Full),
        _ => None,
    }
}
