//! [`Store`]: records and peers on disk, for all networks of a daemon in one SQLite file.
//!
//! One thread writes, in groups, and answers each fact once it is on disk; one thread reads what nodes send on; one copies
//! SQLite's log into the file; queries read beside them. What is read is verified again, so a disk that rots loses records
//! to be fetched anew and never passes on damage. A full disk fails facts and no more; a damaged file is set aside and its
//! good records are kept, at the start or as soon as the damage is met.
//! How much may be under way is for the caller to bound.

mod arrivals;
mod aside;
#[cfg(feature = "cli")]
pub mod bare;
mod batch;
mod checkpoints;
mod lists;
mod mending;
mod network;
mod pages;
mod queries;
mod queue;
mod reader;
mod requests;
mod rows;
mod salvage;
mod schema;
mod search;
mod spare;
mod writer;

pub use arrivals::{Arrivals, Place};
pub use lists::{Cursor, ListFilter, Order, Page};
pub use mending::Mended;
pub use queries::{MATCHES, Row, START, Totals};
pub use reader::{Load, Loaded, OnLoaded};
pub use requests::Request;
pub use search::{Indexed, Words};
pub use writer::{OnWritten, Written};

use crate::proto::fact::Fact;
use crate::proto::gossip::Gossip;
use crate::proto::time::Timestamp;
use checkpoints::Log;
use queue::{Job, Queue};
use reader::Ask;
use rusqlite::Connection;
use schema::Opened;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

/// Loads that may wait for the reader.
const LOADS: usize = 4096;
/// Connections for queries that are kept open.
const READERS: usize = 4;

/// A network of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub i64);

/// Why a store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer program made the file.
    #[error("{} has schema version {found}, and this program knows versions up to {known}: use a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite cannot.
    #[error("the store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system cannot.
    #[error("the store's file: {0}")]
    Io(#[from] io::Error),
    /// It is being salvaged just now.
    #[error("the store was damaged and is being salvaged")]
    Mending,
}

impl StoreError {
    /// Whether the file turned out to be damaged: then the writer salvages it, or the next [`Store::open`] does.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Sqlite(error) => schema::is_damage(error),
            StoreError::Mending => true,
            _ => false,
        }
    }
}

/// A record that was created here.
#[derive(Clone, Debug)]
pub struct Authored {
    /// It.
    pub gossip: Gossip,
    /// The request that it came of, if that may come again.
    pub request: Option<Request>,
}

impl From<Gossip> for Authored {
    fn from(gossip: Gossip) -> Authored {
        Authored { gossip, request: None }
    }
}

/// Records and peers on disk. Methods block unless they say otherwise; those that only read never block the writer.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    asks: SyncSender<Ask>,
    /// Until the reader's thread takes it.
    asked: Mutex<Option<Receiver<Ask>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    notes: Vec<String>,
}

/// What the threads have in common.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    queue: Queue,
    /// The connection that writes.
    db: Mutex<Connection>,
    log: Arc<Log>,
    /// Connections that read and are not in use.
    readers: Mutex<Vec<Connection>>,
    /// How often somebody who sends on what is read has been answered.
    answered: AtomicU64,
    /// Held by all who read, and alone by who puts another file in the place of this one.
    gate: RwLock<()>,
    trouble: Mutex<Trouble>,
    /// The networks in use by name, and the last epoch of each.
    networks: Mutex<BTreeMap<String, i64>>,
}

#[derive(Debug, Default)]
struct Trouble {
    last_error: Option<String>,
    damaged: bool,
    /// A sync of the file failed: see `checkpoints`.
    unsynced: bool,
}

/// A lock whose holder panicked still guards sound data: each change to it is one assignment or one transaction.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a file that only its owner may read, before SQLite would make one for all.
fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

