//! [`Text`]: kept inside its owner while it has at most 24 bytes, as most names, codes and dates of a record have. A tree or a
//! row of values then costs no allocation for each of them, and reading them in a row touches no other memory.

pub use compact_str::CompactString as Text;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};

/// For `#[cbor(with = "crate::text")]`: a CBOR text, as a `String` is written.
pub(crate) fn encode<C, W: Write>(
    text: &Text,
    encoder: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), encode::Error<W::Error>> {
    encoder.str(text)?.ok()
}

pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Text, decode::Error> {
    decoder.str().map(Text::new)
}
