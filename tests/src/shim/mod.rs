//! A library that is loaded into a process under test and changes what it sees of the system: see `shim.c`. And a door before a
//! server's port that can be shut for the processes that are sent through it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Variables of the environment for a process under test.
pub type Environment = Vec<(&'static str, String)>;

/// Compiles the library into `folder`; gives the variable that loads it. It does nothing by itself.
pub fn load(folder: &Path) -> Result<Environment> {
    let library = folder.join("shim.so");
    if !library.exists() {
        let source = folder.join("shim.c");
        std::fs::write(&source, include_str!("shim.c"))?;
        let done = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).output();
        let done = done.context("cannot run `cc`: install a C compiler")?;
        ensure!(done.status.success(), "the shim does not compile: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(vec![("LD_PRELOAD", library.display().to_string())])
}

/// The wall clock is off by `seconds`.
pub fn clock_off(folder: &Path, seconds: i64) -> Result<Environment> {
    let mut environment = load(folder)?;
    environment.push(("KIROKU_SHIM_CLOCK_S", seconds.to_string()));
    Ok(environment)
}

/// Connections to `server` go through the door.
pub fn through(folder: &Path, server: SocketAddr, door: &Door) -> Result<Environment> {
    let mut environment = load(folder)?;
    environment.push(("KIROKU_SHIM_FROM_PORT", server.port().to_string()));
    environment.push(("KIROKU_SHIM_TO_PORT", door.port.to_string()));
    Ok(environment)
}

/// A port of loopback that leads to a server while it is open.
pub struct Door {
    pub port: u16,
    state: Arc<watch::Sender<Passage>>,
    task: tokio::task::JoinHandle<()>,
}

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    Open,
    /// They stay, and nothing comes through, as behind a firewall that drops.
    Silent,
    /// They are closed, and new ones at once.
    Shut,
}

impl Door {
    pub async fn before(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(watch::channel(Passage::Open).0);
        let told = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((inside, _)) = listener.accept().await {
                tokio::spawn(pass(inside, server, told.subscribe()));
            }
        });
        Ok(Self { port, state, task })
    }

    pub fn set(&self, passage: Passage) {
        self.state.send_replace(passage);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
        self.state.send_replace(Passage::Shut);
    }
}

/// Carries bytes both ways while the door is open; ends with either side, or when the door is no longer as it was.
async fn pass(mut inside: TcpStream, server: SocketAddr, mut state: watch::Receiver<Passage>) {
    let passage = *state.borrow_and_update();
    let carried = async {
        match passage {
            Passage::Shut => {}
            Passage::Silent => std::future::pending().await,
            Passage::Open => {
                if let Ok(mut outside) = TcpStream::connect(server).await {
                    drop(tokio::io::copy_bidirectional(&mut inside, &mut outside).await);
                }
            }
        }
    };
    tokio::select! {
        () = carried => return,
        _ = state.changed() => {}
    }
    // What came meanwhile is lost: the connection is of no use any more, but who is silent does not say so.
    while *state.borrow_and_update() == Passage::Silent {
        if state.changed().await.is_err() {
            return;
        }
    }
}
