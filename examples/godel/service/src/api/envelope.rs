//! The envelope: `{"success":true,"data":…}`, or `{"success":false,"error":{…}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::store::StoreError;

/// An answer that holds what was asked for.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(json!({ "success": true, "data": self.0 })).into_response()
    }
}

/// An answer that says why there is no other.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// What there is to tell all the same.
    data: Option<Value>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), data: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn method_not_allowed(message: String) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(crate) fn timeout(message: String) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    }

    pub(crate) fn too_large(message: String) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(crate) fn too_many_requests(message: String) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message)
    }

    pub(crate) fn internal(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, message)
    }

    pub(crate) fn unavailable(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// Tells this too, as `data`.
    pub(crate) fn with_data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// Writes the body of an error answer; only the outermost layer knows the correlation id that belongs in it.
    pub(crate) fn complete(mut response: Response, correlation: &str) -> Response {
        let Some(error) = response.extensions_mut().remove::<Self>() else {
            return response;
        };
        let mut body = json!({
            "success": false,
            "error": { "code": error.code, "message": error.message, "correlationId": correlation },
        });
        if let Some(data) = error.data {
            body["data"] = data;
        }
        // Keeps what others added, as `Allow`, except for what described the empty body.
        let (mut kept, _) = response.into_parts();
        kept.headers.remove(header::CONTENT_LENGTH);
        let (described, body) = Json(body).into_response().into_parts();
        kept.headers.extend(described.headers);
        Response::from_parts(kept, body)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away(_) => Self::unavailable("store_unavailable", &error.to_string()),
            StoreError::Broken(_) => Self::internal("store_error", &error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 wants a 401 to say what it would have liked.
            let scheme = HeaderValue::from_static("ApiKey header=\"X-API-Key\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}
