//! Search within one person.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo, parse_type};
use chassis::release::Answer;
use chassis::session::Session;
use chassis::telemetry::metrics;
use fhir::search::{Handling, HeaderShelf, Query as Search, Summary, Total};
use schemas::header::Header;
use schemas::vocab::{AccessKind, Action};
use schemas::{ItemKey, Pid, ResourceId, ResourceType};

use super::notice::{self, Waits};
use super::query_text;
use crate::Query;
use crate::find::Named;
use crate::page::{BundleWriter, COUNT, COUNT_MAX, Paging, Scope};
use crate::release::Looked;
use crate::view::View;

type Params = Vec<(String, String)>;

/// `GET /fhir/{type}?...`
pub(crate) async fn by_get(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    let resource_type = parse_type(&path)?;
    search(&query, &request, info, form, (Some(resource_type), params.into_inner())).await
}

/// `GET /fhir?...`
pub(crate) async fn by_get_all(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    search(&query, &request, info, form, (None, params.into_inner())).await
}

/// `POST /fhir/{type}/_search`
pub(crate) async fn by_post(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    (mut url, body): (web::Query<Params>, web::Form<Params>),
) -> Result<Answer, Refusal> {
    let resource_type = parse_type(&path)?;
    url.extend(body.into_inner());
    search(&query, &request, info, form, (Some(resource_type), url.into_inner())).await
}

/// `POST /fhir/_search`
pub(crate) async fn by_post_all(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    (mut url, body): (web::Query<Params>, web::Form<Params>),
) -> Result<Answer, Refusal> {
    url.extend(body.into_inner());
    search(&query, &request, info, form, (None, url.into_inner())).await
}

/// One search: find the person, decide, match, page, release.
pub(crate) async fn search(
    query: &Query,
    request: &HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    (resource_type, params): (Option<ResourceType>, Params),
) -> Result<Answer, Refusal> {
    let session = query.gate.admit(request, info)?;
    session.require_scope(resource_type.map_or("*", ResourceType::as_str), Interaction::Search)?;
    let handling = if form.prefer.lenient { Handling::Lenient } else { Handling::Strict };
    let search = Search::parse_at(&query.base_url, resource_type, &params, handling).map_err(Refusal::bad_request)?;
    let path = resource_type.map_or("", ResourceType::as_str);
    let named = query.find_person(&session, resource_type, &params).await?;
    query.search_person(&session, named, search, form, (path, params)).await
}

/// What a search found: the page, what is included with it, and how to go on.
struct Found {
    page: Vec<Arc<Header>>,
    included: Vec<Arc<Header>>,
    commons: Vec<Arc<Header>>,
    total: usize,
    links: Vec<(&'static str, String)>,
    /// A document addressed to the reader waits for the person's consent (R19).
    waits: Waits,
}

impl Query {
    /// State and decision of the person that was named. Unknown, forbidden and not-yours are answered alike; where documents
    /// are asked for, their named receiver is told that one waits (R19).
    pub(crate) async fn view_or_refuse(
        &self,
        session: &Session,
        named: Named,
        action: Action,
        (asked, documents): (String, bool),
    ) -> Result<View, Refusal> {
        let pid = match named {
            Named::Pid(pid) => Some(pid),
            Named::Nobody => None,
        };
        let view = self.view(session, pid, action).await.map_err(|e| self.failed(&e))?;
        if !view.decision.is_permit() {
            let waits = self.waits_if(documents, &view).await?;
            return Err(self.refuse(session, &view, (asked, waits), notice::not_available(waits)).await);
        }
        Ok(view)
    }

    /// A search whose person is known from the path.
    pub(crate) async fn search_within(
        &self,
        session: &Session,
        named: Named,
        form: Negotiation,
        (path, resource_type, params): (&str, ResourceType, Params),
    ) -> Result<Answer, Refusal> {
        let handling = if form.prefer.lenient { Handling::Lenient } else { Handling::Strict };
        let search =
            Search::parse_at(&self.base_url, Some(resource_type), &params, handling).map_err(Refusal::bad_request)?;
        self.search_person(session, named, search, form, (path, params)).await
    }

    async fn search_person(
        &self,
        session: &Session,
        named: Named,
        search: Search,
        form: Negotiation,
        (path, params): (&str, Params),
    ) -> Result<Answer, Refusal> {
        let asked = query_text(search.resource_type.map_or("", ResourceType::as_str), &params);
        // A count is a number and nothing beside it: neither the notice nor what waits.
        let documents = !is_counting(&search) && notice::asks_for_documents(|t| search.covers(t));
        let view = self.view_or_refuse(session, named, Action::Search, (asked, documents)).await?;
        let mut found = self.run(session, &view, &search, (&params, path)).await?;
        found.waits = self.waits_if(documents, &view).await?;
        self.answer_search(session, &view, &search, form, (&params, found)).await
    }

