//! Copies of what a service left in its folder, for tests that begin at the same state many times.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use breakglass_server::tasks::time::stop;
use tempfile::TempDir;

use crate::service::Service;

/// The folder of a service that has ended in order.
pub async fn ended(service: Service) -> TempDir {
    stop(&service.app).await;
    service.app.stop();
    service.app.store().close().await;
    service.directory
}

/// A new folder with the same files.
pub fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(folder, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            // The service takes no keys from a folder that others may write to.
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            match fs::copy(entry.path(), target) {
                // The journal of the evidence database, whose last connection ends by itself and removes it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => drop(result.unwrap()),
            }
        }
    }
}
