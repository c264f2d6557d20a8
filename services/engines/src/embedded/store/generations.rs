//! Generations of the tables: folders `tables/N`, and the file `tables/CURRENT` with the number of the one that serves.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chassis::ports::store::{Generations, Store, StoreError};
use parking_lot::Mutex;

use super::{EmbeddedStore, Once, StoreConfig};
use crate::embedded::disk::replace_file;
use crate::embedded::error::{At, EngineError};

pub struct EmbeddedGenerations {
    folder: PathBuf,
    config: StoreConfig,
    live: AtomicU32,
    once: Arc<Once>,
    open: Mutex<HashMap<u32, Arc<EmbeddedStore>>>,
}

fn io_error(e: &io::Error) -> StoreError {
    StoreError::Io(e.to_string())
}

impl EmbeddedGenerations {
    pub(crate) fn open_folder(folder: &Path, config: StoreConfig, once: Arc<Once>) -> Result<Self, EngineError> {
        std::fs::create_dir_all(folder).at(folder)?;
        let current = folder.join("CURRENT");
        let live = match std::fs::read_to_string(&current) {
            Ok(text) => text.trim().parse().map_err(|_| EngineError::Damaged {
                path: current.clone(),
                what: "it does not hold a number".to_owned(),
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                replace_file(&current, b"1\n").at(&current)?;
                1
            }
            Err(source) => return Err(EngineError::Io { path: current, source }),
        };
        Ok(Self { folder: folder.to_owned(), config, live: AtomicU32::new(live), once, open: Mutex::default() })
    }

    pub(crate) fn once(&self) -> &Arc<Once> {
        &self.once
    }

    fn path(&self, generation: u32) -> PathBuf {
        self.folder.join(generation.to_string())
    }

    /// As `open`, with the engine's own type (for [`EmbeddedStore::marks`]).
    pub fn open_store(&self, generation: u32) -> Result<Arc<EmbeddedStore>, StoreError> {
        let mut open = self.open.lock();
        if let Some(store) = open.get(&generation) {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(EmbeddedStore::open(&self.path(generation), self.config, Arc::clone(&self.once))?);
        open.insert(generation, Arc::clone(&store));
        Ok(store)
    }

    /// Syncs and lets go of all open generations.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let stores: Vec<_> = self.open.lock().drain().collect();
        for (_, store) in stores {
            store.sync().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Generations for EmbeddedGenerations {
    fn live(&self) -> u32 {
        self.live.load(Ordering::SeqCst)
    }

    async fn open(&self, generation: u32) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.open_store(generation)?)
    }

    async fn switch(&self, generation: u32) -> Result<(), StoreError> {
        if !self.path(generation).is_dir() {
            return Err(StoreError::NoGeneration(generation));
        }
        self.open_store(generation)?.sync().await?;
        let current = self.folder.join("CURRENT");
        replace_file(&current, format!("{generation}\n").as_bytes()).map_err(|e| io_error(&e))?;
        self.live.store(generation, Ordering::SeqCst);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<u32>, StoreError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(|e| io_error(&e))? {
            let name = entry.map_err(|e| io_error(&e))?.file_name();
            found.extend(name.to_str().and_then(|n| n.parse::<u32>().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    async fn remove(&self, generation: u32) -> Result<(), StoreError> {
        if generation == self.live() {
            return Err(StoreError::NotWritable(format!("generation {generation} serves")));
        }
        if !self.path(generation).is_dir() {
            return Err(StoreError::NoGeneration(generation));
        }
        let store = self.open.lock().remove(&generation);
        if let Some(store) = store
            && let Err(used) = Arc::try_unwrap(store)
        {
            self.open.lock().insert(generation, used);
            return Err(StoreError::NotWritable(format!("generation {generation} is still read")));
        }
        std::fs::remove_dir_all(self.path(generation)).map_err(|e| io_error(&e))
    }
}
