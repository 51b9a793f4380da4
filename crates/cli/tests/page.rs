//! The report in a real browser: it is drawn, nothing in it runs, nothing is loaded. `scripts/test
//! page`; the picture and the printed page stay in `target/page/`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: what is not as expected ends the test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use breakglass_testing::log::{Call, END, Folder, GRANT, Vm, heads};

/// It would put its mark into the title of the page, if it ran or were loaded.
const HOSTILE: &str = "</td></title><script>document.title='RAN'</script>\
    <img src=x onerror=\"document.title='RAN'\">";

fn browser(arguments: &[&str], page: &Path) -> Output {
    let program = std::env::var("BREAKGLASS_CHROMIUM").unwrap_or("chromium".to_owned());
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(&program);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,1600"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(arguments).arg(format!("file://{}", page.display()));
    let output = command.output().unwrap_or_else(|error| {
        panic!("{program}: {error}: apt-get install chromium, or set BREAKGLASS_CHROMIUM")
    });
    assert!(output.status.success(), "{output:?}");
    output
}

/// Where what a person wants to look at is left.
fn pictures() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("page");
    fs::create_dir_all(&target).unwrap();
    target
}

fn report(folder: &Folder, hostile: bool) -> PathBuf {
    let mut vm = Vm::new('a');
    let path = if hostile { HOSTILE } else { END.path };
    let reason = if hostile { HOSTILE } else { "revoked" };
    let mut lines = vm.ends(12);
    lines.push(vm.write(&Call { decision: "cut", reason, path, ..END }));
    lines.push(vm.write(&Call { decision: "deny", reason: "out_of_scope", path, ..END }));
    let log = folder.lines(if hostile { "<script>.log" } else { "access.log" }, &lines);
    let known = folder.file("heads.json", heads([&vm]).to_string());
    let page = folder.file("report.html", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command.args(["audit", "report", "--log-only", "--grant", GRANT, "--html"]).arg(&page);
    let output = command.arg("--heads").arg(known).arg(log).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    page
}

#[test]
fn it_is_drawn_and_printed() {
    let folder = Folder::new();
    let page = report(&folder, false);
    let (picture, print) = (pictures().join("report.png"), pictures().join("report.pdf"));
    browser(&[&format!("--screenshot={}", picture.display())], &page);
    browser(&[&format!("--print-to-pdf={}", print.display()), "--no-pdf-header-footer"], &page);
    for (file, magic) in [(picture, b"\x89PNG"), (print, b"%PDF")] {
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.starts_with(magic) && bytes.len() > 10_000, "{}", file.display());
    }
}

#[test]
fn nothing_from_a_log_runs() {
    let folder = Folder::new();
    let page = report(&folder, true);
    let drawn = String::from_utf8(browser(&["--dump-dom"], &page).stdout).unwrap();
    assert!(drawn.contains(&format!("<title>Evidence: grant {GRANT}</title>")), "{drawn}");
    assert!(!drawn.contains("<script") && !drawn.contains("<img"), "{drawn}");
    assert!(drawn.contains("&lt;script&gt;document.title"), "{drawn}");
    let picture = pictures().join("hostile.png");
    browser(&[&format!("--screenshot={}", picture.display())], &page);
    // The proof that the browser would have run it.
    let open = folder.file("open.html", format!("<title>x</title><table><td>{HOSTILE}"));
    let drawn = String::from_utf8(browser(&["--dump-dom"], &open).stdout).unwrap();
    assert!(drawn.contains("<title>RAN</title>"), "{drawn}");
}
