//! The certificates of one folder: an authority of its own, the servers' certificate, those of clients.
//!
//! Made with OpenSSL, for rcgen cannot make keys here: its providers (ring, aws-lc) are not allowed into the build.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};

use crate::files;

/// Common name of the servers' certificate, and so Kafka's user among its nodes.
pub(crate) const SERVER: &str = "server";
/// Common name of the client that may do everything.
pub(crate) const ADMIN: &str = "admin";
/// Common name of the application.
pub(crate) const KIROKU: &str = "kiroku";

const DAY_S: i64 = 24 * 3600;
const VALID_DAYS: i64 = 365;

/// Signs certificates for one folder, which holds its key too: good for tests, never for operation.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    key: PKey<Private>,
    certificate: X509,
}

/// Where a client's certificate and its key (PKCS #8, readable for the owner only) lie, in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// The authority of `FOLDER/certificates`, made there if there is none.
    ///
    /// # Errors
    /// The folder cannot be read or written, or what lies in it is no authority.
    pub fn open_or_create(folder: &Path) -> Result<Self> {
        let folder = folder.join("certificates");
        let (ca, ca_key) = (folder.join("ca.pem"), folder.join("ca.key"));
        if ca.exists() {
            let read = |path: &Path| std::fs::read(path).with_context(|| format!("reading `{}`", path.display()));
            let (key, certificate) = (PKey::private_key_from_pem(&read(&ca_key)?)?, X509::from_pem(&read(&ca)?)?);
            return Ok(Self { folder, key, certificate });
        }
        files::create_folder(&folder)?;
        let (key, subject) = (fresh_key()?, name("Kiroku test authority")?);
        let mut builder = begin(&subject, &subject, &key)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        files::write_secret(&ca_key, &key.private_key_to_pem_pkcs8()?)?;
        std::fs::write(&ca, certificate.to_pem()?).with_context(|| format!("writing `{}`", ca.display()))?;
        Ok(Self { folder, key, certificate })
    }

    /// The authority's own certificate, in PEM.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A client's certificate with this common name: the one that is there, or a new one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn client(&self, common_name: &str) -> Result<Issued> {
        let at = |ending: &str| self.folder.join(format!("{common_name}.{ending}"));
        let issued = Issued { ca: self.ca(), certificate: at("pem"), key: at("key") };
        if !issued.certificate.exists() {
            let (key, certificate) = self.issue(common_name, ExtendedKeyUsage::new().client_auth())?;
            files::write_secret(&issued.key, &key)?;
            std::fs::write(&issued.certificate, certificate)?;
        }
        Ok(issued)
    }

    /// Key and certificate of all servers in one file, as Kafka and Cassandra read it: the key first. Good for `localhost` and
    /// the loopback addresses that the servers have.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn server(&self) -> Result<PathBuf> {
        let path = self.folder.join("server.pem");
        if !path.exists() {
            // Servers are clients of each other.
            let (key, certificate) = self.issue(SERVER, ExtendedKeyUsage::new().server_auth().client_auth())?;
            files::write_secret(&path, &[key, certificate].concat())?;
        }
        Ok(path)
    }

    /// In PEM: PKCS #8 key, certificate.
    fn issue(&self, common_name: &str, usage: &ExtendedKeyUsage) -> Result<(Vec<u8>, Vec<u8>)> {
        let key = fresh_key()?;
        let mut builder = begin(&*name(common_name)?, self.certificate.subject_name(), &key)?;
        builder.append_extension(BasicConstraints::new().build()?)?;
        builder.append_extension(usage.build()?)?;
        if common_name == SERVER {
            let mut names = SubjectAlternativeName::new();
            names.dns("localhost").ip("127.0.0.1").ip("127.0.0.2").ip("127.0.0.3");
            let names = names.build(&builder.x509v3_context(Some(&self.certificate), None))?;
            builder.append_extension(names)?;
        }
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((key.private_key_to_pem_pkcs8()?, builder.build().to_pem()?))
    }
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

/// What all certificates have: good from yesterday for a year.
fn begin(subject: &X509NameRef, issuer: &X509NameRef, key: &PKey<Private>) -> Result<X509Builder> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed();
    builder.set_not_before(&*Asn1Time::from_unix(now_s - DAY_S)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(now_s + VALID_DAYS * DAY_S)?)?;
    Ok(builder)
}
