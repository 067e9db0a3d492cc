//! `kill -9`, and the gate's disk gone with it: the next run, elsewhere, finds what there is to know in the cluster.

use std::time::{Duration, Instant};

use prodtest_gate::Outcome;
use prodtest_testkit::{Done, GateCommand, Running};
use prodtest_tests::{Release, shared};
use rustix::process::Signal;
use xtask::{
    lab::{
        godel::{Helm, RELEASE},
        until,
    },
    sh,
};

use crate::eyes::{Eyes, Seen, helms, in_order, limit, round};

/// How often a moment is tried: Helm is pending for less than a second, and a busy machine may take longer to kill.
const TRIES: usize = 5;

/// What is deployed in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    Good,
    /// Its image is nowhere.
    Doomed,
    /// That of a drill, which is nowhere either.
    Drill,
}

/// When the gate is killed.
enum When {
    /// At the first sight of it: what was there before, and what is there now.
    Seen(fn(&Seen, &Seen) -> bool),
    /// So long after its start.
    After(Duration),
}

/// A moment of a deployment.
struct Moment {
    name: &'static str,
    version: Version,
    when: When,
    /// Whether what was deployed stays, for it was judged to be good.
    stays: bool,
}

impl Moment {
    const fn of(name: &'static str, version: Version, when: fn(&Seen, &Seen) -> bool) -> Self {
        Self { name, version, when: When::Seen(when), stays: false }
    }
}

/// Whether the newest revision is so many after the one before, and called that.
pub(crate) fn is_on(before: &Seen, now: &Seen, further: u64, status: &str) -> bool {
    let (Some((old, _)), Some((new, is))) = (before.newest(), now.newest()) else { return false };
    new == old + further && is == status
}

/// Whether this run's journal says so.
pub(crate) fn says(before: &Seen, now: &Seen, phase: &str) -> bool {
    now.run() != before.run() && now.phase() == Some(phase)
}

/// The gate of that version, with the values of a round.
pub(crate) fn deploy(release: &Release<'_>, helm: Helm, number: u32, version: Version) -> GateCommand {
    let values = round(release, number);
    match version {
        Version::Good => release.deploy_gate_by(helm, &values),
        Version::Doomed => release.deploy_gate_by(helm, &values).args(["--no-pin", "--tag", "nowhere"]),
        Version::Drill => release.rollback_gate_by(helm, &values).args(["drill", "--no-smoke"]),
    }
}

