//! Versions of one item, and of a type within one person. Newest first, in pages that stay as they were when the first was made.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo, parse_type};
use chassis::release::Answer;
use schemas::header::Header;
use schemas::vocab::{AccessKind, Action};
use schemas::{ItemKey, LocalId, Problem, ProblemCode, ResourceType};

use super::notice::Waits;
use super::{parse_id, query_text, unknown_parameter};
use crate::Query;
use crate::page::{BundleWriter, COUNT, COUNT_MAX, Paging, Scope};
use crate::release::Looked;
use crate::view::View;

type Params = Vec<(String, String)>;

/// `GET /fhir/{type}/{id}/_history`
pub(crate) async fn of_instance(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<(String, String)>,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    let (type_name, id) = path.into_inner();
    let resource_type = parse_type(&type_name)?;
    let session = query.gate.admit(&request, info)?;
    session.require_scope(&type_name, Interaction::Read)?;
    let asked = format!("{type_name}/{{id}}/_history");
    let path = format!("{type_name}/{}/_history", urlencoding::encode(&id));
    let window = Window::parse(&params)?;
    let id = parse_id(&id);
    let view = query.view(&session, id.map(|id| id.pid), Action::Read).await.map_err(|e| query.failed(&e))?;
    if !view.decision.is_permit() {
        return Err(query.refuse(&session, &view, (asked, Waits::No), Refusal::not_found()).await);
    }
    let item = ItemKey { resource_type, local: id.map_or(LocalId([0; 10]), |id| id.local) };
    let newest = query.admitted(&view, &item).await.map_err(|e| query.failed(&e))?;
    let mut versions = Vec::new();
    if let Some(newest) = newest {
        versions = query.versions(&view, newest).await?;
    }
    if versions.is_empty() {
        let looked = Looked::new(AccessKind::Read, asked, &[]);
        let opened = query.release(&session, &view, looked).await?;
        return Err(Refusal::not_found().with_receipt(&opened.receipt));
    }
    query.answer_history(&session, &view, form, (asked, versions, window), (&path, &params)).await
}

/// `GET /fhir/{type}/_history?patient=...`: the versions of a type within one person.
pub(crate) async fn of_type(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    let resource_type = parse_type(&path)?;
    let session = query.gate.admit(&request, info)?;
    session.require_scope(&path, Interaction::Search)?;
    let window = Window::parse(&params)?;
    let named = query.find_person(&session, Some(resource_type), &params).await?;
    let path = format!("{resource_type}/_history");
    let asked = query_text(&path, &params);
    let view = query.view_or_refuse(&session, named, Action::Search, (asked.clone(), false)).await?;
    let versions = query.versions_of_type(&view, resource_type).await?;
    query.answer_history(&session, &view, form, (asked, versions, window), (&path, &params)).await
}

/// `GET /fhir/_history`: not kept; an answer is about one person.
pub(crate) async fn of_system() -> Result<Answer, Refusal> {
    let text = "the history of the whole system is not served; ask for a type within one person, or an instance";
    Err(Refusal::not_supported("", text))
}

/// `_count`, `_since`, and the page that a link names.
struct Window {
    count: usize,
    since: i64,
    page: Option<String>,
}

impl Window {
    fn parse(params: &Params) -> Result<Self, Refusal> {
        let mut window = Self { count: COUNT, since: i64::MIN, page: None };
        for (index, (name, value)) in params.iter().enumerate() {
            let bad = || {
                Refusal::bad_request(vec![Problem::new(ProblemCode::Value, name.clone(), "this value does not read")])
            };
            match name.as_str() {
                "_count" => window.count = value.parse::<usize>().map_err(|_| bad())?.min(COUNT_MAX),
                "_since" => window.since = fhir::dates::interval(value).ok_or_else(bad)?.0,
                "_page" => window.page = Some(value.clone()),
                "_format" | "_pretty" | "patient" | "subject" | "beneficiary" | "_id" => {}
                _ => return Err(unknown_parameter(index, "histories take `_count` and `_since`")),
            }
        }
        Ok(window)
    }
}

impl Query {
    /// All admitted versions of an item, newest first.
    async fn versions(&self, view: &View, newest: Arc<Header>) -> Result<Vec<Arc<Header>>, Refusal> {
        let mut all = vec![newest.clone()];
        if newest.version > 1 {
            let old = self.shelves.old_versions(view.pid, &newest.item).await.map_err(|e| self.failed(&e))?;
            all.extend(old.into_iter().rev().filter(|h| view.decision.filter.admits(h)).map(Arc::new));
        }
        Ok(all)
    }

    async fn versions_of_type(&self, view: &View, resource_type: ResourceType) -> Result<Vec<Arc<Header>>, Refusal> {
        let newest = self.shelves.headers_of_type(view.pid, resource_type).await.map_err(|e| self.failed(&e))?;
        let mut all = Vec::new();
        for header in newest.into_iter().filter(|h| view.decision.filter.admits(h)) {
            all.extend(self.versions(view, Arc::new(header)).await?);
        }
        Ok(all)
    }

    async fn answer_history(
        &self,
        session: &chassis::session::Session,
        view: &View,
        form: Negotiation,
        (asked, mut versions, window): (String, Vec<Arc<Header>>, Window),
        (path, params): (&str, &Params),
    ) -> Result<Answer, Refusal> {
        let scope = Scope::of(session, view.pid, path, params);
        let here = (view.state.position, window.count);
        let paging = Paging::open(&self.page_key, scope, window.page.as_deref(), here)?;
        versions.retain(|h| h.last_updated >= window.since && h.position <= paging.sequence());
        let cut = paging.cut(versions.into_iter().map(|h| (place_of(&h), h)).collect());
        let links = cut.links(&self.base_url, path, params);
        let looked = Looked::new(AccessKind::Read, asked, &cut.page);
        let opened = self.release(session, view, looked).await?;
        let mut bundle = BundleWriter::new("history", Some(cut.total), &links);
        for (header, resource) in cut.page.iter().zip(&opened.resources) {
            let reference = header.reference(view.pid);
            let (method, status) = match (header.deleted, header.version) {
                (true, _) => ("DELETE", "204"),
                (false, 1) => ("POST", "201"),
                (false, _) => ("PUT", "200"),
            };
            let modified = fhir::dates::instant(header.last_updated);
            let tail = format!(
                ",\"request\":{{\"method\":\"{method}\",\"url\":\"{reference}\"}},\"response\":{{\"status\":\"{status}\",\"etag\":\"W/\\\"{}\\\"\",\"lastModified\":\"{modified}\"}}",
                header.version
            );
            bundle.entry(&format!("{}/{reference}", self.base_url), resource.as_deref(), &tail);
        }
        Ok(Answer::about_person(opened.receipt, 200, form.form(bundle.finish())))
    }
}

/// Where a version stands in a history: the newest first, then by item. In as many digits as any other, for page tokens.
fn place_of(header: &Header) -> String {
    let item = header.item;
    format!("{:016x}{:02x}{}{:08x}", !header.position, item.resource_type as u8, item.local, !header.version)
}
