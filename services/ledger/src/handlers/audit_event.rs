//! `/fhir/AuditEvent`: the person's list as FHIR.

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Negotiation, Refusal, RequestInfo};
use chassis::release::Answer;
use schemas::{EntryId, Problem, ProblemCode};
use serde_json::json;

use super::{Own, Params, failed, next_link, parse_person, query_text, unknown};
use crate::LedgerRole;
use crate::audit_event::resource;
use crate::decide::Question;
use crate::filter::Asked;
use crate::page::Page;
use crate::words::{Lang, Voice};

/// `GET /fhir/AuditEvent?...`
pub(crate) async fn by_get(
    role: web::Data<LedgerRole>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    params: web::Query<Params>,
) -> Result<Answer, Refusal> {
    search(&role, &request, info, form, params.into_inner()).await
}

/// `POST /fhir/AuditEvent/_search`
pub(crate) async fn by_post(
    role: web::Data<LedgerRole>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    (mut url, body): (web::Query<Params>, web::Form<Params>),
) -> Result<Answer, Refusal> {
    url.extend(body.into_inner());
    search(&role, &request, info, form, url.into_inner()).await
}

async fn search(
    role: &LedgerRole,
    request: &HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    params: Params,
) -> Result<Answer, Refusal> {
    let session = role.gate.admit(request, info)?;
    session.require_scope("AuditEvent", Interaction::Search)?;
    let (mut asked, mut named, mut ignored) = (Asked::new(), None, Vec::new());
    for (name, value) in &params {
        match name.as_str() {
            "patient" | "patient:Patient" => named = Some(parse_person(value)),
            _ if asked.take_fhir(name, value)? => {}
            _ if form.prefer.lenient => ignored.extend(unknown(name).problems),
            _ => return Err(unknown(name)),
        }
    }
    let question = Question { query: query_text("AuditEvent", &params), subject: String::new() };
    let own = match named {
        // Nobody has this id: answered as a person who is not theirs.
        Some(None) => return Err(role.refuse(&session, None, None, question, crate::decide::not_available()).await),
        Some(pid) => role.own_or_refuse(&session, pid, &question).await?,
        None => role.own_or_refuse(&session, None, &question).await?,
    };
    let voice = Voice { lang: Lang::En, to_person: true };
    let page = role.page(own.list(), &own.part(), &asked, voice).await.map_err(|e| failed(&e))?;
    let receipt = role.log_read(&session, Some(own.pid), &own.decision, question, page.entries.len()).await?;
    let body = bundle(role, &page, &params, &ignored).to_string().into_bytes();
    Ok(Answer::about_person(receipt, 200, form.form(body)))
}

fn bundle(role: &LedgerRole, page: &Page, params: &Params, ignored: &[Problem]) -> serde_json::Value {
    let base = &role.base_url;
    let entry = |entry: &crate::reader::Entry| {
        let access = entry.access.as_ref()?;
        Some(json!({
            "fullUrl": format!("{base}/AuditEvent/{}", access.id), "resource": resource(&entry.row, access),
            "search": {"mode": "match"},
        }))
    };
    let mut entries: Vec<_> = page.entries.iter().filter_map(entry).collect();
    let lost = page.entries.iter().filter(|e| e.access.is_none()).count();
    let mut said: Vec<Problem> =
        ignored.iter().cloned().map(|p| Problem { severity: schemas::problem::Severity::Warning, ..p }).collect();
    if lost > 0 {
        let text = "entries whose key was destroyed are left out; `/me/accesses` shows their numbers";
        said.push(Problem::warning(ProblemCode::Incomplete, "", text));
    }
    if page.is_behind {
        let voice = Voice { lang: Lang::En, to_person: true };
        said.push(Problem::warning(ProblemCode::Incomplete, "", crate::words::behind(voice)));
    }
    if !said.is_empty() {
        let outcome = schemas::problem::operation_outcome(&said);
        entries.push(json!({"resource": outcome, "search": {"mode": "outcome"}}));
    }
    let path = format!("{base}/AuditEvent");
    let mut links = vec![json!({"relation": "self", "url": self_link(&path, params)})];
    if let Some(next) = page.next {
        links.push(json!({"relation": "next", "url": next_link(&path, params, next)}));
    }
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset", "link": links});
    if !entries.is_empty() {
        bundle["entry"] = json!(entries);
    }
    bundle
}

fn self_link(path: &str, params: &Params) -> String {
    let pairs = params.iter().map(|(n, v)| format!("{}={}", urlencoding::encode(n), urlencoding::encode(v)));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// `GET /fhir/AuditEvent/{id}`
pub(crate) async fn read(
    role: web::Data<LedgerRole>,
    request: HttpRequest,
    info: RequestInfo,
    form: Negotiation,
    id: web::Path<String>,
) -> Result<Answer, Refusal> {
    let session = role.gate.admit(&request, info)?;
    session.require_scope("AuditEvent", Interaction::Read)?;
    let question = Question { query: "AuditEvent/{id}".to_owned(), subject: String::new() };
    let own = role.own_or_refuse(&session, None, &question).await?;
    let found = role.find_entry(&own, id.parse().ok()).await.map_err(|e| failed(&e))?;
    let receipt = role.log_read(&session, Some(own.pid), &own.decision, question, usize::from(found.is_some())).await?;
    // An entry of another list does not exist in this one.
    let Some(body) = found else { return Err(Refusal::not_found().with_receipt(&receipt)) };
    Ok(Answer::about_person(receipt, 200, form.form(body.to_string().into_bytes())))
}

impl LedgerRole {
    async fn find_entry(&self, own: &Own, id: Option<EntryId>) -> Result<Option<serde_json::Value>, crate::ListError> {
        self.catch_up(&own.list()).await?;
        let (Some(id), Some(mut opened)) = (id, self.reader.list(own.list()).await?) else { return Ok(None) };
        let Some(row) = opened.find(id).await? else { return Ok(None) };
        let entry = opened.open(row).await?;
        let shown = entry.access.and_then(|access| own.part().show(access));
        Ok(shown.map(|access| resource(&entry.row, &access)))
    }
}
