//! Search within one person.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo, parse_type};
use chassis::release::Answer;
use chassis::session::Session;
use fhir::search::{Handling, HeaderShelf, Query as Search, Summary, Total};
use schemas::header::Header;
use schemas::vocab::{AccessKind, Action};
use schemas::{ItemKey, Pid, Problem, ProblemCode, ResourceId, ResourceType};

use super::query_text;
use crate::Query;
use crate::find::Named;
use crate::page::{self, BundleWriter, COUNT, COUNT_MAX, PageToken};
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
}

impl Query {
    /// State and decision of the person that was named. Unknown, forbidden and not-yours are answered alike.
    pub(crate) async fn view_or_refuse(
        &self,
        session: &Session,
        named: Named,
        action: Action,
        asked: String,
    ) -> Result<View, Refusal> {
        let refusal = || Refusal::forbidden(Problem::new(ProblemCode::Forbidden, "", "not available"));
        let pid = match named {
            Named::Pid(pid) => Some(pid),
            Named::Nobody => None,
        };
        let view = self.view(session, pid, action).await.map_err(|e| self.failed(&e))?;
        if !view.decision.is_permit() {
            return Err(self.refuse(session, &view, asked, refusal()).await);
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
        let view = self.view_or_refuse(session, named, Action::Search, asked).await?;
        let found = self.run(&view, &search, &params, path).await?;
        self.answer_search(session, &view, &search, form, (&params, found)).await
    }

    async fn run(&self, view: &View, search: &Search, params: &Params, path: &str) -> Result<Found, Refusal> {
        let hash = page::query_hash(path, params);
        let token = match &search.page {
            None => None,
            Some(text) => Some(PageToken::open(text, &self.page_key, view.pid, &hash).ok_or_else(bad_page)?),
        };
        let sequence = token.as_ref().map_or(view.state.position, |t| t.sequence);
        let wide = needs_whole_shelf(search, params);
        let headers = self.headers_as_of(view, search, sequence, wide).await?;
        let commons = if wide { self.referred_commons(&headers).await? } else { Vec::new() };
        let shelf: HeaderShelf<'_> = headers.iter().chain(&commons).map(AsRef::as_ref).collect();
        let matcher = search.on(&shelf);
        let mut matched: Vec<_> =
            headers.iter().filter(|h| matcher.matches(h)).map(|h| (search.sort_key(h), h)).collect();
        matched.sort_by(|a, b| a.0.cmp(&b.0));
        let keys: Vec<_> = matched.iter().map(|(key, _)| key.clone()).collect();
        let count = search.count.map_or(COUNT, |c| c as usize).min(COUNT_MAX);
        let (from, to) = page::slice(&keys, token.as_ref(), count);
        let seal = |key, back| PageToken { sequence, key, back }.seal(&self.page_key, view.pid, &hash);
        let mut links = vec![("self", self.link(path, params, search.page.as_deref()))];
        if count > 0 && to < keys.len() && to > from {
            links.push(("next", self.link(path, params, Some(&seal(keys[to - 1].clone(), false)))));
        }
        if count > 0 && from > 0 {
            let first = keys.get(from).cloned().unwrap_or_else(|| keys[keys.len() - 1].clone());
            links.push(("previous", self.link(path, params, Some(&seal(first, true)))));
        }
        let page: Vec<Arc<Header>> = matched[from..to].iter().map(|(_, h)| (*h).clone()).collect();
        let refs: Vec<&Header> = page.iter().map(AsRef::as_ref).collect();
        let added: Vec<ItemKey> = search.included(&refs, &shelf).into_iter().map(|h| h.item).collect();
        let by_item = |of: &[Arc<Header>]| -> Vec<Arc<Header>> {
            let known: HashMap<ItemKey, &Arc<Header>> = of.iter().map(|h| (h.item, h)).collect();
            added.iter().filter_map(|item| known.get(item).map(|h| (*h).clone())).collect()
        };
        Ok(Found { page, included: by_item(&headers), commons: by_item(&commons), total: keys.len(), links })
    }

    /// The admitted headers of the types that matter, as they were at `sequence`.
    async fn headers_as_of(
        &self,
        view: &View,
        search: &Search,
        sequence: u64,
        wide: bool,
    ) -> Result<Vec<Arc<Header>>, Refusal> {
        let mut headers = Vec::new();
        for &resource_type in ResourceType::ALL {
            if resource_type.is_commons() || !(wide || search.covers(resource_type)) {
                continue;
            }
            for header in self.admitted_of_type(view, resource_type).await.map_err(|e| self.failed(&e))? {
                if header.position <= sequence {
                    headers.push(header);
                    continue;
                }
                // Written since the first page: an older version stands in for it, if there was one.
                let old = self.shelves.old_versions(view.pid, &header.item).await.map_err(|e| self.failed(&e))?;
                let then = old.into_iter().rev().find(|h| h.position <= sequence);
                headers.extend(then.filter(|h| !h.deleted && view.decision.filter.admits(h)).map(Arc::new));
            }
        }
        Ok(headers)
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
        let counting = search.summary == Some(Summary::Count) || search.count == Some(0);
        let shown: Vec<Arc<Header>> = match counting {
            true => Vec::new(),
            false => found.page.iter().chain(&found.included).cloned().collect(),
        };
        let asked = query_text(search.resource_type.map_or("", ResourceType::as_str), params);
        let looked = Looked::new(AccessKind::Search, asked, &shown);
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
            bundle.entry("", Some(&information(&search.ignored)), ",\"search\":{\"mode\":\"outcome\"}");
        }
        Ok(Answer::about_person(opened.receipt, 200, form.form(bundle.finish())))
    }

    fn write_entry(
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

    fn link(&self, path: &str, params: &Params, token: Option<&str>) -> String {
        let mut url = if path.is_empty() { self.base_url.clone() } else { format!("{}/{path}", self.base_url) };
        let pairs = params.iter().filter(|(n, _)| n != "_page").map(|(n, v)| (n.as_str(), v.as_str()));
        for (at, (name, value)) in pairs.chain(token.map(|t| ("_page", t))).enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(&format!("{}={}", urlencoding::encode(name), urlencoding::encode(value)));
        }
        url
    }
}

/// Chains, `_has` and includes look at other types than the one searched.
fn needs_whole_shelf(search: &Search, params: &Params) -> bool {
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

fn bad_page() -> Refusal {
    let text = "this page link is not of this search; begin again without `_page`";
    Refusal::bad_request(vec![Problem::new(ProblemCode::Value, "_page", text)])
}

/// The constant notice, and what lenient handling left out.
fn information(ignored: &[Problem]) -> Vec<u8> {
    let mut notice = Problem::new(ProblemCode::Informational, "", chassis::release::NOTICE);
    notice.severity = schemas::problem::Severity::Information;
    let problems: Vec<Problem> = std::iter::once(notice).chain(ignored.iter().cloned()).collect();
    schemas::problem::operation_outcome(&problems).to_string().into_bytes()
}
