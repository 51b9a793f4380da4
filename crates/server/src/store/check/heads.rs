//! The trail, beside the heads that the service has told the file of `trail_heads`: a trail that was cut off at its end, or
//! written anew, does not have them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnection;

use super::report::{Part, Report};
use crate::config::Config;
use crate::store::TrailHead;

/// The longest line that can be a head, in bytes: the service writes some three hundred.
const LINE: u64 = 4096;

/// The heads that a file had before the database was looked at.
#[derive(Debug)]
pub(super) struct Heads {
    path: PathBuf,
    /// By their places: the hash, and how it differs in the file.
    heads: BTreeMap<i64, Vec<String>>,
    unreadable: u64,
}

impl Heads {
    /// Those of the file of `trail_heads`, where there is one that can be read again: a pipe cannot.
    pub(super) fn read(config: &Config, report: &mut Report) -> Option<Heads> {
        let path = config.trail_heads.as_ref()?.file.clone()?;
        match heads(&path) {
            Ok(heads) => heads,
            Err(error) => {
                let path = path.display();
                report.found(
                    Part::Heads,
                    format!("trail_heads.file: {path} cannot be read: {error}"),
                );
                None
            }
        }
    }

    /// Compares them with the trail.
    pub(super) async fn compare(
        self,
        connection: &mut SqliteConnection,
        report: &mut Report,
    ) -> Result<(), sqlx::Error> {
        let Heads { path, heads, unreadable } = self;
        let path = path.display();
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM events")
            .fetch_one(&mut *connection)
            .await?;
        let lost = lost(connection).await?;
        report.checked.unreadable_heads = unreadable;
        for (seq, hashes) in heads {
            for hash in hashes {
                let head = TrailHead { seq, hash };
                if head.is_in(connection).await? {
                    let count = &mut report.checked.heads;
                    *count = count.saturating_add(1);
                } else if lost.iter().any(|(from, restored)| (*from < seq) && (seq < *restored)) {
                    let count = &mut report.checked.lost_heads;
                    *count = count.saturating_add(1);
                } else {
                    let what = match seq > last {
                        true => format!(
                            "and the last one that is there is at place {last}: the end of the trail is missing"
                        ),
                        false => {
                            "which is another one there, or missing: the trail was written anew"
                                .to_owned()
                        }
                    };
                    report.found(
                        Part::Heads,
                        format!("{path} has a head of the event at place {seq}, {what}"),
                    );
                }
            }
        }
        Ok(())
    }
}

/// Between which places a restore lost events, by the trail: after the first of each, and before the second.
async fn lost(connection: &mut SqliteConnection) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT coalesce(json_extract(data, '$.from.seq'), seq), seq FROM events
         WHERE type = 'breakglass.service.restored'",
    )
    .fetch_all(connection)
    .await
}

/// Lines that are no heads, such as one that a full disk cut off, prove nothing.
fn heads(path: &Path) -> io::Result<Option<Heads>> {
    // A pipe without a writer would keep an `open` waiting.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    // What is told meanwhile can be of events that the database is not looked at with.
    let mut file = BufReader::new(File::open(path)?.take(metadata.len()));
    let mut heads = BTreeMap::<i64, Vec<String>>::new();
    let mut unreadable = 0_u64;
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<TrailHead>(&line) {
            Ok(TrailHead { seq, hash }) => {
                let hashes = heads.entry(seq).or_default();
                // Each start of the service tells the last one again.
                if !hashes.contains(&hash) {
                    hashes.push(hash);
                }
            }
            Err(_) => unreadable = unreadable.saturating_add(1),
        }
    }
    Ok(Some(Heads { path: path.to_owned(), heads, unreadable }))
}
