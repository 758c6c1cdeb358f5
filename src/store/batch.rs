//! [`Batch`]: one transaction of the writer's under way: what it makes of each job in the tables, and the receipts that are
//! true once it is committed.

use super::queue::Job;
use super::rows::{self, HEAD, Stored, date};
use super::{Authored, NetworkId, aside, network, requests, search};
use crate::proto::fact::{Fact, LIST, PeerFact, Receipt};
use crate::proto::gossip::{Gossip, Guid, Head, Key, Line, piece_list};
use crate::proto::limits::PIECE;
use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params, params_from_iter};
use std::collections::BTreeMap;

/// One transaction under way.
pub(super) struct Batch<'a> {
    db: &'a Connection,
    /// Adds a complete record; looked up once for all of them.
    insert: CachedStatement<'a>,
    next_body: i64,
    totals: BTreeMap<NetworkId, (i64, i64)>,
    /// The latest date that was authored.
    epochs: BTreeMap<NetworkId, i64>,
    receipts: Vec<(NetworkId, Receipt)>,
    /// Damaged records that were deleted.
    pub lost: Vec<(NetworkId, Guid)>,
}

impl<'a> Batch<'a> {
    pub fn new(db: &'a Connection) -> rusqlite::Result<Batch<'a>> {
        let highest =
            "SELECT max(ifnull((SELECT max(body) FROM piece), 0), ifnull((SELECT max(body) FROM partial), 0))";
        let highest: i64 = db.prepare_cached(highest)?.query_row([], |row| row.get(0))?;
        Ok(Batch {
            db,
            insert: db.prepare_cached(&rows::INSERT)?,
            next_body: highest + 1,
            totals: BTreeMap::new(),
            epochs: BTreeMap::new(),
            receipts: Vec::new(),
            lost: Vec::new(),
        })
    }

    /// Writes totals and epochs; the receipts are true once the transaction is committed.
    pub fn finish(self) -> rusqlite::Result<Vec<(NetworkId, Receipt)>> {
        for (network, epoch) in self.epochs {
            network::raise_epoch(self.db, network.0, epoch)?;
        }
        for (network, (count, bytes)) in self.totals {
            self.db
                .prepare_cached("UPDATE network SET count = count + ?2, bytes = max(0, bytes + ?3) WHERE id = ?1")?
                .execute(params![network.0, count, bytes])?;
        }
        Ok(self.receipts)
    }

    /// Does what a job says.
    pub fn apply(&mut self, network: NetworkId, job: &Job) -> rusqlite::Result<()> {
        match job {
            Job::Author(all) => all.iter().try_for_each(|Authored { gossip, request }| {
                self.gossip(network, gossip)?;
                if let Some(request) = request {
                    requests::keep(self.db, network, request, gossip.key())?;
                }
                // The next start's epoch is later than all that was authored here, and so is what it authors.
                let date = i64::try_from(gossip.head().date_time().0).unwrap_or(i64::MAX);
                let epoch = self.epochs.entry(network).or_insert(date);
                *epoch = date.max(*epoch);
                Ok(())
            }),
            Job::Fact(Fact::Gossip(gossip)) => self.gossip(network, gossip).map(drop),
            Job::Fact(Fact::Partial(guid, head)) => self.partial(network, *guid, head),
            Job::Fact(Fact::List(guid, list)) => self.list(network, *guid, list),
            Job::Fact(Fact::Piece(guid, index, bytes)) => self.piece(network, *guid, *index, bytes),
            Job::Fact(Fact::Abandoned(guid)) => self.abandoned(network, *guid),
            Job::Fact(Fact::Left(left, until, keys)) => {
                self.receipts.push((network, Receipt::Cleared(true)));
                let moved = aside::put(self.db, network, *left, *until, keys)?;
                self.count(network, -moved.count, -moved.bytes);
                self.count(aside::of(network), moved.count - moved.replaced, moved.bytes - moved.replaced_bytes);
                Ok(())
            }
            Job::Fact(Fact::Deleted(keys)) => {
                self.receipts.push((network, Receipt::Cleared(true)));
                let deleted = aside::delete(self.db, network, keys)?;
                self.count(aside::of(network), -deleted.count, -deleted.bytes);
                Ok(())
            }
            Job::Fact(Fact::Silence(guid, silence)) => aside::keep_silence(self.db, network, *guid, *silence),
            Job::Fact(Fact::Peer(peer)) => self.peer(network, peer),
            Job::Fact(Fact::Forgotten(guid)) => self.forget_peer(network, *guid),
            // Who this node is stands in `server.json`; how others are reached is found out anew.
            Job::Fact(Fact::Identity(_) | Fact::Reach(_)) => Ok(()),
            Job::Condemn(key) => self.condemn(network, *key).map(drop),
            Job::Reindex => search::rebuild(self.db),
            // Seen to before anything else.
            Job::Mend => Ok(()),
        }
    }

    fn count(&mut self, network: NetworkId, count: i64, bytes: i64) {
        let totals = self.totals.entry(network).or_default();
        totals.0 += count;
        totals.1 += bytes;
    }

    /// Keeps a record unless it is here; says whether it is new.
    pub fn gossip(&mut self, network: NetworkId, gossip: &Gossip) -> rusqlite::Result<bool> {
        let long = gossip.head().piece_count() > 1;
        let body = long.then_some(self.next_body);
        let msg = (!long).then_some(gossip.msg());
        let new = self.row(network, gossip.key(), gossip.head(), msg, body)?;
        if let (true, Some(body)) = (new, body) {
            self.abandoned(network, gossip.guid())?;
            self.next_body += 1;
            for (index, bytes) in gossip.msg().chunks(PIECE).enumerate() {
                rows::keep_piece(self.db, body, index as u16, bytes)?;
            }
            rows::keep_piece(self.db, body, LIST, &piece_list(gossip.msg()))?;
        }
        self.receipts.push((network, Receipt::Held(gossip.line())));
        Ok(new)
    }

    fn row(
        &mut self,
        network: NetworkId,
        key: Key,
        head: &Head,
        msg: Option<&Bytes>,
        body: Option<i64>,
    ) -> rusqlite::Result<bool> {
        let mut new = rows::insert(&mut self.insert, network, &key.guid, head, msg, body)?;
        if !new {
            // What is called held is whole: a damaged one makes room.
            self.condemn(network, key)?;
            new = rows::insert(&mut self.insert, network, &key.guid, head, msg, body)?;
        }
        if new {
            self.count(network, 1, head.len() as i64);
        }
        Ok(new)
    }

    fn partial(&mut self, network: NetworkId, guid: Guid, head: &Head) -> rusqlite::Result<()> {
        let key = Key { date_time: head.date_time(), guid };
        if self.condemn(network, key)? {
            let line = Line { key, origin: head.origin(), decree: None };
            self.receipts.push((network, Receipt::Held(line)));
            return Ok(());
        }
        // One that rotted makes room.
        if let Some((_, None)) = self.begun(network, guid)? {
            self.abandoned(network, guid)?;
        }
        let sql = format!(
            "INSERT INTO partial (body, network, {HEAD}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (network, guid) DO NOTHING"
        );
        let body = self.next_body;
        let values = [body.to_sql()?].into_iter().chain(rows::head_values(network, &guid, head));
        self.next_body += self.db.prepare_cached(&sql)?.execute(params_from_iter(values))? as i64;
        Ok(())
    }

    /// Body and head of a long record that was begun; the head is `None` if the row is damaged.
    fn begun(&self, network: NetworkId, guid: Guid) -> rusqlite::Result<Option<(i64, Option<Head>)>> {
        let sql = format!("SELECT body, {HEAD} FROM partial WHERE network = ?1 AND guid = ?2");
        self.db
            .prepare_cached(&sql)?
            .query_row(params![network.0, guid.0], |row| Ok((row.get(0)?, rows::head(row, 1).map(|(_, head)| head))))
            .optional()
    }

    fn list(&mut self, network: NetworkId, guid: Guid, list: &Bytes) -> rusqlite::Result<()> {
        match self.begun(network, guid)? {
            Some((body, Some(head))) if list.len() == head.piece_count() * 32 => {
                rows::keep_piece(self.db, body, LIST, list)
            }
            _ => {
                self.receipts.push((network, Receipt::Failed(guid)));
                Ok(())
            }
        }
    }

    fn piece(&mut self, network: NetworkId, guid: Guid, index: u16, bytes: &Bytes) -> rusqlite::Result<()> {
        let (body, head) = match self.begun(network, guid)? {
            Some((body, Some(head))) if !bytes.is_empty() && bytes.len() == head.piece_len(usize::from(index)) => {
                (body, head)
            }
            Some((_, None)) => {
                self.receipts.push((network, Receipt::Wrong(guid)));
                return self.abandoned(network, guid);
            }
            // Given up, or complete: either way this piece was not kept.
            _ => {
                self.receipts.push((network, Receipt::Failed(guid)));
                return Ok(());
            }
        };
        rows::keep_piece(self.db, body, index, bytes)?;
        self.receipts.push((network, Receipt::Piece(guid, index)));
        let is_last = rows::count_pieces(self.db, body)? == head.piece_count();
        if is_last { self.complete(network, guid, body, head) } else { Ok(()) }
    }

    /// The last piece is here: the whole becomes a record, or nothing of it stays. The pieces are read back, so that
    /// what is called complete is what the file holds.
    fn complete(&mut self, network: NetworkId, guid: Guid, body: i64, head: Head) -> rusqlite::Result<()> {
        let msg = rows::whole_msg(self.db, body, &head)?;
        let listed = rows::verified_piece(self.db, body, &head, LIST)?.is_some();
        let gossip = if listed { Gossip::joined(head, msg) } else { Gossip::new(head, msg) };
        let Ok(gossip) = gossip else {
            self.receipts.push((network, Receipt::Wrong(guid)));
            return self.abandoned(network, guid);
        };
        if !listed {
            rows::keep_piece(self.db, body, LIST, &piece_list(gossip.msg()))?;
        }
        self.row(network, gossip.key(), gossip.head(), None, Some(body))?;
        self.db.prepare_cached("DELETE FROM partial WHERE body = ?1")?.execute([body])?;
        self.receipts.push((network, Receipt::Held(gossip.line())));
        Ok(())
    }

    fn abandoned(&mut self, network: NetworkId, guid: Guid) -> rusqlite::Result<()> {
        let Some((body, _)) = self.begun(network, guid)? else { return Ok(()) };
        self.db.prepare_cached("DELETE FROM piece WHERE body = ?1")?.execute([body])?;
        self.db.prepare_cached("DELETE FROM partial WHERE body = ?1")?.execute([body]).map(drop)
    }

    pub fn peer(&mut self, network: NetworkId, peer: &PeerFact) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO peer (network, guid, name, addr, last_update) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (network, guid) DO UPDATE
                 SET name = excluded.name, addr = excluded.addr, last_update = excluded.last_update",
            )?
            .execute(params![network.0, peer.guid.0, peer.name, peer.addr.to_string(), date(peer.last_update)])
            .map(drop)
    }

    fn forget_peer(&self, network: NetworkId, guid: Guid) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM peer WHERE network = ?1 AND guid = ?2")?
            .execute(params![network.0, guid.0])
            .map(drop)
    }

    /// Deletes a record if it is damaged; says whether it is here, and whole. It is looked at again, since a whole copy may
    /// have come in the meantime.
    fn condemn(&mut self, network: NetworkId, key: Key) -> rusqlite::Result<bool> {
        let Some(stored) = Stored::read(self.db, network, key)? else { return Ok(false) };
        let (id, body, len) = (stored.id, stored.body, stored.len);
        if let Some((head, msg)) = stored.whole(self.db)? {
            body.map_or(Ok(()), |body| rows::keep_list(self.db, body, &head, &msg))?;
            return Ok(true);
        }
        let is_last = rows::last(self.db)? == Some(id);
        rows::delete(self.db, id, body)?;
        self.count(network, -1, len.saturating_neg());
        if is_last {
            aside::keep_place(self.db, network, id)?;
            self.count(aside::of(network), 1, 0);
        }
        self.lost.push((network, key.guid));
        Ok(false)
    }
}
