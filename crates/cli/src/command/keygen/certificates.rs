//! `breakglass keygen certificates`: an authority, the service's certificate and those of proxies, as files.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rcgen::SanType;
use serde_json::{Value, json};

use super::authority::{AUTHORITY_DAYS, Authority, Purpose, Signed};
use crate::client::Failure;
use crate::terminal::Terminal;
use breakglass_server::clock::{Moment, rfc3339};
use breakglass_server::duration;
use breakglass_server::random::Randomness;

/// The files that are no proxy's.
const AUTHORITY: &str = "ca";
const SERVICE: &str = "service";

/// The longest name that a certificate's subject takes (RFC 5280 appendix A.1, `ub-common-name`).
const MAX_NAME: usize = 64;

const SECONDS_A_DAY: i64 = 86_400;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The new directory for the files (mode 0700): `ca.crt` and `ca.key`, `service.crt` and `service.key`, and
    /// `NAME.crt` and `NAME.key` for each proxy.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A DNS name or IP address at which clients reach the service, such as `approvals.internal`. Repeat it for more.
    #[arg(long, value_name = "NAME", required_unless_present = "renew", value_parser = service_name)]
    dns: Vec<ServiceName>,
    /// A proxy that gets a client certificate, such as `gate-1`. The certificate names it as a DNS name, or as SAN, such as
    /// `gate-1=spiffe://cluster.local/ns/edge/sa/envoy`. Repeat it for more.
    #[arg(long, value_name = "NAME[=SAN]", value_parser = proxy)]
    proxy: Vec<Proxy>,
    /// How long the certificates of the service and of the proxies are valid. The authority is valid for ten years.
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = valid_for)]
    valid_for: i64,
    /// Sign with the authority that is in the directory: a new certificate for the service if `--dns` is there, and for
    /// each `--proxy`, be it new or not. The other files stay.
    #[arg(long)]
    renew: bool,
}

/// A name of the service.
#[derive(Debug, Clone)]
struct ServiceName(String, SanType);

/// A proxy and its subject alternative name.
#[derive(Debug, Clone)]
struct Proxy {
    name: String,
    san: String,
    entry: SanType,
}

pub(super) fn run(
    args: &Args,
    now: Moment,
    randomness: &Randomness,
    terminal: Terminal,
) -> Result<(), Failure> {
    if let Some(twice) = repeated(&args.proxy) {
        return Err(Failure::Invalid(format!("--proxy: `{twice}` is there twice")));
    }
    let at = |name: &str| args.out.join(name);
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| Failure::Failed(format!("{path}: {error}"))
    };
    let authority = if args.renew {
        let read = |name: &str| fs::read_to_string(at(name)).map_err(failed(&at(name)));
        Authority::read(read("ca.crt")?, read("ca.key")?)
            .map_err(|error| Failure::Failed(format!("{}: {error}", at("ca.crt").display())))?
    } else {
        if args.out.exists() {
            return Err(Failure::Invalid(format!(
                "--out: {} is there already: choose a new directory, or say --renew if its authority shall sign",
                args.out.display()
            )));
        }
        Authority::new(now, randomness).map_err(Failure::Failed)?
    };
    let times = (now, args.valid_for);
    // Everything is signed before anything is written.
    let names: Vec<SanType> = args.dns.iter().map(|name| name.1.clone()).collect();
    let service = if names.is_empty() {
        None
    } else {
        let subject = "breakglass approval service";
        Some(authority.sign(Purpose::Server, subject, &names, times).map_err(Failure::Invalid)?)
    };
    let sign = |proxy: &Proxy| {
        authority.sign(Purpose::Client, &proxy.name, std::slice::from_ref(&proxy.entry), times)
    };
    let proxies: Result<Vec<Signed>, String> = args.proxy.iter().map(sign).collect();
    let proxies = proxies.map_err(Failure::Invalid)?;
    if !args.renew {
        DirBuilder::new().mode(0o700).create(&args.out).map_err(failed(&args.out))?;
        write(&at("ca.key"), &authority.key, 0o600).map_err(failed(&at("ca.key")))?;
        write(&at("ca.crt"), &authority.certificate, 0o644).map_err(failed(&at("ca.crt")))?;
    }
    let written = service.iter().map(|signed| (SERVICE, signed));
    let written = written.chain(args.proxy.iter().map(|proxy| proxy.name.as_str()).zip(&proxies));
    for (name, signed) in written {
        let (key, certificate) = (at(&format!("{name}.key")), at(&format!("{name}.crt")));
        write(&key, &signed.key, 0o600).map_err(failed(&key))?;
        write(&certificate, &signed.certificate, 0o644).map_err(failed(&certificate))?;
    }
    let until = rfc3339(now.seconds().saturating_add(args.valid_for));
    say(args, &proxies, &until, terminal)
}

