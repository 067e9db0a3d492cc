//! `precheck/database`: PostgreSQL lets the service in, takes writes, answers soon, and has connections left.

#[cfg(test)]
mod tests;

use std::time::Duration;

use prodtest_cli::Refusal;
use prodtest_config::{ConfigError, HostPort, Located, Period, SecretRef};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    gate::Precheck,
    shared,
    site::Site,
    store::{
        Denied, Store, Trouble, denied,
        postgres::{OWN_NAME, column, quoted},
        within,
    },
};

/// How long an answer may take when nobody says: NFR1.4 has 50 ms for a query.
const MAX_LATENCY: Duration = Duration::from_millis(50);
/// How many connections must be left when nobody says: the pool of one more instance, as HikariCP and sqlx make it.
/// <https://github.com/brettwooldridge/HikariCP#frequently-used>
const MIN_FREE: u32 = 10;
/// How many round trips are measured: the median of few does not mind one that was late.
const ROUND_TRIPS: usize = 5;
/// What findings call it.
const SUBJECT: &str = "PostgreSQL";

/// The database of the service, which must be PostgreSQL. The check is skipped where this is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Section {
    /// The address that the service is given, `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=…`: what it may do is asked
    /// with its own credentials.
    pub(crate) url: Located<SecretRef>,
    /// Connect there instead of to the host and port of the address, for whoever reaches it by another way. The name that a
    /// certificate must be for stays that of the address.
    #[serde(default)]
    pub(crate) connect: Option<Located<HostPort>>,
    /// The authorities to trust, in PEM, in a file or in a Secret; those of the system when left out.
    #[serde(default)]
    pub(crate) ca: Option<Located<SecretRef>>,
    /// How long an answer may take, as the median of a few; `50ms` when left out.
    #[serde(default)]
    pub(crate) max_latency: Option<Period>,
    /// How many connections must be left for the instances that come; 10 when left out.
    #[serde(default)]
    pub(crate) min_free_connections: Option<u32>,
}

/// The check.
pub(crate) struct Database;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    max_latency: Period,
    min_free_connections: u32,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// How it is, or why it let nobody in.
    state: Result<State, Denied>,
}

/// How it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct State {
    version: String,
    in_recovery: bool,
    read_only: bool,
    /// What may be connected to it: the server, the role, the database.
    rooms: Vec<Room>,
    /// How long each round trip took.
    round_trips_ms: Vec<f64>,
}

/// Something that takes so many connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Room {
    /// ``the role `godel` ``.
    of: String,
    most: u32,
    used: u32,
}

impl Room {
    fn free(&self) -> u32 {
        self.most.saturating_sub(self.used)
    }
}

impl Inspection<Precheck> for Database {
    const NAME: &'static str = "database";

    type Target = Store;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Store>, Refusal> {
        Ok(match store(asked)? {
            Some(store) => Target::At(store),
            None => Target::Nowhere("no database is named: `precheck.database.url`".to_owned()),
        })
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        let section = asked.section.database.as_ref();
        Ok(Limits {
            max_latency: section.and_then(|it| it.max_latency).unwrap_or(Period(MAX_LATENCY)),
            min_free_connections: section.and_then(|it| it.min_free_connections).unwrap_or(MIN_FREE),
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "A new version that gets no connection, or none that it may write on, never becomes ready, or fails with \
                 the first user."
                    .to_owned(),
            ),
            help: Some(
                "Try the same login with `psql`; look at `pg_stat_activity` for who holds the connections, and whether a \
                 standby was promoted."
                    .to_owned(),
            ),
            needs: super::ids(["secrets"]),
            limits: vec![
                Limit { name: "latency".to_owned(), value: limits.max_latency.to_string() },
                Limit { name: "free connections".to_owned(), value: limits.min_free_connections.to_string() },
            ],
            requirements: vec!["FR1.6".to_owned(), "NFR1.4".to_owned()],
            ..Check::new(id, "PostgreSQL lets the service in, takes writes, answers soon, and has connections left")
        }
    }

    fn secrets(target: &Store) -> Vec<Located<SecretRef>> {
        vec![target.url.clone()]
    }

    fn rules(_site: &Site, target: &Store) -> Vec<Rule> {
        target.rules()
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, target: &Store) -> Result<Facts, Unseen> {
        Ok(Facts { state: within(SUBJECT, state(seeing, target)).await? })
    }

