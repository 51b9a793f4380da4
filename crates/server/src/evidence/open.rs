//! Opens the database, and closes it.

use std::sync::PoisonError;

use super::database::Database;
use super::{Evidence, EvidenceError, import};

impl Evidence {
    /// Opens the file, makes it if it is not there, brings its schema up to date, and copies what an earlier
    /// version kept in the main database. Until that is done, evidence is refused. Does nothing where it is open.
    /// Where the file was made, or the copy came to its end: the id of the last head that was copied.
    ///
    /// # Errors
    /// [`EvidenceError`] if that fails: it can be tried again, and goes on where it stopped.
    pub async fn open(&self) -> Result<Option<i64>, EvidenceError> {
        let _alone = self.opening.lock().await;
        if self.is_open() {
            return Ok(None);
        }
        let database = Database::open(&self.path).await?;
        let copied = match import::run(&database.writer, &self.main).await {
            Ok(copied) => copied,
            Err(error) => {
                database.close().await;
                return Err(error);
            }
        };
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(copied)
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.database().is_ok()
    }

    /// Closes it: what is under way ends first.
    pub async fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(database) = database {
            database.close().await;
        }
    }
}
