//! One module for each noun or verb of the API.

pub(crate) mod check;
pub(crate) mod commons;
pub(crate) mod everything;
pub(crate) mod history;
pub(crate) mod notice;
pub(crate) mod read;
pub(crate) mod search;
pub(crate) mod snapshot;

use actix_web::HttpRequest;
use actix_web::http::header;
use chassis::http::Refusal;
use schemas::ResourceId;

/// The id of a path; one that we cannot have given is the same as an unknown one.
pub(crate) fn parse_id(text: &str) -> Option<ResourceId> {
    text.parse().ok()
}

/// Whether `If-None-Match` names the version that would be sent.
pub(crate) fn is_known_version(request: &HttpRequest, etag: &str) -> bool {
    let tags = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    tags.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag || tag.trim() == "*"))
}

/// 400 for a parameter that the interaction does not have. It is named by its place: a name that is none could hold anything.
pub(crate) fn unknown_parameter(index: usize, message: &str) -> Refusal {
    Refusal::not_supported(format!("parameter[{index}]"), message)
}

/// What an entry says was asked for: path pattern and parameters, without identifiers of a person.
pub(crate) fn query_text(path: &str, params: &[(String, String)]) -> String {
    let mut text = path.to_owned();
    for (at, (name, value)) in params.iter().filter(|(name, _)| name != "_page").enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(if name == "identifier" { "..." } else { value });
    }
    text.truncate(text.char_indices().nth(1000).map_or(text.len(), |(at, _)| at));
    text
}
