//! Compact JWS over OpenSSL, for three algorithms. Small and ours because the usual crate would bring a second crypto library
//! (`services/decisions/0006-tokens.md`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::sign::{Signer, Verifier};
use serde::Deserialize;

/// The signature algorithms that exist here. INVARIANT: no symmetric one and no `none`, so that no public key can ever be
/// taken for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alg {
    /// Our own access tokens only.
    Es256,
    /// Client assertions.
    Es384,
    /// Client assertions.
    Rs384,
}

/// Below it an RSA key is refused (SMART: 2048), above it too: verifying would cost too much.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

impl Alg {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs384 => "RS384",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Es256, Self::Es384, Self::Rs384].into_iter().find(|alg| alg.as_str() == text)
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Es256 => MessageDigest::sha256(),
            Self::Es384 | Self::Rs384 => MessageDigest::sha384(),
        }
    }

    /// Length of r and of s; 0 for RSA.
    const fn coordinate(self) -> usize {
        match self {
            Self::Es256 => 32,
            Self::Es384 => 48,
            Self::Rs384 => 0,
        }
    }

    /// Whether a key is of the kind (type, curve, size) that this algorithm needs.
    pub(crate) fn fits<T: HasPublic>(self, key: &PKeyRef<T>) -> bool {
        let curve = || key.ec_key().ok().and_then(|ec| ec.group().curve_name());
        match self {
            Self::Es256 => key.id() == Id::EC && curve() == Some(Nid::X9_62_PRIME256V1),
            Self::Es384 => key.id() == Id::EC && curve() == Some(Nid::SECP384R1),
            Self::Rs384 => key.id() == Id::RSA && RSA_BITS.contains(&key.bits()),
        }
    }
}

/// The header's members that matter; a `jwk`, `jku` or `x5u` in it is never followed.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default)]
    pub(crate) typ: Option<String>,
    #[serde(default)]
    pub(crate) kid: Option<String>,
    /// Extensions that must be understood: we understand none.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

/// A token that parses; nothing in it is true before [`Jws::verify`].
pub(crate) struct Jws<'a> {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Three parts of strict base64url, a JSON header without duplicate members, no `crit`.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { header, payload, signed: signed.as_bytes(), signature })
    }

    /// `typ` is absent or this one.
    pub(crate) fn is_typ(&self, wanted: &str) -> bool {
        self.header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case(wanted))
    }

    /// True only for a valid signature by `key` under `alg`, where the header says `alg` and the key is of its kind.
    pub(crate) fn verify<T: HasPublic>(&self, alg: Alg, key: &PKeyRef<T>) -> bool {
        self.header.alg == alg.as_str()
            && alg.fits(key)
            && verify_raw(alg, key, self.signed, &self.signature).unwrap_or(false)
    }
}

fn verify_raw<T: HasPublic>(
    alg: Alg,
    key: &PKeyRef<T>,
    signed: &[u8],
    signature: &[u8],
) -> Result<bool, openssl::error::ErrorStack> {
    let n = alg.coordinate();
    if n == 0 {
        return Verifier::new(alg.digest(), key)?.verify_oneshot(signature, signed);
    }
    if signature.len() != 2 * n {
        return Ok(false);
    }
    let (r, s) = signature.split_at(n);
    let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    let digest = openssl::hash::hash(alg.digest(), signed)?;
    signature.verify(&digest, key.ec_key()?.as_ref())
}

/// Compact JWS of `claims`. The key must fit `alg`.
pub(crate) fn sign(
    alg: Alg,
    key: &PKeyRef<Private>,
    (typ, kid): (&str, &str),
    claims: &[u8],
) -> Result<String, openssl::error::ErrorStack> {
    let header = serde_json::json!({"alg": alg.as_str(), "kid": kid, "typ": typ}).to_string();
    let mut out = URL_SAFE_NO_PAD.encode(header);
    out.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut out);
    let n = alg.coordinate();
    let signature = if n == 0 {
        Signer::new(alg.digest(), key)?.sign_oneshot_to_vec(out.as_bytes())?
    } else {
        let digest = openssl::hash::hash(alg.digest(), out.as_bytes())?;
        let signature = EcdsaSig::sign(&digest, key.ec_key()?.as_ref())?;
        let width = i32::try_from(n).expect("48 at most");
        let mut raw = signature.r().to_vec_padded(width)?;
        raw.extend(signature.s().to_vec_padded(width)?);
        raw
    };
    out.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut out);
    Ok(out)
}

/// The public members of a key as a JWK and its RFC 7638 thumbprint, which is our `kid`.
pub(crate) fn jwk_of<T: HasPublic>(
    alg: Alg,
    key: &PKey<T>,
) -> Result<(serde_json::Value, String), openssl::error::ErrorStack> {
    let encode = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    // RFC 7638: the required members in alphabetical order, without white space. serde_json's map is sorted.
    let mut jwk = if alg == Alg::Rs384 {
        let rsa = key.rsa()?;
        serde_json::json!({"e": encode(rsa.e().to_vec()), "kty": "RSA", "n": encode(rsa.n().to_vec())})
    } else {
        let ec = key.ec_key()?;
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        let mut context = openssl::bn::BigNumContext::new()?;
        ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context)?;
        let width = i32::try_from(alg.coordinate()).expect("48 at most");
        let curve = if alg == Alg::Es256 { "P-256" } else { "P-384" };
        let (x, y) = (encode(x.to_vec_padded(width)?), encode(y.to_vec_padded(width)?));
        serde_json::json!({"crv": curve, "kty": "EC", "x": x, "y": y})
    };
    let kid = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(jwk.to_string().as_bytes()));
    jwk["alg"] = alg.as_str().into();
    jwk["use"] = "sig".into();
    jwk["kid"] = kid.clone().into();
    Ok((jwk, kid))
}
