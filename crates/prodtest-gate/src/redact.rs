//! Keeps the values of secrets out of everything that is kept or shown.

use serde_json::Value;

/// A secret shorter than this cannot be kept out of reports: replacing it would wreck ordinary words.
pub const MIN_SECRET_LEN: usize = 4;

const MASK: &str = "[redacted]";

/// Replaces every known secret, as it is and in the forms it takes on the way: Base64, percent-encoded and JSON-escaped.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every form of every secret, longest first, so that a secret that begins another one does not leave the other
    /// one's tail behind.
    forms: Vec<String>,
}

impl Redactor {
    /// A redactor for these values. Values shorter than [`MIN_SECRET_LEN`] are passed over: the configuration
    /// refuses them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= MIN_SECRET_LEN) {
            forms.push(secret.to_owned());
            forms.push(percent_encoded(secret));
            forms.push(json_escaped(secret));
            forms.extend(base64_forms(secret.as_bytes()));
        }
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// The text without secrets.
    ///
    /// A handful of forms against texts of a megabyte at most: looking at every place costs less room in the binary
    /// than an automaton does.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let begins: Vec<u8> = self.forms.iter().filter_map(|form| form.bytes().next()).collect();
        let mut kept = 0;
        let mut at = 0;
        while at < text.len() {
            let rest = &text.as_bytes()[at..];
            let found = begins
                .contains(&rest[0])
                .then(|| self.forms.iter().find(|form| rest.starts_with(form.as_bytes())))
                .flatten();
            match found {
                // A form is whole characters, so where it begins and ends the text may be cut.
                Some(form) => {
                    redacted.push_str(&text[kept..at]);
                    redacted.push_str(MASK);
                    at += form.len();
                    kept = at;
                }
                None => at += 1,
            }
        }
        redacted.push_str(&text[kept..]);
        redacted
    }

    /// The same, for every text inside a JSON value. Keys are kept: they come from the shape, not from the data,
    /// except in captured JSON, where a secret used as a key is replaced too.
    #[must_use]
    pub fn json(&self, value: Value) -> Value {
        if self.forms.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.json(item)).collect()),
            Value::Object(map) => {
                Value::Object(map.into_iter().map(|(key, item)| (self.text(&key), self.json(item))).collect())
            }
            other => other,
        }
    }
}

/// How many forms are known, and none of them.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("forms", &self.forms.len()).finish()
    }
}

fn json_escaped(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The Base64 of a secret at each of the three alignments it can have inside a longer encoded text (`user:secret`),
/// less the characters that its neighbours share.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..3_usize)
        .filter_map(|shift| {
            let bits: Vec<u8> = std::iter::repeat_n(0, shift).chain(secret.iter().copied()).collect();
            let digits: Vec<u8> = bits
                .chunks(3)
                .flat_map(|chunk| {
                    let word = (u32::from(chunk[0]) << 16)
                        | (u32::from(chunk.get(1).copied().unwrap_or(0)) << 8)
                        | u32::from(chunk.get(2).copied().unwrap_or(0));
                    [18, 12, 6, 0].map(|at| ALPHABET[(word >> at) as usize & 63])
                })
                .collect();
            // A digit is the secret's own when all of its six bits are.
            let first = (shift * 8).div_ceil(6);
            let end = (shift + secret.len()) * 8 / 6;
            let own = digits.get(first..end)?;
            (own.len() >= MIN_SECRET_LEN).then(|| String::from_utf8_lossy(own).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr/t+\"value\"";

    #[test]
    fn a_secret_is_replaced_in_every_form() {
        let redactor = Redactor::new([SECRET]);
        for text in [
            format!("key={SECRET}!"),
            format!("?key={}", percent_encoded(SECRET)),
            serde_json::json!({ "key": SECRET }).to_string(),
        ] {
            let redacted = redactor.text(&text);
            assert!(redacted.contains(MASK), "{text} -> {redacted}");
            assert!(!redacted.contains("s3cr"), "{text} -> {redacted}");
        }
    }

    #[test]
    fn base64_is_found_at_every_alignment() {
        // `printf 'user:opensesame' | base64`, and with one and two characters less before the secret
        let redactor = Redactor::new(["opensesame"]);
        for encoded in ["dXNlcjpvcGVuc2VzYW1l", "c2VyOm9wZW5zZXNhbWU=", "ZXI6b3BlbnNlc2FtZQ=="] {
            assert!(redactor.text(encoded).contains(MASK), "{encoded}");
        }
    }

    #[test]
    fn the_longer_of_two_secrets_wins() {
        let redactor = Redactor::new(["abcdef", "abcdefghij"]);
        assert_eq!(redactor.text("abcdefghij abcdef"), format!("{MASK} {MASK}"));
    }

    #[test]
    fn json_keeps_its_shape() {
        let redactor = Redactor::new(["hunter22"]);
        let value = serde_json::json!({ "a": ["hunter22", 1, null], "hunter22": true });
        assert_eq!(redactor.json(value), serde_json::json!({ "a": [MASK, 1, null], MASK: true }));
    }

    proptest::proptest! {
        #[test]
        fn no_text_keeps_a_secret(before in ".{0,20}", secret in "[a-zA-Z0-9+/\"%]{4,24}", after in ".{0,20}") {
            let redacted = Redactor::new([secret.as_str()]).text(&format!("{before}{secret}{after}"));
            // What is left may only hold the secret where the mask's own neighbours spell it again.
            let spelt_again = before.contains(&secret) || after.contains(&secret);
            proptest::prop_assert!(spelt_again || !redacted.replace(MASK, "\n").contains(&secret));
            proptest::prop_assert!(redacted.contains(MASK));
        }
    }
}
