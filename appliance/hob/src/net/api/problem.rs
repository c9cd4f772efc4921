//! Refusals as problem documents (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hob_protocol::code::{Code, Refused, whole_seconds_up};
use serde::Serialize;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};
use utoipa::{PartialSchema, ToSchema};

use crate::net::answer::status;
use crate::net::api::bodies::BadBody;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The path under which the table of problems is; a problem's type is a fragment of it.
pub const TABLE_PATH: &str = "/v1/problems";

/// Why a request was refused.
#[derive(Debug, Clone)]
pub struct Problem {
    refused: Refused,
    /// Other than the code's own, where HTTP has a better one.
    status: StatusCode,
    detail: Option<String>,
    close: bool,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Which problem, as a reference relative to the box.
    #[serde(rename = "type")]
    #[schema(example = "/v1/problems#MailboxFull")]
    kind: String,
    /// What it is, for a person; always the same for a type.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What it is this time, for a person, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The number in section 10 of the protocol: programs decide by it.
    code: u32,
    /// The name that goes with the number.
    name: ProblemName,
    /// Seconds after which trying again may help; not there: it will not.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
}

/// The name of a code.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ProblemName(&'static str);

impl PartialSchema for ProblemName {
    fn schema() -> RefOr<Schema> {
        let names = Code::ALL.iter().map(|code| code.name());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for ProblemName {}

impl Problem {
    /// A refusal of the rules.
    pub fn new(refused: Refused) -> Self {
        Self { status: status(refused.code), refused, detail: None, close: false }
    }

    /// A code that trying again does not cure, and what it is about.
    pub fn of(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(Refused::finally(code)) }
    }

    /// With another status than the code's own.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Nothing more is heard on this connection.
    #[must_use]
    pub const fn and_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The box is going down.
    pub const fn restarting() -> Refused {
        Refused::for_now(Code::Restarting, std::time::Duration::from_secs(5))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(refused)
    }
}

impl From<BadBody> for Problem {
    fn from(body: BadBody) -> Self {
        Self::of(body.code, body.why)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { refused, status, detail, close } = self;
        let code = refused.code;
        let retry_after_s = refused.retry_after.map(whole_seconds_up);
        let document = ProblemDocument {
            kind: format!("{TABLE_PATH}#{}", code.name()),
            title: code.text(),
            status: status.as_u16(),
            detail,
            code: code.number(),
            name: ProblemName(code.name()),
            retry_after_s,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(after) = retry_after_s {
            headers.insert(header::RETRY_AFTER, after.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// A row of the table of problems.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemRow {
    /// As in a problem document.
    #[serde(rename = "type")]
    kind: String,
    /// As in a problem document.
    title: &'static str,
    /// The status that mostly goes with it.
    status: u16,
    /// As in a problem document.
    code: u32,
    /// As in a problem document.
    name: ProblemName,
}

/// All problems.
pub fn table() -> Vec<ProblemRow> {
    let row = |code: &Code| ProblemRow {
        kind: format!("{TABLE_PATH}#{}", code.name()),
        title: code.text(),
        status: status(*code).as_u16(),
        code: code.number(),
        name: ProblemName(code.name()),
    };
    Code::ALL.iter().map(row).collect()
}
