//! Entries become changes: ids, references, category and labels, consents, the body as it is stored.

use chassis::http::Refusal;
use fhir::classify::{Class, classify, classify_part, tables_release};
use fhir::json::Node;
use schemas::header::ItemMeta;
use schemas::search::ParamValue;
use schemas::shelf::Objection;
use schemas::submission::{Change, Op};
use schemas::{ItemKey, LocalId, OrganisationId, Problem, ProblemCode, ResourceType, SubmissionId};

use crate::draft::{Draft, Entry, Wish};
use crate::references::Names;

/// Ids of the entries: a retry gives the same.
pub(crate) fn items_of(draft: &Draft, submission: &SubmissionId) -> Vec<ItemKey> {
    let item = |(index, entry): (usize, &Entry)| {
        let local = match entry.wish {
            Wish::Update { id, .. } | Wish::Delete { id, .. } => id.local,
            _ => LocalId::of_entry(submission, index),
        };
        ItemKey { resource_type: entry.resource_type, local }
    };
    draft.entries.iter().enumerate().map(item).collect()
}

/// All changes of a draft and, if wanted, the search values of their bodies; or all that is wrong with it.
pub(crate) fn build_changes(
    draft: Draft,
    items: &[ItemKey],
    (names, with_search): (&Names, bool),
) -> Result<(Vec<Change>, Vec<Vec<ParamValue>>), Refusal> {
    let whole = (draft.form == crate::draft::Form::Document).then(|| (items[0], draft.entries[0].node.clone()));
    let whole_class = whole.as_ref().and_then(|(_, node)| classify(ResourceType::Bundle, node));
    let mut changes = Vec::with_capacity(draft.entries.len());
    let (mut search, mut problems) = (Vec::new(), Vec::new());
    for (entry, item) in draft.entries.into_iter().zip(items) {
        let part = entry.in_document.then_some(()).and(whole.as_ref()).map(|(bundle, _)| *bundle);
        match build_change(entry, *item, names, (part, whole_class.as_ref())) {
            Ok((change, body)) => {
                if with_search {
                    search.push(fhir::extract::extract(item.resource_type, &body));
                }
                changes.push(change);
            }
            Err(mut found) => problems.append(&mut found),
        }
    }
    if problems.is_empty() { Ok((changes, search)) } else { Err(Refusal::unprocessable(problems)) }
}

/// The change and its body as a tree.
fn build_change(
    entry: Entry,
    item: ItemKey,
    names: &Names,
    (part_of, whole): (Option<ItemKey>, Option<&Class>),
) -> Result<(Change, Node), Vec<Problem>> {
    let op = match entry.wish {
        Wish::Create => Op::Create,
        Wish::CreateIfNone(query) => Op::CreateIfNone(condition(entry.resource_type, query, &entry.path)?),
        Wish::Update { if_match, .. } => Op::Update { if_match },
        Wish::UpdateMatch(query) => Op::UpdateMatch(condition(entry.resource_type, query, &entry.path)?),
        Wish::Delete { if_match, .. } => {
            let op = Op::Delete { if_match };
            let change = Change { op, item, body: Vec::new(), meta: None, consent: None, objection: None, visit: None };
            return Ok((change, Node::Null));
        }
    };
    let mut node = entry.node;
    let unmapped = || {
        let text = "this type and code map to no data category; it cannot be kept";
        vec![Problem::new(ProblemCode::NotSupported, entry.path.clone(), text).with_rule("category")]
    };
    let class = match whole {
        Some(whole) if part_of.is_some() => classify_part(entry.resource_type, &node, whole),
        _ => classify(entry.resource_type, &node),
    };
    let class = class.or_else(|| entry.resource_type.is_commons().then(commons_class)).ok_or_else(unmapped)?;
    if entry.resource_type != ResourceType::Bundle {
        fhir::bundle::rewrite_references(&mut node, &|text| names.get(text).cloned());
    }
    let (consent, objection) = meaning(entry.resource_type, &node, item).map_err(|problems| {
        problems.into_iter().map(|p| Problem { path: within(&entry.path, &p.path), ..p }).collect::<Vec<_>>()
    })?;
    let period = fhir::extract::clinical_period(entry.resource_type, &node);
    let (_, sent_meta) = fhir::bundle::take_id_and_meta(&mut node);
    node.remove("resourceType");
    let meta = ItemMeta {
        category: class.category,
        class: class.class,
        labels: class.labels,
        period,
        receivers: class.receivers.into_iter().map(OrganisationId).collect(),
        sent_meta: sent_meta.map(meta_text).unwrap_or_default(),
        part_of,
        tables_release: tables_release().to_owned(),
    };
    Ok((Change { op, item, body: node.to_bytes(), meta: Some(meta), consent, objection, visit: None }, node))
}

/// `Consent.provision.type` inside of an entry is `Bundle.entry[1].resource.provision.type`.
fn within(entry: &str, path: &str) -> String {
    match path.split_once('.') {
        Some((_, inner)) if !entry.is_empty() => crate::resolve::join(entry, inner),
        _ => path.to_owned(),
    }
}

/// The query of a conditional change, if it compiles: what the projector would not understand is refused here.
fn condition(resource_type: ResourceType, query: String, path: &str) -> Result<String, Vec<Problem>> {
    match fhir::search::conditional(resource_type, &query) {
        Ok(_) => Ok(query),
        Err(problems) => Err(problems.into_iter().map(|p| Problem { path: path.to_owned(), ..p }).collect()),
    }
}

/// Commons are about no person; the filter never sees them.
fn commons_class() -> Class {
    Class { category: schemas::Category::Elig, class: String::new(), labels: Vec::new(), receivers: Vec::new() }
}

type Meaning = (Option<schemas::consent::ConsentArtefact>, Option<Objection>);

/// What a Consent means to the rules; one that cannot be enforced is refused.
fn meaning(resource_type: ResourceType, node: &Node, item: ItemKey) -> Result<Meaning, Vec<Problem>> {
    if resource_type != ResourceType::Consent {
        return Ok((None, None));
    }
    let mut node = node.clone();
    shorten_visit(&mut node);
    // References without an identifier name nobody of the registry: commons describe and never authorise.
    let read = fhir::consent::from_fhir(&node, &|_| None)?;
    Ok((read.consent, read.objection.map(|terms| terms.of(item))))
}

/// A visit may be named by its whole id, as `POST /visits` gave it; the rules know it by the part within the shelf.
fn shorten_visit(consent: &mut Node) {
    let Some(Node::Array(extensions)) = consent.get_mut("extension") else { return };
    for extension in extensions {
        if extension.text("url").is_some_and(|url| url.ends_with("/consent-visit"))
            && let Some(Node::String(id)) = extension.get_mut("valueString")
            && let Ok(whole) = id.parse::<schemas::ResourceId>()
        {
            *id = whole.local.to_string().into();
        }
    }
}

/// `meta` without what the server gives.
fn meta_text(mut meta: Node) -> String {
    meta.remove("versionId");
    meta.remove("lastUpdated");
    match &meta {
        Node::Object(members) if members.is_empty() => String::new(),
        _ => String::from_utf8(meta.to_bytes()).unwrap_or_default(),
    }
}
