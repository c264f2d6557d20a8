//! `/openapi.json` and Swagger UI. The description is built here from one table, committed as `schemas/openapi.json` and
//! compared by a test.

use actix_web::web;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, Required,
    ResponseBuilder,
};
use utoipa_swagger_ui::SwaggerUi;

/// One operation: method, path, tag, what it does, whether it has a body, whether it needs a token.
type Row = (HttpMethod, &'static str, &'static str, &'static str, bool, bool);

const fn row(method: HttpMethod, path: &'static str, tag: &'static str, does: &'static str) -> Row {
    let body = matches!(method, HttpMethod::Post | HttpMethod::Put);
    (method, path, tag, does, body, true)
}

const fn open(method: HttpMethod, path: &'static str, tag: &'static str, does: &'static str) -> Row {
    let body = matches!(method, HttpMethod::Post);
    (method, path, tag, does, body, false)
}

/// Every operation that the process serves.
const OPERATIONS: &[Row] = &[
    open(HttpMethod::Get, "/fhir/metadata", "self", "CapabilityStatement, with every search parameter"),
    open(HttpMethod::Get, "/.well-known/smart-configuration", "self", "SMART configuration"),
    open(HttpMethod::Get, "/health/live", "self", "the process runs"),
    open(HttpMethod::Get, "/health/ready", "self", "the process can serve"),
    open(HttpMethod::Get, "/metrics", "self", "Prometheus metrics"),
    open(HttpMethod::Post, "/auth/token", "sign-in", "token for a client (SMART Backend Services, private_key_jwt)"),
    open(HttpMethod::Post, "/auth/person/challenge", "sign-in", "challenge for a person's card"),
    open(HttpMethod::Post, "/auth/person/token", "sign-in", "token for the person whose card signed the challenge"),
    open(HttpMethod::Get, "/auth/jwks", "sign-in", "keys that access tokens are signed with"),
    row(HttpMethod::Post, "/fhir", "records", "transaction or batch"),
    row(HttpMethod::Get, "/fhir", "reading", "search over all types of one person"),
    row(HttpMethod::Post, "/fhir/_search", "reading", "the same, parameters in the body"),
    row(
        HttpMethod::Post,
        "/fhir/{type}",
        "records",
        "create; If-None-Exist makes it conditional; documents and collections to Bundle",
    ),
    row(HttpMethod::Put, "/fhir/{type}", "records", "conditional update of the writer's own resource"),
    row(HttpMethod::Get, "/fhir/{type}", "reading", "search of a type within one person; commons by themselves"),
    row(HttpMethod::Post, "/fhir/{type}/_search", "reading", "the same, parameters in the body"),
    row(HttpMethod::Get, "/fhir/{type}/_history", "reading", "versions of a type within one person"),
    row(HttpMethod::Get, "/fhir/{type}/{id}", "reading", "read"),
    row(HttpMethod::Put, "/fhir/{type}/{id}", "records", "update; If-Match guards against lost updates"),
    row(HttpMethod::Delete, "/fhir/{type}/{id}", "records", "delete"),
    row(HttpMethod::Get, "/fhir/{type}/{id}/_history", "reading", "versions of an instance"),
    row(HttpMethod::Get, "/fhir/{type}/{id}/_history/{version}", "reading", "one version"),
    row(
        HttpMethod::Get,
        "/fhir/Patient/{id}/$everything",
        "reading",
        "everything of one person that the reader may see",
    ),
    row(HttpMethod::Get, "/fhir/Patient/{id}/{type}", "reading", "search of a type in the person's compartment"),
    row(
        HttpMethod::Post,
        "/fhir/MedicationRequest/$check",
        "reading",
        "duplicates and contraindications, masked (R25)",
    ),
    row(HttpMethod::Get, "/submissions/{id}", "records", "verdict of a submission, for its client"),
    row(HttpMethod::Post, "/visits", "records", "open a visit at this facility's desk"),
    row(HttpMethod::Post, "/visits/{id}/close", "records", "close a visit"),
    row(HttpMethod::Post, "/checks/cancel", "records", "say that no order followed a safety check (R25)"),
    row(HttpMethod::Get, "/me/accesses", "who looked", "the person's list in plain sentences, Japanese or English"),
    row(HttpMethod::Get, "/fhir/AuditEvent", "who looked", "the person's list as FHIR AuditEvent"),
    row(HttpMethod::Post, "/fhir/AuditEvent/_search", "who looked", "the same, parameters in the body"),
    row(HttpMethod::Get, "/fhir/AuditEvent/{id}", "who looked", "one entry"),
    row(HttpMethod::Get, "/audit/accesses", "who looked", "a regulator's reading inside a case (R43)"),
];

/// The description of all operations.
pub fn document() -> OpenApi {
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let mut paths = PathsBuilder::new();
    for operation in OPERATIONS {
        paths = paths.path(operation.1, PathItem::new(operation.0.clone(), describe(operation)));
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Kiroku").version(env!("CARGO_PKG_VERSION")).description(Some(
            "No byte about a person leaves before a durable entry says who looked and why it was allowed.",
        )))
        .paths(paths)
        .components(Some(ComponentsBuilder::new().security_scheme("bearer", bearer).build()))
        .build()
}

fn describe((_, path, tag, does, has_body, needs_token): &Row) -> utoipa::openapi::path::Operation {
    let about_fhir = path.starts_with("/fhir");
    let media = if about_fhir { "application/fhir+json" } else { "application/json" };
    let answer = |text: &str| ResponseBuilder::new().description(text).content(media, ContentBuilder::new().build());
    let mut operation = OperationBuilder::new()
        .tag(*tag)
        .summary(Some(*does))
        .response("2XX", answer("done; an answer about a person carries `Kiroku-Receipt`"))
        .response("4XX", answer("refused: OperationOutcome with what, where and what to do"));
    for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        operation = operation.parameter(parameter);
    }
    if *has_body {
        operation = operation
            .request_body(Some(RequestBodyBuilder::new().content(media, ContentBuilder::new().build()).build()));
    }
    if *needs_token {
        operation = operation.security(SecurityRequirement::new::<_, [&str; 0], _>("bearer", []));
    }
    operation.build()
}

/// Mounts both.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(SwaggerUi::new("/swagger-ui/{_:.*}").url("/openapi.json", document()));
}

#[cfg(test)]
mod tests {
    use super::document;

    #[test]
    fn the_committed_description_is_the_one_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/openapi.json");
        let served = document().to_pretty_json().expect("the description serialises") + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &served).expect("the committed description can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == served, "schemas/openapi.json differs; accept with UPDATE_GOLDEN=1");
    }
}
