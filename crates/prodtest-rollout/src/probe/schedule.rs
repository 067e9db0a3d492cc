//! The open loop: each request at its time, whatever became of those before it.

use std::sync::Arc;

use prodtest_http::Client;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    facts::Lane,
    outcome::Ended,
    record::Record,
    target::{Options, Target},
};

/// Sends requests until there are `enough`, then waits for those under way.
pub(super) async fn run(client: Client, target: Target, options: Options, record: Arc<Record>, enough: Arc<Notify>) {
    let unkept = client.unkept();
    let target = Arc::new(target);
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    for n in 0.. {
        let due = start + options.due(n);
        tokio::select! {
            biased;
            () = enough.notified() => break,
            () = sleep_until(due) => {}
        }
        while under_way.try_join_next().is_some() {}
        record.turn(due);
        let (lane, client) = if n % 2 == 0 { (Lane::New, &unkept) } else { (Lane::Kept, &client) };
        if under_way.len() >= options.concurrency {
            record.ended(due, lane, Ended::late(under_way.len()));
            continue;
        }
        let (client, target, record) = (client.clone(), Arc::clone(&target), Arc::clone(&record));
        under_way.spawn(async move {
            let exchange = client.send(target.request(options.timeout)).await;
            record.ended(due, lane, Ended::of(&exchange, target.status));
        });
    }
    while under_way.join_next().await.is_some() {}
}
