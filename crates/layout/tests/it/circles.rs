//! No circle among the files of a crate: a file that is understood by itself is understood before those that use
//! it.

use breakglass_layout::circles::{arrows, circles};
use breakglass_layout::manifest::packages;
use breakglass_layout::source::Source;

use crate::root;

#[test]
fn no_file_uses_itself_through_others() {
    let root = root();
    let mut wrong = Vec::new();
    for package in packages(&root).unwrap() {
        for start in package.roots() {
            let uses = Source::read(&start).unwrap().uses();
            for circle in circles(&uses) {
                wrong.push(format!(
                    "{}: {} files use each other in a circle, let one of them end it:\n  {}",
                    package.name,
                    circle.len(),
                    arrows(&uses, &circle)
                        .join("\n  ")
                        .replace(&format!("{}/", root.display()), "")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
