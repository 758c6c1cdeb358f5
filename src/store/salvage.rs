//! What happens to a damaged `gossip.db`: a new file is made of the records in it that verify, then the damaged one is
//! set aside under another name, never deleted, and the new one takes its place. Each step may be cut short by a crash:
//! the new file counts only once it is whole and called so.

use super::batch::Batch;
use super::pages::{Cell, Pages, Spot};
use super::rows::{self, bytes};
use super::schema::{self, Opened};
use super::{NetworkId, StoreError, aside, network};
use crate::proto::fact::PeerFact;
use crate::proto::gossip::{Gossip, Guid, Head};
use bytes::Bytes;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, io};

/// Rows in one transaction.
const GROUP: usize = 4096;
/// Bytes of long records in one, about.
const TOGETHER: usize = 64 << 20;
/// No store gets so many rows before it is salvaged. Theirs are numbered from the next multiple on: behind all that there
/// were, found or not. Who follows and stood at one of those would take for known what he never saw.
const STRIDE: i64 = 1 << 32;
/// A network that the place is kept in.
const NOBODY: NetworkId = NetworkId(0);
/// No store has so many rows: what is numbered higher is damage.
const MOST_ROWS: i64 = 1 << 48;

/// `path` with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Set when damage is found while the store is in use: the next start salvages.
pub(super) fn marker(path: &Path) -> PathBuf {
    beside(path, ".damaged")
}

/// Finishes or forgets what an earlier start began.
pub(super) fn resume(path: &Path) -> io::Result<Option<String>> {
    let salvaged = beside(path, ".salvaged");
    if salvaged.exists() {
        let aside = swap(path)?;
        return Ok(Some(format!(
            "the salvage of a damaged store was finished; it was set aside as {}",
            aside.display()
        )));
    }
    clear(path)?;
    Ok(None)
}

/// Removes a new file that is not whole.
fn clear(path: &Path) -> io::Result<()> {
    [".salvaging", ".salvaging-wal", ".salvaging-shm"]
        .iter()
        .try_for_each(|suffix| remove_if_there(&beside(path, suffix)))
}

/// Makes a whole store out of a damaged one, and says what became of it.
pub(super) fn salvage(path: &Path, why: &str) -> Result<String, StoreError> {
    File::create(marker(path))?;
    // What is left of a try that failed would fill the disk, and be in the way of the next one.
    clear(path)?;
    let found = build(path).inspect_err(|_| drop(clear(path)))?;
    let aside = swap(path)?;
    Ok(format!("the store was damaged ({why}): {found}; it was set aside as {}", aside.display()))
}

/// Makes `.salvaged` out of the damaged store.
fn build(path: &Path) -> Result<Found, StoreError> {
    let building = beside(path, ".salvaging");
    super::create_private(&building)?;
    let pages = Pages::open(path, &beside(path, "-wal"))?;
    let Opened::Whole(mut db) = schema::open(&building)? else {
        return Err(io::Error::other("a new store is damaged at once").into());
    };
    let found = fill(&mut db, &pages)?;
    // Everything into the file itself: only that is renamed.
    db.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get::<_, String>(0))?;
    drop(db);
    fs::rename(&building, beside(path, ".salvaged"))?;
    Ok(found)
}

/// Puts `.salvaged` in place of the store, which goes aside with its log. All steps may have been done before.
fn swap(path: &Path) -> io::Result<PathBuf> {
    let mut seconds = unix_seconds();
    let mut aside = beside(path, &format!(".corrupt-{seconds}"));
    while aside.exists() {
        seconds += 1;
        aside = beside(path, &format!(".corrupt-{seconds}"));
    }
    // The log goes first: a new file must never meet an old log.
    for suffix in ["-wal", ""] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    remove_if_there(&beside(path, "-shm"))?;
    fs::rename(beside(path, ".salvaged"), path)?;
    remove_if_there(&marker(path))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()?;
    Ok(aside)
}

