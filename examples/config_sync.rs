//! Keeps the small text files of a directory equal on all hosts: what is written, changed or removed on one is so on all.
//! Of two changes to one file the later counts. Left alone are files in directories below, hidden ones, empty ones, those of
//! more than 1 MiB and what is no text.
//!
//! ```sh
//! SYNC_PASSWORD=secret cargo run --release --example config_sync -- DIR HOME    # on each host; HOME keeps the records
//! ```

use gossip_node::{Cursor, Daemon, Handle, Record, Since};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const LONGEST: u64 = 1 << 20;
const KEPT: &str = ".synced.json";
const LOOK: Duration = Duration::from_millis(200);

/// What a record says of a file: its content, or that it is removed.
#[derive(Serialize, Deserialize)]
struct Change {
    file: String,
    content: Option<String>,
}

/// What the latest record says of a file. Its date and GUID tell which of two is the later, on all hosts the same.
type Latest = ((u64, [u8; 16]), Option<String>);

/// What was taken up so far, kept in a hidden file: what differs from it in the directory was changed by hand.
#[derive(Default, Serialize, Deserialize)]
struct State {
    cursor: Option<Cursor>,
    latest: BTreeMap<String, Latest>,
}

struct Synced {
    gossip: Handle,
    dir: PathBuf,
    state: State,
}

impl Synced {
    /// Takes up a record; the directory follows if it is the latest about its file.
    fn take(&mut self, record: &Record) -> Outcome<()> {
        let Ok(change) = record.json::<Change>() else { return Ok(()) };
        let when = (record.date_time.0, record.guid.0);
        // Any member can say anything: a name leads nowhere else.
        if !is_plain(&change.file) || self.state.latest.get(&change.file).is_some_and(|(latest, _)| *latest >= when) {
            return Ok(());
        }
        let path = self.dir.join(&change.file);
        match &change.content {
            _ if path.exists() && content(&path).is_none() => {}
            Some(content) => replace(&path, content)?,
            None if path.exists() => std::fs::remove_file(&path)?,
            None => {}
        }
        self.state.latest.insert(change.file, (when, change.content));
        Ok(())
    }

    /// Says what was changed in the directory since it was last equal to the records.
    async fn look(&mut self) -> Outcome<()> {
        let mut found = files(&self.dir)?;
        let mut changes = Vec::new();
        for (file, (_, latest)) in &self.state.latest {
            let content = match found.remove(file) {
                Some(None) => continue,
                found => found.flatten(),
            };
            if content != *latest {
                changes.push(Change { file: file.clone(), content });
            }
        }
        let new = found.into_iter().filter(|(_, content)| content.is_some());
        changes.extend(new.map(|(file, content)| Change { file, content }));
        for change in changes {
            let guid = self.gossip.add_json(&change).await?;
            if let Some(record) = self.gossip.get(guid).await? {
                self.take(&record)?;
            }
        }
        replace(&self.dir.join(KEPT), &serde_json::to_string(&self.state)?)
    }
}

/// Writes a file so that whoever reads it sees the old content or the new.
fn replace(path: &Path, content: &str) -> Outcome<()> {
    // All may read a new one as far as the umask lets them, but for what this keeps itself.
    let mode = if path.ends_with(KEPT) { 0o600 } else { 0o644 };
    let mut new = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    std::io::Write::write_all(&mut new, content.as_bytes())?;
    // Whoever could read the old one can read the new one.
    if let Ok(old) = path.metadata() {
        new.as_file().set_permissions(old.permissions())?;
    }
    new.persist(path)?;
    Ok(())
}

fn is_plain(file: &str) -> bool {
    !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', '\0'])
}

/// What a file says, if it is one that is kept equal.
fn content(path: &Path) -> Option<String> {
    let data = path.symlink_metadata().ok()?;
    let is_ours = data.is_file() && (1..=LONGEST).contains(&data.len());
    is_ours.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// All files by name, with what they say; none of those that are there and left alone.
fn files(dir: &Path) -> Outcome<BTreeMap<String, Option<String>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().into_string().ok().filter(|name| is_plain(name)) {
            files.insert(name, content(&entry.path()));
        }
    }
    Ok(files)
}

/// Keeps a directory equal until the node ends.
async fn sync(gossip: Handle, dir: PathBuf) -> Outcome<()> {
    let state = std::fs::read_to_string(dir.join(KEPT)).ok().and_then(|text| serde_json::from_str::<State>(&text).ok());
    let mut synced = Synced { gossip: gossip.clone(), dir, state: state.unwrap_or_default() };
    let mut arriving = gossip.subscribe(synced.state.cursor.map_or(Since::All, Since::After)).await?;
    // What was changed here while this did not run goes first, or what arrives would write over it.
    let mut next_look = tokio::time::Instant::now();
    loop {
        // However much arrives, what is changed here has its turn.
        if next_look <= tokio::time::Instant::now() {
            synced.look().await?;
            next_look = tokio::time::Instant::now() + LOOK;
        }
        match tokio::time::timeout_at(next_look, arriving.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(received)) => {
                let received = received?;
                synced.take(&received.record)?;
                synced.state.cursor = Some(received.cursor);
            }
            Err(_) => {}
        }
    }
}

/// Waits until a file says that, or is gone.
async fn until(path: &Path, says: Option<&str>) {
    while std::fs::read_to_string(path).ok().as_deref() != says {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("{}: {}", path.display(), says.unwrap_or("(removed)"));
}

/// Two directories in this process: what happens in one happens in the other.
async fn demonstrate() -> Outcome<()> {
    let (place, mut nodes) = (tempfile::tempdir()?, Vec::<Daemon>::new());
    for name in ["one", "two"] {
        let (dir, builder) = (place.path().join(name), Daemon::builder().network("files").password("demonstration"));
        std::fs::create_dir(&dir)?;
        let seed = nodes.first().map(|first| first.addr().to_string());
        let builder = seed.into_iter().fold(builder, |builder, seed| builder.seed(seed));
        let daemon = builder.name(name).bind(([127, 0, 0, 1], 0)).in_memory().start().await?;
        tokio::spawn(sync(daemon.handle(), dir));
        nodes.push(daemon);
    }
    let file = |dir: &str, name: &str| place.path().join(dir).join(name);
    // One that grows too long is left alone from then on: the long one here, the short one there.
    std::fs::write(file("one", "log"), "short")?;
    until(&file("two", "log"), Some("short")).await;
    std::fs::write(file("one", "log"), vec![b'x'; LONGEST as usize + 1])?;
    let [one, two] = ["one", "two"].map(|dir| file(dir, "motd"));
    for (at, content, elsewhere) in [(&one, Some("welcome"), &two), (&two, Some("closed"), &one), (&one, None, &two)] {
        match content {
            Some(content) => std::fs::write(at, content)?,
            None => std::fs::remove_file(at)?,
        }
        until(elsewhere, content).await;
    }
    let lengths = ["one", "two"].map(|dir| file(dir, "log").metadata().map_or(0, |data| data.len()));
    if lengths != [LONGEST + 1, 5] {
        return Err(format!("log has {lengths:?} bytes").into());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(home)) = (args.next(), args.next()) else { return demonstrate().await };
    let password = std::env::var("SYNC_PASSWORD").map_err(|_| "set SYNC_PASSWORD, the same on all hosts")?;
    let daemon = Daemon::builder().network("files").password(password).home(home).start().await?;
    println!("{dir} is kept equal, at {}", daemon.addr());
    sync(daemon.handle(), dir.into()).await
}
