//! A store: what its URL asks for, where it is, and whether it speaks TLS.

use std::{io, net::IpAddr, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use prodtest_config::HostPort;
use prodtest_gate::Rule;
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call,
    kube::{Api, api::ListParams},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use url::Url;

use super::Kind;
use crate::{
    gate::Verify,
    greeting::{self, Newest, Word},
    live,
};

/// How long a store may take to say whether it speaks TLS.
const PATIENCE: Duration = Duration::from_secs(5);
/// Asks PostgreSQL for TLS: <https://www.postgresql.org/docs/current/protocol-message-formats.html>, SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Store {
    kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) plain: Option<String>,
}

/// Whether TLS is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(super) enum Tls {
    Spoken,
    NotSpoken {
        why: String,
    },
    /// Nothing takes connections there.
    Refused {
        why: String,
    },
    /// No answer that could be told.
    Silent {
        why: String,
    },
    /// Its URL does not even want it.
    NotAsked,
}

impl Store {
    /// Reads a URL. No error quotes it: it holds a password.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
        let (schemes, port): (&[&str], u16) = match kind {
            Kind::Database => (&["postgres", "postgresql"], 5432),
            Kind::Redis => (&["redis", "rediss"], 6379),
        };
        if !schemes.contains(&url.scheme()) {
            return Err(format!("it begins with none of `{}://`", schemes.join("://`, `")));
        }
        let host = url.host_str().filter(|host| !host.is_empty() && !host.contains(','));
        let host = host.ok_or_else(|| "it does not name one host".to_owned())?;
        let plain = match kind {
            Kind::Redis => (url.scheme() == "redis").then(|| "it begins with `redis://`".to_owned()),
            Kind::Database => {
                let mode = url.query_pairs().find(|(name, _)| name == "sslmode").map(|(_, value)| value.into_owned());
                match mode.as_deref() {
                    Some("require" | "verify-ca" | "verify-full") => None,
                    Some(mode) => Some(format!("it says `sslmode={mode}`")),
                    // libpq: <https://www.postgresql.org/docs/current/libpq-ssl.html>, table 32.1.
                    None => Some("it has no `sslmode`, which means `prefer`".to_owned()),
                }
            }
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Ok(Self { kind, host, port: url.port().unwrap_or(port), plain })
    }
}

/// The host's addresses; none, where the name is not known here, or the way is another one.
pub(super) async fn addresses(store: &Store, elsewhere: bool) -> Vec<IpAddr> {
    if let Ok(address) = store.host.parse() {
        return vec![address];
    }
    if elsewhere {
        return Vec::new();
    }
    let found = timeout(PATIENCE, tokio::net::lookup_host((store.host.as_str(), store.port))).await;
    found.ok().and_then(Result::ok).map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// Asks whether it speaks TLS.
pub(super) async fn ask(store: &Store, at: &HostPort) -> Tls {
    if store.kind == Kind::Redis && store.plain.is_some() {
        return Tls::NotAsked;
    }
    let talk = async {
        let mut stream = match TcpStream::connect((at.host.as_str(), at.port)).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Ok(Tls::Refused { why: error.to_string() });
            }
            Err(error) => return Err(error),
        };
        if store.kind == Kind::Database {
            stream.write_all(&SSL_REQUEST).await?;
            let mut said = [0];
            let number = stream.read(&mut said).await?;
            match said {
                [b'S'] if number == 1 => {}
                [b'N'] => return Ok(Tls::NotSpoken { why: "it says that it has none".to_owned() }),
                _ => return Ok(Tls::NotSpoken { why: "what answers is no PostgreSQL".to_owned() }),
            }
        }
        Ok(match greeting::talk(&mut stream, &store.host, Newest::Tls12).await? {
            // A server of TLS 1.3 alone refuses by an alert of TLS.
            Word::Accepted { .. } | Word::Refused { alert: Some(_) } => Tls::Spoken,
            Word::Refused { alert: None } => Tls::NotSpoken { why: "it hangs up at a greeting in TLS".to_owned() },
            Word::Silent { why } => Tls::NotSpoken { why },
        })
    };
    match timeout(PATIENCE, talk).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => Tls::Silent { why: error.to_string() },
        Err(_) => Tls::Silent { why: format!("no answer within {} s", PATIENCE.as_secs_f64()) },
    }
}

/// What belongs to the cluster.
pub(super) struct Around<'a> {
    namespace: &'a str,
    services: &'a [Service],
    /// Addresses of pods, and of nodes.
    pods: Vec<String>,
    nodes: Vec<String>,
    /// Other namespaces that hosts name.
    others: Vec<String>,
}

