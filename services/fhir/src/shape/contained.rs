//! Contained resources: R4 invariants dom-2 to dom-5, and no loops among them.

use std::collections::HashMap;

use schemas::ProblemCode;

use super::Checker;
use crate::json::Node;
use crate::path::Path;

/// A reference inside a resource.
pub(super) struct Local<'a> {
    /// Index of the contained resource that makes it, or the container.
    pub(super) from: Option<usize>,
    /// The id after `#`; empty for the container.
    pub(super) to: &'a str,
    /// Only a Reference must be resolvable and can make a loop; a URI merely counts as a use.
    pub(super) is_reference: bool,
    pub(super) path: String,
}

impl<'a> Checker<'a> {
    /// After a resource was walked: each contained one is used, each `#id` leads somewhere, none leads back to itself.
    pub(super) fn check_contained(&mut self, node: &'a Node, path: &Path<'_>) {
        let contained = node.get("contained").map_or(&[][..], Node::items);
        let place = path.name("contained");
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for (at, one) in contained.iter().enumerate() {
            let here = place.index(at);
            if let Some(id) = one.text("id")
                && ids.insert(id, at).is_some()
            {
                self.error(ProblemCode::Duplicate, &here.name("id"), "stands twice among the contained resources");
            }
            self.check_meta(one, &here);
        }
        let mut is_used = vec![false; contained.len()];
        let mut edges: Vec<(usize, usize)> = Vec::new();
        for local in std::mem::take(&mut self.locals) {
            let target = ids.get(local.to).copied();
            match (local.from, target) {
                (_, Some(to)) => is_used[to] = true,
                // `#` leads to the container: that is a use of the one that says so.
                (Some(from), None) if local.to.is_empty() => is_used[from] = true,
                _ if local.is_reference => {
                    let path = Path::Root(&local.path);
                    self.error(ProblemCode::NotFound, &path, "refers to a contained resource that is not there");
                }
                _ => {}
            }
            if let (Some(from), Some(to), true) = (local.from, target, local.is_reference) {
                edges.push((from, to));
            }
        }
        for at in is_used.iter().enumerate().filter(|(_, used)| !**used).map(|(at, _)| at) {
            self.error(ProblemCode::Invariant, &place.index(at), "is contained but nothing refers to it (dom-3)");
        }
        if let Some(at) = find_loop(contained.len(), &edges) {
            self.error(ProblemCode::Invariant, &place.index(at), "is in a loop of contained resources");
        }
    }

    fn check_meta(&mut self, one: &Node, path: &Path<'_>) {
        let Some(meta) = one.get("meta") else { return };
        let place = path.name("meta");
        for name in ["versionId", "lastUpdated"].iter().filter(|name| meta.get(name).is_some()) {
            self.error(ProblemCode::Invariant, &place.name(name), "must not be in a contained resource (dom-4)");
        }
        if meta.get("security").is_some() {
            self.error(ProblemCode::Invariant, &place.name("security"), "must not be in a contained resource (dom-5)");
        }
    }

    /// Notes a reference or URI that begins with `#`.
    pub(super) fn note_local(&mut self, text: &'a str, is_reference: bool, path: &Path<'_>) {
        if let Some(to) = text.strip_prefix('#') {
            self.locals.push(Local { from: self.inside, to, is_reference, path: path.write() });
        }
    }
}

/// A node on a cycle, found by taking away, again and again, the nodes that nothing leads to.
fn find_loop(count: usize, edges: &[(usize, usize)]) -> Option<usize> {
    let mut incoming = vec![0usize; count];
    let mut outgoing = vec![Vec::new(); count];
    for (from, to) in edges {
        incoming[*to] += 1;
        outgoing[*from].push(*to);
    }
    let mut free: Vec<usize> = (0..count).filter(|at| incoming[*at] == 0).collect();
    while let Some(at) = free.pop() {
        for to in &outgoing[at] {
            incoming[*to] -= 1;
            if incoming[*to] == 0 {
                free.push(*to);
            }
        }
    }
    incoming.iter().position(|left| *left > 0)
}
