//! Where to send, and as whom: a server's URL and a key file, a demo's folder, or a server started inside on a data folder.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chassis::config::Settings;
use schemas::OrganisationId;
use schemas::authority::{AuthorityEvent, Client, Status};
use serde_json::Value;

use super::{Args, demo_file};
use crate::Node;
use crate::api::ClientKey;

/// The folder that `kiroku demo` uses where none is named.
const DEMO: &str = "kiroku-demo";

/// A server that is ready.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) key: ClientKey,
    /// Of a server inside: the node, and the client that was registered for this run.
    inside: Option<(Node, Option<Client>)>,
}

impl Target {
    /// Ends the server inside; the client of this run is closed.
    pub(super) async fn close(self) -> Result<()> {
        let Some((node, client)) = self.inside else { return Ok(()) };
        if let Some(client) = client {
            node.registry.append(AuthorityEvent::Client(Client { status: Status::Closed, ..client })).await?;
        }
        node.stop().await
    }
}

pub(super) async fn open(args: &Args, mut settings: Settings) -> Result<Target> {
    if args.data.is_some() {
        // Said before the engine says it in its own words.
        drop(crate::commands::open_folder(&settings, false)?);
        "127.0.0.1:0".clone_into(&mut settings.http.listen);
        return inside(args, settings).await;
    }
    if let (Some(url), Some(client)) = (&args.url, &args.client) {
        return Ok(Target { url: url.clone(), key: key_of_file(client)?, inside: None });
    }
    let folder = args.demo.as_deref().unwrap_or(Path::new(DEMO));
    let path = demo_file(folder);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "no server was named: give --url and --client, or --data, or --demo (`{}` cannot be read)",
            path.display()
        )
    })?;
    let demo: Value = serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", path.display()))?;
    let url = match &args.url {
        Some(url) => url.clone(),
        None => demo["url"].as_str().with_context(|| format!("`{}` names no url", path.display()))?.to_owned(),
    };
    let key = match &args.client {
        Some(client) => key_of_file(client)?,
        None => key_of_demo(&demo, args.client_id.as_deref())?,
    };
    Ok(Target { url, key, inside: None })
}

async fn inside(args: &Args, settings: Settings) -> Result<Target> {
    if args.client.is_none() && args.organisation.is_none() {
        bail!("--data needs --organisation (a registered one, for which to send) or --client");
    }
    let node = Node::start(settings).await?;
    let (key, client) = match (&args.client, &args.organisation) {
        (Some(client), _) => (key_of_file(client)?, None),
        (None, Some(organisation)) => {
            let (key, client) = client_for(&node, organisation, args.options.register_persons).await?;
            (key, Some(client))
        }
        (None, None) => bail!("--data needs --organisation or --client"),
    };
    Ok(Target { url: node.url.clone(), key, inside: Some((node, client)) })
}

/// A client for this run alone; the organisation's records get it as their author's system.
async fn client_for(node: &Node, organisation: &str, registers: bool) -> Result<(ClientKey, Client)> {
    let id = OrganisationId::from(organisation);
    if node.registry.state().organisation(&id).is_none() {
        bail!("organisation `{organisation}` is not registered in this folder; see `kiroku help registry`");
    }
    let rights: &[&str] = if registers { &["records.write", "persons.register"] } else { &["records.write"] };
    let (key, client) = ClientKey::generate(&format!("kiroku-load-{organisation}"), organisation, rights, "")?;
    node.registry.append(AuthorityEvent::Client(client.clone())).await?;
    Ok((key, client))
}

fn key_of_file(path: &Path) -> Result<ClientKey> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading `{name}`"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("`{name}` is no client key (see `kiroku registry client new-key`)"))
}

/// The client of demo.json that was named; else the only one whose name says that it loads.
fn key_of_demo(demo: &Value, id: Option<&str>) -> Result<ClientKey> {
    let clients: Vec<ClientKey> = match &demo["clients"] {
        Value::Array(list) => list.iter().filter_map(|c| serde_json::from_value(c.clone()).ok()).collect(),
        Value::Object(map) => map.values().filter_map(|c| serde_json::from_value(c.clone()).ok()).collect(),
        _ => Vec::new(),
    };
    let wanted = |client: &&ClientKey| match id {
        Some(id) => client.client_id == id,
        None => client.client_id.contains("load"),
    };
    let known: Vec<_> = clients.iter().map(|c| c.client_id.as_str()).collect();
    clients
        .iter()
        .find(wanted)
        .cloned()
        .with_context(|| format!("demo.json holds no such client; name one with --client-id: {}", known.join(", ")))
}
