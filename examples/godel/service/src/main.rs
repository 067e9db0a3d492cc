//! `godel`, the reference service, as a program.

mod check;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use axum::http::Uri;
use clap::Parser;
use godel::{Patience, Server, Settings, Tls};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

/// Usage or configuration: nothing was started.
const EXIT_USAGE: u8 = 2;

/// The reference service: a small, real Godel, a control plane for agents.
///
/// Serves HTTP (or HTTPS) until SIGTERM or SIGINT, then answers what is in flight and exits 0.
/// Prints one line on stdout, `listening on URL`, once it can be reached; logs JSON lines on stderr.
#[derive(Parser)]
#[command(name = "godel", version, after_help = AFTER_HELP)]
struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7373")]
    listen: SocketAddr,

    /// Certificate chain (PEM, leaf first); serves HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// How long requests in flight may take after the signal
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    grace: Duration,

    /// How long to go on accepting after the signal, no longer ready, until load balancers have noticed
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    drain: Duration,

    /// Do not serve, but ask a service: GET URL within 5 s; exit 0 if it answers 2xx, else 1
    #[arg(long, value_name = "URL", value_parser = check::url)]
    #[arg(conflicts_with_all = ["listen", "tls_cert", "tls_key", "grace", "drain"])]
    check: Option<Uri>,

    #[cfg(feature = "faults")]
    #[command(flatten)]
    faults: faults::FaultArgs,
}

const AFTER_HELP: &str = "\
Environment:
  GODEL_API_KEY        key of the tenant `default` (required)
  GODEL_API_KEY_OTHER  key of the tenant `other`
  GODEL_ADMIN_KEY      key that opens /api/admin
  GODEL_VERSION        the version that /api/health reports
  GODEL_INSTANCE       name of this instance (default: the host's)
  GODEL_RATE_LIMIT     requests a minute and key, health and metrics apart; 0 is no limit (default: 1000)
  GODEL_LOG            error, warn, info (default), debug, trace or off

Stores (without them, what it knows is in memory and ends with it):
  GODEL_DATABASE_URL   agents: postgres://user:password@host:5432/database?sslmode=MODE; what is special in a part
                       is percent-encoded. MODE: disable; prefer (default) and require, which encrypt and check
                       nothing; verify-full, which checks chain and name of the certificate
  GODEL_DATABASE_CA    PEM file of the authorities for verify-full
  GODEL_REDIS_URL      sessions and the rate limit, shared by all instances: redis://:password@host:6379/0

Try it:
  GODEL_API_KEY=secret godel &
  curl http://127.0.0.1:7373/api/health
  curl -H 'X-API-Key: secret' -d '{\"type\":\"test\",\"task\":\"try\"}' http://127.0.0.1:7373/api/agents

Exit codes: 0 stopped by a signal, 1 cannot listen, 2 usage or configuration, or a database that was migrated by
something else. With --check: 0 it is well, 1 it is not, 2 usage.";

/// Why it did not start.
struct Failure {
    exit: u8,
    message: String,
    hint: String,
}

impl Failure {
    fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: EXIT_USAGE, message: message.into(), hint: hint.into() }
    }
}

#[expect(clippy::print_stderr, reason = "there is no log yet, and a person reads this")]
fn main() -> ExitCode {
    let args = Args::parse();
    #[cfg(feature = "faults")]
    if args.faults.list_faults {
        say(&args.faults.list());
        return ExitCode::SUCCESS;
    }
    let done = match &args.check {
        Some(url) => ask(url),
        None => start(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}\n  hint: {}", failure.message, failure.hint);
            ExitCode::from(failure.exit)
        }
    }
}

/// Asks once; needs no key and leaves no log.
fn ask(url: &Uri) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_start)?;
    let status = runtime.block_on(check::run(url)).map_err(|error| Failure {
        exit: 1,
        message: error.to_string(),
        hint: "does it run, is the address right, and does a network policy let this caller in?".to_owned(),
    })?;
    say(&format!("{url} answers {status}\n"));
    Ok(())
}