#[expect(clippy::disallowed_methods, reason = "a file's name tells people when it was set aside")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Found {
    records: u64,
    peers: u64,
    networks: u64,
    /// Pages that the disk did not give.
    unread: u32,
    /// Long records, by the body that has their pieces. Twice on one body: one of them is a leftover.
    long: Vec<(NetworkId, Head, i64)>,
    /// Where the pieces of each body are.
    pieces: BTreeMap<(i64, u16), Spot>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { records, peers, networks, unread, .. } = self;
        write!(f, "{records} records, {peers} peers and {networks} networks were salvaged from it, ")?;
        if *unread > 0 {
            write!(f, "{unread} pages could not be read, ")?;
        }
        write!(f, "others come back from peers")
    }
}

/// Copies what verifies. Rows are known by their columns: no two tables have rows of the same shape.
fn fill(db: &mut Connection, pages: &Pages) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut last = 0;
    pages.each_row(&mut |cell| {
        if cell.len() == GOSSIP && cell.rowid < MOST_ROWS {
            last = last.max(cell.rowid);
        }
        Ok(())
    })?;
    // Keeps the place until others stand behind it, and where none does.
    let place = (last / STRIDE + 1) * STRIDE;
    aside::keep_place(db, NOBODY, place)?;
    let mut waiting: Vec<Row> = Vec::new();
    found.unread = pages.each_row(&mut |cell| {
        match read(&cell) {
            Some(Row::Long(network, head, body)) => found.long.push((network, head, body)),
            Some(row) => waiting.push(row),
            None => note_piece(&cell, &mut found.pieces),
        }
        if waiting.len() >= GROUP { keep(db, &mut waiting, &mut found) } else { Ok(()) }
    })?;
    keep(db, &mut waiting, &mut found)?;
    long_records(db, pages, &mut found)?;
    match rows::last(db)? == Some(place) {
        true => db.execute("UPDATE network SET count = count + 1 WHERE id = ?1", [aside::of(NOBODY).0]).map(drop)?,
        false => rows::delete(db, place, None)?,
    }
    Ok(found)
}

/// Notes where a piece of a long record is.
fn note_piece(cell: &Cell, pieces: &mut BTreeMap<(i64, u16), Spot>) {
    let int = |at| cell.value(at)?.as_i64().ok();
    if let (3, Some(body), Some(index)) = (cell.len(), int(0), int(1).and_then(|index| u16::try_from(index).ok()))
        && let Some(ValueRef::Blob(_)) = cell.value(2)
    {
        // The first one is the newest: pages in the log come first.
        pieces.entry((body, index)).or_insert(cell.spot);
    }
}

/// Columns of a record's row.
const GOSSIP: usize = 12;

enum Row {
    Network(i64, String, i64),
    Gossip(NetworkId, Gossip),
    Long(NetworkId, Head, i64),
    Peer(NetworkId, PeerFact),
}

fn read(cell: &Cell) -> Option<Row> {
    let int = |at| cell.value(at)?.as_i64().ok();
    let text = |at| match cell.value(at)? {
        ValueRef::Text(text) => std::str::from_utf8(text).ok(),
        _ => None,
    };
    match cell.len() {
        GOSSIP => {
            let network = NetworkId(int(1)?);
            let (_, head) = rows::head_of(|at| cell.value(at + 2))?;
            if let Some(body) = int(11) {
                return Some(Row::Long(network, head, body));
            }
            let msg = Bytes::copy_from_slice(bytes(cell.value(10)?)?);
            Gossip::new(head, msg).ok().map(|gossip| Row::Gossip(network, gossip))
        }
        5 => {
            // A network's row has its id as row number and NULL in that column; a peer's has a GUID second.
            if let (Some(ValueRef::Null), Some(name), Some(epoch)) = (cell.value(0), text(1), int(2)) {
                return (int(3).is_some() && int(4).is_some())
                    .then(|| Row::Network(cell.rowid, name.to_owned(), epoch));
            }
            let guid = Guid(cell.value(1)?.as_blob().ok()?.try_into().ok()?);
            let (name, addr) = (text(2)?.into(), text(3)?.parse().ok()?);
            let peer = PeerFact { guid, name, addr, last_update: rows::timestamp(int(4)?) };
            Some(Row::Peer(NetworkId(int(0)?), peer))
        }
        _ => None,
    }
}

