//! What happens when damage is met while the store is in use: the writer salvages it at once, as the next start would, and
//! says what is held from then on, so that the rest is fetched from others. Meanwhile nothing is read, and who asks is told so.

use super::schema::{self, Opened};
use super::{NetworkId, Shared, StoreError, Trouble, lock, network, queries, salvage};
use crate::proto::fact::Restored;
use crate::proto::gossip::Line;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::io;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long after a salvage the next may be: twice as long each time, since each leaves a copy of the file, and a disk
/// that fails again at once is not mended by it.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// A store that was damaged and is whole again.
#[derive(Debug)]
pub struct Mended {
    /// What a person should be told.
    pub note: String,
    /// What is held now in each network, by GUID.
    pub held: Vec<(NetworkId, Vec<Line>)>,
}

/// When the store may be salvaged.
#[derive(Debug)]
pub(super) struct Mending {
    next: Instant,
    pause: Duration,
}

impl Mending {
    pub fn new(now: Instant) -> Mending {
        Mending { next: now, pause: PAUSE.0 }
    }

    /// Salvages the store if it is known to be damaged; `None` if it is not, or has to wait.
    #[expect(clippy::disallowed_methods, reason = "how often a disk is written anew is for the clock to say")]
    pub fn mend(&mut self, shared: &Shared) -> Option<Mended> {
        if lock(&shared.trouble).unsynced {
            reopen(shared);
        }
        if !lock(&shared.trouble).damaged || Instant::now() < self.next {
            return None;
        }
        let mended = apart(shared, || salvaged(shared));
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
        let mut trouble = lock(&shared.trouble);
        match mended {
            Ok(mended) => {
                *trouble = Trouble::default();
                Some(mended)
            }
            Err(error) => {
                trouble.last_error = Some(format!("the store is damaged and cannot be salvaged now: {error}"));
                None
            }
        }
    }
}

/// Waits for who reads just now, keeps all others out, and has no connection to the file until `work` gives a new one.
fn apart<T>(shared: &Shared, work: impl FnOnce() -> Result<(Connection, T), StoreError>) -> Result<T, StoreError> {
    let _gate = shared.gate.write().unwrap_or_else(PoisonError::into_inner);
    lock(&shared.readers).clear();
    let mut db = shared.db();
    // What is damaged is not to be written to once more on closing it.
    let _ = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    *db = Connection::open_in_memory()?;
    shared.log.forget();
    let (mut whole, done) = work()?;
    shared.log.attach(&mut whole)?;
    *db = whole;
    Ok(done)
}

/// Opens the file anew, so that all that is in its log is copied once more. Where it does not open it is taken for damaged.
fn reopen(shared: &Shared) {
    let opened = apart(shared, || match schema::open(&shared.path)? {
        Opened::Whole(whole) => Ok((whole, ())),
        _ => Err(io::Error::other("it does not open again").into()),
    });
    let mut trouble = lock(&shared.trouble);
    trouble.unsynced = false;
    if let Err(error) = opened {
        (trouble.damaged, trouble.last_error) = (true, Some(error.to_string()));
    }
}

fn salvaged(shared: &Shared) -> Result<(Connection, Mended), StoreError> {
    let why = lock(&shared.trouble).last_error.clone().unwrap_or_default();
    let note = salvage::salvage(&shared.path, &why)?;
    let Opened::Whole(whole) = schema::open(&shared.path)? else {
        return Err(io::Error::other("what was salvaged is damaged too: is the disk?").into());
    };
    let mut held = Vec::new();
    for (name, epoch) in lock(&shared.networks).iter() {
        let id = network::id(&whole, name)?;
        network::raise_epoch(&whole, id.0, *epoch)?;
        let mut lines = Vec::new();
        queries::restore(&whole, id, &mut |restored| {
            if let Restored::Held(line) = restored {
                lines.push(line);
            }
        })?;
        lines.sort_unstable_by_key(|line| line.key.guid);
        held.push((id, lines));
    }
    Ok((whole, Mended { note, held }))
}
