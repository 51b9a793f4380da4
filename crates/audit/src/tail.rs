//! Follows a log that is being written, through rotation.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How far before its end a file is read to show its last records, in bytes.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;

/// The longest line that is waited for, in bytes.
const MAX_PART_BYTES: usize = 16 * 1024 * 1024;

/// A log that is followed.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    file: Option<(File, u64)>,
    /// The part of a line that is not whole yet.
    part: Vec<u8>,
}

impl Follower {
    /// Follows the file at `path` from near its end: the first lines that come are its last ones.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Follower> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let from = metadata.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut follower = Follower {
            path: path.to_owned(),
            file: Some((file, metadata.ino())),
            part: Vec::new(),
        };
        if from > 0 {
            // It begins in the middle of a line.
            let mut lines = Vec::new();
            follower.read(&mut lines)?;
            let rest: Vec<u8> =
                lines.into_iter().skip(1).flat_map(|line| [line, vec![b'\n']]).flatten().collect();
            follower.part.splice(0..0, rest);
        }
        Ok(follower)
    }

    /// The lines that came since.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        self.read(&mut lines)?;
        // What was there is read to its end before another file takes its place.
        if self.was_rotated() {
            self.read(&mut lines)?;
            self.part.clear();
            self.file = File::open(&self.path)
                .and_then(|file| file.metadata().map(|metadata| (file, metadata.ino())))
                .ok();
            self.read(&mut lines)?;
        }
        Ok(lines)
    }

    /// Whether another file has the name now, or this one was emptied.
    fn was_rotated(&mut self) -> bool {
        let Some((file, inode)) = &mut self.file else { return self.path.exists() };
        let Ok(now) = self.path.metadata() else { return false };
        now.ino() != *inode || file.stream_position().is_ok_and(|position| position > now.len())
    }

    fn read(&mut self, lines: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let Some((file, _)) = &mut self.file else { return Ok(()) };
        file.read_to_end(&mut self.part)?;
        let Some(end) = self.part.iter().rposition(|byte| *byte == b'\n') else {
            if self.part.len() > MAX_PART_BYTES {
                self.part.clear();
            }
            return Ok(());
        };
        let rest = self.part.split_off(end.saturating_add(1));
        let whole = std::mem::replace(&mut self.part, rest);
        lines.extend(whole.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        // What comes after the last line break is none.
        lines.pop();
        Ok(())
    }
}

/// The last `count` of what comes.
#[derive(Debug)]
pub struct Last<T> {
    kept: VecDeque<T>,
    count: usize,
}

impl<T> Last<T> {
    /// Nothing yet.
    #[must_use]
    pub fn new(count: usize) -> Last<T> {
        Last { kept: VecDeque::new(), count }
    }

    /// One more.
    pub fn push(&mut self, item: T) {
        if self.count > 0 && self.kept.len() >= self.count {
            self.kept.pop_front();
        }
        if self.count > 0 {
            self.kept.push_back(item);
        }
    }
}

impl<T> IntoIterator for Last<T> {
    type Item = T;
    type IntoIter = std::collections::vec_deque::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;

    fn lines(follower: &mut Follower) -> Vec<String> {
        let lines = follower.lines().unwrap().into_iter();
        lines.map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn follows_what_is_appended_renamed_and_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let append = |text: &str| {
            let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        append("one\ntwo\nth");
        let mut follower = Follower::open(&path).unwrap();
        assert_eq!(lines(&mut follower), ["one", "two"]);
        append("ree\n");
        assert_eq!(lines(&mut follower), ["three"]);
        append("four\n");
        fs::rename(&path, folder.path().join("log.1")).unwrap();
        assert_eq!(lines(&mut follower), ["four"], "before there is a new one");
        append("five\n");
        assert_eq!(lines(&mut follower), ["five"]);
        fs::write(&path, "6\n").unwrap();
        assert_eq!(lines(&mut follower), ["6"], "emptied in its place");
        assert_eq!(lines(&mut follower), [""; 0]);
    }

    #[test]
    fn begins_near_the_end_of_a_long_file_with_a_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let line = "x".repeat(999);
        let text = format!("{line}\n").repeat(usize::try_from(TAIL_BYTES).unwrap() / 1000 + 100);
        fs::write(&path, text + "last\npart").unwrap();
        let lines = lines(&mut Follower::open(&path).unwrap());
        assert_eq!(lines.last().unwrap(), "last");
        assert!(lines.iter().all(|found| *found == line || found == "last"));
    }
}
