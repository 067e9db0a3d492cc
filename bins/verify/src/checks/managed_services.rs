//! `verify/managed-services`: the stores are outside of the cluster, and TLS is really spoken with them.

mod store;

use std::net::IpAddr;

use prodtest_cli::Refusal;
use prodtest_config::{HostPort, Located, SecretRef};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use self::store::{Around, Store, Tls};
use crate::{gate::Verify, live, site::Site};

/// The stores, by the secrets that hold the URLs by which the service finds them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// The URL of PostgreSQL, `postgres://…?sslmode=verify-full`. Without it the database is not looked at.
    pub(crate) database: Option<Located<SecretRef>>,
    /// Where to connect instead of to the URL's host.
    pub(crate) database_connect: Option<HostPort>,
    /// The URL of Redis, `rediss://…`. Without it Redis is not looked at.
    pub(crate) redis: Option<Located<SecretRef>>,
    /// Where to connect instead of to the URL's host.
    pub(crate) redis_connect: Option<HostPort>,
}

/// The check.
pub(crate) struct ManagedServices;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    stores: Vec<(Kind, Located<SecretRef>, Option<HostPort>)>,
}

/// What a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Database,
    Redis,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    stores: Vec<StoreSeen>,
}

/// What was seen of a store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoreSeen {
    kind: Kind,
    host: String,
    /// The host's addresses, as far as they are known here.
    addresses: Vec<IpAddr>,
    /// Why it is inside of the cluster, if it is; or why that could not be told.
    inside: Result<Option<String>, String>,
    /// What the URL asks for that lets it go without TLS, if it does.
    plain: Option<String>,
    tls: Tls,
}

impl Inspection<Verify> for ManagedServices {
    const NAME: &'static str = "managed-services";

    type Target = Where;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let (section, flags) = (&asked.section.managed_services, asked.input.flags);
        let all = [
            (Kind::Database, &section.database, flags.database_connect.as_ref().or(section.database_connect.as_ref())),
            (Kind::Redis, &section.redis, flags.redis_connect.as_ref().or(section.redis_connect.as_ref())),
        ];
        let namespace = Some(asked.site.namespace());
        let stores = all.into_iter().filter_map(|(kind, reference, connect)| {
            let reference = reference.clone()?.map(|reference| reference.within(namespace));
            Some((kind, reference, connect.cloned()))
        });
        let stores: Vec<_> = stores.collect();
        if stores.is_empty() {
            let why = "`verify.managed-services` names no secret with the URL of a store";
            return Ok(Target::Nowhere(why.to_owned()));
        }
        Ok(Target::At(Where { stores }))
    }

    fn limits(_asked: &Asked<'_, Verify>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some(
                "A store in the cluster goes down with it, backups and all; without TLS, whoever is on the way reads \
                 passwords and data."
                    .to_owned(),
            ),
            help: Some(
                "Let the URL name the provider's service, with `sslmode=verify-full` for PostgreSQL and `rediss://` for \
                 Redis."
                    .to_owned(),
            ),
            requirements: vec!["FR1.6".to_owned()],
            ..Check::new(id, "the stores are outside of the cluster, and speak TLS")
        }
    }

    fn secrets(at: &Where) -> Vec<Located<SecretRef>> {
        at.stores.iter().map(|(_, reference, _)| reference.clone()).collect()
    }

    fn rules(site: &Site, at: &Where) -> Vec<Rule> {
        let secrets = at.stores.iter().filter_map(|(_, reference, _)| match &reference.value {
            SecretRef::Kubernetes(place) => {
                let namespace = place.namespace.as_deref().unwrap_or_default();
                Some(Rule::get_secrets(namespace, [place.secret.clone()]))
            }
            _ => None,
        });
        let mut rules = vec![live::list_rule(site, "", "services"), store::nodes_rule(), store::namespaces_rule()];
        rules.extend(secrets);
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, at: &Where) -> Result<Facts, Unseen> {
        let mut around = Around::look(seeing).await?;
        let mut stores = Vec::new();
        for (kind, reference, connect) in &at.stores {
            let url = seeing.means.secret(&reference.value)?.expose_secret().trim();
            let store = Store::read(*kind, url).map_err(|why| {
                Unseen::new(format!("{}: {why}", reference.value)).hint("write it as a URL with one host")
            })?;
            around.look_for(seeing, &store.host).await?;
            let ask = connect.clone().unwrap_or_else(|| HostPort { host: store.host.clone(), port: store.port });
            let (addresses, tls) = tokio::join!(store::addresses(&store, connect.is_some()), store::ask(&store, &ask));
            stores.push(StoreSeen {
                kind: *kind,
                inside: around.inside(&store.host, &addresses),
                host: store.host,
                addresses,
                plain: store.plain,
                tls,
            });
        }
        Ok(Facts { stores })
    }

    fn judge(id: &CheckId, at: &Where, (): &(), facts: &Facts) -> Judged {
        let (mut findings, mut unsure, mut evidence) = (Vec::new(), None, Vec::new());
        for seen in &facts.stores {
            let (name, host) = (seen.kind.shown(), &seen.host);
            let place = at.stores.iter().find(|(kind, ..)| *kind == seen.kind).map(|(_, it, _)| it.place.clone());
            let mut add = |rule: &str, message: String, expected: &str| {
                let finding = Finding::new(id, rule, name, message.clone()).expected(expected, message);
                findings.push(finding.at(place.clone()));
            };
            match &seen.inside {
                Ok(None) => {}
                Ok(Some(why)) => {
                    add(
                        "inside",
                        format!("{name} at `{host}` is inside the cluster: {why}"),
                        "a managed service outside",
                    );
                }
                Err(why) => unsure = Some(format!("whether {name} is outside could not be told: {why}")),
            }
            if let Some(plain) = &seen.plain {
                add("plain", format!("the URL of {name} lets it go without TLS: {plain}"), "a URL that asks for TLS");
            }
            match &seen.tls {
                Tls::Spoken => {}
                // The URL says so already.
                Tls::NotAsked => {}
                Tls::NotSpoken { why } => {
                    add(
                        "no-tls",
                        format!("{name} at `{host}` speaks no TLS: {why}"),
                        "a greeting in TLS that is taken",
                    );
                }
                Tls::Refused { why } => {
                    add("refused", format!("{name} at `{host}` takes no connection: {why}"), "a connection");
                }
                Tls::Silent { why } => unsure = Some(format!("{name} at `{host}` does not answer: {why}")),
            }
            evidence.push(Evidence::new(name, Quantity::Text(host.clone())));
        }
        let mut judged = match unsure {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
            _ => Judged::by_findings(id.clone(), findings),
        };
        judged.evidence = evidence;
        judged
    }
}

impl Kind {
    const fn shown(self) -> &'static str {
        match self {
            Self::Database => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }
}
