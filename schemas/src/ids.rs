//! Identifiers are types. Ids that we give are random or hashes; none comes from a counter of a person.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use openssl::sha::Sha256;

/// Shards of the key space, fixed for ever; partition = shard x P / SHARDS.
pub const SHARDS: u16 = 4096;

/// RFC 4648 base32 in lower case, without padding: safe in FHIR ids and URLs.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity((bytes.len() * 8).div_ceil(5));
    let (mut acc, mut bits) = (0u32, 0u32);
    for &byte in bytes {
        acc = (acc << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(ALPHABET[((acc >> bits) & 31) as usize] as char);
        }
    }
    if bits > 0 {
        out.push(ALPHABET[((acc << (5 - bits)) & 31) as usize] as char);
    }
    out
}

fn from_base32<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(5) {
        return None;
    }
    let mut out = [0u8; N];
    let (mut acc, mut bits, mut at) = (0u32, 0u32, 0usize);
    for c in text.bytes() {
        let value = ALPHABET.iter().position(|&a| a == c)? as u32;
        acc = (acc << 5) | value;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *out.get_mut(at)? = (acc >> bits) as u8;
            at += 1;
        }
        acc &= (1 << bits) - 1;
    }
    // Left-over bits must be zero: one id has one spelling.
    (at == N && acc == 0).then_some(out)
}

/// The text is not an id of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a `{0}`")]
pub struct IdError(pub &'static str);

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] #[cbor(with = "minicbor::bytes")] pub [u8; $len]);

        impl $name {
            /// A fresh random id.
            pub fn random() -> Self {
                let mut bytes = [0u8; $len];
                crate::random::fill(&mut bytes);
                Self(bytes)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&base32(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                from_base32(text).map(Self).ok_or(IdError(stringify!($name)))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes_id!(
    /// One person: random, carries no meaning.
    Pid, 16
);
bytes_id!(
    /// A resource within its shelf (or within the commons): hash(submission id, entry index).
    LocalId, 10
);
bytes_id!(
    /// One submission: hash(client, idempotency key); random where the client gave no key.
    SubmissionId, 16
);
bytes_id!(
    /// One entry of the access log.
    EntryId, 16
);

impl Pid {
    /// The shelf of the commons: organisations, professionals, roles and places, which belong to no person. Its resources
    /// have ids of the form `c-<local>`.
    pub const COMMONS: Pid = Pid([0; 16]);

    /// The shelf of requests about unknown or doubtful persons.
    pub const QUARANTINE: Pid = Pid([0xff; 16]);

    /// False for the two shelves that belong to nobody.
    pub fn is_person(&self) -> bool {
        *self != Self::COMMONS && *self != Self::QUARANTINE
    }

    /// The shard of this person, for ever.
    pub fn shard(&self) -> u16 {
        // Not the one-shot, which looks its algorithm up each time.
        let mut hash = Sha256::new();
        hash.update(&self.0);
        let hash = hash.finish();
        u16::from_be_bytes([hash[0], hash[1]]) % SHARDS
    }
}

/// The partition that holds `shard` when a topic has `partitions` of them.
pub fn partition_of(shard: u16, partitions: u16) -> u16 {
    (u32::from(shard) * u32::from(partitions) / u32::from(SHARDS)) as u16
}

impl SubmissionId {
    /// The same client and key give the same id, so that a retry finds its verdict.
    pub fn of_key(client: &ClientId, idempotency_key: &str) -> Self {
        let mut h = Sha256::new();
        h.update(b"kiroku submission\0");
        h.update(client.0.as_bytes());
        h.update(b"\0");
        h.update(idempotency_key.as_bytes());
        let mut out = [0u8; 16];
        out.copy_from_slice(&h.finish()[..16]);
        Self(out)
    }
}

impl SubmissionId {
    /// Id of a further submission that this one leads to (a birth, further identifiers, commons): the same for a retry.
    pub fn derived(&self, step: &str) -> Self {
        let mut h = Sha256::new();
        h.update(b"kiroku derived submission\0");
        h.update(&self.0);
        h.update(step.as_bytes());
        let mut out = [0u8; 16];
        out.copy_from_slice(&h.finish()[..16]);
        Self(out)
    }
}

impl LocalId {
    /// Id of entry `index` of a submission: a retry gives the same ids.
    pub fn of_entry(submission: &SubmissionId, index: usize) -> Self {
        let mut h = Sha256::new();
        h.update(b"kiroku local id\0");
        h.update(&submission.0);
        h.update(&(index as u64).to_be_bytes());
        let mut out = [0u8; 10];
        out.copy_from_slice(&h.finish()[..10]);
        Self(out)
    }
}

/// The FHIR id of a resource on a shelf: `<pid>-<local>`, or `c-<local>` for the commons' ([`Pid::COMMONS`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct ResourceId {
    #[n(0)]
    pub pid: Pid,
    #[n(1)]
    pub local: LocalId,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Pid::COMMONS => write!(f, "c-{}", self.local),
            pid => write!(f, "{pid}-{}", self.local),
        }
    }
}

impl FromStr for ResourceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (shelf, local) = text.split_once('-').ok_or(IdError("resource id"))?;
        let pid = if shelf == "c" { Pid::COMMONS } else { shelf.parse()? };
        Ok(Self { pid, local: local.parse()? })
    }
}

/// A resource within one shelf.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct ItemKey {
    #[n(0)]
    pub resource_type: crate::ResourceType,
    #[n(1)]
    pub local: LocalId,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode, serde::Serialize, serde::Deserialize)]
        #[cbor(transparent)]
        #[serde(transparent)]
        pub struct $name(#[n(0)] pub String);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// A registered client system (the `client_id` of its tokens).
    ClientId
);
text_id!(
    /// An organisation of the registry; for a facility its 10-digit institution code.
    OrganisationId
);
text_id!(
    /// A registered professional (or official).
    PractitionerId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written_and_has_one_spelling() {
        for _ in 0..1000 {
            let id = ResourceId { pid: Pid::random(), local: LocalId::random() };
            let text = id.to_string();
            assert!(text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            assert_eq!(text.parse::<ResourceId>().unwrap(), id);
        }
        let pid = "a".repeat(25) + "b"; // the last two bits must be zero
        assert!(pid.parse::<Pid>().is_err());
        assert!("A".repeat(26).parse::<Pid>().is_err());
    }

    #[test]
    fn a_shard_has_one_partition_and_all_partitions_are_used() {
        let hit: std::collections::BTreeSet<u16> = (0..SHARDS).map(|s| partition_of(s, 7)).collect();
        assert_eq!(hit.into_iter().collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    }
}
