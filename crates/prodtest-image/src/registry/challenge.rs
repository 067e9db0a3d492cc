//! How a registry asks for a login: `WWW-Authenticate`, RFC 9110 section 11.6.1 and the distribution project's token
//! specification.

use url::Url;

use super::Problem;

/// What a registry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password with each request.
    Basic,
    /// A token, to be fetched elsewhere.
    Bearer {
        /// Where.
        realm: Url,
        /// Whom it is for.
        service: Option<String>,
        /// What it is for.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge in these headers; a token goes before a password.
    pub(super) fn of(headers: &[(String, String)]) -> Result<Self, Problem> {
        let values = headers.iter().filter(|(name, _)| name == "www-authenticate").map(|(_, value)| value.as_str());
        let offers: Vec<Offer> = values.flat_map(parse).collect();
        let offer = |scheme: &str| offers.iter().find(|offer| offer.scheme.eq_ignore_ascii_case(scheme));
        if let Some(bearer) = offer("bearer") {
            let realm = bearer.parameter("realm").and_then(|realm| Url::parse(&realm).ok());
            let realm =
                realm.ok_or_else(|| Problem::Garbage("it wants a token, and does not say from where".into()))?;
            return Ok(Self::Bearer { realm, service: bearer.parameter("service"), scope: bearer.parameter("scope") });
        }
        match offer("basic") {
            Some(_) => Ok(Self::Basic),
            None if offers.is_empty() => {
                Err(Problem::Garbage("it answered 401 and does not say which login it wants".into()))
            }
            None => {
                let schemes: Vec<String> = offers.iter().map(|offer| format!("{:?}", offer.scheme)).collect();
                Err(Problem::Garbage(format!(
                    "it wants a login by {}; this client knows tokens and passwords",
                    schemes.join(", ")
                )))
            }
        }
    }
}

#[derive(Debug, Default)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }
}

/// The offers in one header: `Bearer realm="…",scope="a,b", Basic realm="…"`. Both lists are separated by commas; a word
/// without a `=` begins the next offer.
fn parse(header: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for part in parts(header) {
        let (before, value) = part.split_once('=').unwrap_or((part.as_str(), ""));
        let mut words = before.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default().to_owned(), words.next());
        let name = match second {
            Some(name) => {
                offers.push(Offer { scheme: first, ..Offer::default() });
                name.to_owned()
            }
            None if part.contains('=') => first,
            None => {
                if !first.is_empty() {
                    offers.push(Offer { scheme: first, ..Offer::default() });
                }
                continue;
            }
        };
        if let Some(offer) = offers.last_mut() {
            offer.parameters.push((name, unquoted(value.trim())));
        }
    }
    offers
}

/// What stands between commas outside quotes.
fn parts(header: &str) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in header.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let (mut plain, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[&str]) -> Result<Challenge, Problem> {
        let header = |value: &&str| ("www-authenticate".to_owned(), (*value).to_owned());
        Challenge::of(&headers.iter().map(header).collect::<Vec<_>>())
    }

    #[test]
    fn a_token_goes_before_a_password() {
        let wanted = Challenge::Bearer {
            realm: Url::parse("https://auth.example/token?a=b").unwrap(),
            service: Some("registry, \"the\" one".to_owned()),
            scope: Some("repository:a/b:pull,push".to_owned()),
        };
        let bearer = r#"bearer realm="https://auth.example/token?a=b",service="registry, \"the\" one", scope="repository:a/b:pull,push""#;
        assert_eq!(of(&[bearer]), Ok(wanted.clone()));
        assert_eq!(of(&[&format!("Basic realm=\"x\", {bearer}")]), Ok(wanted.clone()));
        assert_eq!(of(&["Basic realm=x", bearer]), Ok(wanted));
    }

    #[test]
    fn a_password_is_enough() {
        assert_eq!(of(&["Basic realm=\"lab\""]), Ok(Challenge::Basic));
        assert_eq!(of(&["Negotiate, basic"]), Ok(Challenge::Basic));
    }

    #[test]
    fn what_cannot_be_answered_is_garbage() {
        for headers in [&[][..], &["Negotiate"], &["Bearer"], &["Bearer realm=nowhere"], &[",,= ,"]] {
            assert!(matches!(of(headers), Err(Problem::Garbage(_))), "{headers:?}");
        }
    }
}
