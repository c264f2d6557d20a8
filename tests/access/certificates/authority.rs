//! An authority of the test's own, and what it issues. Keys are made at run time.

use anyhow::Result;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

/// Signs certificates.
pub(super) struct Authority {
    key: PKey<Private>,
    own: X509,
    /// In PEM.
    pub(super) certificate: Vec<u8>,
}

/// A certificate for servers and clients at 127.0.0.1.
pub(super) struct Issued {
    /// In PEM.
    pub(super) certificate: Vec<u8>,
    /// PKCS #8 in PEM.
    pub(super) key: Vec<u8>,
    pub(super) der: Vec<u8>,
    /// Of the DER form, in hex: as the registry names it.
    pub(super) sha256: String,
}

fn fresh_key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

fn name(text: &str) -> Result<X509Name> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, text)?;
    Ok(name.build())
}

/// What all certificates have: good from yesterday for a week.
fn begin(subject: &X509Name, key: &PKey<Private>, serial: u32) -> Result<X509Builder> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*BigNum::from_u32(serial)?.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_pubkey(key)?;
    let day = 24 * 3600;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs().cast_signed();
    builder.set_not_before(&*Asn1Time::from_unix(now - day)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(now + 7 * day)?)?;
    Ok(builder)
}

impl Authority {
    pub(super) fn new(common_name: &str) -> Result<Self> {
        let (key, subject) = (fresh_key()?, name(common_name)?);
        let mut builder = begin(&subject, &key, 1)?;
        builder.set_issuer_name(&subject)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let own = builder.build();
        Ok(Self { key, certificate: own.to_pem()?, own })
    }

    pub(super) fn issue(&self, common_name: &str, serial: u32) -> Result<Issued> {
        let key = fresh_key()?;
        let mut builder = begin(&name(common_name)?, &key, serial)?;
        builder.set_issuer_name(self.own.subject_name())?;
        builder.append_extension(BasicConstraints::new().build()?)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
        let names =
            SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(Some(&self.own), None))?;
        builder.append_extension(names)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        let certificate = builder.build();
        let sha256 = certificate.digest(MessageDigest::sha256())?.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Issued {
            certificate: certificate.to_pem()?,
            key: key.private_key_to_pem_pkcs8()?,
            der: certificate.to_der()?,
            sha256,
        })
    }
}
