//! The values of search parameters, taken out of a resource once, when it is written, and kept in its header.

use minicbor::{Decode, Encode};

/// One value of one search parameter. Produced by `fhir::extract`, read by `fhir::search`.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub enum SearchValue {
    /// `system` is empty where the element has none (or cannot have one). `text`: display and text, for `:text`.
    #[n(0)]
    Token {
        #[n(0)]
        system: String,
        #[n(1)]
        code: String,
        #[n(2)]
        text: String,
        /// Type codings of an identifier, `system|code` joined by spaces, for `:of-type`; `None` where there are none.
        #[n(3)]
        types: Option<String>,
    },
    /// As written; matching normalises.
    #[n(1)]
    Text(#[n(0)] String),
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
    Number(#[n(0)] String),
    #[n(4)]
    Quantity {
        #[n(0)]
        value: String,
        #[n(1)]
        system: String,
        #[n(2)]
        code: String,
        #[n(3)]
        unit: String,
    },
    /// `target`: `Type/id` or an absolute URL or a urn; empty where the reference is by identifier alone.
    #[n(5)]
    Reference {
        #[n(0)]
        target: String,
        #[n(1)]
        identifier_system: String,
        #[n(2)]
        identifier_value: String,
    },
    #[n(6)]
    Uri(#[n(0)] String),
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
