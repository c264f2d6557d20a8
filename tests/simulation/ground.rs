//! What all seeds share because it is dear to make: compiled policies in two versions, and the registered systems with tokens.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use async_trait::async_trait;
use chassis::auth::Mint;
use chassis::auth::client::{ClientAssertion, assertion, token_form};
use chassis::auth::jwks::{JwksError, JwksFetcher};
use chassis::auth::tokens::{TokenForm, TokenService};
use chassis::clock::ManualClock;
use chassis::registry::Registry;
use chassis::twins::{MemoryKeys, MemoryLog, MemoryStore};
use kiroku::api::ClientKey;
use openssl::pkey::PKey;
use policies::{BUNDLE_FILES, Bundle, Policies};
use schemas::authority::{AuthorityEvent, Organisation, Status};

use crate::tables::CalmKeys;
use crate::world::BEGIN;

pub(crate) const URL: &str = "https://kiroku.test";

/// A system that writes, and its token.
pub(crate) struct Site {
    pub(crate) client: String,
    pub(crate) token: String,
}

pub(crate) struct Ground {
    /// Before and after an upgrade that is rolled out while the seed runs. The newer rules take records while the link of a person is
    /// in doubt, the older ones refuse them.
    pub(crate) policies: [Arc<Policies>; 2],
    pub(crate) sites: Vec<Site>,
    pub(crate) events: Vec<AuthorityEvent>,
}

/// Key sets stand in the registry: nothing is fetched.
pub(crate) struct NoFetcher;

#[async_trait]
impl JwksFetcher for NoFetcher {
    async fn fetch(&self, _: &str) -> Result<Vec<u8>, JwksError> {
        Err(JwksError::Address)
    }
}

impl Ground {
    pub(crate) fn shared() -> &'static Self {
        static GROUND: OnceLock<Ground> = OnceLock::new();
        GROUND.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Self::make()).unwrap()
        })
    }

    async fn make() -> Result<Self> {
        let policies = [Arc::new(Policies::new(Bundle::embedded()?)?), Arc::new(Policies::new(upgraded()?)?)];
        let (mut events, mut keys) = (Vec::new(), Vec::new());
        for code in ["1310000001", "1310000002"] {
            events.push(AuthorityEvent::Organisation(hospital(code)));
            let (key, client) = ClientKey::generate(&format!("system-{code}"), code, &["records.write"], "clerk")?;
            events.push(AuthorityEvent::Client(client));
            keys.push(key);
        }
        events.push(AuthorityEvent::Heartbeat);
        let sites = tokens(&events, keys).await?;
        Ok(Self { policies, sites, events })
    }
}

async fn tokens(events: &[AuthorityEvent], keys: Vec<ClientKey>) -> Result<Vec<Site>> {
    let clock = Arc::new(ManualClock::at(BEGIN));
    let ring = Arc::new(CalmKeys(Arc::new(MemoryKeys::new(clock.clone()))));
    let log = Arc::new(MemoryLog::new(1, clock.clone()));
    let registry = Registry::open(log, ring.clone(), clock.clone()).await?;
    registry.append_all(events.to_vec()).await?;
    let mint = Mint::open(&*ring, clock, URL).await?;
    let service = TokenService::with_mint(registry, Arc::new(MemoryStore::new()), mint, Arc::new(NoFetcher));
    let mut sites = Vec::new();
    for key in keys {
        let signed = assertion(&ClientAssertion {
            private_key: key.private_key.clone(),
            client_id: key.client_id.clone(),
            audience: service.endpoint().to_owned(),
            now: BEGIN,
            purpose: "RECORDMGT".to_owned(),
            organisation: key.organisation.clone(),
            ..ClientAssertion::default()
        })?;
        let [grant_type, client_assertion_type, client_assertion, scope] =
            token_form(&signed, "system/*.cruds").map(|(_, value)| value.to_owned());
        let form = TokenForm { grant_type, client_assertion_type, client_assertion, scope };
        let token = service.issue(&form, None).await.context("a token")?.access_token;
        sites.push(Site { client: key.client_id, token });
    }
    Ok(sites)
}

fn hospital(code: &str) -> Organisation {
    Organisation {
        id: code.into(),
        name: format!("hospital {code}"),
        organisation_type: "hospital".to_owned(),
        group: String::new(),
        municipality: "13101".to_owned(),
        qualifications: Vec::new(),
        emergency_designated: false,
        status: Status::Active,
        custodian_of: Vec::new(),
        staff_count: 50,
    }
}

/// The bundle of the binary with other data, as an operator gets it: signed, in a folder.
fn upgraded() -> Result<Bundle> {
    let embedded = Bundle::embedded()?;
    let [wasm, data, manifest, signature] = BUNDLE_FILES;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/bundle");
    let to = tempfile::tempdir()?;
    std::fs::copy(from.join(wasm), to.path().join(wasm))?;
    let mut changed = embedded.data().clone();
    changed["tables"]["link_ok"]["suspect"] = true.into();
    let changed = changed.to_string();
    std::fs::write(to.path().join(data), &changed)?;
    let mut described = embedded.manifest().clone();
    described.revision += 1;
    described.data_sha256 = openssl::sha::sha256(changed.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    let described = serde_json::to_vec(&described)?;
    std::fs::write(to.path().join(manifest), &described)?;
    let key = PKey::generate_ed25519()?;
    std::fs::write(to.path().join(signature), Bundle::sign_manifest(&described, &key)?)?;
    let public = PKey::public_key_from_raw_bytes(&key.raw_public_key()?, openssl::pkey::Id::ED25519)?;
    Ok(Bundle::load(to.path(), &public, 0)?)
}
