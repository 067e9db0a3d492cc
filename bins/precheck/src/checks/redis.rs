//! `precheck/redis`: Redis lets the service in, is whole, takes writes, and has memory left.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeMap, fmt};

use futures_util::future::join_all;
use prodtest_cli::Refusal;
use prodtest_config::{HostPort, Located, SecretRef};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule, Unit};
use prodtest_http::connect_tcp;
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use redis::cmd;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::database::authority;
use crate::{
    gate::Precheck,
    site::Site,
    store::{
        Denied, Store, Trouble, denied,
        resp::{Session, is_loading, refused, unanswered},
        within,
    },
};

/// How much of its memory may be used when nobody says: nine tenths leave time to act.
const MAX_MEMORY: Percent = Percent(90);
/// What findings call it.
const SUBJECT: &str = "Redis";

/// The Redis of the service. The check is skipped where this is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Section {
    /// The address that the service is given, `redis://:PASSWORD@HOST:PORT/NUMBER`, or `rediss://…` with TLS.
    pub(crate) url: Located<SecretRef>,
    /// Connect there instead of to the host and port of the address, for whoever reaches it by another way.
    #[serde(default)]
    pub(crate) connect: Option<Located<HostPort>>,
    /// The authorities to trust, in PEM, in a file or in a Secret; those of the system when left out.
    #[serde(default)]
    pub(crate) ca: Option<Located<SecretRef>>,
    /// How much of `maxmemory` may be used where nothing is evicted; `90%` when left out.
    #[serde(default)]
    pub(crate) max_memory: Option<Percent>,
    /// The Sentinels that watch it; none are asked when left out.
    #[serde(default)]
    pub(crate) sentinels: Option<SentinelSection>,
}

/// Sentinels that watch Redis.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SentinelSection {
    /// What they call it, as in `sentinel monitor NAME`.
    pub(crate) master: String,
    /// Where they are.
    pub(crate) at: Vec<HostPort>,
    /// Their password, where they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Located<SecretRef>>,
}

/// A part of a hundred, `90%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent(u8);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.strip_suffix('%').and_then(|number| number.parse().ok()).filter(|number| *number <= 100);
        number.map(Self).ok_or_else(|| de::Error::custom(format!("`{text}` is not a percentage\nhint: write `90%`")))
    }
}

impl JsonSchema for Percent {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(100|[0-9]{1,2})%$", "examples": ["90%"] })
    }
}

/// The check.
pub(crate) struct Redis;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct At {
    store: Store,
    sentinels: Option<SentinelSection>,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    max_memory: Percent,
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
    /// What it says of itself, as far as it matters.
    info: BTreeMap<String, String>,
    /// What it answered to `PING` beside `PONG`.
    refused: Option<String>,
    /// `cluster_state`, of a node of a cluster.
    cluster: Option<String>,
    /// What each Sentinel says, by address.
    sentinels: Vec<(String, Result<(), Denied>)>,
}

/// What is kept of `INFO`.
const KEPT: [&str; 9] = [
    "redis_version",
    "role",
    "master_link_status",
    "loading",
    "loading_eta_seconds",
    "cluster_enabled",
    "used_memory",
    "maxmemory",
    "maxmemory_policy",
];

impl State {
    fn number(&self, name: &str) -> Option<f64> {
        self.info.get(name)?.parse().ok()
    }

    fn text(&self, name: &str) -> &str {
        self.info.get(name).map_or("unknown", String::as_str)
    }
}

impl Inspection<Precheck> for Redis {
    const NAME: &'static str = "redis";

