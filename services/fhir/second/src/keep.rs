//! A serializer that writes nothing: it looks whether each leaf of a node is in what is serialized.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use crate::{Node, Unfit, same_number_as, same_text};

/// Serializing into it fails where a leaf of the node is missing or another.
#[derive(Clone, Copy)]
pub(crate) struct Keeper<'n>(pub(crate) &'n Node);

type Kept = Result<(), Unfit>;

fn ensure(is_kept: bool) -> Kept {
    if is_kept { Ok(()) } else { Err(Unfit) }
}

impl Keeper<'_> {
    fn number(self, value: f64) -> Kept {
        ensure(match self.0 {
            Node::Number(text) => same_number_as(text, value),
            other => *other == Node::Null,
        })
    }

    fn nothing(self) -> Kept {
        ensure(!self.0.has_leaf())
    }
}

/// Every kind of number is compared as the floating point number that fhir-sdk counts in.
macro_rules! numbers {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name(self, value: $kind) -> Kept {
            self.number(value as f64)
        })*
    };
}

impl<'n> Serializer for Keeper<'n> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Elements<'n>;
    type SerializeTuple = Impossible<(), Unfit>;
    type SerializeTupleStruct = Impossible<(), Unfit>;
    type SerializeTupleVariant = Impossible<(), Unfit>;
    type SerializeMap = Fields<'n>;
    type SerializeStruct = Fields<'n>;
    type SerializeStructVariant = Impossible<(), Unfit>;

    fn serialize_bool(self, value: bool) -> Kept {
        ensure(matches!(self.0, Node::Null) || self.0.as_bool() == Some(value))
    }
    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64
    }
    fn serialize_char(self, value: char) -> Kept {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Kept {
        ensure(match self.0 {
            Node::String(text) => same_text(text, value),
            other => *other == Node::Null,
        })
    }
    fn serialize_bytes(self, _: &[u8]) -> Kept {
        Err(Unfit)
    }
    fn serialize_none(self) -> Kept {
        self.nothing()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Kept {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Kept {
        self.nothing()
    }
    fn serialize_unit_struct(self, _: &'static str) -> Kept {
        self.nothing()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Kept {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Kept {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Kept {
        let mut fields = Fields::of(self.0)?;
        fields.field(variant, value)?;
        fields.finish()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'n>, Unfit> {
        match self.0 {
            Node::Array(items) => Ok(Elements(items.iter())),
            _ => self.nothing().map(|()| Elements([].iter())),
        }
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unfit> {
        Err(Unfit)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Unfit> {
        Err(Unfit)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unfit> {
        Err(Unfit)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'n>, Unfit> {
        Fields::of(self.0)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'n>, Unfit> {
        Fields::of(self.0)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unfit> {
        Err(Unfit)
    }
}

/// The elements of an array that were not met yet.
pub(crate) struct Elements<'n>(std::slice::Iter<'n, Node>);

impl ser::SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Kept {
        self.0.next().map_or(Ok(()), |item| value.serialize(Keeper(item)))
    }

    fn end(self) -> Kept {
        ensure(!self.0.as_slice().iter().any(Node::has_leaf))
    }
}

/// The members of an object, and which of them were met.
pub(crate) struct Fields<'n> {
    members: &'n [(schemas::Text, Node)],
    met: u128,
    /// Where the next one probably stands: most senders keep the order of the specification.
    next: usize,
    /// The member whose name was serialized and whose value comes next.
    named: Option<&'n Node>,
}

impl<'n> Fields<'n> {
    /// Objects with more members than bits are left to the slow comparison.
    fn of(node: &'n Node) -> Result<Self, Unfit> {
        let members = node.members();
        ensure(members.len() <= 128 && (matches!(node, Node::Object(_)) || !node.has_leaf()))?;
        Ok(Self { members, met: 0, next: 0, named: None })
    }

    /// The member of this name, from now on met.
    fn meet(&mut self, name: &str) -> Option<&'n Node> {
        let is_named = |at: &usize| self.members[*at].0 == name;
        let at = (self.next..self.members.len()).chain(0..self.next).find(is_named)?;
        self.met |= 1 << at;
        self.next = at + 1;
        Some(&self.members[at].1)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Kept {
        self.meet(name).map_or(Ok(()), |node| value.serialize(Keeper(node)))
    }

    fn finish(self) -> Kept {
        let is_lost = |(at, (_, node)): (usize, &(schemas::Text, Node))| self.met & (1 << at) == 0 && node.has_leaf();
        ensure(!self.members.iter().enumerate().any(is_lost))
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Kept {
        self.field(name, value)
    }

    fn end(self) -> Kept {
        self.finish()
    }
}

impl ser::SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Kept {
        use fmt::Write as _;
        let mut name = schemas::Text::default();
        write!(name, "{}", Name(key)).map_err(|_| Unfit)?;
        self.named = self.meet(&name);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Kept {
        self.named.take().map_or(Ok(()), |node| value.serialize(Keeper(node)))
    }

    fn end(self) -> Kept {
        self.finish()
    }
}

/// A key as text, by serde's own way to write one.
struct Name<'k, K: ?Sized>(&'k K);

impl<K: Serialize + ?Sized> fmt::Display for Name<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: &[(&str, Node)]) -> Node {
        Node::Object(members.iter().map(|(name, node)| ((*name).into(), node.clone())).collect())
    }

    #[test]
    fn a_leaf_that_is_missing_or_another_is_met_with_a_refusal() {
        let input = object(&[
            ("a", Node::Array(vec![Node::Number("1.50".into()), Node::Null])),
            ("b", object(&[("c", Node::String("x".into())), ("d", Node::Bool(true))])),
            ("e", object(&[("f", Node::Null)])),
        ]);
        let keeps = |output: serde_json::Value| output.serialize(Keeper(&input)).is_ok();
        use serde_json::json;
        assert!(keeps(json!({"b": {"d": true, "more": 1, "c": "x"}, "a": [1.5, 7, 8]})));
        for lost in [
            json!({"b": {"d": true, "c": "x"}}),
            json!({"b": {"d": true, "c": "x"}, "a": []}),
            json!({"b": {"d": true, "c": "x"}, "a": [1.6]}),
            json!({"b": {"d": true}, "a": [1.5]}),
            json!({"b": {"d": false, "c": "x"}, "a": [1.5]}),
            json!({"b": {"d": true, "c": "y"}, "a": [1.5]}),
            json!({"b": "x", "a": [1.5]}),
            json!({"b": {"d": true, "c": 1}, "a": {"0": 1.5}}),
            json!([]),
            json!(null),
        ] {
            assert!(!keeps(lost.clone()), "{lost}");
        }
    }
}
