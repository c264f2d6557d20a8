//! `/audit/accesses`: a regulator reads a list inside a case (R43), without clinical content.

use actix_web::{HttpRequest, web};
use chassis::auth::scopes::Interaction;
use chassis::http::{Refusal, RequestInfo};
use chassis::session::Session;
use policies::{Authority, Decision, LogScope};
use schemas::access::AccessList;
use schemas::authority::{Case, Status};
use schemas::{OrganisationId, Pid, Problem, ProblemCode};

use super::accesses::shown;
use super::{Form, Listed, Params, failed, language, parse_person, query_text, unknown};
use crate::LedgerRole;
use crate::decide::{Question, not_available};
use crate::filter::Asked;
use crate::page::Part;
use crate::words::Voice;

const PATH: &str = "/audit/accesses";

/// Whose list.
enum Target {
    /// `None`: the parameter is no id of a person.
    Person(Option<Pid>),
    Facility(OrganisationId),
}

/// `GET /audit/accesses?case=&person=|organisation=&lang=&facility=&professional=&from=&to=&kind=&purpose=&_count=&_page=`
pub(crate) async fn list(
    role: web::Data<LedgerRole>,
    request: HttpRequest,
    info: RequestInfo,
    params: web::Query<Params>,
) -> Result<Listed, Refusal> {
    let session = role.gate.admit(&request, info)?;
    session.require_scope("AuditEvent", Interaction::Search)?;
    let form = Form::of(&request, &params)?;
    let voice = Voice { lang: language(&request, &params)?, to_person: false };
    let (mut asked, mut case, mut target) = (Asked::new(), None, None);
    for (name, value) in params.iter() {
        match name.as_str() {
            "lang" => {}
            "case" => case = Some(value.as_str()),
            "person" | "organisation" if target.is_some() => return Err(one_list()),
            "person" => target = Some(Target::Person(parse_person(value))),
            "organisation" => target = Some(Target::Facility(value.as_str().into())),
            _ if asked.take_plain(name, value)? => {}
            _ => return Err(unknown(name)),
        }
    }
    let (Some(case), Some(target)) = (case, target) else { return Err(one_list()) };
    let found = role.gate.registry.state().case(case).cloned();
    let subject = found.as_deref().map_or_else(|| "case/".to_owned(), |case| format!("case/{}", case.id));
    let question = Question { query: query_text("audit/accesses", &params), subject };
    let authority = found.as_deref().filter(|case| role.officials_are_active(&session, case)).map(Authority::from);
    let (list, person, decision) = role.supervised(&session, target, authority, &question).await?;
    let part = Part { scope: decision.filter.log_scope(), visits: &[] };
    let page = role.page(list, &part, &asked, voice).await.map_err(|e| failed(&e))?;
    let receipt = role.log_read(&session, person, &decision, question, page.entries.len()).await?;
    Ok(shown(&role, receipt, &page, (form, voice), (PATH, &params)))
}

fn one_list() -> Refusal {
    let text = "name the case and one list: `case` and `person`, or `case` and `organisation`";
    Refusal::bad_request(vec![Problem::new(ProblemCode::Required, "", text)])
}

impl LedgerRole {
    /// The second person of R43: a case counts only while both its officials are active officials of the caller's
    /// organisation. One who was suspended or has left takes the case away from the other.
    fn officials_are_active(&self, session: &Session, case: &Case) -> bool {
        let registry = self.gate.registry.state();
        case.officials.iter().all(|id| {
            registry.professional(id).is_some_and(|p| {
                p.status == Status::Active
                    && p.profession == "official"
                    && p.roles.iter().any(|(at, _)| *at == session.caller.organisation)
            })
        })
    }

    async fn supervised(
        &self,
        session: &Session,
        target: Target,
        authority: Option<Authority>,
        question: &Question,
    ) -> Result<(AccessList, Option<Pid>, Decision), Refusal> {
        let refused = |person, decision: Option<Decision>| async move {
            self.refuse(session, person, decision.as_ref(), question.clone(), not_available()).await
        };
        match target {
            Target::Person(pid) => {
                let Some(pid) = pid.filter(|pid| session.caller.may_ask_about(*pid)) else {
                    return Err(refused(None, None).await);
                };
                let Some(state) = self.state(pid).await? else { return Err(refused(None, None).await) };
                let decision = self.decide(session, Some(&state), authority);
                if !is_supervision(&decision) {
                    return Err(refused(Some(pid), Some(decision)).await);
                }
                Ok((AccessList::Person(pid), Some(pid), decision))
            }
            Target::Facility(organisation) => {
                let decision = self.decide(session, None, authority);
                let covers = |o: &OrganisationId| match decision.filter.log_scope() {
                    LogScope::NoClinicalContent { organisations } => organisations.contains(o),
                    _ => false,
                };
                if !decision.is_permit() || !covers(&organisation) {
                    return Err(refused(None, Some(decision)).await);
                }
                Ok((AccessList::Facility(organisation), None, decision))
            }
        }
    }
}

/// This door opens lists without clinical content only, whoever asks.
fn is_supervision(decision: &Decision) -> bool {
    decision.is_permit() && matches!(decision.filter.log_scope(), LogScope::NoClinicalContent { .. })
}
