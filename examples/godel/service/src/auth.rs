//! Who asks: keys, tenants, and what a handler may demand of its caller.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::ApiError;

/// The header that carries a key.
pub(crate) const KEY_HEADER: &str = "x-api-key";

/// Whose agents these are.
pub(crate) type Tenant = &'static str;

/// One who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) tenant: Tenant,
    pub(crate) admin: bool,
}

impl Caller {
    pub(crate) const DEFAULT: Self = Self::ordinary("default");
    pub(crate) const OTHER: Self = Self::ordinary("other");
    pub(crate) const ADMIN: Self = Self { tenant: "admin", admin: true };

    pub(crate) const fn ordinary(tenant: Tenant) -> Self {
        Self { tenant, admin: false }
    }

    /// The tenant that a database knows by this name.
    #[cfg(feature = "faults")]
    pub(crate) fn tenant_by_name(name: &str) -> Option<Tenant> {
        let known = [Self::DEFAULT, Self::OTHER, Self::ADMIN].map(|caller| caller.tenant);
        known.into_iter().find(|tenant| *tenant == name)
    }
}

/// What a request's key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Missing,
    Wrong,
    Known(Caller),
}

impl Identity {
    pub(crate) fn caller(self) -> Option<Caller> {
        match self {
            Self::Known(caller) => Some(caller),
            Self::Missing | Self::Wrong => None,
        }
    }
}

/// The keys that open the service, kept as digests: they all have one length, and no dump shows a key.
pub struct Keys(Vec<([u8; 32], Caller)>);

impl Keys {
    pub(crate) fn new<'key>(keys: impl IntoIterator<Item = (&'key str, Caller)>) -> Self {
        let digest = |(key, caller): (&str, Caller)| (Sha256::digest(key).into(), caller);
        Self(keys.into_iter().map(digest).collect())
    }

    /// Compares with every key, in a time that tells nothing of which came how near.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Identity {
        let Some(key) = headers.get(KEY_HEADER).filter(|key| !key.is_empty()) else {
            return Identity::Missing;
        };
        let digest: [u8; 32] = Sha256::digest(key).into();
        let mut found = Identity::Wrong;
        for (known, caller) in &self.0 {
            if bool::from(known.ct_eq(&digest)) {
                found = Identity::Known(*caller);
            }
        }
        found
    }
}

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The access log has identified the caller; without it nobody is known.
        Ok(parts.extensions.get().copied().unwrap_or(Self::Missing))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Ok(identity) = Identity::from_request_parts(parts, state).await;
        match identity {
            Identity::Known(caller) => Ok(caller),
            Identity::Missing => Err(ApiError::unauthorized("the header `X-API-Key` is missing")),
            Identity::Wrong => Err(ApiError::unauthorized("the key in `X-API-Key` is not valid")),
        }
    }
}

/// Proof that the caller is an administrator.
pub(crate) struct Admin;

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.admin { Ok(Self) } else { Err(ApiError::forbidden("this needs an administrator's key")) }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn identify(key: Option<&'static str>) -> Identity {
        let keys = Keys::new([("a-key", Caller::DEFAULT), ("b-key", Caller::ADMIN)]);
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert(KEY_HEADER, HeaderValue::from_static(key));
        }
        keys.identify(&headers)
    }

    #[test]
    fn only_a_whole_key_is_known() {
        assert_eq!(identify(Some("a-key")), Identity::Known(Caller::DEFAULT));
        assert_eq!(identify(Some("b-key")), Identity::Known(Caller::ADMIN));
        for near in ["a-ke", "a-keyy", "A-key", "a-key,b-key"] {
            assert_eq!(identify(Some(near)), Identity::Wrong, "{near}");
        }
    }

    #[test]
    fn an_empty_key_is_a_missing_one() {
        assert_eq!(identify(None), Identity::Missing);
        assert_eq!(identify(Some("")), Identity::Missing);
    }
}