fn start(args: Args) -> Result<(), Failure> {
    let level = log_level()?;
    let settings = Settings::from_env().map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(Tls::load(cert, key).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let message = format!("{error}{}", cause.unwrap_or_default());
            Failure::usage(message, "both files must be PEM, the key that of the first certificate")
        })?),
        _ => None,
    };
    tracing_subscriber::fmt().json().flatten_event(true).with_max_level(level).with_writer(io::stderr).init();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(cannot_start)?.block_on(serve(args, settings, tls))
}

fn cannot_start(error: io::Error) -> Failure {
    Failure {
        exit: 1,
        message: format!("cannot start: {error}"),
        hint: "see the limits on threads and files: `ulimit -a`".to_owned(),
    }
}

async fn serve(args: Args, settings: Settings, tls: Option<Tls>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure {
        exit: 1,
        message: format!("cannot listen on `{}`: {error}", args.listen),
        hint: "`--listen 127.0.0.1:0` takes a free port".to_owned(),
    };
    #[cfg(feature = "faults")]
    let faults = args.faults.wanted()?;
    let server = Server::bind(args.listen, settings, tls).await.map_err(failed)?;
    #[cfg(feature = "faults")]
    let server = server.with_faults(faults);

    // Caught before anybody is told, so that whoever reads the line may signal at once.
    let term = signal(SignalKind::terminate()).map_err(failed)?;
    let int = signal(SignalKind::interrupt()).map_err(failed)?;
    say(&format!("listening on {}\n", server.url().map_err(failed)?));

    let patience = Patience { drain: args.drain, grace: args.grace };
    let stopped = server.run(either(term, int), patience).await;
    stopped.map_err(|mismatch| Failure::usage(mismatch.to_string(), mismatch.hint()))
}

async fn either(mut one: Signal, mut other: Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Writes to stdout, whole; a reader that has gone is no reason to stop.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

#[expect(clippy::disallowed_methods, reason = "a service is configured by its environment; the rule is made for gates")]
fn log_level() -> Result<LevelFilter, Failure> {
    let wanted = std::env::var("GODEL_LOG").unwrap_or_default();
    if wanted.is_empty() {
        return Ok(LevelFilter::INFO);
    }
    let hint = "error, warn, info, debug, trace or off";
    let failed = |_| Failure::usage(format!("`GODEL_LOG` is `{wanted}`, no level"), hint);
    wanted.parse().map_err(failed)
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "not a duration; write `10s` or `500ms`".to_owned())?;
    parsed.try_into().map_err(|_| "less than nothing".to_owned())
}

/// The flags of a build with faults.
#[cfg(feature = "faults")]
mod faults {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    use godel::faults::{Fault, TABLE};

    use super::Failure;

    const VARIABLE: &str = "GODEL_FAULT";

    #[derive(clap::Args)]
    pub(crate) struct FaultArgs {
        /// Break the service; several names with commas (see --list-faults) [env: GODEL_FAULT]
        #[arg(long, value_name = "NAME", value_delimiter = ',', hide_possible_values = true)]
        #[arg(value_parser = names())]
        pub(crate) fault: Vec<Fault>,

        /// List the faults, and the check that each must turn red
        #[arg(long)]
        pub(crate) list_faults: bool,

        /// List them as JSON
        #[arg(long, requires = "list_faults")]
        json: bool,
    }

    impl FaultArgs {
        /// The faults of the command line; without any, those of the environment, which a Deployment can set.
        #[expect(clippy::disallowed_methods, reason = "the rule is made for gates")]
        pub(crate) fn wanted(&self) -> Result<Vec<Fault>, Failure> {
            if !self.fault.is_empty() {
                return Ok(self.fault.clone());
            }
            let named = std::env::var(VARIABLE).unwrap_or_default();
            let names = named.split(',').map(str::trim).filter(|name| !name.is_empty());
            let unknown = |name| Failure::usage(format!("`{VARIABLE}` names no fault: `{name}`"), "see --list-faults");
            names.map(|name| Fault::by_name(name).ok_or_else(|| unknown(name))).collect()
        }

        pub(crate) fn list(&self) -> String {
            if self.json { godel::faults::json() } else { godel::faults::table() }
        }
    }

    fn names() -> impl clap::builder::TypedValueParser<Value = Fault> {
        let known = PossibleValuesParser::new(TABLE.iter().map(|entry| entry.name));
        known.try_map(|name| Fault::by_name(&name).ok_or("no such fault"))
    }
}
