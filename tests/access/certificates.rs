//! Client certificates (RFC 8705): a token got over a connection with a certificate is good on such connections alone.
//! Certificates are replaced without a restart.

mod authority;

use std::path::Path;

use anyhow::{Context, Result};
use chassis::auth::client::{ClientAssertion, assertion, token_form};
use chassis::clock::{Clock, SystemClock};
use chassis::config::ClientCertificates;
use reqwest::{Certificate, Client, Identity, tls::TlsInfo};
use schemas::authority::AuthorityEvent;
use serde_json::Value;
use tests::Harness;
use tests::wire::until;

use authority::{Authority, Issued};

/// A node behind TLS, in a folder with its certificates.
struct Secured {
    harness: Harness,
    authority: Authority,
    files: tempfile::TempDir,
}

/// Writes both files so that a reader sees the old or the new ones.
fn put(folder: &Path, issued: &Issued) -> Result<()> {
    for (name, bytes) in [("key.pem", &issued.key), ("certificate.pem", &issued.certificate)] {
        let new = folder.join(format!("{name}.new"));
        std::fs::write(&new, bytes)?;
        std::fs::rename(new, folder.join(name))?;
    }
    Ok(())
}

impl Secured {
    async fn start(mode: ClientCertificates) -> Result<Self> {
        let authority = Authority::new("Test authority")?;
        let files = tempfile::tempdir()?;
        put(files.path(), &authority.issue("server", 1)?)?;
        std::fs::write(files.path().join("ca.pem"), &authority.certificate)?;
        let file = |name: &str| Some(files.path().join(name));
        let harness = Harness::start_with(|settings| {
            settings.tls.certificate = file("certificate.pem");
            settings.tls.key = file("key.pem");
            settings.tls.client_ca = file("ca.pem");
            settings.tls.client_certificates = mode;
        })
        .await?;
        assert!(harness.node.url.starts_with("https://"), "{}", harness.node.url);
        Ok(Self { harness, authority, files })
    }

    /// A client that trusts the authority and shows `identity`. Each request has a connection of its own.
    fn client(&self, identity: Option<&Issued>) -> Result<Client> {
        let builder = Client::builder().tls_certs_only([Certificate::from_pem(&self.authority.certificate)?]);
        let builder = builder.pool_max_idle_per_host(0).tls_info(true);
        Ok(match identity {
            Some(issued) => builder.identity(Identity::from_pkcs8_pem(&issued.certificate, &issued.key)?).build()?,
            None => builder.build()?,
        })
    }

    /// Asks for a token of the hospital's physician: (status, body).
    async fn ask_token(&self, client: &Client) -> Result<(u16, Value)> {
        let site = &self.harness.hospital;
        let endpoint = format!("{}/auth/token", self.harness.node.url);
        let signed = assertion(&ClientAssertion {
            private_key: site.key.private_key.clone(),
            client_id: site.key.client_id.clone(),
            audience: endpoint.clone(),
            now: SystemClock.now(),
            purpose: "TREAT".to_owned(),
            practitioner: Some((site.professional.clone(), String::new())),
            role: site.role.clone(),
            organisation: site.key.organisation.clone(),
            ..ClientAssertion::default()
        })?;
        let reply = client.post(endpoint).form(&token_form(&signed, "user/*.rs")).send().await?;
        Ok((reply.status().as_u16(), reply.json().await?))
    }

    async fn token(&self, client: &Client) -> Result<String> {
        let (status, body) = self.ask_token(client).await?;
        body["access_token"].as_str().map(str::to_owned).with_context(|| format!("{status}: {body}"))
    }

    /// Uses a token: (status, rule of the refusal, challenge).
    async fn try_token(&self, client: &Client, token: &str) -> Result<(u16, String, String)> {
        let url = format!("{}/fhir/Organization?identifier=http://example.org/i|1", self.harness.node.url);
        let reply = client.get(url).bearer_auth(token).send().await?;
        let status = reply.status().as_u16();
        let challenge = reply.headers().get("www-authenticate").map(|v| v.to_str().map(str::to_owned)).transpose()?;
        let body: Value = reply.json().await?;
        let rule = body["issue"][0]["details"]["text"].as_str().unwrap_or_default().to_owned();
        Ok((status, rule, challenge.unwrap_or_default()))
    }

    /// 401 for its binding, in the words of RFC 6750 and ours.
    async fn is_bound_elsewhere(&self, client: &Client, token: &str) -> Result<()> {
        let (status, rule, challenge) = self.try_token(client, token).await?;
        assert_eq!((status, rule.as_str()), (401, "token-binding"));
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        Ok(())
    }
}

