//! A gate of three checks, without a network.

use std::{collections::BTreeMap, time::Duration};

use prodtest_cli::Refusal;
use prodtest_config::{Located, Period, SecretRef, Secrets};
use prodtest_gate::{Check, CheckId, Control, Evidence, Finding, Judged, Outcome, Place, Quantity, Rule, Run};
use prodtest_kube::{Access, Server};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

struct Toy;

impl Survey for Toy {
    const NAME: &'static str = "toy";
    const CHECKS: &'static [Entry<Self>] = &[Entry::of::<Alone>(), Entry::of::<Number>(), Entry::of::<Slow>()];

    type Flags = ();
    type Section = ();
    type Site = ();
    type Own = ();
}

/// Has something to say without a cluster.
struct Alone;

impl Inspection<Toy> for Alone {
    const NAME: &'static str = "alone";
    const WITHOUT_CLUSTER: bool = true;
    type Target = ();
    type Limits = ();
    type Facts = ();

    fn target(_asked: &Asked<'_, Toy>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(_asked: &Asked<'_, Toy>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check::new(id, "it is there")
    }

    async fn observe(seeing: &Seeing<'_, Toy>, (): &()) -> Result<(), Unseen> {
        seeing.means.cluster().map(drop)
    }

    fn judge(id: &CheckId, (): &(), (): &(), (): &()) -> Judged {
        Judged::by_findings(id.clone(), Vec::new())
    }
}

/// Sees its target, and a secret that it may not keep.
struct Number;

impl Inspection<Toy> for Number {
    const NAME: &'static str = "number";
    const WITHOUT_CLUSTER: bool = true;
    type Target = u32;
    type Limits = u32;
    type Facts = (u32, String);

    fn target(_asked: &Asked<'_, Toy>) -> Result<Target<u32>, Refusal> {
        Ok(Target::At(1))
    }

    fn limits(_asked: &Asked<'_, Toy>) -> Result<u32, Refusal> {
        Ok(2)
    }

    fn declare(id: CheckId, most: &u32) -> Check {
        Check::new(id, format!("at most {most}"))
    }

    fn secrets(_target: &u32) -> Vec<Located<SecretRef>> {
        vec![secret()]
    }

    fn rules((): &(), _target: &u32) -> Vec<Rule> {
        vec![Rule::new("a", "", &["pods"], &["list"])]
    }

    async fn observe(seeing: &Seeing<'_, Toy>, target: &u32) -> Result<(u32, String), Unseen> {
        let secret = seeing.means.secret(&secret().value)?.expose_secret().to_owned();
        Ok((*target, format!("logged in with {secret}")))
    }

    fn judge(id: &CheckId, _target: &u32, most: &u32, (number, _): &(u32, String)) -> Judged {
        let wrong = (number > most).then(|| Finding::new(id, "too-many", "it", format!("{number} are too many")));
        let mut judged = Judged::by_findings(id.clone(), wrong.into_iter().collect());
        judged.evidence.push(Evidence::new("number", Quantity::count(*number)));
        judged
    }

    fn control(id: &CheckId, _target: &u32, (_, said): &(u32, String)) -> Option<Control> {
        let tripped = said.starts_with("logged in");
        Some(Control { name: "a login".to_owned(), tripped, detail: String::new(), proves: vec![id.clone()] })
    }
}

/// Never comes to an end, and needs the cluster.
struct Slow;

impl Inspection<Toy> for Slow {
    const NAME: &'static str = "slow";
    type Target = ();
    type Limits = ();
    type Facts = ();

    fn target(_asked: &Asked<'_, Toy>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(_asked: &Asked<'_, Toy>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check::new(id, "it ends")
    }

    async fn observe(_seeing: &Seeing<'_, Toy>, (): &()) -> Result<(), Unseen> {
        std::future::pending().await
    }

    fn judge(id: &CheckId, (): &(), (): &(), (): &()) -> Judged {
        Judged::by_findings(id.clone(), Vec::new())
    }
}

fn secret() -> Located<SecretRef> {
    let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
    Located::new(SecretRef::Env("KEY".to_owned()), place)
}

fn plan(number: u32) -> Plan<()> {
    let check = |target: Value, limits: Value| CheckPlan { target: Some(target), limits, ..CheckPlan::default() };
    let checks = [
        ("alone", check(Value::Null, Value::Null)),
        ("number", check(json!(number), json!(2))),
        ("slow", check(Value::Null, Value::Null)),
    ];
    let checks = checks.map(|(name, check)| (name.to_owned(), check));
    Plan { site: (), deadline: Period(Duration::from_millis(50)), checks: checks.into() }
}

/// A cluster that nobody asked yet, and the secret.
fn means() -> Means<()> {
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    let text = json!({
        "clusters": [{ "name": "a", "cluster": { "server": "https://127.0.0.1:1" } }],
        "contexts": [{ "name": "a", "context": { "cluster": "a", "user": "a" } }],
        "users": [{ "name": "a", "user": {} }],
        "current-context": "a",
    });
    std::fs::write(kubeconfig.path(), text.to_string()).unwrap();
    let access = Access { kubeconfig: Some(kubeconfig.path().to_owned()), context: None };
    let mut secrets = Secrets::new(|_| Some("opensesame".to_owned()));
    secrets.resolve(&secret()).unwrap();
    Means::of(Server::find(&access).unwrap(), secrets, Vec::new(), ())
}

