//! Parameters of every resource, answered from the header itself.

use schemas::header::Header;
use schemas::search::SearchValue;
use schemas::vocab::Label;
use serde::Deserialize;

use crate::classify::label_coding;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MetaField {
    Id,
    LastUpdated,
    Tag,
    Profile,
    Security,
    Source,
}

impl MetaField {
    pub(super) fn parse(code: &str) -> Option<Self> {
        Some(match code {
            "_id" => Self::Id,
            "_lastUpdated" => Self::LastUpdated,
            "_tag" => Self::Tag,
            "_profile" => Self::Profile,
            "_security" => Self::Security,
            "_source" => Self::Source,
            _ => return None,
        })
    }
}

/// The parts of `meta` that were sent; unreadable text counts as none sent.
#[derive(Deserialize, Default)]
#[serde(default)]
struct SentMeta {
    tag: Vec<SentCoding>,
    security: Vec<SentCoding>,
    profile: Vec<String>,
    source: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SentCoding {
    system: String,
    code: String,
    display: String,
}

/// The values of a field; labels that the door put on are security tags, as they are when the resource is read.
pub(super) fn values(header: &Header, field: MetaField) -> Vec<SearchValue> {
    let token = |system: &str, code: &str, text: &str| SearchValue::Token {
        system: system.into(),
        code: code.into(),
        text: text.into(),
        types: None,
    };
    let uri = |uri: &String| SearchValue::Uri(uri.into());
    match field {
        MetaField::Id => vec![token("", &header.item.local.to_string(), "")],
        MetaField::LastUpdated => vec![SearchValue::Date { from: header.last_updated, to: header.last_updated + 1 }],
        MetaField::Tag => sent(header).tag.iter().map(|c| token(&c.system, &c.code, &c.display)).collect(),
        MetaField::Profile => sent(header).profile.iter().map(uri).collect(),
        MetaField::Source => sent(header).source.iter().map(uri).collect(),
        MetaField::Security => {
            let mut values: Vec<_> =
                sent(header).security.iter().map(|c| token(&c.system, &c.code, &c.display)).collect();
            for (system, code) in header.meta.labels.iter().map(|label: &Label| label_coding(*label)) {
                let label = token(system, code, "");
                if !values.contains(&label) {
                    values.push(label);
                }
            }
            values
        }
    }
}

fn sent(header: &Header) -> SentMeta {
    match header.meta.sent_meta.as_str() {
        "" => SentMeta::default(),
        text => serde_json::from_str(text).unwrap_or_default(),
    }
}
