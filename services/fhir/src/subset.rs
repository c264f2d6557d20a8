//! `_elements` and `_summary`: a resource as far as it was asked for, marked as a part.

use std::borrow::Cow;

use schemas::Text;

use crate::json::{Limits, Node, parse};
use crate::search::Summary;

/// Which members of a resource are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    Whole,
    /// These members and the mandatory ones.
    Only(Vec<String>),
    /// Text, id, meta and the mandatory ones.
    Text,
    /// Everything but text.
    Data,
    /// The elements that R4 marks as summary.
    Summary,
}

/// Members that a resource never loses: R4 makes them mandatory in one type or another, or they tell what it is.
const ALWAYS: [&str; 12] = [
    "resourceType",
    "id",
    "meta",
    "status",
    "intent",
    "code",
    "subject",
    "patient",
    "type",
    "class",
    "beneficiary",
    "use",
];

impl Subset {
    /// What `_summary` and `_elements` ask for; `_elements` wins.
    pub fn of(summary: Option<Summary>, elements: &[String]) -> Self {
        match summary {
            _ if !elements.is_empty() => Self::Only(elements.to_vec()),
            Some(Summary::Text) => Self::Text,
            Some(Summary::Data) => Self::Data,
            Some(Summary::True) => Self::Summary,
            _ => Self::Whole,
        }
    }

    fn keeps(&self, summary: &[&str], name: &str) -> bool {
        let name = name.strip_prefix('_').unwrap_or(name);
        match self {
            Self::Whole => true,
            Self::Only(names) => ALWAYS.contains(&name) || names.iter().any(|n| n == name || is_choice_of(name, n)),
            Self::Text => name == "text" || ALWAYS.contains(&name),
            Self::Data => name != "text",
            Self::Summary => ALWAYS.contains(&name) || summary.contains(&name),
        }
    }
}

/// `valueQuantity` is the element `value[x]`, which is asked for as `value`.
fn is_choice_of(name: &str, asked: &str) -> bool {
    name.strip_prefix(asked).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The part of `resource` (compact JSON) that is shown, with the tag SUBSETTED.
pub fn apply<'r>(resource: &'r [u8], subset: &Subset) -> Cow<'r, [u8]> {
    if *subset == Subset::Whole {
        return Cow::Borrowed(resource);
    }
    let Ok(Node::Object(members)) = parse(resource, &Limits::default()) else { return Cow::Borrowed(resource) };
    let summary = summary_of(&members);
    let mut kept: Vec<(Text, Node)> = members.into_iter().filter(|(name, _)| subset.keeps(&summary, name)).collect();
    if let Some((_, Node::Object(meta))) = kept.iter_mut().find(|(name, _)| name == "meta") {
        add_tag(meta);
    }
    Cow::Owned(Node::Object(kept).to_bytes())
}

/// Names of the summary elements of the type that the members name.
fn summary_of(members: &[(Text, Node)]) -> Vec<&'static str> {
    let name = members.iter().find(|(name, _)| name == "resourceType").and_then(|(_, value)| value.as_str());
    let table = crate::table::table();
    let resource = name.and_then(|name| table.find_resource(name));
    resource.map_or_else(Vec::new, |id| table.get(id).summary_fields().collect())
}

fn add_tag(meta: &mut Vec<(Text, Node)>) {
    let text = |s: &str| Node::String(s.into());
    let tag = Node::Object(vec![
        ("system".into(), text("http://terminology.hl7.org/CodeSystem/v3-ObservationValue")),
        ("code".into(), text("SUBSETTED")),
    ]);
    match meta.iter_mut().find(|(name, _)| name == "tag") {
        Some((_, Node::Array(tags))) => tags.push(tag),
        _ => meta.push(("tag".into(), Node::Array(vec![tag]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_what_was_asked_for_and_say_that_it_is_a_part() {
        let resource = br#"{"resourceType":"Observation","id":"x","meta":{},"status":"final","text":{},"code":{},"valueQuantity":{"value":1.50},"note":[]}"#;
        let apply_text = |subset| String::from_utf8(apply(resource, &subset).into_owned()).unwrap();
        let shown = apply_text(Subset::Only(vec!["value".to_owned()]));
        assert!(shown.contains("SUBSETTED") && shown.contains("1.50") && shown.contains("status"));
        assert!(!shown.contains("note") && !shown.contains("\"text\""));
        let data = apply_text(Subset::Data);
        assert!(data.contains("note") && !data.contains("\"text\""));
        let summary = apply_text(Subset::Summary);
        assert!(summary.contains("1.50") && !summary.contains("note"));
        assert_eq!(&*apply(resource, &Subset::Whole), resource);
    }
}
