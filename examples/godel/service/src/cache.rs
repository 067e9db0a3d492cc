//! Redis: what instances share for a while. A connection that fails is replaced by the next who needs one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError, RedisResult};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::settings::{RedisSettings, Secret};
use crate::store::StoreError;

/// What errors and metrics call it.
pub(crate) const NAME: &str = "redis";

/// Redis, whether it is there or not.
pub(crate) struct Redis {
    client: Client,
    password: Secret,
    metrics: Arc<Metrics>,
    held: Mutex<Option<MultiplexedConnection>>,
    /// Whether the last answer failed to come.
    away: AtomicBool,
}

impl Redis {
    /// Connects to nothing yet.
    pub(crate) fn new(settings: RedisSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            client: settings.client,
            password: settings.password,
            metrics,
            held: Mutex::default(),
            away: AtomicBool::new(false),
        }
    }

    /// Asks, and waits `most` for the answer.
    ///
    /// # Errors
    /// When there is none; the log says so once, and once that there is one again.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        operation: &'static str,
        commands: &Pipeline,
        most: Duration,
    ) -> Result<T, StoreError> {
        self.ask(operation, commands, most).await.map_err(|_| StoreError::Away(NAME))
    }

    /// Whether it answers within `most`.
    ///
    /// # Errors
    /// In words without a password.
    pub(crate) async fn check(&self, most: Duration) -> Result<(), String> {
        self.ask("check", redis::pipe().cmd("PING").ignore(), most).await
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        self.forget();
    }

    async fn ask<T: FromRedisValue>(
        &self,
        operation: &'static str,
        commands: &Pipeline,
        most: Duration,
    ) -> Result<T, String> {
        let answer = match timeout(most, self.twice(commands)).await {
            Ok(answer) => answer.map_err(|error| self.password.told(&error)),
            Err(_) => {
                // It may never answer again, and would be given to the next.
                self.forget();
                Err(format!("no answer within {} ms", most.as_millis()))
            }
        };
        match &answer {
            Ok(_) if self.away.swap(false, Ordering::Relaxed) => tracing::info!("redis answers again"),
            Ok(_) => {}
            Err(error) => {
                self.metrics.store_error(NAME, operation);
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error, "redis gives no answer; until it does, this instance limits rates alone");
                }
            }
        }
        answer
    }

    /// A connection that was held may have died since: that says nothing of the server, so a new one is tried.
    async fn twice<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        match self.once(commands).await {
            Err(error) if error.is_connection_dropped() => self.once(commands).await,
            answer => answer,
        }
    }

    async fn once<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        let mut connection = self.connection().await?;
        let answer = commands.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(RedisError::is_unrecoverable_error) {
            self.forget();
        }
        answer
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut held = self.held.lock().await;
        if let Some(connection) = &*held {
            return Ok(connection.clone());
        }
        // Every wait is bounded by who asks.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(held.insert(connection).clone())
    }

    /// Lets the next one connect anew. Who holds the lock is doing so already.
    fn forget(&self) {
        if let Ok(mut held) = self.held.try_lock() {
            held.take();
        }
    }
}
