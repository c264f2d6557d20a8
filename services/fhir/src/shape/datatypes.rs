//! What holds for values beyond their names: forms of primitives, required codes, references, extensions, narrative.

use schemas::ProblemCode;

use super::Checker;
use crate::codes::is_known_system;
use crate::json::Node;
use crate::path::Path;
use crate::primitive::Primitive;
use crate::reference::{Literal, literal};
use crate::table::{Field, TypeId, table};
use crate::xhtml;

impl<'a> Checker<'a> {
    pub(super) fn primitive(&mut self, primitive: Primitive, field: &'static Field, value: &'a Node, path: &Path<'_>) {
        if let Err((is_wrong_type, fault)) = primitive.check(value) {
            let code = if is_wrong_type { ProblemCode::Structure } else { ProblemCode::Value };
            return self.error(code, path, fault);
        }
        let Some(text) = value.as_str() else { return };
        match primitive {
            Primitive::Code => {
                let set = field.set.map(|set| &table().sets[usize::from(set)]);
                if set.is_some_and(|set| !set.has_code(text)) {
                    self.error(
                        ProblemCode::CodeInvalid,
                        path,
                        "is not a code of the value set that FHIR R4 requires here",
                    );
                }
            }
            Primitive::Uri | Primitive::Url | Primitive::Canonical => self.note_local(text, false, path),
            Primitive::Xhtml => {
                if let Err(fault) = xhtml::check(text) {
                    self.error(fault.code, path, fault.message);
                }
            }
            _ => {}
        }
    }

    /// Rules of single data types, after their members were checked.
    pub(super) fn data_type(&mut self, field: &'static Field, id: TypeId, node: &'a Node, path: &Path<'_>) {
        match table().get(id).name {
            "Extension" => self.extension(node, path),
            "Reference" => self.reference(field, node, path),
            "Coding" => {
                self.coding(node, path);
                self.bound(field, std::slice::from_ref(node), path);
            }
            // Where only an extension stands (data absent), there is no code to judge.
            "CodeableConcept" if node.get("coding").is_some() || node.get("text").is_some() => {
                self.bound(field, node.get("coding").map_or(&[], Node::items), path);
            }
            _ => {}
        }
    }

    /// ext-1: an extension has a value or extensions, not both.
    fn extension(&mut self, node: &Node, path: &Path<'_>) {
        let has_value = node.members().iter().any(|(name, _)| name.trim_start_matches('_').starts_with("value"));
        let has_extensions = node.get("extension").is_some();
        if has_value && has_extensions {
            self.error(ProblemCode::Invariant, path, "must have either a value or extensions (ext-1)");
        } else if !has_value && !has_extensions {
            self.error(ProblemCode::Invariant, path, "must have a value or extensions (ext-1)");
        }
    }

    fn coding(&mut self, node: &Node, path: &Path<'_>) {
        if node.text("system").is_some_and(|system| !is_known_system(system)) {
            let message = "is a code system that is not known here: accepted, its codes are not checked";
            self.warn(ProblemCode::Informational, &path.name("system"), message);
        }
    }

    /// A required binding of concepts: one of the codings is in the set.
    fn bound(&mut self, field: &'static Field, codings: &[Node], path: &Path<'_>) {
        let Some(set) = field.set.map(|set| &table().sets[usize::from(set)]) else { return };
        let is_in = |coding: &Node| match (coding.text("system"), coding.text("code")) {
            (Some(system), Some(code)) => set.has(system, code),
            _ => false,
        };
        if !codings.iter().any(is_in) {
            self.error(ProblemCode::CodeInvalid, path, "has no code of the value set that FHIR R4 requires here");
        }
    }

    fn reference(&mut self, field: &'static Field, node: &'a Node, path: &Path<'_>) {
        let here = path.name("reference");
        let mut named = node.text("type");
        if let Some(text) = node.text("reference") {
            self.note_local(text, true, &here);
            match literal(text) {
                Some(Literal::Typed { resource_type, .. }) => {
                    if table().find_resource(resource_type).is_none() {
                        return self.error(ProblemCode::Value, &here, "names a type that FHIR R4 does not have");
                    }
                    if named.is_some_and(|named| named != resource_type) {
                        self.error(ProblemCode::Invariant, &here, "is of another type than `type` says");
                    }
                    named = Some(resource_type);
                }
                Some(Literal::Local | Literal::Opaque) => {}
                None => self.error(ProblemCode::Value, &here, "must be Type/id, #id, a URL or a URN"),
            }
        }
        let is_allowed = named.is_none_or(|named| field.targets.is_empty() || field.targets.contains(&named));
        if !is_allowed {
            self.error(ProblemCode::Value, &here, &format!("must refer to {}", field.targets.join(" or ")));
        }
    }
}
