//! How errors become [`Problem`]s, and those become answers.

use crate::api::Problem;
use crate::daemon::Refusal;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};

/// Says what is wrong.
pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Problem {
    let title = match status {
        StatusCode::BAD_REQUEST => "the request makes no sense",
        StatusCode::UNAUTHORIZED => "who asks is not known",
        StatusCode::FORBIDDEN => "refused",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::METHOD_NOT_ALLOWED => "wrong method",
        StatusCode::CONFLICT => "not as things are",
        StatusCode::UNPROCESSABLE_ENTITY => "another request",
        StatusCode::REQUEST_TIMEOUT => "too slow",
        StatusCode::PAYLOAD_TOO_LARGE => "too long",
        StatusCode::URI_TOO_LONG => "too long",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "wrong content type",
        StatusCode::TOO_MANY_REQUESTS => "too many wrong tokens",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "too long",
        StatusCode::SERVICE_UNAVAILABLE => "the daemon cannot do this now",
        StatusCode::GATEWAY_TIMEOUT => "not in time",
        _ => "the daemon failed",
    };
    Problem { status: status.as_u16(), title: title.into(), detail: detail.into(), hint: None }
}

/// Says what is wrong, and what to do about it.
pub(super) fn hinted(status: StatusCode, detail: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem { hint: Some(hint.into()), ..problem(status, detail) }
}

/// Says what to do about what is in use still.
pub(super) fn while_used(refusal: Refusal, hint: &str) -> Problem {
    let hint = matches!(refusal, Refusal::InUse(_)).then(|| hint.to_owned());
    Problem { hint, ..refusal.into() }
}

/// What a panic of ours is answered with.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    let detail = "the daemon made a mistake while it answered; its log says more".to_owned();
    problem(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Conflict(_) | Refusal::InUse(_) => StatusCode::CONFLICT,
            Refusal::Different(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        problem(status, refusal.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self).into_response().into_body())
            .into_response()
    }
}