/// Written whole, then put in its place: a service that runs reads it again.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let part = path.with_extension("part");
    // Left by a run that was stopped.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(part, path)
}

fn say(args: &Args, proxies: &[Signed], until: &str, terminal: Terminal) -> Result<(), Failure> {
    let file = |name: &str, end: &str| args.out.join(format!("{name}.{end}")).display().to_string();
    let (certificate, key) = (|name: &str| file(name, "crt"), |name: &str| file(name, "key"));
    let mut lines = vec![format!("client_ca_file    {}", certificate(AUTHORITY))];
    let names: Vec<&str> = args.dns.iter().map(|name| name.0.as_str()).collect();
    let service = (!names.is_empty()).then(|| {
        lines.push(format!("certificate_file  {}", certificate(SERVICE)));
        lines.push(format!("key_file          {}", key(SERVICE)));
        json!({ "certificate": certificate(SERVICE), "key": key(SERVICE), "names": names })
    });
    let told = args.proxy.iter().zip(proxies).map(|(proxy, signed)| {
        let (certificate, san) = (certificate(&proxy.name), &proxy.san);
        lines.push(format!("certificate_san   {san} ({certificate})"));
        json!({
            "name": proxy.name, "certificate": certificate, "key": key(&proxy.name), "certificate_san": san,
            "certificate_sha256": signed.sha256,
        })
    });
    let proxies: Vec<Value> = told.collect();
    terminal.note(&format!(
        "valid until {until}; keep {} where no proxy and no service can read it: its holder can be any of them. For more \
         than a small set-up, use your own authority",
        key(AUTHORITY)
    ));
    let authority = json!({ "certificate": certificate(AUTHORITY), "key": key(AUTHORITY) });
    terminal.result(
        &lines.join("\n"),
        &json!({
            "authority": authority, "service": service, "proxies": proxies, "not_after": until,
        }),
    )
}

fn repeated(proxies: &[Proxy]) -> Option<&str> {
    let mut names: Vec<&str> = proxies.iter().map(|proxy| proxy.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some(*first),
        _ => None,
    })
}

fn service_name(text: &str) -> Result<ServiceName, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(ServiceName(text.to_owned(), SanType::IpAddress(address)));
    }
    let is_dns = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'*');
    if text.is_empty() || !text.bytes().all(is_dns) {
        return Err(
            "expected a DNS name or an IP address without scheme and port, such as `approvals.internal`"
                .to_owned(),
        );
    }
    Ok(ServiceName(text.to_owned(), dns(text)?))
}

fn dns(text: &str) -> Result<SanType, String> {
    text.try_into().map(SanType::DnsName).map_err(|error: rcgen::Error| error.to_string())
}

fn proxy(text: &str) -> Result<Proxy, String> {
    let (name, san) = text.split_once('=').unwrap_or((text, text));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty()
        || name.len() > MAX_NAME
        || name.starts_with('.')
        || !name.bytes().all(is_name)
    {
        return Err(format!(
            "expected a name of at most {MAX_NAME} letters, digits, `-`, `_` and `.`, which the files are called by, got \
             `{}`",
            name.escape_debug()
        ));
    }
    if [AUTHORITY, SERVICE].contains(&name) {
        return Err(format!("`{name}` is what other files are called: choose another name"));
    }
    if san.is_empty() || !san.bytes().all(|byte| byte.is_ascii_graphic()) || san.contains('*') {
        return Err(format!(
            "expected a DNS name or a URI in visible ASCII without `*`, got `{}`",
            san.escape_debug()
        ));
    }
    let entry = if san.contains(':') {
        san.try_into().map(SanType::URI).map_err(|error: rcgen::Error| error.to_string())?
    } else {
        dns(san)?
    };
    Ok(Proxy { name: name.to_owned(), san: san.to_owned(), entry })
}

fn valid_for(text: &str) -> Result<i64, String> {
    let seconds = duration::parse(text)
        .map_err(|_| "expected a duration of whole seconds such as `90d` or `12h`".to_owned())?;
    if seconds >= AUTHORITY_DAYS.saturating_mul(SECONDS_A_DAY) {
        return Err(format!("expected less than the {AUTHORITY_DAYS} days of the authority"));
    }
    Ok(seconds)
}
