use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use chassis::config::{ClientCertificates, Settings};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use crate::fixture::{Site, settings, start};

struct Card {
    certificate: X509,
    key: PKey<Private>,
}

fn authority(name: &str) -> Card {
    card(name, None)
}

/// A certificate for 127.0.0.1, signed by `by` or by itself.
fn card(name: &str, by: Option<&Card>) -> Card {
    let key =
        PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(by.map_or(&subject, |by| by.certificate.subject_name())).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    if by.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(by.map_or(&key, |by| &by.key), MessageDigest::sha256()).unwrap();
    Card { certificate: builder.build(), key }
}

fn put(folder: &Path, server: &Card, clients: &Card) {
    std::fs::write(folder.join("key.pem"), server.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), clients.certificate.to_pem().unwrap()).unwrap();
    std::fs::write(folder.join("certificate.pem"), server.certificate.to_pem().unwrap()).unwrap();
}

fn secured(folder: &Path, clients: ClientCertificates) -> Settings {
    let mut settings = settings();
    settings.tls.certificate = Some(folder.join("certificate.pem"));
    settings.tls.key = Some(folder.join("key.pem"));
    settings.tls.client_ca = Some(folder.join("ca.pem"));
    settings.tls.client_certificates = clients;
    settings
}

/// What a client trusts and shows.
#[derive(Clone, Copy)]
struct Client<'a> {
    trusts: &'a Card,
    shows: Option<&'a Card>,
    at_most: SslVersion,
}

/// One request over a connection of its own: the body, and the certificate that the server showed; `None` if refused.
fn ask(address: SocketAddr, client: Client<'_>) -> Option<(serde_json::Value, X509)> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.cert_store_mut().add_cert(client.trusts.certificate.clone()).unwrap();
    connector.set_max_proto_version(Some(client.at_most)).unwrap();
    if let Some(card) = client.shows {
        connector.set_certificate(&card.certificate).unwrap();
        connector.set_private_key(&card.key).unwrap();
    }
    let mut stream = connector.build().connect("127.0.0.1", TcpStream::connect(address).unwrap()).ok()?;
    // In TLS 1.3 the server judges the client after the client has finished: a refusal shows at the first read.
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").ok()?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok()?;
    let body = String::from_utf8(said).unwrap().split_once("\r\n\r\n")?.1.to_owned();
    Some((serde_json::from_str(&body).unwrap(), stream.ssl().peer_certificate().unwrap()))
}

struct World {
    folder: tempfile::TempDir,
    servers: Card,
    clients: Card,
    site: Site,
}

fn world(clients_are: ClientCertificates) -> World {
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (authority("servers"), authority("clients"));
    put(folder.path(), &card("first", Some(&servers)), &clients);
    let site = start(&secured(folder.path(), clients_are));
    World { folder, servers, clients, site }
}

fn thumbprint(card: &Card) -> String {
    use base64::Engine as _;
    let digest = card.certificate.digest(MessageDigest::sha256()).unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_thumbprint_of_a_client_certificate_reaches_the_handler() {
    let world = world(ClientCertificates::Optional);
    let hospital = card("hospital", Some(&world.clients));
    let base = Client { trusts: &world.servers, shows: None, at_most: SslVersion::TLS1_3 };
    let address = world.site.running.address();
    let (with, _) = ask(address, Client { shows: Some(&hospital), ..base }).unwrap();
    assert_eq!(with["thumbprint"], thumbprint(&hospital));
    let digest = hospital.certificate.digest(MessageDigest::sha256()).unwrap();
    assert_eq!(with["hex"], digest.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let (without, _) = ask(address, base).unwrap();
    assert_eq!(without["thumbprint"], serde_json::Value::Null);
    let stranger = card("stranger", Some(&authority("somebody")));
    assert!(
        ask(address, Client { shows: Some(&stranger), ..base }).is_none(),
        "an untrusted certificate is not `none`"
    );
    world.site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_certificate_is_required_nobody_enters_without_and_nobody_with_tls_1_2() {
    let world = world(ClientCertificates::Required);
    let hospital = card("hospital", Some(&world.clients));
    let base = Client { trusts: &world.servers, shows: Some(&hospital), at_most: SslVersion::TLS1_3 };
    let address = world.site.running.address();
    assert!(ask(address, base).is_some());
    assert!(ask(address, Client { shows: None, ..base }).is_none());
    assert!(ask(address, Client { at_most: SslVersion::TLS1_2, ..base }).is_none());
    world.site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_without_a_restart_and_so_are_client_authorities() {
    let world = world(ClientCertificates::Required);
    let hospital = card("hospital", Some(&world.clients));
    let base = Client { trusts: &world.servers, shows: Some(&hospital), at_most: SslVersion::TLS1_3 };
    let address = world.site.running.address();
    let first = ask(address, base).unwrap().1;

    std::fs::write(world.folder.path().join("certificate.pem"), "half a file").unwrap();
    assert!(world.site.running.reload_certificates().is_err());
    assert_eq!(ask(address, base).unwrap().1, first, "the old one stays while the new one is unusable");

    let (second, new_clients) = (card("second, longer", Some(&world.servers)), authority("other clients"));
    put(world.folder.path(), &second, &new_clients);
    world.site.running.reload_certificates().unwrap();
    assert!(ask(address, base).is_none(), "the old authority of clients is out");
    let pharmacy = card("pharmacy", Some(&new_clients));
    let (said, shown) = ask(address, Client { shows: Some(&pharmacy), ..base }).unwrap();
    assert_eq!(shown, second.certificate);
    assert_eq!(said["thumbprint"], thumbprint(&pharmacy));
    assert!(!world.site.running.reload_certificates().unwrap(), "nothing changed since");
    world.site.running.stop().await;
}