    async fn run(
        &self,
        session: &Session,
        view: &View,
        search: &Search,
        (params, path): (&Params, &str),
    ) -> Result<Found, Refusal> {
        let scope = Scope::of(session, view.pid, path, params);
        let here = (view.state.position, page_size(search));
        let paging = Paging::open(&self.page_key, scope, search.page.as_deref(), here)?;
        let wide = needs_whole_shelf(search, params);
        let types = ResourceType::ALL.iter().copied().filter(|t| wide || search.covers(*t));
        let started = Instant::now();
        let headers = self.admitted_as_of(view, paging.sequence(), types).await.map_err(|e| self.failed(&e))?;
        let commons = if wide { self.referred_commons(&headers).await? } else { Vec::new() };
        let shelf: HeaderShelf<'_> = headers.iter().chain(&commons).map(AsRef::as_ref).collect();
        let matcher = search.on(&shelf);
        let matched = headers.iter().filter(|h| matcher.matches(h)).map(|h| (search.sort_key(h), h)).collect();
        metrics::header_scan(headers.len(), started.elapsed().as_secs_f64());
        let cut = paging.cut(matched);
        let links = cut.links(&self.base_url, path, params);
        let refs: Vec<&Header> = cut.page.iter().map(|h| h.as_ref()).collect();
        let added: Vec<ItemKey> = search.included(&refs, &shelf).into_iter().map(|h| h.item).collect();
        let by_item = |of: &[Arc<Header>]| -> Vec<Arc<Header>> {
            let known: HashMap<ItemKey, &Arc<Header>> = match added.is_empty() {
                true => HashMap::new(),
                false => of.iter().map(|h| (h.item, h)).collect(),
            };
            added.iter().filter_map(|item| known.get(item).map(|h| (*h).clone())).collect()
        };
        let (included, commons) = (by_item(&headers), by_item(&commons));
        let page = cut.page.into_iter().cloned().collect();
        Ok(Found { page, included, commons, total: cut.total, links, waits: Waits::No })
    }

    /// The commons that these headers refer to; they belong to nobody and are no secret.
    async fn referred_commons(&self, headers: &[Arc<Header>]) -> Result<Vec<Arc<Header>>, Refusal> {
        let mut wanted: Vec<ItemKey> = headers.iter().flat_map(|h| commons_references(h)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Vec::with_capacity(wanted.len());
        for item in wanted {
            let header = self.shelves.header(Pid::COMMONS, &item).await.map_err(|e| self.failed(&e))?;
            found.extend(header.filter(|h| !h.deleted).map(Arc::new));
        }
        Ok(found)
    }

    async fn answer_search(
        &self,
        session: &Session,
        view: &View,
        search: &Search,
        form: Negotiation,
        (params, found): (&Params, Found),
    ) -> Result<Answer, Refusal> {
        let counting = is_counting(search);
        let shown: Vec<Arc<Header>> = match counting {
            true => Vec::new(),
            false => found.page.iter().chain(&found.included).cloned().collect(),
        };
        let asked = query_text(search.resource_type.map_or("", ResourceType::as_str), params);
        let looked = Looked { waits: found.waits, ..Looked::new(AccessKind::Search, asked, &shown) };
        let opened = self.release(session, view, looked).await?;
        let total = (search.total != Some(Total::None)).then_some(found.total);
        let mut bundle = BundleWriter::new("searchset", total, &found.links);
        for (at, (header, resource)) in shown.iter().zip(&opened.resources).enumerate() {
            let Some(resource) = resource else { continue };
            let mode = if at < found.page.len() { "match" } else { "include" };
            self.write_entry(&mut bundle, view.pid, header, resource, (search, mode))?;
        }
        if !counting {
            for header in &found.commons {
                let resource = self.open_commons(header).await?;
                self.write_entry(&mut bundle, Pid::COMMONS, header, &resource, (search, "include"))?;
            }
            notice::add_notice(&mut bundle, found.waits, &search.ignored);
        }
        Ok(Answer::about_person(opened.receipt, 200, form.form(bundle.finish())))
    }

    pub(crate) fn write_entry(
        &self,
        bundle: &mut BundleWriter,
        pid: Pid,
        header: &Header,
        resource: &[u8],
        (search, mode): (&Search, &str),
    ) -> Result<(), Refusal> {
        let url = format!("{}/{}", self.base_url, header.reference(pid));
        let shape = fhir::subset::Subset::of(search.summary, &search.elements);
        let resource = fhir::subset::apply(resource, &shape);
        bundle.entry(&url, Some(&resource), &format!(",\"search\":{{\"mode\":\"{mode}\"}}"));
        Ok(())
    }
}

/// Chains, `_has` and includes look at other types than the one searched.
pub(super) fn needs_whole_shelf(search: &Search, params: &Params) -> bool {
    !search.includes.is_empty()
        || !search.revincludes.is_empty()
        || params.iter().any(|(name, _)| name.contains('.') || name.starts_with("_has"))
}

fn commons_references(header: &Header) -> Vec<ItemKey> {
    let of = |value: &schemas::search::SearchValue| match value {
        schemas::search::SearchValue::Reference { target, .. } => {
            let (kind, id) = target.split_once('/')?;
            let id: ResourceId = id.parse().ok()?;
            (id.pid == Pid::COMMONS).then_some(ItemKey { resource_type: kind.parse().ok()?, local: id.local })
        }
        _ => None,
    };
    header.search.iter().filter_map(|v| of(&v.value)).collect()
}

/// Only the total is asked for.
pub(super) fn is_counting(search: &Search) -> bool {
    search.summary == Some(Summary::Count) || search.count == Some(0)
}

/// Items of a page.
pub(super) fn page_size(search: &Search) -> usize {
    search.count.map_or(COUNT, |c| c as usize).min(COUNT_MAX)
}
