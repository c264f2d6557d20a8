//! `Patient/{id}/$everything` and the patient compartment.

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo, parse_type};
use chassis::release::Answer;
use chassis::session::Session;
use schemas::header::Header;
use schemas::vocab::{AccessKind, Action};
use schemas::{Pid, Problem, ProblemCode, ResourceType};

use super::{notice, parse_id, query_text, unknown_parameter};
use crate::Query;
use crate::find::Named;
use crate::page::{BundleWriter, Cut, Paging, Scope};
use crate::release::Looked;
use crate::view::View;

type Params = Vec<(String, String)>;

/// Items of one page when no `_count` is given, and at the most.
const EVERYTHING_MAX: usize = 1000;

/// Limits that the parameters set.
struct Limits {
    start: i64,
    end: i64,
    since: i64,
    types: Vec<ResourceType>,
    count: usize,
    page: Option<String>,
    /// What was left out, for a reader who asked for `handling=lenient`.
    ignored: Vec<Problem>,
}

impl Limits {
    fn parse(params: &Params, lenient: bool) -> Result<Self, Refusal> {
        let (types, count, page, ignored) = (Vec::new(), EVERYTHING_MAX, None, Vec::new());
        let mut limits = Self { start: i64::MIN, end: i64::MAX, since: i64::MIN, types, count, page, ignored };
        for (index, (name, value)) in params.iter().enumerate() {
            let problem = |text: &str| Refusal::bad_request(vec![Problem::new(ProblemCode::Value, name.clone(), text)]);
            let bad = || problem("this value does not read");
            match name.as_str() {
                "start" => limits.start = fhir::dates::interval(value).ok_or_else(bad)?.0,
                "end" => limits.end = fhir::dates::interval(value).ok_or_else(bad)?.1,
                "_since" => limits.since = fhir::dates::interval(value).ok_or_else(bad)?.0,
                "_count" => limits.count = value.parse::<usize>().map_err(|_| bad())?.min(EVERYTHING_MAX),
                "_type" => limits.types = value.split(',').map(parse_type).collect::<Result<_, _>>()?,
                "_page" => limits.page = Some(value.clone()),
                "_format" | "_pretty" => continue,
                _ if lenient => {
                    let text = "left out: $everything does not know this parameter";
                    limits.ignored.push(Problem::warning(
                        ProblemCode::NotSupported,
                        format!("parameter[{index}]"),
                        text,
                    ));
                    continue;
                }
                _ => return Err(unknown_parameter(index, "$everything takes start, end, _since, _type, _count")),
            }
            if params[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(problem("this parameter may stand once"));
            }
        }
        Ok(limits)
    }

    fn covers(&self, resource_type: ResourceType) -> bool {
        self.types.is_empty() || self.types.contains(&resource_type)
    }

    fn admit(&self, header: &Header) -> bool {
        let in_period = header.meta.period.is_none_or(|(from, to)| to > self.start && from < self.end);
        in_period && header.last_updated >= self.since
    }
}

/// `GET /fhir/Patient/{id}/$everything`: the newest first, in pages that stay as they were when the first was made.
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
    let limits = Limits::parse(&params, form.prefer.lenient)?;
    let asked = query_text("Patient/{id}/$everything", &params);
    let named = parse_id(&path).map_or(Named::Nobody, |id| Named::Pid(id.pid));
    let documents = limits.count > 0 && notice::asks_for_documents(|t| limits.covers(t));
    let view = query.view_or_refuse(&session, named, Action::Export, (asked.clone(), documents)).await?;
    let cut = query.everything(&session, &view, &limits, (&path, &params)).await?;
    let waits = query.waits_if(documents, &view).await?;
    let looked = Looked { waits, ..Looked::new(AccessKind::Export, asked, &cut.page) };
    let opened = query.release(&session, &view, looked).await?;
    let links = cut.links(&query.base_url, &own_path(&path), &params);
    let mut bundle = BundleWriter::new("searchset", Some(cut.total), &links);
    for (header, resource) in cut.page.iter().zip(&opened.resources) {
        let url = format!("{}/{}", query.base_url, header.reference(view.pid));
        bundle.entry(&url, resource.as_deref(), ",\"search\":{\"mode\":\"match\"}");
    }
    if limits.count > 0 {
        notice::add_notice(&mut bundle, waits, &limits.ignored);
    }
    Ok(Answer::about_person(opened.receipt, 200, form.form(bundle.finish())))
}

fn own_path(id: &str) -> String {
    format!("Patient/{}/$everything", urlencoding::encode(id))
}

impl Query {
    /// One page of all that the filter admits within the limits.
    async fn everything(
        &self,
        session: &Session,
        view: &View,
        limits: &Limits,
        (id, params): (&str, &Params),
    ) -> Result<Cut<Arc<Header>>, Refusal> {
        let scope = Scope::of(session, view.pid, &own_path(id), params);
        let here = (view.state.position, limits.count);
        let paging = Paging::open(&self.page_key, scope, limits.page.as_deref(), here)?;
        let types = ResourceType::ALL.iter().copied().filter(|t| limits.covers(*t));
        let headers = self.admitted_as_of(view, paging.sequence(), types).await.map_err(|e| self.failed(&e))?;
        let order = fhir::search::Query::default();
        let within = headers.into_iter().filter(|h| limits.admit(h));
        Ok(paging.cut(within.map(|h| (order.sort_key(&h), h)).collect()))
    }
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
