//! Rows out of a damaged SQLite file without SQLite: every page that looks like the leaf of a table is taken at its
//! word, whatever the pages above it say, and pages in the write-ahead log count as well. What the disk does not give is
//! passed over. What comes out may be wrong or outdated; the one who uses it verifies it. After <https://www.sqlite.org/fileformat2.html>, sections 1.6, 2.1
//! and 4.1.

use super::schema::PAGE;
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Longest row that our tables have: a piece or MSG of 64 KiB with its head.
const MAX_ROW: usize = (64 << 10) + 1024;
const LEAF: u8 = 0x0D;
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;
/// Longest row that has no overflow pages, and shortest part of a longer one that stays in its leaf.
const MAX_LOCAL: usize = PAGE - 35;
const MIN_LOCAL: usize = (PAGE - 12) * 32 / 255 - 23;

/// Reads as many bytes as there are from a place on. A disk may refuse any of them.
pub(super) type Read = dyn Fn(&File, &mut [u8], u64) -> io::Result<usize>;

/// A damaged file with its write-ahead log.
pub(super) struct Pages {
    read: Box<Read>,
    file: File,
    count: u32,
    wal: Option<File>,
    /// Where in the log the newest committed content of a page is.
    newer: BTreeMap<u32, u64>,
}

/// Where a row begins.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    in_log: bool,
    page: u32,
    at: u16,
}

/// One row of some table.
pub(super) struct Cell {
    pub rowid: i64,
    pub spot: Spot,
    payload: Vec<u8>,
    /// Type and place of each column.
    columns: Vec<(u64, usize)>,
}

impl Cell {
    /// How many columns it has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// A column; `None` if the row is too short for it.
    pub fn value(&self, at: usize) -> Option<ValueRef<'_>> {
        let (kind, start) = *self.columns.get(at)?;
        let bytes = self.payload.get(start..start + width(kind)?)?;
        Some(match kind {
            0 => ValueRef::Null,
            1..=6 => {
                let sign: u8 = if bytes[0] & 0x80 != 0 { 0xFF } else { 0 };
                let mut number = [sign; 8];
                number[8 - bytes.len()..].copy_from_slice(bytes);
                ValueRef::Integer(i64::from_be_bytes(number))
            }
            7 => ValueRef::Null,
            8 | 9 => ValueRef::Integer(kind as i64 - 8),
            even if even % 2 == 0 => ValueRef::Blob(bytes),
            _ => ValueRef::Text(bytes),
        })
    }
}

/// Bytes of a column of this type.
fn width(kind: u64) -> Option<usize> {
    Some(match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => usize::try_from((kind - 12) / 2).ok()?,
    })
}

impl Pages {
    /// Opens what is at `path` and, if there is one, its log.
    pub fn open(path: &Path, wal: &Path) -> io::Result<Pages> {
        Pages::open_with(path, wal, Box::new(read_full))
    }

