//! Opens a browser of this machine.

use std::env;
use std::process::{Command, Stdio};

/// Opens `url` by `$BROWSER` (commands with a colon between them, `%s` for the address), or by what the system has. Whether
/// something was started; what becomes of it is not known.
pub(crate) fn open(url: &str) -> bool {
    commands(env::var("BROWSER").ok().as_deref()).iter().any(|command| start(command, url))
}

fn commands(browser: Option<&str>) -> Vec<String> {
    match browser.map(str::trim) {
        Some(browser) if !browser.is_empty() => browser.split(':').map(str::to_owned).collect(),
        _ if cfg!(target_os = "macos") => vec!["open".to_owned()],
        // Without a screen it would start a browser in this terminal, or none.
        _ if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some()) => {
            vec!["xdg-open".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn start(command: &str, url: &str) -> bool {
    let mut words: Vec<String> =
        command.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !command.contains("%s") {
        words.push(url.to_owned());
    }
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    // Its words are not this program's, and it must not read what is typed here.
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_commands() {
        assert_eq!(commands(Some("firefox -new-tab %s:w3m")), ["firefox -new-tab %s", "w3m"]);
    }

    #[test]
    fn what_cannot_be_started_is_told() {
        assert!(!start("/nowhere/browser", "http://a.test") && !start(" ", "http://a.test"));
    }
}
