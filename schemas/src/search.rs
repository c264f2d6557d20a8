//! The values of search parameters, taken out of a resource once, when it is written, and kept in its header.

use minicbor::{Decode, Encode};

use crate::Text;

/// One value of one search parameter. Produced by `fhir::extract`, read by `fhir::search`.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum SearchValue {
    /// `system` is empty where the element has none (or cannot have one). `text`: display and text, for `:text`.
    #[n(0)]
    Token {
        #[cbor(n(0), with = "crate::text")]
        system: Text,
        #[cbor(n(1), with = "crate::text")]
        code: Text,
        #[cbor(n(2), with = "crate::text")]
        text: Text,
        /// Type codings of an identifier, `system|code` joined by spaces, for `:of-type`; `None` where there are none.
        #[n(3)]
        types: Option<String>,
    },
    /// As written; matching normalises.
    #[n(1)]
    Text(#[cbor(n(0), with = "crate::text")] Text),
    /// The interval that the value covers, milliseconds since 1970, from inclusive to exclusive; open ends are `i64::MIN`/`MAX`.
    #[n(2)]
    Date {
        #[n(0)]
        from: i64,
        #[n(1)]
        to: i64,
    },
    /// Decimal text as written.
    #[n(3)]
    Number(#[cbor(n(0), with = "crate::text")] Text),
    #[n(4)]
    Quantity {
        #[cbor(n(0), with = "crate::text")]
        value: Text,
        #[cbor(n(1), with = "crate::text")]
        system: Text,
        #[cbor(n(2), with = "crate::text")]
        code: Text,
        #[cbor(n(3), with = "crate::text")]
        unit: Text,
    },
    /// `target`: `Type/id` or an absolute URL or a urn; empty where the reference is by identifier alone.
    #[n(5)]
    Reference {
        #[cbor(n(0), with = "crate::text")]
        target: Text,
        #[cbor(n(1), with = "crate::text")]
        identifier_system: Text,
        #[cbor(n(2), with = "crate::text")]
        identifier_value: Text,
    },
    #[n(6)]
    Uri(#[cbor(n(0), with = "crate::text")] Text),
    /// The components of one composite value, in the order of the definition.
    #[n(7)]
    Composite(#[n(0)] Vec<SearchValue>),
}

/// A value and the parameter that it belongs to: index into the committed parameter table of its type.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct ParamValue {
    #[n(0)]
    pub param: u16,
    #[n(1)]
    pub value: SearchValue,
}
