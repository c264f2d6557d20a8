//! Single resources: create, update, delete; conditional ones see only the writer's own items.

use actix_web::{Either, HttpRequest, web};
use bytes::Bytes;
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Plain, Refusal, RequestInfo, parse_type, require_json};
use chassis::release::Answer;
use fhir::check::{Checked, check_resource};
use schemas::{Problem, ProblemCode, ResourceId, ResourceType};

use super::{if_match, request_id};
use crate::Edge;
use crate::draft::{Draft, Wish};

/// About a person with a receipt, or about commons without.
pub(crate) type Written = Either<Answer, Plain>;

/// `POST /fhir/{type}`
pub(crate) async fn create(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    body: Bytes,
) -> Result<Written, Refusal> {
    let resource_type = parse_type(&path)?;
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_scope(&path, Interaction::Create)?;
    refuse_condition(&request)?;
    let checked = check(&edge, &request, resource_type, &body)?;
    let bundle_type = checked.node.text("type");
    let document = resource_type == ResourceType::Bundle && matches!(bundle_type, Some("document" | "collection"));
    if resource_type == ResourceType::Bundle && !document {
        let text = "a Bundle is kept as a document or a collection; send transaction and batch to the base URL";
        return Err(Refusal::unprocessable(vec![Problem::new(ProblemCode::NotSupported, "Bundle.type", text)]));
    }
    let draft = match request.headers().get("if-none-exist").map(|v| v.to_str().unwrap_or_default()) {
        _ if document => Draft::document(checked),
        Some(query) => Draft::single(checked, Wish::CreateIfNone(query.trim_start_matches('?').to_owned())),
        None => Draft::single(checked, Wish::Create),
    };
    let id = request_id(&edge, &request, &session.caller.client, &body).await?;
    edge.write(&session, form, id, draft, &body).await
}

/// `PUT /fhir/{type}/{id}`
pub(crate) async fn update(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<(String, String)>,
    body: Bytes,
) -> Result<Written, Refusal> {
    let resource_type = parse_type(&path.0)?;
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_scope(&path.0, Interaction::Update)?;
    let checked = check(&edge, &request, resource_type, &body)?;
    if checked.node.text("id").is_some_and(|id| id != path.1) {
        return Err(Refusal::bad_request(vec![Problem::new(
            ProblemCode::Invariant,
            "id",
            "must be the id of the path",
        )]));
    }
    let id = known_id(&path.1)?;
    let draft = Draft::single(checked, Wish::Update { id, if_match: if_match(&request)? });
    let submission = request_id(&edge, &request, &session.caller.client, &body).await?;
    edge.write(&session, form, submission, draft, &body).await
}

/// `PUT /fhir/{type}?...`
pub(crate) async fn update_match(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    body: Bytes,
) -> Result<Written, Refusal> {
    let resource_type = parse_type(&path)?;
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_scope(&path, Interaction::Update)?;
    if request.query_string().is_empty() {
        let text = "an update without an id needs a condition: PUT /fhir/Type?parameter=value";
        return Err(Refusal::bad_request(vec![Problem::new(ProblemCode::Required, "", text)]));
    }
    let checked = check(&edge, &request, resource_type, &body)?;
    let draft = Draft::single(checked, Wish::UpdateMatch(request.query_string().to_owned()));
    let id = request_id(&edge, &request, &session.caller.client, &body).await?;
    edge.write(&session, form, id, draft, &body).await
}

/// `PATCH /fhir/{type}/{id}`
pub(crate) async fn patch() -> Result<Plain, Refusal> {
    Err(Refusal::method_not_allowed("GET, PUT, DELETE"))
}

/// `DELETE /fhir/{type}/{id}`
pub(crate) async fn delete(
    edge: web::Data<Edge>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<(String, String)>,
) -> Result<Written, Refusal> {
    let resource_type = parse_type(&path.0)?;
    let session = edge.deps.gate.admit(&request, info)?;
    session.require_scope(&path.0, Interaction::Delete)?;
    if resource_type.is_commons() {
        let text = "commons are never deleted; set them inactive";
        return Err(Refusal::new(405, vec![Problem::new(ProblemCode::NotSupported, "", text)]));
    }
    let draft = Draft::delete(resource_type, known_id(&path.1)?, if_match(&request)?);
    let id = request_id(&edge, &request, &session.caller.client, b"").await?;
    edge.write(&session, form, id, draft, b"").await
}

/// A condition in the query of a create would be lost in silence, and the record made twice.
fn refuse_condition(request: &HttpRequest) -> Result<(), Refusal> {
    let form = |part: &str| part.is_empty() || part.starts_with("_format=") || part.starts_with("_pretty=");
    if request.query_string().split('&').all(form) {
        return Ok(());
    }
    let text = "a create takes no parameters; its condition stands in the header If-None-Exist";
    Err(Refusal::bad_request(vec![Problem::new(ProblemCode::NotSupported, "", text)]))
}

fn known_id(text: &str) -> Result<ResourceId, Refusal> {
    text.parse().map_err(|_| {
        let text = "no resource of your organisation has this id; create it first (ids are given by the server)";
        Refusal::new(404, vec![Problem::new(ProblemCode::NotFound, "", text)])
    })
}

fn check(edge: &Edge, request: &HttpRequest, resource_type: ResourceType, body: &[u8]) -> Result<Checked, Refusal> {
    require_json(request.headers())?;
    let checked = check_resource(body, &edge.deps.rules).map_err(refused)?;
    if checked.resource_type != resource_type {
        let text = "must be the type of the path";
        return Err(Refusal::bad_request(vec![Problem::new(ProblemCode::Invariant, "resourceType", text)]));
    }
    Ok(checked)
}

/// Syntax is 400; all else that is wrong with a resource is 422.
pub(crate) fn refused(problems: Vec<Problem>) -> Refusal {
    match problems.iter().all(|p| p.code == ProblemCode::Structure) {
        true => Refusal::bad_request(problems),
        false => Refusal::unprocessable(problems),
    }
}
