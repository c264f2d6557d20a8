//! Instance reads: the newest version, and an older one.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo, parse_type};
use chassis::release::Answer;
use chassis::session::Session;
use fhir::search::{Handling, Query as Search};
use fhir::subset::Subset;
use schemas::header::Header;
use schemas::vocab::{AccessKind, Action};
use schemas::{ItemKey, LocalId, Pid};

use super::notice::Waits;
use super::{is_known_version, parse_id, unknown_parameter};
use crate::Query;
use crate::release::Looked;
use crate::view::View;

type Params = Vec<(String, String)>;

/// What a reading route answers with: about a person, or plain (commons).
pub(crate) type Read = actix_web::Either<Answer, chassis::http::Plain>;

/// `GET /fhir/{type}/{id}`
pub(crate) async fn read(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<(String, String)>,
    params: web::Query<Params>,
) -> Result<Read, Refusal> {
    let (type_name, id) = path.into_inner();
    read_version(&query, &request, info, (form, &params), (&type_name, &id, None)).await
}

/// `GET /fhir/{type}/{id}/_history/{version}`
pub(crate) async fn vread(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<(String, String, String)>,
    params: web::Query<Params>,
) -> Result<Read, Refusal> {
    let (type_name, id, version) = path.into_inner();
    // A version that is no number cannot exist.
    let version = version.parse().unwrap_or(0);
    read_version(&query, &request, info, (form, &params), (&type_name, &id, Some(version))).await
}

/// How the answer is written, and which members of the resource are in it.
pub(crate) struct Formed {
    form: Negotiation,
    subset: Subset,
}

impl Formed {
    /// The answer's bytes for a resource as FHIR JSON.
    pub(super) fn write(&self, resource: Vec<u8>) -> Vec<u8> {
        self.form.form(match self.subset {
            Subset::Whole => resource,
            _ => fhir::subset::apply(&resource, &self.subset).into_owned(),
        })
    }
}

/// What `_summary` and `_elements` ask for; a read has no other parameter that changes it.
fn subset_of(form: Negotiation, params: &Params) -> Result<Subset, Refusal> {
    let mut asked = Vec::new();
    for (index, (name, value)) in params.iter().enumerate() {
        match name.as_str() {
            "_summary" if value == "count" => return Err(unknown_parameter(index, "only a search can be counted")),
            "_summary" | "_elements" => asked.push((name.clone(), value.clone())),
            "_format" | "_pretty" => {}
            _ if form.prefer.lenient => {}
            _ => return Err(unknown_parameter(index, "reads take `_summary`, `_elements`, `_format` and `_pretty`")),
        }
    }
    if asked.is_empty() {
        return Ok(Subset::Whole);
    }
    let search = Search::parse(None, &asked, Handling::Strict).map_err(Refusal::bad_request)?;
    Ok(Subset::of(search.summary, &search.elements))
}

async fn read_version(
    query: &Query,
    request: &HttpRequest,
    info: RequestInfo,
    (form, params): (Negotiation, &Params),
    (type_name, id, version): (&str, &str, Option<u32>),
) -> Result<Read, Refusal> {
    let resource_type = parse_type(type_name)?;
    let session = query.gate.admit(request, info)?;
    session.require_scope(type_name, Interaction::Read)?;
    let form = Formed { form, subset: subset_of(form, params)? };
    let id = parse_id(id);
    if let Some(id) = id.filter(|id| id.pid == Pid::COMMONS) {
        return super::commons::read(query, request, &form, resource_type, (id, version))
            .await
            .map(actix_web::Either::Right);
    }
    let view = query.view(&session, id.map(|id| id.pid), Action::Read).await.map_err(|e| query.failed(&e))?;
    let item = ItemKey { resource_type, local: id.map_or(LocalId([0; 10]), |id| id.local) };
    if !view.decision.is_permit() {
        let asked = format!("{type_name}/{}", item.local);
        return Err(query.refuse(&session, &view, (asked, Waits::No), Refusal::not_found()).await);
    }
    let header = find_version(query, &view, &item, version).await?;
    answer(query, &session, &view, request, form, (item, header)).await.map(actix_web::Either::Left)
}

/// The admitted header of the version asked for.
async fn find_version(
    query: &Query,
    view: &View,
    item: &ItemKey,
    version: Option<u32>,
) -> Result<Option<Arc<Header>>, Refusal> {
    let newest = query.admitted(view, item).await.map_err(|e| query.failed(&e))?;
    let Some(version) = version else { return Ok(newest) };
    if newest.as_ref().is_none_or(|h| h.version == version) {
        // Where the newest version is withheld, older ones are not looked for: the item does not exist for this reader.
        return Ok(newest.filter(|h| h.version == version));
    }
    let old = query.shelves.old_versions(view.pid, item).await.map_err(|e| query.failed(&e))?;
    Ok(old.into_iter().find(|h| h.version == version && view.decision.filter.admits(h)).map(Arc::new))
}

async fn answer(
    query: &Query,
    session: &Session,
    view: &View,
    request: &HttpRequest,
    form: Formed,
    (item, header): (ItemKey, Option<Arc<Header>>),
) -> Result<Answer, Refusal> {
    // Absent and withheld alike cost an entry of the same form: the item's name as it was asked for.
    let headers: Vec<Arc<Header>> = header.into_iter().collect();
    let asked = format!("{}/{}", item.resource_type, item.local);
    let looked = Looked::new(AccessKind::Read, asked, &headers);
    let mut opened = query.release(session, view, looked).await?;
    let Some(header) = headers.first() else { return Err(Refusal::not_found().with_receipt(&opened.receipt)) };
    let Some(resource) = opened.resources.pop().flatten() else {
        return Err(Refusal::new(
            410,
            vec![schemas::Problem::new(schemas::ProblemCode::NotFound, "", "this resource was deleted")],
        )
        .with_receipt(&opened.receipt));
    };
    let etag = format!("W/\"{}\"", header.version);
    let answer = match is_known_version(request, &etag) {
        true => Answer::about_person(opened.receipt, 304, Vec::new()),
        false => Answer::about_person(opened.receipt, 200, form.write(resource)),
    };
    Ok(answer.with_header("etag", etag).with_header("last-modified", chassis::http::http_date(header.last_updated)))
}
