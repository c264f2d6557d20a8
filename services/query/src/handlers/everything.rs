//! `Patient/{id}/$everything` and the patient compartment.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo, parse_type};
use chassis::release::Answer;
use schemas::header::Header;
use schemas::vocab::{AccessKind, Action};
use schemas::{Pid, Problem, ProblemCode, ResourceType};

use super::{parse_id, query_text};
use crate::Query;
use crate::find::Named;
use crate::page::BundleWriter;
use crate::release::Looked;

type Params = Vec<(String, String)>;

/// Items of one answer when no `_count` is given; more are said with a `next` link.
const EVERYTHING_MAX: usize = 1000;

/// Limits that the parameters set.
struct Limits {
    start: i64,
    end: i64,
    since: i64,
    types: Vec<ResourceType>,
    count: usize,
    offset: usize,
}

impl Limits {
    fn parse(params: &Params) -> Result<Self, Refusal> {
        let (types, offset) = (Vec::new(), 0);
        let mut limits = Self { start: i64::MIN, end: i64::MAX, since: i64::MIN, types, count: EVERYTHING_MAX, offset };
        for (name, value) in params {
            let bad = || {
                Refusal::bad_request(vec![Problem::new(ProblemCode::Value, name.clone(), "this value does not read")])
            };
            match name.as_str() {
                "start" => limits.start = fhir::dates::interval(value).ok_or_else(bad)?.0,
                "end" => limits.end = fhir::dates::interval(value).ok_or_else(bad)?.1,
                "_since" => limits.since = fhir::dates::interval(value).ok_or_else(bad)?.0,
                "_count" => limits.count = value.parse::<usize>().map_err(|_| bad())?.clamp(1, EVERYTHING_MAX),
                "_offset" => limits.offset = value.parse().map_err(|_| bad())?,
                "_type" => limits.types = value.split(',').map(parse_type).collect::<Result<_, _>>()?,
                "_format" | "_pretty" => {}
                _ => {
                    return Err(Refusal::not_supported(
                        name.clone(),
                        "$everything takes start, end, _since, _type, _count",
                    ));
                }
            }
        }
        Ok(limits)
    }

    fn admit(&self, header: &Header) -> bool {
        let in_period = header.meta.period.is_none_or(|(from, to)| to > self.start && from < self.end);
        in_period
            && header.last_updated >= self.since
            && (self.types.is_empty() || self.types.contains(&header.item.resource_type))
    }
}

/// `GET /fhir/Patient/{id}/$everything`
pub(crate) async fn of_patient(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<String>,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    let session = query.gate.admit(&request, info)?;
    session.require_scope("*", Interaction::Read)?;
    let limits = Limits::parse(&params)?;
    let asked = query_text("Patient/{id}/$everything", &params);
    let named = parse_id(&path).map_or(Named::Nobody, |id| Named::Pid(id.pid));
    let view = query.view_or_refuse(&session, named, Action::Export, asked.clone()).await?;
    let mut headers: Vec<Arc<Header>> = Vec::new();
    for &resource_type in ResourceType::ALL.iter().filter(|t| !t.is_commons()) {
        headers.extend(query.admitted_of_type(&view, resource_type).await.map_err(|e| query.failed(&e))?);
    }
    headers.retain(|h| limits.admit(h));
    let total = headers.len();
    let page: Vec<_> = headers.into_iter().skip(limits.offset).take(limits.count).collect();
    let looked = Looked::new(AccessKind::Export, asked, &page);
    let opened = query.release(&session, &view, looked).await?;
    let mut links = Vec::new();
    let behind = limits.offset + page.len();
    if behind < total && !page.is_empty() {
        links.push(("next", next_link(&query.base_url, &path, &params, behind)));
    }
    let mut bundle = BundleWriter::new("searchset", Some(total), &links);
    for (header, resource) in page.iter().zip(&opened.resources) {
        let url = format!("{}/{}", query.base_url, header.reference(view.pid));
        bundle.entry(&url, resource.as_deref(), ",\"search\":{\"mode\":\"match\"}");
    }
    Ok(Answer::about_person(opened.receipt, 200, form.form(bundle.finish())))
}

fn next_link(base: &str, id: &str, params: &Params, offset: usize) -> String {
    let mut url = format!("{base}/Patient/{id}/$everything?_offset={offset}");
    for (name, value) in params.iter().filter(|(name, _)| name != "_offset") {
        url.push_str(&format!("&{}={}", urlencoding::encode(name), urlencoding::encode(value)));
    }
    url
}

/// `GET /fhir/Patient/{id}/{type}`: a search of the type in the person's compartment.
pub(crate) async fn of_compartment(
    query: web::Data<Query>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    path: web::Path<(String, String)>,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    let (id, type_name) = path.into_inner();
    let resource_type = parse_type(&type_name)?;
    let session = query.gate.admit(&request, info)?;
    session.require_scope(&type_name, Interaction::Search)?;
    let named = match parse_id(&id).filter(|id| id.pid != Pid::COMMONS) {
        Some(id) => Named::Pid(id.pid),
        None => Named::Nobody,
    };
    let path = format!("Patient/{id}/{resource_type}");
    query.search_within(&session, named, form, (&path, resource_type, params.into_inner())).await
}
