//! The page's files, which are part of the program: each at its own address, and nothing else.

use super::problem::problem;
use crate::daemon::Handle;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../web/", $name)))),*]
    };
}

/// All of `src/web`.
const FILES: &[(&str, &[u8])] = files!["index.html"];

/// A file as it is served.
struct File {
    path: String,
    kind: HeaderValue,
    /// Tells one content from another.
    tag: HeaderValue,
    bytes: &'static [u8],
}

static SERVED: LazyLock<Vec<File>> =
    LazyLock::new(|| FILES.iter().map(|(name, bytes)| File::new(name, bytes)).collect());

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
    fn new(name: &str, bytes: &'static [u8]) -> File {
        let kind = match name.rsplit_once('.').map(|(_, end)| end) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        };
        let digest = Sha256::digest(bytes);
        let tag: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::try_from(format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
        File { path, kind: HeaderValue::from_static(kind), tag, bytes }
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
        (caching, [(header::CONTENT_TYPE, self.kind.clone())], self.bytes).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_page_is_served_as_what_it_is_and_no_other() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
        let mut there: Vec<String> =
            dir.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        let mut named: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        named.sort_unstable();
        assert_eq!(named, there, "page.rs names the files of src/web");
        for file in SERVED.iter() {
            assert_ne!(file.kind, "application/octet-stream", "{} has a kind", file.path);
        }
    }
}