    /// The same with a reading of its own.
    pub fn open_with(path: &Path, wal: &Path, read: Box<Read>) -> io::Result<Pages> {
        let file = File::open(path)?;
        let count = u32::try_from(file.metadata()?.len().div_ceil(PAGE as u64)).unwrap_or(u32::MAX);
        let wal = match File::open(wal) {
            Ok(wal) => Some(wal),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut pages = Pages { read, file, count, wal, newer: BTreeMap::new() };
        pages.read_log()?;
        Ok(pages)
    }

    /// Finds the newest committed content of each page in the log. Frames of an earlier use of the log have other
    /// salts than its first frame. A frame whose header cannot be read is passed over.
    fn read_log(&mut self) -> io::Result<()> {
        let Some(wal) = &self.wal else { return Ok(()) };
        let (mut at, mut salts) = (WAL_HEADER, None);
        let mut uncommitted = Vec::new();
        let (mut header, end) = ([0; FRAME_HEADER], wal.metadata()?.len());
        while at + FRAME_HEADER as u64 <= end {
            let frame = at;
            at += (FRAME_HEADER + PAGE) as u64;
            match (self.read)(wal, &mut header, frame) {
                Ok(FRAME_HEADER) => (),
                Ok(_) => break,
                Err(_) => continue,
            }
            let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            if *salts.get_or_insert((word(8), word(12))) != (word(8), word(12)) {
                break;
            }
            uncommitted.push((word(0), frame + FRAME_HEADER as u64));
            if word(4) != 0 {
                self.newer.extend(uncommitted.drain(..));
            }
        }
        Ok(())
    }

    /// Calls `each` with every row of every table: those in the log, then those in the file. Says how many pages could not
    /// be read; an error if none could, since that is more than damage.
    pub fn each_row(&self, each: &mut dyn FnMut(Cell) -> rusqlite::Result<()>) -> Result<u32, super::StoreError> {
        let in_log = self.newer.keys().map(|number| (true, *number));
        let (mut unread, mut is_any_read, mut refusal) = (0, false, None);
        for (in_log, number) in in_log.chain((1..=self.count).map(|number| (false, number))) {
            let mut page = [0; PAGE];
            match self.either(in_log, number, &mut page) {
                Ok(()) => is_any_read = true,
                Err(error) => {
                    (unread, refusal) = (unread + 1, Some(error));
                    continue;
                }
            }
            self.leaf(&page, in_log, number, each)?;
        }
        match refusal {
            Some(error) if !is_any_read => Err(error.into()),
            _ => Ok(unread),
        }
    }

    /// The row that began there; `None` if it cannot be read any more.
    pub fn row(&self, spot: Spot) -> Option<Cell> {
        let mut page = [0; PAGE];
        self.either(spot.in_log, spot.page, &mut page).ok()?;
        self.cell(&page, spot)
    }

    fn leaf(
        &self,
        page: &[u8; PAGE],
        in_log: bool,
        number: u32,
        each: &mut dyn FnMut(Cell) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        // The first page begins with the file's header.
        let start = if number == 1 { 100 } else { 0 };
        if page[start] != LEAF {
            return Ok(());
        }
        let count = usize::from(u16::from_be_bytes([page[start + 3], page[start + 4]]));
        for pointer in page[start + 8..].chunks_exact(2).take(count) {
            let spot = Spot { in_log, page: number, at: u16::from_be_bytes([pointer[0], pointer[1]]) };
            if let Some(cell) = self.cell(page, spot) {
                each(cell)?;
            }
        }
        Ok(())
    }

    /// The row whose cell begins there; `None` if it makes no sense.
    fn cell(&self, page: &[u8; PAGE], spot: Spot) -> Option<Cell> {
        let (size, bytes) = varint(page.get(usize::from(spot.at)..)?)?;
        let (rowid, bytes) = varint(bytes)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_ROW)?;
        let mut payload = Vec::with_capacity(size);
        if size <= MAX_LOCAL {
            payload.extend_from_slice(bytes.get(..size)?);
        } else {
            let fitting = MIN_LOCAL + (size - MIN_LOCAL) % (PAGE - 4);
            let local = if fitting <= MAX_LOCAL { fitting } else { MIN_LOCAL };
            payload.extend_from_slice(bytes.get(..local)?);
            let mut next = u32::from_be_bytes(bytes.get(local..local + 4)?.try_into().ok()?);
            let mut page = [0; PAGE];
            while payload.len() < size {
                self.page(next, &mut page).ok()?;
                let (head, content) = page.split_at(4);
                next = u32::from_be_bytes(head.try_into().ok()?);
                payload.extend_from_slice(&content[..content.len().min(size - payload.len())]);
            }
        }
        let columns = columns(&payload)?;
        Some(Cell { rowid: rowid as i64, spot, payload, columns })
    }

    /// A page as it is in the log, or in the file; what the file is too short for is zeros.
    fn either(&self, in_log: bool, number: u32, page: &mut [u8; PAGE]) -> io::Result<()> {
        if in_log {
            return self.page(number, page);
        }
        let read = (self.read)(&self.file, page, u64::from(number - 1) * PAGE as u64)?;
        page[read..].fill(0);
        Ok(())
    }

    /// The newest content of a page.
    fn page(&self, number: u32, page: &mut [u8; PAGE]) -> io::Result<()> {
        let at = match number.checked_sub(1) {
            Some(before) => u64::from(before) * PAGE as u64,
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let read = match (&self.wal, self.newer.get(&number)) {
            (Some(wal), Some(at)) => (self.read)(wal, page, *at)?,
            _ => (self.read)(&self.file, page, at)?,
        };
        if read == PAGE { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Type and place of each column of a row.
fn columns(payload: &[u8]) -> Option<Vec<(u64, usize)>> {
    let (header, _) = varint(payload)?;
    let header = usize::try_from(header).ok()?;
    let mut kinds = payload.get(payload.len() - varint(payload)?.1.len()..header)?;
    let (mut columns, mut at) = (Vec::new(), header);
    while !kinds.is_empty() {
        let (kind, rest) = varint(kinds)?;
        kinds = rest;
        columns.push((kind, at));
        at = at.checked_add(width(kind)?)?;
    }
    (at <= payload.len()).then_some(columns)
}

/// A number of 1 to 9 bytes, the highest first, and what comes behind it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        if index == 8 {
            return Some((number << 8 | u64::from(*byte), &bytes[9..]));
        }
        number = number << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

/// Reads as many bytes as there are.
fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_format_says() {
        assert_eq!(varint(&[0x7F]), Some((0x7F, &[][..])));
        assert_eq!(varint(&[0x81, 0x00, 9]), Some((0x80, &[9][..])));
        assert_eq!(varint(&[0xFF; 9]), Some((u64::MAX, &[][..])));
        assert_eq!(varint(&[0x80]), None);
    }
}