impl<'a> Around<'a> {
    /// Asks the cluster.
    pub(super) async fn look(seeing: &Seeing<'a, Verify>) -> Result<Self, Unseen> {
        let cluster = seeing.means.cluster()?;
        let call = Call { asked: "list the nodes".to_owned(), rule: nodes_rule() };
        let (api, params): (Api<Node>, _) = (Api::all(cluster.client()), ListParams::default());
        let nodes = async { Ok(cluster.ask(&call, api.list(&params)).await?.items) };
        let (services, nodes) = tokio::try_join!(live::services(seeing), nodes)?;
        let specs = nodes.iter().filter_map(|node| node.spec.as_ref());
        let statuses = nodes.iter().filter_map(|node| node.status.as_ref());
        let addresses = statuses.flat_map(|status| status.addresses.iter().flatten());
        Ok(Self {
            namespace: seeing.site.namespace(),
            services,
            pods: specs.flat_map(|spec| spec.pod_cidrs.iter().flatten()).cloned().collect(),
            nodes: addresses.map(|address| address.address.clone()).collect(),
            others: Vec::new(),
        })
    }

    /// Asks whether the second half of a name is a namespace, as `postgres.stores` may be short for a Service there.
    pub(super) async fn look_for(&mut self, seeing: &Seeing<'a, Verify>, host: &str) -> Result<(), Unseen> {
        let Some((_, second)) = host.split_once('.').filter(|(_, rest)| !rest.contains('.')) else { return Ok(()) };
        let cluster = seeing.means.cluster()?;
        let api: Api<Namespace> = Api::all(cluster.client());
        let call = Call { asked: format!("get the namespace `{second}`"), rule: namespaces_rule() };
        let found = cluster.ask(&call, api.get_opt(second)).await?;
        self.others.extend(found.map(|_| second.to_owned()));
        Ok(())
    }

    /// Why a host is inside of the cluster, if it is.
    ///
    /// # Errors
    /// When that cannot be told.
    pub(super) fn inside(&self, host: &str, addresses: &[IpAddr]) -> Result<Option<String>, String> {
        if host == "localhost" || addresses.iter().any(IpAddr::is_loopback) {
            return Ok(Some("it is in the pod itself".to_owned()));
        }
        let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
        let other = matches!(labels.as_slice(), [_, namespace] if self.others.iter().any(|other| other == namespace));
        let mut of_cluster = other || host.ends_with(".cluster.local") || labels.get(2) == Some(&"svc");
        let named = match labels.as_slice() {
            [name] => Some(*name),
            [name, namespace] | [name, namespace, "svc", ..] if *namespace == self.namespace => Some(*name),
            _ => None,
        };
        let service = named.and_then(|name| self.services.iter().find(|it| it.metadata.name.as_deref() == Some(name)));
        if let (Some(spec), Some(name)) = (service.and_then(|service| service.spec.as_ref()), named) {
            if let (Some("ExternalName"), Some(outside)) = (spec.type_.as_deref(), &spec.external_name) {
                // One step: a Service that leads to another is inside all the same.
                of_cluster = outside.contains(".svc");
            } else if spec.selector.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
                return Err(format!("the Service `{name}` has no selector, and where it leads to is not looked at"));
            } else {
                return Ok(Some(format!("it is the Service `{name}`")));
            }
        }
        if of_cluster {
            return Ok(Some("its name is one of the cluster".to_owned()));
        }
        let is_service = |address: &IpAddr| {
            let address = address.to_string();
            let specs = self.services.iter().filter_map(|service| service.spec.as_ref());
            specs.flat_map(|spec| spec.cluster_ips.iter().flatten()).any(|known| *known == address)
        };
        Ok(addresses.iter().find_map(|address| {
            if is_service(address) {
                Some(format!("`{address}` is the address of a Service"))
            } else if self.pods.iter().any(|range| is_in(address, range)) {
                Some(format!("`{address}` is among the addresses of pods"))
            } else if self.nodes.contains(&address.to_string()) {
                Some(format!("`{address}` is a node"))
            } else {
                None
            }
        }))
    }
}

/// What one must be allowed to do for the nodes.
pub(super) fn nodes_rule() -> Rule {
    Rule::new("", "", &["nodes"], &["list"])
}

/// What one must be allowed to do for [`Around::look_for`].
pub(super) fn namespaces_rule() -> Rule {
    Rule::new("", "", &["namespaces"], &["get"])
}

