//! Hearing of one kind of object: a list, then a watch, and again for as long as it takes.
//!
//! Not the library's own watcher: that one recovers in silence, so that nobody can tell whether a quiet cluster is heard
//! at all; an object of another shape ends its list for good; and a server that ends each watch at once is asked again
//! without a pause.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::{StreamExt as _, pin_mut};
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{
        Api, Error,
        api::{ListParams, WatchParams},
        core::WatchEvent,
    },
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    hearing::{Heard, Hearing},
    raw::Raw,
    store::Kept,
};

/// How long the server keeps a watch. A connection that died silently is noticed as much later.
const WATCH: u32 = 20;
/// What it may be late by.
const LATE: Duration = Duration::from_secs(5);
/// A watch that ends sooner is no good, and is not begun again at once.
const SHORT: Duration = Duration::from_secs(1);
/// Objects a page.
const PAGE: u32 = 500;

pub(super) struct Listener {
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
    pub(super) heard: Arc<watch::Sender<Heard>>,
    /// Counts how often everything was asked for anew.
    pub(super) again: watch::Receiver<u64>,
}

/// Why a watch is over.
enum End {
    /// The list is too old, or a new one is asked for.
    List,
    /// It ended as watches do.
    Resume,
    /// It failed.
    Failed(Box<ClusterError>),
}

impl Listener {
    /// Hears of one kind, until it is dropped.
    pub(super) async fn run<T: Kept>(mut self) {
        let resource = T::resource();
        let client = self.cluster.client();
        let api: Api<Raw> = if T::OF_CLUSTER {
            Api::all_with(client, &resource)
        } else {
            Api::namespaced_with(client, &self.namespace, &resource)
        };
        let mut pauses = pauses();
        let mut version: Option<String> = None;
        loop {
            let begun = Instant::now();
            let asked = *self.again.borrow_and_update();
            let end = match &version {
                None => match self.list::<T>(&api, asked).await {
                    Ok(listed) => {
                        version = Some(listed);
                        continue;
                    }
                    Err(error) => End::Failed(error),
                },
                Some(from) => self.watch::<T>(&api, from.clone(), &mut version).await,
            };
            match end {
                End::List => version = None,
                End::Resume => {}
                End::Failed(error) => {
                    if T::OF_CLUSTER && matches!(error.problem, Problem::Forbidden(_)) {
                        self.heard.send_modify(|heard| heard.hearing(T::PLURAL).forbidden = true);
                        return;
                    }
                    version = None;
                    self.heard.send_modify(|heard| heard.hearing(T::PLURAL).fail(*error));
                }
            }
            if begun.elapsed() >= SHORT {
                pauses = self::pauses();
            }
            if version.is_none() && self.again.has_changed().unwrap_or_default() {
                continue;
            }
            if begun.elapsed() < SHORT {
                sleep(pauses.next().unwrap_or(SHORT)).await;
            }
        }
    }

    async fn list<T: Kept>(&self, api: &Api<Raw>, asked: u64) -> Result<String, Box<ClusterError>> {
        let call = self.call::<T>("list");
        let mut objects: Vec<Value> = Vec::new();
        let mut params = ListParams::default().limit(PAGE);
        let version = loop {
            let page = self.cluster.ask(&call, api.list(&params)).await?;
            objects.extend(page.items.into_iter().map(|raw| raw.0));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break page.metadata.resource_version.unwrap_or_default(),
            }
        };
        if version.is_empty() {
            let problem = Problem::Garbage("a list without a version".to_owned());
            return Err(Box::new(self.cluster.error(&call, problem)));
        }
        self.heard.send_modify(|heard| {
            heard.state.replace::<T>(&objects);
            *heard.hearing(T::PLURAL) = Hearing { listed: Some(asked), ..Hearing::default() };
        });
        Ok(version)
    }

    /// Watches from a version on; `version` follows what was heard.
    async fn watch<T: Kept>(&mut self, api: &Api<Raw>, from: String, version: &mut Option<String>) -> End {
        let call = self.call::<T>("watch");
        let params = WatchParams::default().timeout(WATCH);
        let stream = tokio::select! {
            stream = self.cluster.ask(&call, api.watch(&params, &from)) => stream,
            _ = self.again.changed() => return End::List,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) if matches!(error.problem, Problem::Refused { code: 410, .. }) => return End::List,
            Err(error) => return End::Failed(Box::new(error)),
        };
        pin_mut!(stream);
        let late = Duration::from_secs(u64::from(WATCH)) + LATE;
        loop {
            let next = tokio::select! {
                next = timeout(late, stream.next()) => next,
                _ = self.again.changed() => return End::List,
            };
            let error = match next {
                Err(_) => self.cluster.error(&call, Problem::NoAnswer(late)),
                Ok(None) => return End::Resume,
                Ok(Some(Ok(WatchEvent::Error(status)))) if status.code == 410 => return End::List,
                Ok(Some(Ok(WatchEvent::Error(status)))) => {
                    self.cluster.error(&call, prodtest_kube::problem(&Error::Api(status)))
                }
                Ok(Some(Ok(WatchEvent::Bookmark(bookmark)))) => {
                    *version = Some(bookmark.metadata.resource_version);
                    continue;
                }
                Ok(Some(Ok(WatchEvent::Added(raw) | WatchEvent::Modified(raw)))) => {
                    raw.follow(version);
                    self.heard.send_modify(|heard| heard.state.keep::<T>(&raw.0));
                    continue;
                }
                Ok(Some(Ok(WatchEvent::Deleted(raw)))) => {
                    raw.follow(version);
                    self.heard.send_modify(|heard| heard.state.drop::<T>(&raw.0));
                    continue;
                }
                Ok(Some(Err(error))) => self.cluster.error(&call, prodtest_kube::problem(&error)),
            };
            return End::Failed(Box::new(error));
        }
    }

    fn call<T: Kept>(&self, verb: &str) -> Call {
        let (group, _) = T::API;
        let (namespace, place) = if T::OF_CLUSTER {
            ("", String::new())
        } else {
            (self.namespace.as_str(), format!(" in the namespace `{}`", self.namespace))
        };
        Call {
            asked: format!("{verb} {}{place}", T::PLURAL),
            rule: Rule::new(namespace, group, &[T::PLURAL], &["list", "watch"]),
        }
    }
}

/// Up to about a second, never two clients at the same time.
fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(50));
    pauses.with_max_delay(Duration::from_millis(500)).without_max_times().with_jitter().build()
}
