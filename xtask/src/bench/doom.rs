//! What is deployed: a good release, and those that cannot succeed.

use serde_json::{Value, json};

/// One way to go wrong. Each is a change of one value of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doom {
    /// A tag that the registry does not have.
    BadTag,
    /// A program that ends at once, each time.
    CrashLoop,
    /// A Secret that is not there.
    MissingSecret,
    /// More processors than any node has.
    Unschedulable,
    /// A Job before the upgrade that fails.
    FailedHook,
}

impl Doom {
    pub(super) const ALL: [Self; 5] =
        [Self::BadTag, Self::CrashLoop, Self::MissingSecret, Self::Unschedulable, Self::FailedHook];

    /// As the tables call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BadTag => "a tag that does not exist",
            Self::CrashLoop => "a crash loop",
            Self::MissingSecret => "a missing Secret",
            Self::Unschedulable => "an unschedulable pod",
            Self::FailedHook => "a failed hook",
        }
    }

    /// The values of it. `image` is the good one.
    pub(super) fn values(self, image: &str, stamp: &str) -> Value {
        let mut values = good(image, stamp);
        let (key, value) = match self {
            Self::BadTag => {
                let name = image.split_once('@').map_or(image, |(name, _)| name);
                ("image", json!(format!("{name}:no-such-tag")))
            }
            Self::CrashLoop => ("args", json!(["--no-such-option"])),
            Self::MissingSecret => ("secret", json!("no-such-secret")),
            Self::Unschedulable => ("cpu", json!("1000")),
            Self::FailedHook => ("hook", json!("no-such-option")),
        };
        values[key] = value;
        values
    }
}

/// The values of a good release; another stamp makes a new revision of it.
pub(super) fn good(image: &str, stamp: &str) -> Value {
    json!({ "image": image, "stamp": stamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doom_is_one_value_that_differs() {
        let image = "registry.example/a/b@sha256:00";
        let fair = good(image, "1");
        for doom in Doom::ALL {
            let values = doom.values(image, "1");
            let differs = |(key, value): &(&String, &Value)| fair.get(key.as_str()) != Some(*value);
            assert_eq!(values.as_object().into_iter().flatten().filter(differs).count(), 1, "{}", doom.name());
        }
        assert_eq!(Doom::BadTag.values(image, "1")["image"], "registry.example/a/b:no-such-tag");
    }
}
