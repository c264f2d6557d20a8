//! Lists as they stand in a file, and in the environment and in flags.

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

/// A list in the file; words separated by commas in the environment and in flags.
pub(super) fn words<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    use serde::de::value::{Error as PlainError, StringDeserializer};
    use serde::de::{Error, IntoDeserializer};

    struct Words<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Words<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("words: a list, or one text with commas")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            words
                .map(|word| {
                    let word: StringDeserializer<PlainError> = word.to_owned().into_deserializer();
                    T::deserialize(word).map_err(E::custom)
                })
                .collect()
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut out = Vec::new();
            while let Some(word) = seq.next_element()? {
                out.push(word);
            }
            Ok(out)
        }
    }
    deserializer.deserialize_any(Words(std::marker::PhantomData))
}
