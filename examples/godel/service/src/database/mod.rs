//! PostgreSQL: a pool of connections, and answers within a bounded time, of whatever kind.

mod migrations;
pub(crate) mod trust;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Status};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::metrics::Metrics;
use crate::settings::{DatabaseSettings, Secret};
use crate::store::StoreError;

pub use self::migrations::Mismatch;

/// What errors and metrics call it.
pub(crate) const NAME: &str = "database";

/// How many connections an instance may hold: three of them leave most of PostgreSQL's default of 100 to others.
const CONNECTIONS: usize = 10;
/// How long a request waits for a connection and the answer together.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a migration may take, with the wait for another instance's.
const MIGRATION: Duration = Duration::from_secs(60);

/// The database, whether it is there or not.
pub(crate) struct Database {
    pool: Pool,
    password: Secret,
    metrics: Arc<Metrics>,
    /// Whether the schema is what this release needs.
    prepared: AtomicBool,
    /// Why it is not yet.
    lacking: Mutex<String>,
}

/// Why a query has no rows.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer in time")]
    Late,
    #[error("cannot connect")]
    Connect(#[source] tokio_postgres::Error),
    #[error("no connection to be had")]
    Pool(#[source] PoolError),
    #[error("the query failed")]
    Query(#[from] tokio_postgres::Error),
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Connect(error),
            error => Self::Pool(error),
        }
    }
}

impl Failure {
    /// Whether the database is away, or in no state to answer; else it has answered, and refused.
    fn is_away(&self) -> bool {
        match self {
            Self::Late | Self::Connect(_) | Self::Pool(_) => true,
            Self::Query(error) => error.code().is_none_or(is_state_of_server),
        }
    }
}

/// The classes of errors that say something of the server, and nothing of the query.
fn is_state_of_server(code: &SqlState) -> bool {
    // Connection, transaction state (read-only: a standby), authorization, resources, intervention, system.
    ["08", "25", "28", "53", "57", "58"].iter().any(|class| code.code().starts_with(class))
}

impl Database {
    /// Connects to nothing yet.
    pub(crate) fn new(settings: DatabaseSettings, metrics: Arc<Metrics>) -> Self {
        let tls = MakeRustlsConnect::new(settings.tls);
        // Closed connections are noticed anyway; what else may ail one shows when it is used.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(settings.config, tls, recycling);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build();
        Self {
            // It can fail for a wait without a runtime alone, and no wait is configured.
            pool: pool.unwrap_or_else(|error| unreachable!("{error}")),
            password: settings.password,
            metrics,
            prepared: AtomicBool::new(false),
            lacking: Mutex::new("not connected yet".to_owned()),
        }
    }

    /// Connects and migrates, with patience: a database may come later than its clients.
    ///
    /// # Errors
    /// When the database was migrated by something else: that no patience mends.
    pub(crate) async fn prepare(&self) -> Result<(), Mismatch> {
        let patience = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .without_max_times()
            .with_jitter();
        let told = |why: &String, again: Duration| {
            self.metrics.store_error(NAME, "migrate");
            let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
            // The same again and again would only drown the rest of the log.
            if *lacking != *why {
                tracing::warn!(why, again_in_ms = again.as_millis() as u64, "the database is not there yet");
                lacking.clone_from(why);
            }
        };
        let prepared = (|| self.migrate()).retry(patience).notify(told).await;
        // Without an end to its patience, it ends with success.
        prepared.unwrap_or(Ok(()))?;
        self.prepared.store(true, Ordering::Release);
        tracing::info!("the database is there, and its schema as it should be");
        Ok(())
    }

    async fn migrate(&self) -> Result<Result<(), Mismatch>, String> {
        let mut client = self.connection(ANSWER).await.map_err(|error| self.password.told(&error))?;
        let migrate = async {
            let transaction = client.transaction().await?;
            let applied = migrations::apply(&transaction).await?;
            transaction.commit().await?;
            Ok::<_, tokio_postgres::Error>(applied)
        };
        let outcome = timeout(MIGRATION, migrate).await;
        match outcome {
            Ok(applied) => applied.map_err(|error| self.password.told(&error)),
            Err(_) => {
                discard(client);
                Err(format!("the migration took longer than {} s", MIGRATION.as_secs()))
            }
        }
    }

    /// The rows of one statement, within [`ANSWER`].
    ///
    /// # Errors
    /// When there is no answer; the log says why. What was to be written may have been written all the same.
    pub(crate) async fn query(
        &self,
        operation: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        if !self.prepared.load(Ordering::Acquire) {
            return Err(StoreError::Away(NAME));
        }
        let failure = match self.within(ANSWER, Some(operation), sql, params).await {
            Ok(rows) => return Ok(rows),
            Err(failure) => failure,
        };
        self.metrics.store_error(NAME, operation);
        tracing::warn!(operation, error = self.password.told(&failure), "the database gave no answer");
        Err(if failure.is_away() { StoreError::Away(NAME) } else { StoreError::Broken(NAME) })
    }

    async fn connection(&self, most: Duration) -> Result<Client, Failure> {
        let connection = timeout(most, self.pool.get()).await.map_err(|_| Failure::Late)?;
        Ok(connection?)
    }

    /// One statement; measured under the name of its operation, if it has one.
    async fn within(
        &self,
        most: Duration,
        operation: Option<&'static str>,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let begun = Instant::now();
        let client = self.connection(most).await?;
        let asked = Instant::now();
        let answer = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, params).await
        };
        let answer = timeout(most.saturating_sub(begun.elapsed()), answer).await;
        if let Some(operation) = operation {
            self.metrics.query(operation, asked.elapsed());
        }
        match answer {
            Ok(rows) => Ok(rows?),
            Err(_) => {
                // It may never answer again, and would be given to the next.
                discard(client);
                Err(Failure::Late)
            }
        }
    }

    /// Whether it answers within `most`, and has its schema.
    ///
    /// # Errors
    /// In words without a password.
    pub(crate) async fn check(&self, most: Duration) -> Result<(), String> {
        if !self.prepared.load(Ordering::Acquire) {
            return Err(self.lacking.lock().unwrap_or_else(PoisonError::into_inner).clone());
        }
        // Not measured: so quick a query would flatter the others. It fails without the table, as they would.
        match self.within(most, None, "SELECT FROM agents LIMIT 1", &[]).await {
            Ok(_) => Ok(()),
            Err(Failure::Late) => Err(format!("no answer within {} ms", most.as_millis())),
            Err(failure) => Err(self.password.told(&failure)),
        }
    }

    /// The pool's connections.
    pub(crate) fn status(&self) -> Status {
        self.pool.status()
    }

    /// Ends all connections; there will be no others.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// Ends a connection instead of giving it back.
fn discard(client: Client) {
    drop(Client::take(client));
}
