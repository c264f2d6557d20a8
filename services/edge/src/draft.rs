//! A request as entries to be written, before person and references are resolved.

use chassis::http::Refusal;
use fhir::bundle::BundleEntry;
use fhir::check::Checked;
use fhir::json::Node;
use schemas::{Problem, ProblemCode, ResourceId, ResourceType};

/// What is asked to be done with one entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wish {
    Create,
    CreateIfNone(String),
    Update { id: ResourceId, if_match: Option<u32> },
    UpdateMatch(String),
    Delete { id: ResourceId, if_match: Option<u32> },
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) wish: Wish,
    pub(crate) resource_type: ResourceType,
    /// The resource as sent; `Null` for a delete.
    pub(crate) node: Node,
    /// `Bundle.entry[3].resource`; empty for a single resource.
    pub(crate) path: String,
    /// Names of this entry that other entries may refer to.
    pub(crate) full_url: String,
    /// Part of the document or collection in entry 0.
    pub(crate) in_document: bool,
}

/// A whole request.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) entries: Vec<Entry>,
    pub(crate) form: Form,
    pub(crate) warnings: Vec<Problem>,
}

/// How the answer is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Single,
    Transaction,
    /// A document or collection kept as a Bundle; its items are resources of their own too.
    Document,
}

impl Draft {
    /// One resource.
    pub(crate) fn single(checked: Checked, wish: Wish) -> Self {
        let Checked { resource_type, node, warnings } = checked;
        let (path, full_url) = Default::default();
        Self {
            entries: vec![Entry { wish, resource_type, node, path, full_url, in_document: false }],
            form: Form::Single,
            warnings,
        }
    }

    /// A delete of one resource.
    pub(crate) fn delete(resource_type: ResourceType, id: ResourceId, if_match: Option<u32>) -> Self {
        let node = Node::Null;
        let (path, full_url) = Default::default();
        let wish = Wish::Delete { id, if_match };
        let entry = Entry { wish, resource_type, node, path, full_url, in_document: false };
        Self { entries: vec![entry], form: Form::Single, warnings: Vec::new() }
    }

    /// A transaction: each entry with its request.
    pub(crate) fn transaction(checked: &Checked) -> Result<Self, Refusal> {
        let mut entries = Vec::new();
        for entry in fhir::bundle::entries(&checked.node) {
            entries.push(of_request(entry)?);
        }
        Ok(Self { entries, form: Form::Transaction, warnings: checked.warnings.clone() })
    }

    /// A document or collection: the Bundle itself, then every resource inside that belongs to a person.
    pub(crate) fn document(checked: Checked) -> Self {
        let Checked { node, warnings, .. } = checked;
        let mut entries = Vec::new();
        for inside in fhir::bundle::entries(&node) {
            let Some(resource) = inside.resource else { continue };
            let Some(resource_type) = type_of(&resource).filter(|t| !t.is_commons()) else { continue };
            let path = format!("{}.resource", inside.path);
            let full_url = inside.full_url.unwrap_or_default();
            entries.push(Entry {
                wish: Wish::Create,
                resource_type,
                node: resource,
                path,
                full_url,
                in_document: true,
            });
        }
        let (path, full_url) = Default::default();
        let bundle =
            Entry { wish: Wish::Create, resource_type: ResourceType::Bundle, node, path, full_url, in_document: false };
        entries.insert(0, bundle);
        Self { entries, form: Form::Document, warnings }
    }
}

fn type_of(node: &Node) -> Option<ResourceType> {
    node.text("resourceType").and_then(|t| t.parse().ok())
}

/// One entry of a transaction or batch by its `request`.
pub(crate) fn of_request(entry: BundleEntry) -> Result<Entry, Refusal> {
    let problem = |part: &str, text: &str| {
        Refusal::bad_request(vec![Problem::new(ProblemCode::Structure, format!("{}.{part}", entry.path), text)])
    };
    let method = entry.method.as_deref().ok_or_else(|| problem("request", "a transaction entry needs a request"))?;
    let url = entry.url.as_deref().unwrap_or_default().trim_start_matches('/');
    let (target, query) = url.split_once('?').map_or((url, None), |(t, q)| (t, Some(q.to_owned())));
    let (type_name, id) = target.split_once('/').map_or((target, None), |(t, id)| (t, Some(id)));
    let resource_type: ResourceType =
        type_name.parse().map_err(|_| problem("request.url", "the url must begin with a type that is kept here"))?;
    let if_match = entry
        .if_match
        .as_deref()
        .map(parse_etag)
        .transpose()
        .map_err(|()| problem("request.ifMatch", "must be a version like W/\"1\""))?;
    let known = |id: Option<&str>| {
        id.and_then(|id| id.parse::<ResourceId>().ok())
            .ok_or_else(|| problem("request.url", "no resource has this id; ids are given by the server"))
    };
    let wish = match (method, query, &entry.if_none_exist) {
        ("POST", None, Some(query)) => Wish::CreateIfNone(query.clone()),
        ("POST", None, None) => Wish::Create,
        ("PUT", Some(query), _) => Wish::UpdateMatch(query),
        ("PUT", None, _) => Wish::Update { id: known(id)?, if_match },
        ("DELETE", None, _) => Wish::Delete { id: known(id)?, if_match },
        _ => {
            return Err(problem(
                "request.method",
                "POST, PUT and DELETE are taken here; read with searches of their own",
            ));
        }
    };
    let node = match (&wish, entry.resource.clone()) {
        (Wish::Delete { .. }, _) => Node::Null,
        (_, Some(node)) if type_of(&node) == Some(resource_type) => node,
        (_, Some(_)) => return Err(problem("request.url", "the url names another type than the resource")),
        (_, None) => return Err(problem("resource", "a resource is needed")),
    };
    let path = format!("{}.resource", entry.path);
    let full_url = entry.full_url.clone().unwrap_or_default();
    Ok(Entry { wish, resource_type, node, path, full_url, in_document: false })
}

/// `W/"3"` or `"3"` as a version.
pub(crate) fn parse_etag(text: &str) -> Result<u32, ()> {
    text.trim().trim_start_matches("W/").trim_matches('"').parse().map_err(|_| ())
}