    fn judge(id: &CheckId, _target: &Store, limits: &Limits, facts: &Facts) -> Judged {
        let state = match &facts.state {
            Ok(state) => state,
            Err(why) => return denied(id, SUBJECT, "a login with the service's own credentials", why),
        };
        let mut findings = Vec::new();
        let mut evidence = vec![Evidence::new(SUBJECT, Quantity::Text(state.version.clone()))];
        if state.in_recovery {
            let message = "PostgreSQL is in recovery: a standby, or one that is being restored, takes no writes";
            findings.push(Finding::new(id, "recovery", SUBJECT, message).expected("a primary", "one in recovery"));
        } else if state.read_only {
            let message = "PostgreSQL gives the service transactions that are read-only";
            findings.push(
                Finding::new(id, "read-only", SUBJECT, message)
                    .expected("transactions that may write", "`transaction_read_only` is on")
                    .help(
                        "look for `default_transaction_read_only` on the role, the database and the server: \
                         `SELECT * FROM pg_db_role_setting`; a provider sets it when the disk is full",
                    ),
            );
        }
        let least = limits.min_free_connections;
        for room in &state.rooms {
            let (free, of) = (room.free(), &room.of);
            let measured = Evidence::new(format!("free connections of {of}"), Quantity::count(free));
            evidence.push(measured.limited(Quantity::count(least)));
            if free < least {
                let (most, used) = (room.most, room.used);
                let message = format!("of the {most} connections of {of}, {used} are taken: {free} left");
                let finding = Finding::new(id, "connections", of, message);
                findings.push(finding.expected(format!("at least {least} left"), format!("{free} left")));
            }
        }
        if let Some(median) = median(&state.round_trips_ms) {
            let (took, most) = (Quantity::milliseconds(median), limits.max_latency.0.as_secs_f64() * 1000.0);
            let limit = Quantity::milliseconds(most);
            evidence.push(Evidence::new("latency", took.clone()).limited(limit.clone()));
            if median > most {
                let message =
                    format!("PostgreSQL takes {took} to answer the shortest question, and {limit} are allowed");
                let finding = Finding::new(id, "latency", SUBJECT, message);
                findings.push(finding.expected(format!("at most {limit}"), took.to_string()));
            }
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

/// The database, as configuration and flags have it.
pub(super) fn store(asked: &Asked<'_, Precheck>) -> Result<Option<Store>, Refusal> {
    let Some(section) = &asked.section.database else { return Ok(None) };
    let namespace = Some(asked.site.namespace());
    let flag = asked.input.flags.database_connect.as_ref();
    Ok(Some(Store {
        url: section.url.clone().map(|url| url.within(namespace)),
        ca: section.ca.as_ref().map(|ca| authority(asked, ca)).transpose()?,
        connect: flag.or(section.connect.as_ref().map(|connect| &connect.value)).cloned(),
    }))
}

/// Where the authorities of a store are. They have many lines, which no variable holds well.
pub(super) fn authority(asked: &Asked<'_, Precheck>, ca: &Located<SecretRef>) -> Result<SecretRef, Refusal> {
    match &ca.value {
        SecretRef::Env(_) => {
            let error = ConfigError::new("the authorities to trust are in a file or in a Secret");
            let hint = "write `{ file: PATH }` or `{ kubernetes: { secret: NAME, key: KEY } }`";
            Err(asked.input.config.explain(error.at(ca.place.clone()).with_hint(hint)).into())
        }
        other => Ok(other.clone().within(Some(asked.site.namespace()))),
    }
}

/// Who may connect, and how many do. Sessions of this gate itself are not counted; what belongs to no database is none of a
/// client. <https://www.postgresql.org/docs/current/runtime-config-connection.html>
const ROOMS: &str = "
SELECT current_setting('server_version') AS version, pg_is_in_recovery()::int AS recovery,
  (current_setting('transaction_read_only') = 'on')::int AS read_only, session_user AS role, current_database() AS base,
  current_setting('max_connections') AS server_most,
  current_setting('superuser_reserved_connections')::int
    + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int AS reserved,
  (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = session_user) AS role_most,
  (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()) AS base_most,
  count(*) AS server_used, count(*) FILTER (WHERE usename = session_user) AS role_used,
  count(*) FILTER (WHERE datname = current_database()) AS base_used
FROM pg_catalog.pg_stat_activity
WHERE datid IS NOT NULL AND (usename <> session_user OR application_name <> OWN) IS NOT FALSE";

async fn state(seeing: &Seeing<'_, Precheck>, store: &Store) -> Result<State, Trouble> {
    let session = shared::database(seeing, store).await?;
    let rows = session.rows(&ROOMS.replace("OWN", &quoted(OWN_NAME))).await?;
    let row = rows.first().ok_or_else(|| Unseen::new("PostgreSQL told nothing of itself"))?;
    let number = |name: &str| column::<i64>(row, name);
    let room = |of: String, most: Option<i64>, used: &str| {
        // Minus one is no limit.
        let most = u32::try_from(most?).ok()?;
        Some(Room { of, most, used: u32::try_from(number(used)?).ok()? })
    };
    let of = |kind: &str, name: &str| format!("the {kind} `{}`", column::<String>(row, name).unwrap_or_default());
    let server_most = number("server_most").zip(number("reserved")).map(|(most, reserved)| (most - reserved).max(0));
    let rooms = [
        room("the server".to_owned(), server_most, "server_used"),
        room(of("role", "role"), number("role_most"), "role_used"),
        room(of("database", "base"), number("base_most"), "base_used"),
    ];
    let mut round_trips_ms = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let begin = Instant::now();
        session.rows("SELECT 1").await?;
        round_trips_ms.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    let flag = |name: &str| {
        let told = number(name).map(|number| number != 0);
        told.ok_or_else(|| Unseen::new(format!("PostgreSQL did not tell its `{name}`")))
    };
    Ok(State {
        version: column(row, "version").unwrap_or_default(),
        in_recovery: flag("recovery")?,
        read_only: flag("read_only")?,
        rooms: rooms.into_iter().flatten().collect(),
        round_trips_ms,
    })
}

/// The middle one of several.
fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