impl Store {
    /// Opens the store at `path`, or makes one. A damaged one is salvaged: see [`notes`](Store::notes).
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        let mut notes = Vec::new();
        notes.extend(salvage::resume(path)?);
        let log = fs::metadata(salvage::beside(path, "-wal")).map_or(0, |log| log.len());
        let size = fs::metadata(path).map_or(0, |file| file.len());
        create_private(path)?;
        let found = if salvage::marker(path).exists() {
            Opened::Damaged("damage was met while it was in use".to_owned())
        } else if (1..schema::PAGE as u64).contains(&size) || size == 0 && log > 0 {
            // SQLite would take it for a new one and write over it.
            Opened::Damaged("it is shorter than a page".to_owned())
        } else {
            schema::open(path)?
        };
        let mut db = match found {
            Opened::Whole(db) => db,
            Opened::Newer(found) => {
                return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION });
            }
            Opened::Damaged(why) => {
                notes.push(salvage::salvage(path, &why)?);
                match schema::open(path)? {
                    Opened::Whole(db) => db,
                    _ => return Err(io::Error::other("what was salvaged is damaged too: is the disk?").into()),
                }
            }
        };
        let log = Arc::<Log>::default();
        log.attach(&mut db)?;
        let (asks, asked) = sync_channel(LOADS);
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            queue: Queue::default(),
            db: Mutex::new(db),
            log,
            readers: Mutex::default(),
            answered: AtomicU64::new(0),
            gate: RwLock::default(),
            trouble: Mutex::default(),
            networks: Mutex::default(),
        });
        Ok(Store { shared, asks, asked: Mutex::new(Some(asked)), threads: Mutex::default(), notes })
    }

    /// Starts the threads; what was submitted before has waited for them. `on_written` is called after each commit by
    /// the writer, `on_loaded` by the reader with each answer: both should only pass on what they get.
    ///
    /// # Panics
    /// When called twice.
    pub fn spawn(&self, on_written: OnWritten, on_loaded: OnLoaded) -> io::Result<()> {
        let asked = lock(&self.asked).take().expect("a store's threads are started once");
        let [writer, reader, copier] = [(); 3].map(|()| self.shared.clone());
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let mut threads = lock(&self.threads);
        threads.push(thread("store-writer").spawn(move || writer::run(&writer, &on_written))?);
        threads.push(thread("store-reader").spawn(move || reader::run(&reader, &asked, on_loaded))?);
        threads.push(thread("store-copier").spawn(move || checkpoints::run(&copier))?);
        Ok(())
    }

    /// What a person should be told about the opening: salvaged records and the like.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The id of a network, which is added if it is new.
    pub fn network(&self, name: &str) -> Result<NetworkId, StoreError> {
        let id = self.writing(|db| network::id(db, name))?;
        lock(&self.shared.networks).entry(name.to_owned()).or_default();
        Ok(id)
    }

    /// An epoch above all that this returned before, even over a crash, and not below the clock.
    pub fn next_epoch(&self, network: NetworkId, clock: Timestamp) -> Result<u64, StoreError> {
        let (name, epoch) = self.writing(|db| network::next_epoch(db, network, clock))?;
        lock(&self.shared.networks).insert(name, i64::try_from(epoch).unwrap_or(i64::MAX));
        Ok(epoch)
    }

    /// Has a fact kept; its receipt comes after the commit, within about 50 ms. Never blocks for the disk.
    pub fn submit(&self, network: NetworkId, fact: Fact) {
        self.shared.queue.push(network, Job::Fact(fact));
    }

    /// Has records kept for which somebody waits: they are committed at once and in one, together with all that is
    /// queued before them. Never blocks for the disk.
    pub fn author(&self, network: NetworkId, all: Vec<Authored>) {
        self.shared.queue.push(network, Job::Author(all));
    }

    /// Has something read; the answer comes by `on_loaded`. `false`: too much is asked for at once, and nothing will
    /// come; ask again later. Never blocks.
    #[must_use]
    pub fn load(&self, network: NetworkId, load: Load) -> bool {
        self.asks.try_send(Ask::Load(network, load)).is_ok()
    }

    /// Bytes of facts that are not on disk yet.
    pub fn queued_bytes(&self) -> usize {
        self.shared.queue.bytes()
    }

    /// The last error of the disk, until a commit succeeds again or the damage is mended.
    pub fn last_error(&self) -> Option<String> {
        lock(&self.shared.trouble).last_error.clone()
    }

    /// Commits all that is queued and ends the threads; receipts come until this returns. What is submitted later is
    /// not kept.
    pub fn close(&self) {
        self.shared.queue.close();
        self.shared.log.end();
        let threads: Vec<_> = lock(&self.threads).drain(..).collect();
        if threads.is_empty() {
            return;
        }
        // Fails if the reader has ended already.
        let _ = self.asks.send(Ask::Stop);
        for thread in threads {
            // Its panic, if any, was printed when it happened.
            let _ = thread.join();
        }
        lock(&self.shared.readers).clear();
    }

    fn writing<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        work(&self.shared.db()).map_err(|error| {
            self.shared.failed(&error);
            error.into()
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn db(&self) -> MutexGuard<'_, Connection> {
        lock(&self.db)
    }

    /// Runs a query on a connection of its own, in one snapshot.
    fn reading<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let Ok(_gate) = self.gate.try_read() else { return Err(StoreError::Mending) };
        let pooled = lock(&self.readers).pop();
        let run = || {
            let mut db = pooled.map_or_else(|| schema::open_reader(&self.path), Ok)?;
            let transaction = db.transaction()?;
            let done = work(&transaction)?;
            drop(transaction);
            let mut readers = lock(&self.readers);
            if readers.len() < READERS {
                readers.push(db);
            }
            Ok(done)
        };
        run().map_err(|error| {
            // Whatever else hinders who reads says nothing about what the disk takes.
            if schema::is_damage(&error) {
                self.met(&error);
            }
            StoreError::Sqlite(error)
        })
    }

    fn succeeded(&self) {
        let mut trouble = lock(&self.trouble);
        if !trouble.damaged {
            trouble.last_error = None;
        }
    }

    /// Something beside the writer met what the writer is to mend.
    fn met(&self, error: &rusqlite::Error) {
        self.failed(error);
        self.queue.push(NetworkId(0), Job::Mend);
    }

    fn failed(&self, error: &rusqlite::Error) {
        let mut trouble = lock(&self.trouble);
        if schema::is_damage(error) {
            // If even this fails, the next start notices most damage by itself.
            let _ = fs::File::create(salvage::marker(&self.path));
            trouble.last_error = Some(format!("{error}"));
            trouble.damaged = true;
        } else if !trouble.damaged {
            trouble.last_error = Some(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
