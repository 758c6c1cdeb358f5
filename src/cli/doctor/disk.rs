//! The home and the disk that it is on.

use super::Finding;
use crate::config::Home;
use crate::display::{bytes, display_line, quoted};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Less than this is soon full, or is.
const LITTLE: u64 = 256 << 20;
const NOTHING: u64 = 16 << 20;
/// A disk that takes longer to keep something makes every `add` slow.
const SLOW: Duration = Duration::from_millis(50);
/// How often it is tried.
const TRIES: usize = 5;

/// Who may enter, and whether a store had to be mended.
pub(super) fn home(home: &Home) -> Vec<Finding> {
    let (dir, mut found) = (home.dir(), Vec::new());
    let shown = dir.display();
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let why = "there is nothing here yet";
            return vec![
                Finding::problem("home", format!("there is no {shown}"), why)
                    .hint(format!("gossip-node init --home {}, or name another home with --home", quoted(shown))),
            ];
        }
        Err(error) => {
            let why = "it cannot be looked into";
            return vec![Finding::problem("home", format!("{shown}: {error}"), why).hint("become its owner")];
        }
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            let mode = meta.mode() & 0o777;
            let why = "other users of this host can see what is in it";
            found.push(
                Finding::warning("home", format!("{shown} has mode {mode:04o}"), why)
                    .hint(format!("chmod 700 {}", quoted(shown))),
            );
        }
        Ok(_) => found.push(Finding::ok("home", format!("{shown}, for its owner alone"))),
    }
    found.extend(store(home));
    found
}

fn store(home: &Home) -> Option<Finding> {
    let path = home.gossip_db();
    let names: Vec<String> = fs::read_dir(home.dir())
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    // This orders the salvage: nobody is to take it away before that is done.
    if names.iter().any(|name| name == "gossip.db.damaged") {
        let why = "damage was met in use; what is whole is salvaged by the daemon, or at its next start";
        return Some(
            Finding::problem("store", format!("{} is damaged", path.display()), why)
                .hint("look after the disk, and leave its files to the daemon: start it where none runs"),
        );
    }
    let is_aside = |name: &&String| name.starts_with("gossip.db.corrupt-") && !name.ends_with("-wal");
    if let Some(name) = names.iter().find(is_aside) {
        let why = "the store was damaged once; what was whole in it was kept, the rest comes from peers";
        // The star is for its log.
        let all = quoted(home.dir().join(name).display());
        return Some(
            Finding::warning("store", format!("{} lies beside it", display_line(name)), why)
                .hint(format!("look after the disk; when all records are here, rm {all}*")),
        );
    }
    let mut start = [0; 16];
    let read = fs::File::open(&path).and_then(|mut file| io::Read::read_exact(&mut file, &mut start));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            let why = "records cannot be read";
            Some(Finding::problem("store", format!("{}: {error}", path.display()), why).hint("become its owner"))
        }
        Ok(()) if &start != b"SQLite format 3\0" => {
            let why = "the next start sets it aside and fetches all records again";
            Some(Finding::warning("store", format!("{} is damaged", path.display()), why).hint("look after the disk"))
        }
        _ => {
            let size = fs::metadata(&path).map_or(0, |meta| meta.len());
            Some(Finding::ok("store", format!("{}, {}", path.display(), bytes(size))))
        }
    }
}

/// Room, and how long it takes to keep something.
pub(super) fn disk(home: &Home) -> Vec<Finding> {
    let mut found = Vec::new();
    if !home.dir().is_dir() {
        return found;
    }
    if let Ok(disk) = rustix::fs::statvfs(home.dir()) {
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let (what, make_room) = (format!("{} free", bytes(free)), "make room, or move the home to another disk");
        found.push(match free {
            ..NOTHING => Finding::problem("disk", what, "records can be neither written nor received").hint(make_room),
            NOTHING..LITTLE => Finding::warning("disk", what, "a full disk makes a node read-only").hint(make_room),
            _ => Finding::ok("disk", what),
        });
    }
    found.push(match fsync(home.dir()) {
        Ok(took) => {
            let what = format!("keeps something in {:.1} ms", took.as_secs_f64() * 1000.0);
            let why = "`add` answers after the record is on disk";
            let slow = || Finding::warning("disk", what.clone(), why).hint("another disk; a failing one is slow too");
            if took > SLOW { slow() } else { Finding::ok("disk", what) }
        }
        Err(error) => {
            let why = "records can be neither written nor received";
            Finding::problem("disk", format!("cannot write in {}: {error}", home.dir().display()), why)
                .hint("is it full, read-only, or somebody else's?")
        }
    });
    found
}

/// The median time that a small write takes to be on disk.
#[expect(clippy::disallowed_methods, reason = "how long the disk takes is what is measured")]
fn fsync(dir: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(dir)?;
    let mut took = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(took.get(TRIES / 2).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn levels(found: &[Finding]) -> Vec<(&str, Level)> {
        found.iter().map(|found| (found.check, found.level)).collect()
    }

    #[test]
    fn a_home_that_others_may_enter_is_warned_of_and_a_damaged_store_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let place = Home::new(dir.path().join("home"));
        assert_eq!(levels(&home(&place)), [("home", Level::Problem)]);
        assert!(disk(&place).is_empty());
        place.create().unwrap();
        assert_eq!(levels(&home(&place)), [("home", Level::Ok)]);
        assert!(disk(&place).iter().any(|found| found.what.contains("keeps something in")));
        fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place.gossip_db(), "not a store at all, but long enough").unwrap();
        let found = home(&place);
        assert_eq!(levels(&found), [("home", Level::Warning), ("store", Level::Warning)]);
        assert!(found[0].hint.as_deref().unwrap().starts_with("chmod 700"));
        for name in ["gossip.db.corrupt-1-wal", "gossip.db.corrupt-1"] {
            fs::write(place.dir().join(name), "").unwrap();
        }
        let aside = home(&place).remove(1);
        assert_eq!(aside.what, "gossip.db.corrupt-1 lies beside it");
        assert!(aside.hint.unwrap().ends_with("gossip.db.corrupt-1*"));
    }

    #[test]
    fn a_salvage_that_is_to_come_is_not_for_people_to_call_off() {
        let place = Home::new(tempfile::tempdir().unwrap().path().join("my home"));
        place.create().unwrap();
        fs::write(place.dir().join("gossip.db.damaged"), "").unwrap();
        let found = home(&place).remove(1);
        assert_eq!((found.level, found.what.ends_with("gossip.db is damaged")), (Level::Problem, true));
        assert!(!found.hint.unwrap().contains("rm "));
    }
}
