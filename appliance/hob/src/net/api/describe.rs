//! The OpenAPI document: made from the operations themselves, so that it cannot say anything else than they do.

use std::sync::LazyLock;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::net::api::problem::{ProblemRow, table};
use crate::net::api::{Api, auth, events, owner, sender};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hob /v1",
        version = "1",
        description = "JSON for those who cannot hold a socket. docs/api.md has an example of each operation, docs/protocol.md the rules behind them.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    modifiers(&Session),
    tags(
        (name = "box", description = "What the box is"),
        (name = "auth", description = "Becoming a member's device, proving it, sessions"),
        (name = "mailbox", description = "A device's own mailbox: with a session"),
        (name = "sending", description = "Anonymous: with a delivery token and without a session, on connections of their own"),
    ),
)]
struct About;

struct Session;

impl Modify for Session {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The access token of /v1/auth/login or /v1/auth/refresh"))
            .build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("session", SecurityScheme::Http(scheme));
    }
}

/// All operations with their descriptions.
pub fn operations() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(About::openapi())
        .routes(routes!(openapi))
        .routes(routes!(problems))
        .routes(routes!(auth::box_info))
        .routes(routes!(auth::register))
        .routes(routes!(auth::challenge))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::me))
        .routes(routes!(owner::publish_bundle))
        .routes(routes!(sender::fetch_bundle))
        .routes(routes!(owner::grant_token, owner::put_tokens))
        .routes(routes!(owner::revoke_token))
        .routes(routes!(sender::submit, owner::page))
        .routes(routes!(owner::acknowledge))
        .routes(routes!(owner::acknowledge_one))
        .routes(routes!(events::events))
}

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "box",
    responses((status = OK, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value)))]
async fn openapi() -> Response {
    // It never changes, and making it takes longer than anything else that a stranger may ask for.
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let (_, document) = operations().split_for_parts();
        serde_json::to_vec(&document).unwrap_or_default().into()
    });
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

/// All problems with their codes
#[utoipa::path(get, path = "/v1/problems", tag = "box", responses((status = OK, description = "It went well", body = Vec<ProblemRow>)))]
async fn problems() -> Json<Vec<ProblemRow>> {
    Json(table())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hob_protocol::code::Code;
    use serde_json::Value;

    use super::*;

    const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

    fn document() -> Value {
        serde_json::to_value(operations().split_for_parts().1).unwrap()
    }

    /// Method, path and description of every operation.
    fn described(document: &Value) -> Vec<(String, String, Value)> {
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(METHODS.contains(&method.as_str()), "{method} of {path}");
                all.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        all
    }

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").map(|to| to.as_str().unwrap().to_owned()));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_document_has_the_shape_of_openapi_3_1() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
        let mut names = BTreeSet::new();
        for (method, path, operation) in described(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(names.insert(id.to_owned()), "{id} names two operations");
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let told: Vec<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(in_path, told, "{method} {path}");
            for parameter in &parameters {
                let place = parameter["in"].as_str().unwrap();
                assert!(["path", "query", "header"].contains(&place) && parameter["schema"].is_object(), "{parameter}");
            }
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.values().all(|response| response["description"].is_string()), "{method} {path}");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path} can go well");
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_to_something() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} is not there");
        }
    }

    #[test]
    fn every_problem_code_stands_in_the_document_and_every_operation_may_answer_one() {
        let document = document();
        let names = document.pointer("/components/schemas/ProblemName/enum").unwrap();
        let names: BTreeSet<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(names, Code::ALL.iter().map(|code| code.name()).collect());
        for (method, path, operation) in described(&document) {
            if ["/v1/openapi.json", "/v1/problems"].contains(&path.as_str()) {
                continue;
            }
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
        }
    }

    #[test]
    fn only_what_belongs_to_a_mailbox_asks_for_a_session() {
        for (method, path, operation) in described(&document()) {
            let wants = operation["security"].is_array();
            match operation["tags"][0].as_str().unwrap() {
                "box" | "sending" => assert!(!wants, "{method} {path}"),
                "mailbox" => assert!(wants, "{method} {path}"),
                _ => {}
            }
        }
    }
}
