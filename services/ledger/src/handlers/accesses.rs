//! `/me/accesses`: the person's list in plain sentences.

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Refusal, RequestInfo, pretty_json};
use chassis::ledger::Receipt;
use chassis::release::Answer;

use super::{Form, Listed, Params, failed, language, next_link, query_text, unknown};
use crate::LedgerRole;
use crate::decide::Question;
use crate::filter::Asked;
use crate::page::Page;
use crate::view;
use crate::words::Voice;

const PATH: &str = "/me/accesses";

/// `GET /me/accesses?lang=&facility=&professional=&from=&to=&kind=&category=&purpose=&text=&_count=&_page=`
pub(crate) async fn list(
    role: web::Data<LedgerRole>,
    request: HttpRequest,
    info: RequestInfo,
    params: web::Query<Params>,
) -> Result<Listed, Refusal> {
    let session = role.gate.admit(&request, info)?;
    session.require_scope("AuditEvent", Interaction::Search)?;
    let form = Form::of(&request, &params)?;
    let voice = Voice { lang: language(&request, &params)?, to_person: true };
    let mut asked = Asked::new();
    for (name, value) in params.iter().filter(|(name, _)| name != "lang") {
        if !asked.take_plain(name, value)? {
            return Err(unknown(name));
        }
    }
    let question = Question { query: query_text("me/accesses", &params), subject: String::new() };
    let own = role.own_or_refuse(&session, None, &question).await?;
    let page = role.page(own.list(), &own.part(), &asked, voice).await.map_err(|e| failed(&e))?;
    let receipt = role.log_read(&session, Some(own.pid), &own.decision, question, page.entries.len()).await?;
    Ok(shown(&role, receipt, &page, (form, voice), (PATH, &params)))
}

/// The page in the form asked for.
pub(crate) fn shown(
    role: &LedgerRole,
    receipt: Receipt,
    page: &Page,
    (form, voice): (Form, Voice),
    (path, params): (&str, &Params),
) -> Listed {
    let next = page.next.map(|next| next_link(path, params, next));
    let link = next.clone();
    let body = match form {
        Form::Text => view::text(page, voice),
        Form::Json => {
            let body = view::json(page, voice, &role.gate.registry.state(), next).to_string().into_bytes();
            let is_pretty = params.iter().any(|(name, value)| name == "_pretty" && value == "true");
            if is_pretty { pretty_json(&body) } else { body }
        }
    };
    let mut answer = Answer::about_person(receipt, 200, body).with_header("content-language", voice.lang.as_str());
    if let Some(link) = link {
        answer = answer.with_header("link", format!("<{link}>; rel=\"next\""));
    }
    Listed { answer, content_type: form.content_type() }
}