/// Ends the gate as a machine that is lost does: at once, Helm with it, and nothing of its files is left.
fn kill(release: &Release<'_>, running: Running) {
    running.signal(Signal::KILL);
    let done = running.wait();
    until("Helm to die with its gate", Duration::from_secs(2), || {
        let left = helms(&release.namespace);
        anyhow::ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .expect("no helm is left");
    // Its home and its reports.
    let out = done.out.clone();
    drop(done);
    assert!(!out.exists(), "its disk is still there");
}

pub(crate) fn recover(release: &Release<'_>, helm: Helm) -> Done {
    release.deploy_gate_by(helm, &round(release, 0)).arg("--recover").run()
}

/// Deploys once in peace, then cuts a deployment off at each of these moments, and recovers elsewhere.
fn survives(namespace: &str, helm: Helm, moments: &[Moment]) {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, namespace, false);
    let eyes = Eyes::of(&release);
    let _ = deploy(&release, helm, 1, Version::Good).run().expect_code(0);
    in_order(&release, &eyes, 1, "the first install");
    let mut good = 1;
    let (mut moments, mut tries) = (moments.iter().peekable(), 0);
    for number in 2.. {
        let Some(moment) = moments.peek() else { return };
        let before = eyes.look();
        // A drill changes nothing but the tag.
        let values = if moment.version == Version::Drill { good } else { number };
        let running = deploy(&release, helm, values, moment.version).spawn();
        match moment.when {
            When::Seen(is_so) => drop(eyes.wait(moment.name, |now| is_so(&before, now))),
            When::After(time) => std::thread::sleep(time),
        }
        kill(&release, running);
        let left = eyes.look();
        let done = match moment.version {
            Version::Good | Version::Doomed => recover(&release, helm).expect_code(0),
            Version::Drill => {
                release.rollback_gate_by(helm, &round(&release, good)).arg("--recover").run().expect_code(0)
            }
        };
        let (gate, check) = match moment.version {
            Version::Good | Version::Doomed => ("deploy", "restored"),
            Version::Drill => ("rollback", "state-restored"),
        };
        assert_eq!(done.outcomes(gate), [(check.to_owned(), "passed".to_owned())], "{}", done.said());
        if moment.stays {
            good = number;
        }
        in_order(&release, &eyes, good, &format!("{}: {}", moment.name, done.said()));
        tries += 1;
        if matches!(moment.when, When::Seen(is_so) if !is_so(&before, &left)) {
            // Recovered all the same; but it was another moment that was hit.
            assert!(tries < TRIES, "{}: over before the kill, {TRIES} times: {left:#?}", moment.name);
        } else {
            moments.next();
            tries = 0;
        }
    }
}

#[test]
fn lab_recover_killed_before_anything_was_changed() {
    let moments = [
        Moment::of("the lease is taken", Version::Good, |_, now| now.holder.is_some()),
        Moment::of("the backup is written", Version::Good, |before, now| now.backup > before.backup),
        Moment::of("the journal says upgrading", Version::Good, |before, now| says(before, now, "upgrading")),
        Moment {
            when: When::After(Duration::from_millis(1500)),
            ..Moment::of("after 1.5 s", Version::Doomed, |_, _| true)
        },
    ];
    survives("recover-early", Helm::Three, &moments);
}

#[test]
fn lab_recover_killed_while_helm_and_the_pods_are_at_it() {
    let moments = [
        Moment::of("pending-upgrade", Version::Good, |before, now| is_on(before, now, 1, "pending-upgrade")),
        Moment::of("applied", Version::Good, |before, now| is_on(before, now, 1, "deployed")),
        Moment::of("a new pod", Version::Good, |before, now| now.sets.iter().any(|set| !before.sets.contains(set))),
        Moment::of("pending-upgrade of a doomed version", Version::Doomed, |before, now| {
            is_on(before, now, 1, "pending-upgrade")
        }),
    ];
    survives("recover-midway", Helm::Three, &moments);
}

#[test]
fn lab_recover_killed_when_it_is_doomed_and_on_the_way_back() {
    let moments = [
        Moment::of("doomed", Version::Doomed, |_, now| now.waiting.iter().any(|why| why.contains("ImagePull"))),
        Moment::of("rolling back", Version::Doomed, |before, now| says(before, now, "rolling-back")),
        Moment::of("pending-rollback", Version::Doomed, |before, now| is_on(before, now, 2, "pending-rollback")),
        Moment::of("rolled back", Version::Doomed, |before, now| is_on(before, now, 2, "deployed")),
    ];
    survives("recover-late", Helm::Three, &moments);
}

#[test]
fn lab_recover_a_drill_killed_on_its_way_to_the_bad_version() {
    let drill = |name, when| Moment::of(name, Version::Drill, when);
    let moments = [
        drill("the lease is taken", |_, now| now.holder.is_some()),
        drill("the backup is written", |before, now| now.backup > before.backup),
        drill("the journal says upgrading", |before, now| says(before, now, "upgrading")),
        drill("pending-upgrade", |before, now| is_on(before, now, 1, "pending-upgrade")),
        drill("deployed", |before, now| is_on(before, now, 1, "deployed")),
    ];
    survives("recover-drill-there", Helm::Three, &moments);
}

#[test]
fn lab_recover_a_drill_killed_on_its_way_back() {
    let drill = |name, when| Moment::of(name, Version::Drill, when);
    let moments = [
        drill("called bad", |_, now| now.waiting.iter().any(|why| why.contains("ImagePull"))),
        drill("rolling back", |before, now| says(before, now, "rolling-back")),
        drill("pending-rollback", |before, now| is_on(before, now, 2, "pending-rollback")),
        drill("rolled back", |before, now| is_on(before, now, 2, "deployed")),
        drill("done, and looking whether all is as before", |before, now| says(before, now, "done")),
    ];
    survives("recover-drill-back", Helm::Three, &moments);
}

/// A rollback that is cut off is brought to its end, or was not begun: either way the release is whole.
#[test]
fn lab_recover_a_way_back_that_was_killed() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-way-back", false);
    let eyes = Eyes::of(&release);
    type When = fn(&Seen, &Seen) -> bool;
    let moments: [(&str, When); 4] = [
        ("the lease is taken", |_, now| now.holder.is_some()),
        ("rolling back", |before, now| says(before, now, "rolling-back")),
        ("pending-rollback", |before, now| is_on(before, now, 1, "pending-rollback")),
        ("rolled back", |before, now| is_on(before, now, 1, "deployed")),
    ];
    for (number, (moment, is_so)) in (0u32..).zip(moments) {
        let (earlier, later) = (2 * number + 1, 2 * number + 2);
        for round in [earlier, later] {
            let _ = deploy(&release, Helm::Three, round, Version::Good).run().expect_code(0);
        }
        let before = eyes.look();
        let gate = || release.rollback_gate_by(Helm::Three, &round(&release, later));
        let running = gate().args(["to", "previous", "--no-smoke"]).spawn();
        eyes.wait(moment, |now| is_so(&before, now));
        kill(&release, running);
        let done = gate().arg("--recover").run().expect_code(0);
        let settings = release.object("configmap/godel-api");
        let is_back = settings["data"]["GODEL_RATE_LIMIT"].as_str() == Some(&limit(earlier).to_string());
        let is_begun = !["the lease is taken", "rolling back"].contains(&moment);
        assert!(is_back || !is_begun, "{moment}: {}", done.said());
        in_order(&release, &eyes, if is_back { earlier } else { later }, &format!("{moment}: {}", done.said()));
    }
}