#[tokio::test]
async fn a_token_is_good_only_on_connections_with_the_certificate_it_was_got_with() -> Result<()> {
    let secured = Secured::start(ClientCertificates::Optional).await?;
    let (one, two) = (secured.authority.issue("hospital", 10)?, secured.authority.issue("hospital", 11)?);
    let (with_one, with_two, without) =
        (secured.client(Some(&one))?, secured.client(Some(&two))?, secured.client(None)?);
    let bound = secured.token(&with_one).await?;
    assert_eq!(secured.try_token(&with_one, &bound).await?.0, 200);
    secured.is_bound_elsewhere(&without, &bound).await?;
    secured.is_bound_elsewhere(&with_two, &bound).await?;
    assert_eq!(secured.try_token(&with_one, &bound).await?.0, 200, "with its own certificate again");
    let free = secured.token(&without).await?;
    assert_eq!(secured.try_token(&without, &free).await?.0, 200, "a token got without a certificate is bound to none");

    let strange = Authority::new("Another authority")?.issue("hospital", 10)?;
    let refused = secured.try_token(&secured.client(Some(&strange))?, &bound).await;
    assert!(refused.is_err(), "a certificate of another authority makes no connection: {refused:?}");
    secured.harness.node.stop().await
}

#[tokio::test]
async fn a_client_with_a_registered_certificate_gets_and_uses_tokens_with_no_other() -> Result<()> {
    let secured = Secured::start(ClientCertificates::Optional).await?;
    let (one, two) = (secured.authority.issue("hospital", 10)?, secured.authority.issue("hospital", 11)?);
    let (with_one, with_two, without) =
        (secured.client(Some(&one))?, secured.client(Some(&two))?, secured.client(None)?);
    let (free, of_two) = (secured.token(&without).await?, secured.token(&with_two).await?);
    let registry = &secured.harness.node.registry;
    let id = secured.harness.hospital.key.client_id.as_str().into();
    let mut client = registry.state().client(&id).context("registered")?.as_ref().clone();
    client.certificate_sha256 = one.sha256.clone();
    registry.append(AuthorityEvent::Client(client)).await?;
    for other in [&with_two, &without] {
        let (status, body) = secured.ask_token(other).await?;
        assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")), "{body}");
        assert_eq!(body["code"], "certificate");
    }
    let bound = secured.token(&with_one).await?;
    assert_eq!(secured.try_token(&with_one, &bound).await?.0, 200);
    secured.is_bound_elsewhere(&with_two, &bound).await?;
    // Tokens from before the registration end with it, on the connections they were good for.
    secured.is_bound_elsewhere(&without, &free).await?;
    secured.is_bound_elsewhere(&with_two, &of_two).await?;
    secured.harness.node.stop().await
}

#[tokio::test]
async fn where_certificates_are_required_nobody_connects_without() -> Result<()> {
    let secured = Secured::start(ClientCertificates::Required).await?;
    let one = secured.authority.issue("hospital", 10)?;
    let without = secured.client(None)?;
    assert!(secured.ask_token(&without).await.is_err(), "a connection without a certificate is refused");
    let with_one = secured.client(Some(&one))?;
    let bound = secured.token(&with_one).await?;
    assert_eq!(secured.try_token(&with_one, &bound).await?.0, 200);
    secured.harness.node.stop().await
}

#[tokio::test]
async fn new_certificates_are_shown_without_a_restart() -> Result<()> {
    let secured = Secured::start(ClientCertificates::Optional).await?;
    let one = secured.authority.issue("hospital", 10)?;
    let client = secured.client(Some(&one))?;
    let bound = secured.token(&client).await?;
    let url = format!("{}/health/live", secured.harness.node.url);
    let shown = async || {
        let reply = client.get(&url).send().await?;
        let info = reply.extensions().get::<TlsInfo>().context("a connection with TLS")?;
        Ok::<_, anyhow::Error>(info.peer_certificate().context("a server shows its certificate")?.to_vec())
    };
    let first = shown().await?;
    let next = secured.authority.issue("server", 2)?;
    assert_ne!(first, next.der);
    // A key that fits no certificate, for a moment: the old pair goes on being used.
    put(secured.files.path(), &next)?;
    let new = async || Ok((shown().await? == next.der).then_some(()));
    until("a new connection shows the new certificate", new).await?;
    assert_eq!(secured.try_token(&client, &bound).await?.0, 200, "tokens outlive the change");

    // Files that do not read change nothing.
    std::fs::write(secured.files.path().join("certificate.pem"), "no certificate")?;
    secured.is_bound_elsewhere(&secured.client(None)?, &bound).await?;
    let last = secured.authority.issue("server", 3)?;
    put(secured.files.path(), &last)?;
    let newest = async || Ok((shown().await? == last.der).then_some(()));
    until("the certificate after a broken one is shown", newest).await?;
    secured.harness.node.stop().await
}