    type Target = At;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<At>, Refusal> {
        let Some(section) = &asked.section.redis else {
            return Ok(Target::Nowhere("no Redis is named: `precheck.redis.url`".to_owned()));
        };
        let placed = |reference: &Located<SecretRef>| {
            reference.clone().map(|reference| reference.within(Some(asked.site.namespace())))
        };
        let flag = asked.input.flags.redis_connect.as_ref();
        let store = Store {
            url: placed(&section.url),
            ca: section.ca.as_ref().map(|ca| authority(asked, ca)).transpose()?,
            connect: flag.or(section.connect.as_ref().map(|connect| &connect.value)).cloned(),
        };
        let sentinels = section
            .sentinels
            .clone()
            .map(|sentinels| SentinelSection { password: sentinels.password.as_ref().map(placed), ..sentinels });
        Ok(Target::At(At { store, sentinels }))
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        Ok(Limits { max_memory: asked.section.redis.as_ref().and_then(|it| it.max_memory).unwrap_or(MAX_MEMORY) })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "Sessions and limits are in Redis: one that refuses the login, loads, follows another or is full takes \
                 them from every user at once."
                    .to_owned(),
            ),
            help: Some("Try the same login with `redis-cli`, and look at `INFO`.".to_owned()),
            needs: super::ids(["secrets"]),
            limits: vec![Limit { name: "memory".to_owned(), value: limits.max_memory.to_string() }],
            requirements: vec!["FR1.6".to_owned()],
            ..Check::new(id, "Redis lets the service in, is whole, takes writes, and has memory left")
        }
    }

    fn secrets(target: &At) -> Vec<Located<SecretRef>> {
        let password = target.sentinels.as_ref().and_then(|sentinels| sentinels.password.clone());
        std::iter::once(target.store.url.clone()).chain(password).collect()
    }

    fn rules(_site: &Site, target: &At) -> Vec<Rule> {
        let mut rules = target.store.rules();
        if let Some(SecretRef::Kubernetes(at)) =
            target.sentinels.as_ref().and_then(|sentinels| sentinels.password.as_ref()).map(|it| &it.value)
        {
            rules.push(Rule::get_secrets(at.namespace.as_deref().unwrap_or_default(), [at.secret.clone()]));
        }
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, target: &At) -> Result<Facts, Unseen> {
        Ok(Facts { state: within(SUBJECT, state(seeing, target)).await? })
    }

    fn judge(id: &CheckId, _target: &At, limits: &Limits, facts: &Facts) -> Judged {
        let state = match &facts.state {
            Ok(state) => state,
            Err(why) => return denied(id, SUBJECT, "a login with the service's own credentials", why),
        };
        let mut findings = Vec::new();
        let mut add = |rule: &str, subject: &str, message: String, expected: &str, seen: &str| {
            findings.push(Finding::new(id, rule, subject, message).expected(expected, seen));
        };
        if state.number("loading").is_some_and(|loading| loading != 0.0) {
            let left =
                state.number("loading_eta_seconds").map(|left| format!(", for another {left} s")).unwrap_or_default();
            let message = format!("Redis is still loading its data from disk{left}");
            add("loading", SUBJECT, message, "one that has loaded its data", "loading");
        } else if let Some(refused) = &state.refused {
            add("ping", SUBJECT, format!("Redis answered `PING` with {refused}"), "`PONG`", refused);
        }
        let role = state.text("role");
        if role != "master" {
            let message = format!("Redis is a replica, and takes no writes: its role is `{role}`");
            add("role", SUBJECT, message, "the role `master`", role);
        }
        if let Some(cluster) = state.cluster.as_ref().filter(|cluster| *cluster != "ok") {
            let message = format!("the cluster that Redis is a node of is not whole: its state is `{cluster}`");
            add("cluster", SUBJECT, message, "`cluster_state:ok`", cluster);
        }
        // Of Sentinels that are gone the others know: they count who is left.
        let none_left = state.sentinels.iter().all(|(_, said)| said.is_err());
        for (at, said) in &state.sentinels {
            if let Some(why) = said.as_ref().err().filter(|why| none_left || why.rule == "quorum") {
                add("quorum", at, format!("the Sentinel at `{at}`: {}", why.why), "Sentinels that could act", &why.why);
            }
        }
        let mut evidence = vec![Evidence::new(SUBJECT, Quantity::Text(state.text("redis_version").to_owned()))];
        evidence.extend(memory(state, limits, &mut add));
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

/// Memory that is used. Without a limit, nothing is refused; and what is evicted makes room.
/// <https://redis.io/docs/latest/develop/reference/eviction/>
fn memory(state: &State, limits: &Limits, add: &mut dyn FnMut(&str, &str, String, &str, &str)) -> Vec<Evidence> {
    let bytes = |number: f64| Quantity::Number { number, unit: Unit::Bytes };
    let Some(used) = state.number("used_memory") else { return Vec::new() };
    let measured = Evidence::new("memory used", bytes(used));
    let Some(most) = state.number("maxmemory").filter(|most| *most > 0.0) else { return vec![measured] };
    let (policy, allowed) = (state.text("maxmemory_policy"), most * f64::from(limits.max_memory.0) / 100.0);
    if policy == "noeviction" && used > allowed {
        let (part, at_most) = (used * 100.0 / most, limits.max_memory);
        let (used, most) = (bytes(used), bytes(most));
        let message = format!("Redis uses {used} of {most}, and with `noeviction` refuses writes when that is full");
        add("memory", SUBJECT, message, &format!("at most {at_most} used"), &format!("{part:.0}% used"));
    }
    vec![measured.limited(bytes(allowed)), Evidence::new("eviction", Quantity::Text(policy.to_owned()))]
}

async fn state(seeing: &Seeing<'_, Precheck>, target: &At) -> Result<State, Trouble> {
    let (state, sentinels) = tokio::try_join!(own_state(seeing, &target.store), sentinels(seeing, target))?;
    Ok(State { sentinels, ..state })
}

async fn own_state(seeing: &Seeing<'_, Precheck>, store: &Store) -> Result<State, Trouble> {
    let session = Session::open(seeing, store).await?;
    let refused = match session.ask::<redis::Value>(&cmd("PING")).await {
        Ok(_) => None,
        // It says so below too, and for how long.
        Err(error) if is_loading(&error) => Some(error.to_string()),
        Err(error) => match refused(&error) {
            why if why.rule == "refused" => Some(error.to_string()),
            why => return Err(why.into()),
        },
    };
    let told: String = session.ask(&cmd("INFO")).await.map_err(|error| unanswered("INFO", &error))?;
    let info = pairs(&told);
    let mut cluster = None;
    if info.get("cluster_enabled").is_some_and(|enabled| enabled == "1") {
        let told: String =
            session.ask(cmd("CLUSTER").arg("INFO")).await.map_err(|error| unanswered("CLUSTER INFO", &error))?;
        cluster = Some(pairs(&told).remove("cluster_state").unwrap_or_else(|| "unknown".to_owned()));
    }
    if !info.contains_key("role") {
        return Err(Unseen::new("Redis did not tell its role").into());
    }
    let info = info.into_iter().filter(|(name, _)| KEPT.contains(&name.as_str())).collect();
    Ok(State { info, refused, cluster, sentinels: Vec::new() })
}

/// `name:value`, a line each.
fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Whether each Sentinel knows enough others to act. <https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>
async fn sentinels(seeing: &Seeing<'_, Precheck>, target: &At) -> Result<Vec<(String, Result<(), Denied>)>, Trouble> {
    let Some(sentinels) = &target.sentinels else { return Ok(Vec::new()) };
    let password = sentinels.password.as_ref().map(|reference| seeing.means.secret(&reference.value)).transpose()?;
    let password = password.map(|password| password.expose_secret());
    let asking = sentinels.at.iter().map(|at| async move {
        let said = sentinel(at, password, &sentinels.master).await;
        (at.to_string(), said)
    });
    let mut told = Vec::new();
    for (at, said) in join_all(asking).await {
        match said {
            Ok(()) => told.push((at, Ok(()))),
            Err(Trouble::Denied(why)) => told.push((at, Err(why))),
            Err(unseen) => return Err(unseen),
        }
    }
    Ok(told)
}

async fn sentinel(at: &HostPort, password: Option<&str>, master: &str) -> Result<(), Trouble> {
    let stream = connect_tcp(&at.host, at.port).await.map_err(crate::store::undialled)?;
    let session = Session::over(stream).await?;
    if let Some(password) = password {
        session.told(cmd("AUTH").arg(password)).await?;
    }
    match session.ask::<redis::Value>(cmd("SENTINEL").arg("CKQUORUM").arg(master)).await {
        Ok(_) => Ok(()),
        Err(error) => match refused(&error) {
            why if why.rule == "refused" => Err(Denied::new("quorum", error.to_string()).into()),
            why => Err(why.into()),
        },
    }
}
