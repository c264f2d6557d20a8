//! Organisations, professionals, roles and places: about no person, readable by whoever has a token.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Plain, Refusal, RequestInfo, parse_type};
use fhir::search::{Handling, HeaderShelf, Query as Search};
use schemas::header::Header;
use schemas::{ItemKey, Pid, ResourceId, ResourceType};

use crate::Query;
use crate::page::{BundleWriter, COUNT, COUNT_MAX};

type Params = Vec<(String, String)>;

/// Instance read of the newest or an older version.
pub(crate) async fn read(
    query: &Query,
    form: Negotiation,
    resource_type: ResourceType,
    id: ResourceId,
    version: Option<u32>,
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
    let resource = query.open_commons(&header).await?;
    Ok(Plain::fhir(200, form.form(resource))
        .with_header("etag", format!("W/\"{}\"", header.version))
        .with_header("last-modified", fhir::dates::http_date(header.last_updated)))
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
    let headers = query.commons_of_type(resource_type).await?;
    let shelf: HeaderShelf<'_> = headers.iter().map(AsRef::as_ref).collect();
    let matcher = search.on(&shelf);
    let mut found: Vec<&Arc<Header>> = headers.iter().filter(|h| matcher.matches(h)).collect();
    found.sort_by_cached_key(|h| search.sort_key(h));
    let total = found.len();
    found.truncate(search.count.map_or(COUNT, |c| c as usize).min(COUNT_MAX));
    let mut bundle = BundleWriter::new("searchset", Some(total), &[]);
    for header in found {
        let resource = query.open_commons(header).await?;
        let url = format!("{}/{}", query.base_url, header.reference(Pid::COMMONS));
        bundle.entry(&url, Some(&resource), ",\"search\":{\"mode\":\"match\"}");
    }
    Ok(Plain::fhir(200, form.form(bundle.finish())))
}

impl Query {
    /// All live commons of a type.
    async fn commons_of_type(&self, resource_type: ResourceType) -> Result<Vec<Arc<Header>>, Refusal> {
        let state = self.state(Pid::COMMONS).await.map_err(|e| self.failed(&e))?;
        let position = state.map_or(0, |s| s.position);
        if let Some(entry) = self.cache.headers(Pid::COMMONS, resource_type, position) {
            return Ok(entry.headers.clone());
        }
        let headers = self.shelves.headers_of_type(Pid::COMMONS, resource_type).await.map_err(|e| self.failed(&e))?;
        let live: Vec<Header> = headers.into_iter().filter(|h| !h.deleted).collect();
        Ok(self.cache.keep_headers(Pid::COMMONS, resource_type, position, live).headers.clone())
    }

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
