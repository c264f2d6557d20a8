//! Sets over the closed lists as bit masks: an item is checked without allocation.

use schemas::{Category, Label};
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! bit_set {
    ($(#[$doc:meta])* $name:ident of $member:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub struct $name(u32);

        impl $name {
            /// Nothing.
            pub const EMPTY: Self = Self(0);

            pub fn contains(self, member: $member) -> bool {
                self.0 & (1 << member as u32) != 0
            }

            #[must_use]
            pub fn with(self, member: $member) -> Self {
                Self(self.0 | (1 << member as u32))
            }

            pub fn is_empty(self) -> bool {
                self.0 == 0
            }

            pub fn is_subset_of(self, other: Self) -> bool {
                self.0 & !other.0 == 0
            }

            pub fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Members in the order of their stored numbers.
            pub fn iter(self) -> impl Iterator<Item = $member> {
                <$member>::ALL.iter().copied().filter(move |&m| self.contains(m))
            }
        }

        impl FromIterator<$member> for $name {
            fn from_iter<I: IntoIterator<Item = $member>>(members: I) -> Self {
                members.into_iter().fold(Self::EMPTY, Self::with)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(None)?;
                for member in self.iter() {
                    list.serialize_element(&member)?;
                }
                list.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members;
                impl<'de> Visitor<'de> for Members {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a list of known members")
                    }
                    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<$name, A::Error> {
                        let mut set = $name::EMPTY;
                        while let Some(member) = list.next_element::<$member>()? {
                            set = set.with(member);
                        }
                        Ok(set)
                    }
                }
                deserializer.deserialize_seq(Members)
            }
        }
    };
}

bit_set!(
    /// A set of data categories.
    CategorySet of Category
);
bit_set!(
    /// A set of security labels.
    LabelSet of Label
);