#[test]
fn lab_recover_killed_with_helm_4() {
    let moments = [
        Moment::of("pending-upgrade", Version::Good, |before, now| is_on(before, now, 1, "pending-upgrade")),
        Moment::of("pending-rollback", Version::Doomed, |before, now| is_on(before, now, 2, "pending-rollback")),
        Moment { stays: true, ..Moment::of("done", Version::Good, |before, now| says(before, now, "done")) },
    ];
    survives("recover-four", Helm::Four, &moments);
}

/// Nobody says `--recover`: the next deployment puts things in order first.
#[test]
fn lab_recover_the_next_deploy_puts_things_in_order_first() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-next", false);
    let eyes = Eyes::of(&release);
    let _ = deploy(&release, Helm::Three, 1, Version::Good).run().expect_code(0);
    let before = eyes.look();
    let running = deploy(&release, Helm::Three, 2, Version::Doomed).spawn();
    eyes.wait("pending-upgrade", |now| is_on(&before, now, 1, "pending-upgrade"));
    kill(&release, running);
    let done = deploy(&release, Helm::Three, 3, Version::Good).run().expect_code(0);
    let _ = done.expect_said(&["went back to revision 1"]);
    in_order(&release, &eyes, 3, "the deployment after the one that was cut off");
    // Cut off, gone back, deployed.
    assert_eq!(eyes.look().newest(), Some((4, "deployed")));
}

/// There is nothing to go back to: what never got there goes, and what did stays.
#[test]
fn lab_recover_a_first_install_that_was_cut_off() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-first", false);
    let eyes = Eyes::of(&release);
    let is_hit = (0..TRIES).any(|_| {
        let running = deploy(&release, Helm::Three, 1, Version::Good).spawn();
        eyes.wait("pending-install", |now| now.newest() == Some((1, "pending-install")));
        kill(&release, running);
        let is_hit = eyes.look().newest() == Some((1, "pending-install"));
        if !is_hit {
            let _ = recover(&release, Helm::Three).expect_code(0);
            sh::quietly(release.helm(Helm::Three).expect("helm").args(["uninstall", RELEASE])).expect("it goes");
        }
        is_hit
    });
    assert!(is_hit, "over before the kill, {TRIES} times");
    let done = recover(&release, Helm::Three).expect_code(0);
    let _ = done.expect_said(&["took the release away"]);
    let seen = eyes.look();
    assert_eq!((seen.newest(), seen.phase(), seen.holder.as_deref()), (None, Some("done"), None), "{seen:#?}");
    assert!(release.objects("deployments").is_empty());

    let running = deploy(&release, Helm::Three, 2, Version::Good).spawn();
    eyes.wait("deployed", |now| now.newest() == Some((1, "deployed")));
    kill(&release, running);
    let done = recover(&release, Helm::Three).expect_code(0);
    assert_eq!(done.checks("deploy", Outcome::Passed).len(), 1);
    in_order(&release, &eyes, 2, &done.said());
}

#[test]
fn lab_recover_with_nothing_to_recover_is_green() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-nothing", false);
    let eyes = Eyes::of(&release);
    let begun = Instant::now();
    let _ = recover(&release, Helm::Three).expect_code(0).expect_said(&["nothing that was left half way"]);
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody was to be waited for: {:?}", begun.elapsed());
    let seen = eyes.look();
    assert_eq!((seen.newest(), seen.holder.as_deref()), (None, None), "{seen:#?}");
}
