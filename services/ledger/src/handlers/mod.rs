//! One module for each door to a list.

pub(crate) mod accesses;
pub(crate) mod audit_event;
pub(crate) mod supervision;

use actix_web::body::BoxBody;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chassis::http::Refusal;
use chassis::ports::keys::KeysError;
use chassis::release::Answer;
use chassis::session::Session;
use chassis::shelves::ShelfError;
use policies::{Decision, LogScope};
use schemas::access::AccessList;
use schemas::shelf::PersonState;
use schemas::{Pid, Problem, ProblemCode, ResourceId};

use crate::LedgerRole;
use crate::decide::{Question, erased, not_available};
use crate::list::ListError;
use crate::page::Part;
use crate::words::Lang;

pub(crate) type Params = Vec<(String, String)>;

/// An answer whose media type is not FHIR's.
pub(crate) struct Listed {
    pub(crate) answer: Answer,
    pub(crate) content_type: &'static str,
}

impl Responder for Listed {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.answer.respond_to(request);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response
    }
}

/// How a plain list leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Text,
}

impl Form {
    /// `_format` wins over `Accept`; JSON unless text is asked for.
    pub(crate) fn of(request: &HttpRequest, params: &Params) -> Result<Self, Refusal> {
        let named = params.iter().find(|(name, _)| name == "_format").map(|(_, value)| value.as_str());
        let accepted = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
        let ranges = named.unwrap_or(accepted);
        let mut kinds = ranges.split(',').map(|r| r.split(';').next().unwrap_or_default().trim());
        let form = kinds.find_map(|kind| match kind {
            "text/plain" | "text" | "text/*" => Some(Self::Text),
            "application/json" | "json" | "application/*" | "*/*" | "" | "application/fhir+json" => Some(Self::Json),
            _ => None,
        });
        form.ok_or_else(|| {
            let text = "a list is served as application/json or text/plain";
            Refusal::new(406, vec![Problem::new(ProblemCode::NotSupported, "", text)])
        })
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// `lang`, else `Accept-Language`, else Japanese.
pub(crate) fn language(request: &HttpRequest, params: &Params) -> Result<Lang, Refusal> {
    if let Some((name, value)) = params.iter().find(|(name, _)| name == "lang") {
        let text = "is `ja` or `en`";
        return Lang::parse(value)
            .ok_or_else(|| Refusal::bad_request(vec![Problem::new(ProblemCode::Value, name, text)]));
    }
    let header = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    Ok(header.split(',').find_map(|range| Lang::parse(range.trim().get(..2)?)).unwrap_or(Lang::Ja))
}

/// A parameter that no door has.
pub(crate) fn unknown(name: &str) -> Refusal {
    // The name of a parameter is the client's, never a value of a person; a long one is not repeated.
    let name: String = name.chars().take(40).filter(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c)).collect();
    Refusal::not_supported(name, "this parameter is not supported for access lists")
}

/// What an entry says was asked for.
pub(crate) fn query_text(path: &str, params: &Params) -> String {
    let hidden = |name: &str| matches!(name, "patient" | "person" | "identifier" | "text");
    let mut text = path.to_owned();
    for (at, (name, value)) in params.iter().filter(|(name, _)| name != "_page").enumerate() {
        let value = if hidden(name) { "..." } else { value };
        text.push_str(&format!("{}{name}={value}", if at == 0 { '?' } else { '&' }));
    }
    text.chars().take(1000).collect()
}

/// Path and query of the next page.
pub(crate) fn next_link(path: &str, params: &Params, next: u64) -> String {
    let mut url = path.to_owned();
    let number = next.to_string();
    let kept = params.iter().filter(|(name, _)| name != "_page").map(|(n, v)| (n.as_str(), v.as_str()));
    for (at, (name, value)) in kept.chain([("_page", number.as_str())]).enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(&format!("{}={}", urlencoding::encode(name), urlencoding::encode(value)));
    }
    url
}

/// The pid in `Patient/<id>`, `<pid>-<local>` or `<pid>`.
pub(crate) fn parse_person(value: &str) -> Option<Pid> {
    let id = value.rsplit_once('/').map_or(value, |(_, id)| id);
    let pid = id.parse::<ResourceId>().map(|id| id.pid).or_else(|_| id.parse::<Pid>()).ok()?;
    pid.is_person().then_some(pid)
}

/// A damaged list is said, a failing part too; what happened goes to the log, without values.
pub(crate) fn failed(error: &ListError) -> Refusal {
    match error {
        ListError::Damaged { .. } | ListError::Head => {
            tracing::error!(%error, "an access list is damaged");
            let text = "this access list is damaged: an entry is not as it was written; nothing is shown, the operator was told";
            Refusal::new(500, vec![Problem::new(ProblemCode::Exception, "", text).with_rule("damaged")])
        }
        ListError::Log(_) | ListError::Store(_) => Refusal::unavailable(error, 5),
        _ => Refusal::internal(error),
    }
}

/// The own list of the person who asks, or the list that a client's token or parameter names.
pub(crate) struct Own {
    pub(crate) pid: Pid,
    pub(crate) state: PersonState,
    pub(crate) decision: Decision,
}

impl Own {
    pub(crate) fn list(&self) -> AccessList {
        AccessList::Person(self.pid)
    }

    pub(crate) fn part(&self) -> Part<'_> {
        Part { scope: self.decision.filter.log_scope(), visits: &self.state.visits }
    }
}

impl LedgerRole {
    /// The state of the person whose list is asked for; `None` if nobody has this pid, or the person's keys were destroyed.
    pub(crate) async fn state(&self, pid: Pid) -> Result<Option<PersonState>, Refusal> {
        match self.shelves.state(pid).await {
            Err(ShelfError::Keys(KeysError::NoKey)) => Ok(None),
            found => found.map_err(|error| Refusal::internal(&error)),
        }
    }

    /// State and decision for reading one person's list; everything that is not permitted is one and the same refusal, with
    /// its entry.
    pub(crate) async fn own_or_refuse(
        &self,
        session: &Session,
        named: Option<Pid>,
        question: &Question,
    ) -> Result<Own, Refusal> {
        let refused = |person, decision: Option<Decision>| async move {
            self.refuse(session, person, decision.as_ref(), question.clone(), not_available()).await
        };
        let pid = named.or(session.caller.person).filter(|pid| session.caller.may_ask_about(*pid));
        let Some(pid) = pid else { return Err(refused(None, None).await) };
        let Some(state) = self.state(pid).await? else {
            return Err(match session.caller.is_person {
                true => self.refuse(session, None, None, question.clone(), erased()).await,
                false => refused(None, None).await,
            });
        };
        let decision = self.decide(session, Some(&state), None);
        if !decision.is_permit() || decision.filter.log_scope() == LogScope::None {
            return Err(refused(Some(pid), Some(decision)).await);
        }
        Ok(Own { pid, state, decision })
    }
}