fn outcomes(plan: &Plan<()>, facts: &Facts) -> BTreeMap<String, (Outcome, String)> {
    let judged = judge::<Toy>(plan, facts).into_iter();
    judged.map(|one| (one.id.name().to_owned(), (one.outcome, one.reason.unwrap_or_default()))).collect()
}

#[tokio::test]
async fn without_a_cluster_the_first_check_says_why_and_the_others_point_there() {
    let mut means = means();
    means.fetch(&Run::unwatched()).await;
    let facts = observe::<Toy>(&plan(1), &means, &Run::unwatched()).await;
    let outcomes = outcomes(&plan(1), &facts);
    let (outcome, why) = &outcomes["alone"];
    assert_eq!(*outcome, Outcome::Undetermined);
    assert!(why.contains("https://127.0.0.1:1") && why.contains("\nhint: "), "{why}");
    assert_eq!(outcomes["slow"], (Outcome::Undetermined, "the cluster could not be asked: see `toy/alone`".to_owned()));
    assert!(!facts.seen.contains_key("slow"));
}

#[tokio::test]
async fn what_is_late_is_undetermined_and_keeps_nobody_waiting() {
    let facts = late().await;
    assert_eq!(facts.seen["slow"].unseen, Some(Unseen::new("it could not be told within 0.05 s")));
    assert_eq!(outcomes(&plan(1), &facts)["number"].0, Outcome::Passed);
}

/// As if the cluster had answered.
async fn late() -> Facts {
    let (plan, means, run) = (plan(1), means(), Run::unwatched());
    let looking = Toy::CHECKS.iter().map(|entry| {
        let target = plan.checks[entry.name].target.as_ref().unwrap();
        observe::look(entry, target, &plan.checks[entry.name], &plan, &means, &run)
    });
    let seen = futures_util::future::join_all(looking).await.into_iter().flatten().collect();
    Facts { unreachable: None, seen }
}

#[tokio::test]
async fn no_secret_is_in_the_facts() {
    let facts = observe::<Toy>(&plan(1), &means(), &Run::unwatched()).await;
    let text = serde_json::to_string(&facts).unwrap();
    assert!(text.contains("logged in with [redacted]"), "{text}");
}

#[tokio::test]
async fn a_record_is_judged_as_the_run_was() {
    let facts = observe::<Toy>(&plan(3), &means(), &Run::unwatched()).await;
    let judged = judge::<Toy>(&plan(3), &facts);
    let read: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
    assert_eq!(judge::<Toy>(&plan(3), &read), judged);
    let number = judged.iter().find(|judged| judged.id.name() == "number").unwrap();
    assert_eq!((number.outcome, number.findings[0].message.as_str()), (Outcome::Failed, "3 are too many"));
    assert_eq!(controls::<Toy>(&plan(3), &read).len(), 1);
}

#[tokio::test]
async fn what_another_version_wrote_is_undetermined() {
    let mut facts = observe::<Toy>(&plan(1), &means(), &Run::unwatched()).await;
    facts.seen.get_mut("number").unwrap().facts = Some(json!("of another shape"));
    let (outcome, why) = &outcomes(&plan(1), &facts)["number"];
    assert_eq!(*outcome, Outcome::Undetermined);
    assert!(why.starts_with("the record cannot be read by this version"), "{why}");
}

#[tokio::test]
async fn a_run_that_is_stopped_keeps_what_was_seen() {
    let (stop, stopped) = tokio::sync::watch::channel(None);
    let run = Run::new(stopped, tokio::sync::mpsc::unbounded_channel().0);
    stop.send(Some((prodtest_gate::Stop::Interrupt, tokio::time::Instant::now()))).unwrap();
    let facts = observe::<Toy>(&plan(1), &means(), &run).await;
    assert!(facts.seen.is_empty(), "{facts:?}");
    // Nobody judged them: they are undetermined.
    let judged = outcomes(&plan(1), &Facts::default());
    assert!(judged.is_empty(), "{judged:?}");
}

#[test]
fn what_does_not_apply_is_skipped_and_needs_no_right() {
    let mut plan = plan(1);
    assert_eq!(rules::<Toy>(&plan).len(), 1);
    let nowhere =
        CheckPlan { nowhere: Some("there is no number".to_owned()), limits: json!(2), ..CheckPlan::default() };
    plan.checks.insert("number".to_owned(), nowhere);
    assert_eq!(outcomes(&plan, &Facts::default())["number"], (Outcome::Skipped, "there is no number".to_owned()));
    assert_eq!(rules::<Toy>(&plan), []);
    plan.checks.get_mut("number").unwrap().left_out = Some("left out by `--skip number`".to_owned());
    let declared = declared::<Toy>(&plan);
    assert_eq!(declared[1].left_out.as_deref(), Some("left out by `--skip number`"));
    assert_eq!(declared[1].title, "at most 2");
}
