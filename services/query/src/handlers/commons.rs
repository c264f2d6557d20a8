//! Organisations, professionals, roles and places: about no person, readable by whoever has a token.

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Plain, Refusal, RequestInfo, parse_type};
use fhir::search::{Handling, HeaderShelf, Query as Search, Total};
use schemas::header::Header;
use schemas::{ItemKey, Pid, ResourceId, ResourceType};

use super::read::Formed;
use super::search::{is_counting, needs_whole_shelf, page_size};
use super::{is_known_version, notice};
use crate::Query;
use crate::page::{BundleWriter, Paging, Scope};

type Params = Vec<(String, String)>;

/// Instance read of the newest or an older version.
pub(crate) async fn read(
    query: &Query,
    request: &HttpRequest,
    form: &Formed,
    resource_type: ResourceType,
    (id, version): (ResourceId, Option<u32>),
) -> Result<Plain, Refusal> {
    let item = ItemKey { resource_type, local: id.local };
    let newest = query.shelves.header(Pid::COMMONS, &item).await.map_err(|e| query.failed(&e))?;
    let header = match (newest, version) {
        (Some(newest), Some(n)) if newest.version != n => {
            let old = query.shelves.old_versions(Pid::COMMONS, &item).await.map_err(|e| query.failed(&e))?;
            old.into_iter().find(|h| h.version == n)
        }
        (newest, _) => newest,
    };
    let header = header.filter(|h| !h.deleted).ok_or_else(Refusal::not_found)?;
    let etag = format!("W/\"{}\"", header.version);
    let answer = match is_known_version(request, &etag) {
        true => Plain::fhir(304, Vec::new()),
        false => Plain::fhir(200, form.write(query.open_commons(&header).await?)),
    };
    Ok(answer.with_header("etag", etag).with_header("last-modified", chassis::http::http_date(header.last_updated)))
}

/// `GET /fhir/{commons type}?...`
pub(crate) async fn by_get(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    params: web::Query<Params>,
) -> Result<Plain, Refusal> {
    search(&query, &request, info, form, (&path, params.into_inner())).await
}

/// `POST /fhir/{commons type}/_search`
pub(crate) async fn by_post(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    (mut url, body): (web::Query<Params>, web::Form<Params>),
) -> Result<Plain, Refusal> {
    url.extend(body.into_inner());
    search(&query, &request, info, form, (&path, url.into_inner())).await
}

async fn search(
    query: &Query,
    request: &HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    (type_name, params): (&str, Params),
) -> Result<Plain, Refusal> {
    let resource_type = parse_type(type_name)?;
    let session = query.gate.admit(request, info)?;
    session.require_scope(type_name, Interaction::Search)?;
    let handling = if form.prefer.lenient { Handling::Lenient } else { Handling::Strict };
    let search =
        Search::parse_at(&query.base_url, Some(resource_type), &params, handling).map_err(Refusal::bad_request)?;
    let state = query.state(Pid::COMMONS).await.map_err(|e| query.failed(&e))?;
    let position = state.map_or(0, |s| s.position);
    let scope = Scope::of(&session, Pid::COMMONS, type_name, &params);
    let paging = Paging::open(&query.page_key, scope, search.page.as_deref(), (position, page_size(&search)))?;
    let wide = needs_whole_shelf(&search, &params);
    let types = ResourceType::ALL.iter().copied().filter(|t| wide || search.covers(*t));
    let headers = query.commons_as_of((position, paging.sequence()), types).await.map_err(|e| query.failed(&e))?;
    let shelf: HeaderShelf<'_> = headers.iter().map(AsRef::as_ref).collect();
    let matcher = search.on(&shelf);
    let found = headers.iter().filter(|h| matcher.matches(h)).map(|h| (search.sort_key(h), h.as_ref()));
    let cut = paging.cut(found.collect());
    let total = (search.total != Some(Total::None)).then_some(cut.total);
    let mut bundle = BundleWriter::new("searchset", total, &cut.links(&query.base_url, type_name, &params));
    if !is_counting(&search) {
        let included = search.included(&cut.page, &shelf);
        let modes = cut.page.iter().map(|h| (h, "match")).chain(included.iter().map(|h| (h, "include")));
        for (header, mode) in modes {
            let resource = query.open_commons(header).await?;
            query.write_entry(&mut bundle, Pid::COMMONS, header, &resource, (&search, mode))?;
        }
        if !search.ignored.is_empty() {
            notice::add_outcome(&mut bundle, &search.ignored);
        }
    }
    Ok(Plain::fhir(200, form.form(bundle.finish())))
}

impl Query {
    /// A commons resource as FHIR JSON. Commons are about no person: they need no receipt, and this opens nothing else.
    pub(crate) async fn open_commons(&self, header: &Header) -> Result<Vec<u8>, Refusal> {
        let body = self.shelves.body_inside(Pid::COMMONS, header).await.map_err(|e| self.failed(&e))?;
        let rendered = fhir::render::Rendered {
            resource_type: header.item.resource_type,
            id: ResourceId { pid: Pid::COMMONS, local: header.item.local },
            version: header.version,
            last_updated: header.last_updated,
            sent_meta: &header.meta.sent_meta,
            labels: &[],
        };
        Ok(fhir::render::resource(&rendered, &body))
    }
}