/// Commits the rows that wait.
fn keep(db: &mut Connection, waiting: &mut Vec<Row>, found: &mut Found) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    let mut batch = Batch::new(&transaction)?;
    for row in waiting.drain(..) {
        match row {
            // The id follows from the name, so one that does not is a damaged name.
            Row::Network(id, name, epoch) if network::is_id_of(id, &name) => {
                found.networks += u64::from(network::add(&transaction, id, &name)?);
                network::raise_epoch(&transaction, id, epoch)?;
            }
            Row::Gossip(network, gossip) => {
                network::add_unnamed(&transaction, network)?;
                found.records += u64::from(batch.gossip(network, &gossip)?);
            }
            Row::Peer(network, peer) => {
                batch.peer(network, &peer)?;
                found.peers += 1;
            }
            Row::Network(..) | Row::Long(..) => (),
        }
    }
    batch.finish()?;
    transaction.commit()
}

/// Joins the pieces of long records, which may lie anywhere in the file.
fn long_records(db: &mut Connection, pages: &Pages, found: &mut Found) -> Result<(), StoreError> {
    let mut rest = found.long.as_slice();
    while !rest.is_empty() {
        let transaction = db.transaction()?;
        let (mut batch, mut room) = (Batch::new(&transaction)?, TOGETHER);
        while room > 0
            && let Some(((network, head, body), later)) = rest.split_first()
        {
            (rest, room) = (later, room.saturating_sub(head.len()));
            let spots = (0..head.piece_count()).filter_map(|index| found.pieces.get(&(*body, index as u16)));
            let mut msg = Vec::with_capacity(head.len());
            for cell in spots.filter_map(|spot| pages.row(*spot)) {
                msg.extend_from_slice(cell.value(2).and_then(bytes).unwrap_or_default());
            }
            if let Ok(gossip) = Gossip::new(head.clone(), Bytes::from(msg)) {
                network::add_unnamed(&transaction, *network)?;
                found.records += u64::from(batch.gossip(*network, &gossip)?);
            }
        }
        batch.finish()?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Store, schema::PAGE};
    use super::*;
    use crate::proto::fact::Fact;
    use crate::proto::gossip::Kind;
    use crate::proto::time::Timestamp;
    use std::os::unix::fs::FileExt;

    /// A store whose disk refuses one page, or all.
    fn salvaged(path: &Path, bad: Option<u64>) -> Result<Found, StoreError> {
        let read = move |file: &File, buffer: &mut [u8], at: u64| {
            if bad.is_none_or(|page| at / PAGE as u64 == page) {
                return Err(io::Error::from_raw_os_error(5));
            }
            file.read_at(buffer, at)
        };
        let pages = Pages::open_with(path, &beside(path, "-wal"), Box::new(read))?;
        let building = beside(path, ".salvaging");
        super::super::create_private(&building)?;
        let Opened::Whole(mut db) = schema::open(&building)? else { panic!("it is new") };
        let found = fill(&mut db, &pages);
        drop(db);
        clear(path)?;
        found
    }

    #[test]
    fn a_page_that_the_disk_refuses_costs_no_more_than_what_it_had() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gossip.db");
        let store = Store::open(&path).unwrap();
        let home = store.network("home").unwrap();
        store.spawn(Box::new(drop), Box::new(drop)).unwrap();
        for at in 0..200 {
            let msg = Bytes::from(format!("hello {at}"));
            let gossip = Gossip::make(Kind::Message, Timestamp(at), Guid([7; 16]), "dove", msg).unwrap();
            store.submit(home, Fact::Gossip(gossip));
        }
        store.close();
        drop(store);
        let mut least = u64::MAX;
        for page in 0..fs::metadata(&path).unwrap().len() / PAGE as u64 {
            let found = salvaged(&path, Some(page)).unwrap();
            least = least.min(found.records);
            assert!(found.records >= 150 && found.unread == 1, "{} without page {page}", found.records);
            assert!(found.to_string().contains(", 1 pages could not be read, "), "{found}");
        }
        assert!(least < 200, "each record was in some page");
        let found = salvaged(&path, Some(u64::MAX)).unwrap();
        assert!(found.records == 200 && !found.to_string().contains("read"), "{found}");
        assert!(matches!(salvaged(&path, None), Err(StoreError::Io(_))), "that is no damage of a store");
    }
}
