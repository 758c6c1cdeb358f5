//! The page's files, which are part of the program: each at its own address, and nothing else.

use super::problem::problem;
use crate::daemon::Handle;
use crate::display::hex;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Names and contents, as they were when the program was built.
macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_bytes!(concat!("../web/", $name)))),*] };
}

/// All of `src/web`.
const FILES: [(&str, &[u8]); 27] = files![
    "api.js"
    "app.css"
    "arriving.js"
    "charts.js"
    "chords.js"
    "compose.js"
    "demo.js"
    "dom.js"
    "events.js"
    "favicon.svg"
    "gate.js"
    "index.html"
    "keys.js"
    "list.js"
    "main.js"
    "mark.js"
    "message.js"
    "messages.js"
    "network.js"
    "node.js"
    "overview.js"
    "records.js"
    "ring.js"
    "sentence.js"
    "store.js"
    "text.js"
    "theme.js"
];

/// A file as it is served.
struct File {
    path: String,
    kind: HeaderValue,
    /// Tells one content from another.
    tag: HeaderValue,
    bytes: Bytes,
}

static SERVED: LazyLock<Vec<File>> =
    LazyLock::new(|| FILES.iter().filter_map(|(name, bytes)| File::new(name, bytes)).collect());

/// Whether a file of the page is at `path`.
pub(super) fn has(path: &str) -> bool {
    find(path).is_some()
}

/// The routes.
pub(super) fn routes() -> Router<Handle> {
    SERVED.iter().fold(Router::new(), |router, file| router.route(&file.path, get(read)))
}

async fn read(request: Request) -> Response {
    match find(request.uri().path()) {
        Some(file) => file.answer(request.headers()),
        None => problem(StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}

fn find(path: &str) -> Option<&'static File> {
    SERVED.iter().find(|file| file.path == path)
}

impl File {
    /// A file of a kind that pages are made of.
    fn new(name: &str, bytes: &'static [u8]) -> Option<File> {
        let kind = HeaderValue::from_static(match name.rsplit_once('.')?.1 {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => return None,
        });
        let tag = HeaderValue::try_from(format!("\"{}\"", hex(&Sha256::digest(bytes)[..8]))).ok()?;
        let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
        Some(File { path, kind, tag, bytes: Bytes::from_static(bytes) })
    }

    /// The file, or only that it is the one which the browser has.
    fn answer(&self, asked: &HeaderMap) -> Response {
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
        let mut known = known.flat_map(|tags| tags.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        // Asked each time, so that a new program's page is never mixed with an old one's.
        let caching = [(header::ETAG, self.tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
        if known.any(|tag| tag == "*" || tag.as_bytes() == self.tag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        (caching, [(header::CONTENT_TYPE, self.kind.clone())], self.bytes.clone()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_page_is_served_and_no_other() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
        let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
        let mut there: Vec<String> = dir.read_dir().unwrap().map(name).collect();
        there.sort();
        let name =
            |file: &File| file.path.strip_prefix('/').filter(|name| !name.is_empty()).unwrap_or("index.html").into();
        let mut served: Vec<String> = SERVED.iter().map(name).collect();
        served.sort();
        assert_eq!(served, there);
    }
}
