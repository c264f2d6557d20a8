//! One module for each noun or verb of the API.

pub(crate) mod check;
pub(crate) mod commons;
pub(crate) mod everything;
pub(crate) mod history;
pub(crate) mod read;
pub(crate) mod search;

use schemas::ResourceId;

/// The id of a path; one that we cannot have given is the same as an unknown one.
pub(crate) fn parse_id(text: &str) -> Option<ResourceId> {
    text.parse().ok()
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
