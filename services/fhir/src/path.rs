//! Where in an input something is wrong. Kept on the stack while a tree is walked, written out only for a fault.

use crate::json;

/// A place in a tree, as a chain up to the root.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The text that all begins with: the type, or the place of an entry in its Bundle.
    Root(&'a str),
    /// A member. Names that are no element are not shown as they are ([`json::is_shown`]).
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn name(&'a self, name: &'a str) -> Path<'a> {
        Path::Name(self, name)
    }

    pub(crate) fn index(&'a self, at: usize) -> Path<'a> {
        Path::Index(self, at)
    }

    pub(crate) fn write(&self) -> String {
        let mut text = String::new();
        self.append(&mut text);
        text
    }

    fn append(&self, text: &mut String) {
        match self {
            Path::Root(root) => text.push_str(root),
            Path::Name(parent, name) => {
                parent.append(text);
                if !text.is_empty() {
                    text.push('.');
                }
                // Elements with digits in their names (`valueBase64Binary`) come from the table and are let through there.
                let is_known = json::is_shown(name) || name.ends_with("Base64Binary");
                text.push_str(if is_known { name } else { "?" });
            }
            Path::Index(parent, at) => {
                parent.append(text);
                text.push('[');
                text.push_str(&at.to_string());
                text.push(']');
            }
        }
    }
}
