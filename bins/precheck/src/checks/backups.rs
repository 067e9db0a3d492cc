//! `precheck/backups`: the newest good backup is younger than what may be lost.

mod command;
mod config;
mod objects;

use jiff::{SignedDuration, Timestamp};
use prodtest_cli::Refusal;
use prodtest_config::Period;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use serde::{Deserialize, Serialize};

pub(crate) use self::config::Section;
use self::config::{Pgbackrest, Source};
use crate::{gate::Precheck, site::Site};

/// How old the newest backup may be when nobody says: the PRD's NFR2.3, a backup every 4 hours.
const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(4 * 60 * 60);
/// How far the clocks of two machines may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// The check.
pub(crate) struct Backups;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    max_age: Period,
    /// Where in the configuration it says where backups are.
    place: Option<Place>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    now: Timestamp,
    /// Each thing that is backed up.
    backups: Vec<Backup>,
}

/// Something that is backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Backup {
    /// What is backed up, or what does it: ``the cronjob `backup` ``.
    what: String,
    /// When its newest good backup was done; none, where there is none.
    newest: Option<Timestamp>,
    /// What else is known of it, for who looks for a reason.
    remark: Option<String>,
}

impl Inspection<Precheck> for Backups {
    const NAME: &'static str = "backups";

    type Target = Source;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Source>, Refusal> {
        Ok(match &asked.section.backups.from {
            Some(from) => Target::At(from.value.clone()),
            None => Target::Nowhere("nothing says where backups are: `precheck: { backups: { from: … } }`".to_owned()),
        })
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        let section = &asked.section.backups;
        Ok(Limits {
            max_age: section.max_age.unwrap_or(Period(MAX_AGE)),
            place: section.from.as_ref().map(|from| from.place.clone()),
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "What a migration breaks comes back from the newest backup, and all that is younger is lost.".to_owned(),
            ),
            help: Some(
                "Make a backup now, and look why the last one was not made. A backup that was never restored is a hope: \
                 this check says that there is one, not that it is whole."
                    .to_owned(),
            ),
            limits: vec![Limit { name: "newest backup at most".to_owned(), value: format!("{} old", limits.max_age) }],
            requirements: vec!["NFR2.3".to_owned()],
            ..Check::new(id, "the newest good backup is young enough")
        }
    }

    fn rules(site: &Site, source: &Source) -> Vec<Rule> {
        objects::rules(site.namespace(), source)
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, source: &Source) -> Result<Facts, Unseen> {
        let namespace = seeing.site.namespace();
        let backups = match source {
            Source::CronJob(name) => objects::cron_job(seeing.means.cluster()?, namespace, name).await?,
            Source::VolumeSnapshots(selector) => {
                objects::volume_snapshots(seeing.means.cluster()?, namespace, selector).await?
            }
            Source::Velero(velero) => objects::velero(seeing.means.cluster()?, velero).await?,
            Source::Pgbackrest(Pgbackrest::Command(words)) => command::pgbackrest(&command::output(words).await?)?,
            Source::Pgbackrest(Pgbackrest::File(file)) => {
                let read = std::fs::read_to_string(file);
                let unread = |error| Unseen::new(format!("`{file}` could not be read: {error}"));
                command::pgbackrest(&read.map_err(unread)?)?
            }
            Source::Command(words) => vec![command::time(words, &command::output(words).await?)?],
        };
        Ok(Facts { now: Timestamp::now(), backups })
    }

    fn judge(id: &CheckId, _source: &Source, limits: &Limits, facts: &Facts) -> Judged {
        let (mut findings, mut evidence, mut unknown) = (Vec::new(), Vec::new(), None);
        let most = SignedDuration::try_from(limits.max_age.0).unwrap_or(SignedDuration::MAX);
        let at_most = format!("at most {} old", limits.max_age);
        for backup in &facts.backups {
            let what = &backup.what;
            let mut found = |rule: &str, message: String, seen: String| {
                let mut finding = Finding::new(id, rule, what.clone(), message).expected(at_most.clone(), seen);
                finding.because.clone_from(&backup.remark);
                findings.push(finding.at(limits.place.clone()));
            };
            let Some(newest) = backup.newest else {
                found("none", format!("of {what} there is no good backup"), "none".to_owned());
                continue;
            };
            let age = facts.now.duration_since(newest);
            let limit = Quantity::Text(limits.max_age.to_string());
            evidence
                .push(Evidence::new(format!("age of the newest of {what}"), Quantity::Text(words(age))).limited(limit));
            if age > most {
                let message = format!("the newest good backup of {what} is {} old, of {newest:.0}", words(age));
                found("age", message, format!("{} old", words(age)));
            } else if age < -CLOCKS {
                let ahead = words(age.abs());
                unknown.get_or_insert(format!("the newest backup of {what} is of a time that is {ahead} ahead"));
            }
        }
        let judged = match unknown {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
            _ => Judged::by_findings(id.clone(), findings),
        };
        Judged { evidence, ..judged }
    }
}

/// A time for a person: two units say enough.
fn words(age: SignedDuration) -> String {
    let minutes = age.as_mins();
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {minutes} min"),
        (1, hours) => format!("1 day {hours} h"),
        (days, hours) => format!("{days} days {hours} h"),
    }
}

#[cfg(test)]
mod tests;
