//! The page's files keep to their rules, which no browser is needed to check: small, our own, and text set as text only.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

/// All files together, compressed.
const BUDGET: usize = 60_000;
const LONGEST_FILE: usize = 400;
const LONGEST_LINE: usize = 120;

/// Name and content of every file.
fn files() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
    };
    let mut files: Vec<_> = entries.map(file).collect();
    files.sort();
    files
}

fn modules() -> Vec<(String, String)> {
    files().into_iter().filter(|(name, _)| name.ends_with(".js")).collect()
}

#[test]
fn all_files_together_are_small() {
    let size = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap().len()
    };
    let sizes: Vec<(String, usize)> = files().iter().map(|(name, text)| (name.clone(), size(text))).collect();
    let all: usize = sizes.iter().map(|(_, size)| size).sum();
    println!("{all} bytes compressed: {sizes:?}");
    assert!(all <= BUDGET, "{all} bytes compressed: {sizes:?}");
}

#[test]
fn text_is_set_as_text_only_and_nothing_is_run_that_came_as_text() {
    let words = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "createContextualFragment",
        "DOMParser",
        "setHTML",
        "srcdoc",
        "eval(",
        "new Function",
        "setAttribute(\"style",
        "style:",
    ];
    for (name, text) in modules() {
        for word in words {
            assert!(!text.contains(word), "{name}: {word}");
        }
        for timer in ["setTimeout(\"", "setInterval(\"", "setTimeout('", "setTimeout(`"] {
            assert!(!text.contains(timer), "{name}: {timer}");
        }
    }
    let (_, page) = files().into_iter().find(|(name, _)| name == "index.html").unwrap();
    for word in ["style=", "<style", "onclick", "onload", "javascript:"] {
        assert!(!page.contains(word), "index.html: {word}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"/main.js\">").count());
}

#[test]
fn nothing_is_asked_of_any_other_host() {
    for (name, text) in files() {
        let own = text.replace("http://www.w3.org/2000/svg", "");
        for start in ["http://", "https://", "ws://", "wss://", "url(", "@import", "\"//"] {
            assert!(!own.contains(start), "{name}: {start}");
        }
    }
}

#[test]
fn what_needs_a_secure_page_has_another_way() {
    for (name, text) in modules() {
        for word in
            ["crypto.subtle", "randomUUID", "serviceWorker", "navigator.locks", "Notification(", "document.cookie"]
        {
            assert!(!text.contains(word), "{name}: {word}");
        }
        let clipboard = text.contains("navigator.clipboard");
        assert!(!clipboard || text.contains("execCommand(\"copy\")"), "{name}: copying needs another way");
    }
}

#[test]
fn every_module_says_first_what_it_is_for_and_all_are_fetched_at_once() {
    let (_, page) = files().into_iter().find(|(name, _)| name == "index.html").unwrap();
    let names: BTreeSet<String> = modules().into_iter().map(|(name, _)| name).collect();
    for (name, text) in modules() {
        assert!(text.starts_with("// "), "{name}: says what it is for");
        assert!(text.lines().count() <= LONGEST_FILE, "{name}: is long");
        for (number, line) in text.lines().enumerate() {
            assert!(line.chars().count() <= LONGEST_LINE, "{name}:{}: is long", number + 1);
        }
        let fetched =
            if name == "main.js" { "src=\"/main.js\"".into() } else { format!("modulepreload\" href=\"/{name}\"") };
        assert!(page.contains(&fetched), "index.html: {fetched}");
        for import in text.lines().filter_map(|line| line.split_once(" from \"./")) {
            let from = import.1.trim_end_matches("\";");
            assert!(names.contains(from), "{name}: {from}");
        }
    }
}