/// Whether an address is in a range, `10.244.1.0/24`.
fn is_in(address: &IpAddr, range: &str) -> bool {
    let Some((base, bits)) = range.split_once('/') else { return false };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let begins_alike = |one: u128, other: u128, width: u32| {
        width
            .checked_sub(bits)
            .is_some_and(|rest| one.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0))
    };
    match (address, base) {
        (IpAddr::V4(one), IpAddr::V4(other)) => begins_alike(one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => begins_alike(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_url_says_whether_it_lets_tls_go() {
        let plain = |kind, url: &str| Store::read(kind, url).unwrap().plain;
        for mode in ["require", "verify-ca", "verify-full"] {
            assert_eq!(plain(Kind::Database, &format!("postgres://u:p@h/d?sslmode={mode}")), None);
        }
        for mode in ["disable", "allow", "prefer"] {
            let said = plain(Kind::Database, &format!("postgresql://u:p@h/d?sslmode={mode}"));
            assert_eq!(said, Some(format!("it says `sslmode={mode}`")));
        }
        assert!(plain(Kind::Database, "postgres://h/d").unwrap().contains("`prefer`"));
        assert_eq!(plain(Kind::Redis, "rediss://:p@h/0"), None);
        assert!(plain(Kind::Redis, "redis://:p@h/0").is_some());
        for bad in ["mysql://h/d", "host=h", "postgres://a,b/d", "postgres:///d"] {
            let error = Store::read(Kind::Database, bad).unwrap_err();
            assert!(!error.contains("host=h"), "{error}");
        }
    }

    #[test]
    fn what_is_of_the_cluster_is_inside() {
        let services: Vec<Service> = serde_json::from_value(json!([
            { "metadata": { "name": "db" }, "spec": { "selector": { "a": "b" }, "clusterIPs": ["10.96.0.5"] } },
            { "metadata": { "name": "away" }, "spec": { "type": "ExternalName", "externalName": "db.example" } },
            { "metadata": { "name": "by-hand" }, "spec": { "clusterIPs": ["10.96.0.6"] } },
        ]))
        .unwrap();
        let around = Around {
            namespace: "here",
            services: &services,
            pods: vec!["10.244.1.0/24".to_owned(), "fd00::/64".to_owned()],
            nodes: vec!["10.0.0.7".to_owned()],
            others: vec!["stores".to_owned()],
        };
        let inside = |host: &str, addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            around.inside(host, &addresses).map(|why| why.is_some())
        };
        for host in
            ["db", "db.here", "db.here.svc", "db.stores", "x.there.svc", "x.there.svc.cluster.local", "localhost"]
        {
            assert_eq!(inside(host, &[]), Ok(true), "{host}");
        }
        for address in ["10.96.0.5", "10.244.1.9", "10.0.0.7", "127.0.0.1", "fd00::1"] {
            assert_eq!(inside("db.example", &[address]), Ok(true), "{address}");
        }
        assert!(inside("by-hand", &[]).is_err());
        for host in ["away", "db.example", "postgres.lab", "db.there.rds.amazonaws.com"] {
            assert_eq!(inside(host, &["10.244.2.9", "8.8.8.8", "fd01::1"]), Ok(false), "{host}");
        }
    }

    /// What is made of a store that answers so.
    async fn asked(kind: Kind, url: &str, answers: &[&'static [u8]]) -> Tls {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 1024];
            for answer in answers {
                assert!(stream.read(&mut heard).await.unwrap() > 0);
                stream.write_all(answer).await.unwrap();
            }
        };
        let store = Store::read(kind, url).unwrap();
        tokio::join!(ask(&store, &at), server).0
    }

    #[tokio::test]
    async fn tls_is_spoken_when_a_greeting_is_taken() {
        const HELLO: &[u8] = &[22, 3, 3, 0, 80, 2, 0, 0, 76, 3, 3, 0, 0];
        let database = "postgres://h/d?sslmode=require";
        assert_eq!(asked(Kind::Database, database, &[b"S", HELLO]).await, Tls::Spoken);
        assert!(matches!(asked(Kind::Database, database, &[b"N"]).await, Tls::NotSpoken { .. }));
        assert!(matches!(asked(Kind::Database, database, &[b"E"]).await, Tls::NotSpoken { .. }));
        assert_eq!(asked(Kind::Redis, "rediss://h", &[&[21, 3, 3, 0, 2, 2, 70]]).await, Tls::Spoken);
        let no = asked(Kind::Redis, "rediss://h", &[b"-ERR unknown command\r\n"]).await;
        assert!(matches!(no, Tls::NotSpoken { .. }), "{no:?}");
        let at = HostPort { host: "127.0.0.1".to_owned(), port: 1 };
        let store = Store::read(Kind::Redis, "rediss://h").unwrap();
        assert!(matches!(ask(&store, &at).await, Tls::Refused { .. }));
    }
}
