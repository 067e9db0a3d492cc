//! Connections kept for the next request to the same origin.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{request::Origin, wire::Connection};

/// How long a connection is kept. Load balancers and address translators drop idle connections without a word, and a
/// request on such a one looks like a service that does not answer; few are as quick as this.
const IDLE: Duration = Duration::from_secs(10);

/// How many are kept for one origin.
const PER_ORIGIN: usize = 64;

/// The connections that wait, the one used last on top.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<Origin, Vec<(Instant, Connection)>>>);

impl Pool {
    /// An open connection to the origin, if one waits. Leaves in `found_closed` whether one that waited had ended.
    pub(crate) async fn take(&self, origin: &Origin, found_closed: &mut bool) -> Option<Connection> {
        loop {
            let mut connection = self.pop(origin)?;
            // Lets the runtime look at its sockets: what the server did meanwhile is not known before.
            tokio::task::yield_now().await;
            if connection.is_open().await {
                return Some(connection);
            }
            *found_closed = true;
        }
    }

    fn pop(&self, origin: &Origin) -> Option<Connection> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_origin = waiting.get_mut(origin)?;
        of_origin.retain(|(since, _)| since.elapsed() < IDLE);
        of_origin.pop().map(|(_, connection)| connection)
    }

    /// Keeps the connection, if it can carry another request.
    pub(crate) async fn put(&self, origin: Origin, mut connection: Connection) {
        if !connection.is_open().await {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_origin = waiting.entry(origin).or_default();
        of_origin.retain(|(since, _)| since.elapsed() < IDLE);
        if of_origin.len() < PER_ORIGIN {
            of_origin.push((Instant::now(), connection));
        }
    }
}
