//! [`Browser`]: a real browser without a window, driven over WebDriver by chromedriver. It notes what a person would see in
//! the developer's tools: errors of scripts, reports of the content policy, every address that was asked.

#![allow(dead_code, reason = "each test file uses its own part of it")]
#![expect(clippy::disallowed_methods, reason = "a page is looked at until it shows what is waited for")]

use crate::cluster::PATIENCE;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a page is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// What WebDriver calls the reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Before any script of a page: what must never happen leaves a trace.
const WITNESS: &str = "
    window.witness = [];
    addEventListener('securitypolicyviolation', (e) => witness.push(`policy: ${e.violatedDirective} ${e.blockedURI}`));
    addEventListener('error', (e) => witness.push(`error: ${e.message ?? e.target?.outerHTML}`), true);
    addEventListener('unhandledrejection', (e) => witness.push(`rejection: ${e.reason?.stack ?? e.reason}`));
    for (const name of ['alert', 'confirm', 'prompt', 'open']) window[name] = () => witness.push(`called: ${name}`);";

/// A browser with one page.
pub struct Browser {
    driver: Child,
    _said: BufReader<ChildStdout>,
    port: u16,
    session: String,
    /// What was noted so far of those requests and messages that each log tells once.
    asked: BTreeSet<String>,
    messages: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It takes its browser along.
        let _ = self.call("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Starts one, whose page is so large.
    pub fn start(width: u32, height: u32) -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: apt-get install chromium-driver");
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let port = port(&mut said);
        let profile = tempfile::TempDir::with_prefix("gn-browser-").unwrap();
        let session = String::new();
        let (asked, messages) = Default::default();
        let mut browser = Browser { driver, _said: said, port, session, asked, messages, _profile: profile };
        let args = [
            "--headless=new",
            // Whoever is root has no sandbox; what is opened here is our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--force-color-profile=srgb",
            "--lang=en",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let options = json!({ "args": args, "perfLoggingPrefs": { "enableNetwork": true } });
        let always = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let made = browser.request("POST", "/session", &json!({ "capabilities": { "alwaysMatch": always } }));
        browser.session = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}")).to_owned();
        browser.before_any_script(WITNESS);
        browser.resize(width, height);
        browser
    }

    /// Runs a script in every page that is opened from now on, before any of its own.
    pub fn before_any_script(&mut self, source: &str) {
        self.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
    }

    /// Its page is so large from now on; what is narrow is a phone.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.cdp("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the system prefers: `prefers-color-scheme` or another of the media features.
    pub fn prefer(&mut self, feature: &str, value: &str) {
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": [{ "name": feature, "value": value }] }));
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// What a script answers.
    pub fn js(&mut self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same for a script that answers later: `done(value)`.
    pub fn js_later(&mut self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.call("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    pub fn until(&mut self, what: &str, expression: &str) {
        let script = format!("return Boolean({expression})");
        let end = Instant::now() + PATIENCE;
        while self.js(&script) != Value::Bool(true) {
            if Instant::now() > end {
                self.picture("never");
                panic!("never: {what}\n{expression}\n{}", self.text());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The text that is in sight.
    pub fn text(&mut self) -> String {
        self.js("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on what a selector finds, as a person does.
    pub fn click(&mut self, selector: &str) {
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into what a selector finds.
    pub fn type_into(&mut self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys, one after the other, wherever the page's focus is.
    pub fn press(&mut self, keys: &str) {
        let press = |key: char| {
            let key = key.to_string();
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.call("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// Keeps a picture of the page.
    pub fn picture(&mut self, name: &str) -> PathBuf {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/browser");
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("{name}.png"));
        let picture = self.call("GET", "/screenshot", &Value::Null);
        fs::write(&path, base64(picture.as_str().unwrap())).unwrap();
        path
    }

    /// All that is wrong so far: errors of scripts, reports of the content policy, dialogues, requests to any origin but
    /// `origins`, and messages in the console but for those that contain one of `expected`.
    pub fn complaints(&mut self, origins: &[&str], expected: &[&str]) -> Vec<String> {
        let witness = self.js("return window.witness");
        let mut wrong: Vec<String> =
            witness.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
        self.read_logs();
        let fine = |message: &&String| !expected.iter().any(|part| message.contains(part));
        wrong.extend(self.messages.iter().filter(fine).cloned());
        let ours = |url: &&String| {
            // An icon within a style sheet, a file that the page made, and the page before the first.
            let inner = ["data:", "blob:", "about:", "chrome:"].iter().any(|scheme| url.starts_with(scheme));
            inner || origins.iter().any(|origin| url.starts_with(origin))
        };
        wrong.extend(self.asked.iter().filter(|url| !ours(url)).map(|url| format!("asked {url}")));
        wrong
    }

    /// All addresses that were asked so far.
    pub fn asked(&mut self) -> BTreeSet<String> {
        self.read_logs();
        self.asked.clone()
    }

    fn read_logs(&mut self) {
        let console = self.call("POST", "/se/log", &json!({ "type": "browser" }));
        for entry in console.as_array().unwrap() {
            if entry["level"] != "DEBUG" && entry["level"] != "INFO" {
                self.messages.push(format!("console: {} {}", entry["level"], entry["message"]));
            }
        }
        let network = self.call("POST", "/se/log", &json!({ "type": "performance" }));
        for entry in network.as_array().unwrap() {
            let told: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &told["message"];
            if let "Network.requestWillBeSent" | "Network.webSocketCreated" = message["method"].as_str().unwrap() {
                let params = &message["params"];
                let url = params["request"]["url"].as_str().or(params["url"].as_str()).unwrap();
                self.asked.insert(url.to_owned());
            }
        }
    }

    fn cdp(&mut self, command: &str, params: Value) -> Value {
        self.call("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    fn find(&mut self, selector: &str) -> String {
        let visible = format!("document.querySelector({})?.checkVisibility()", json!(selector));
        self.until(selector, &visible);
        let found = self.call("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// A command of this session; what goes wrong ends the story.
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let value = self.request(method, &path, body);
        assert!(value.get("stacktrace").is_none() || value.get("error").is_none(), "{path}: {value}");
        value
    }

    fn request(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver answers");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (port, len) = (self.port, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
        let kind = format!("Content-Type: application/json\r\nContent-Length: {len}\r\n\r\n");
        stream.write_all(format!("{head}{kind}{body}").as_bytes()).unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        answer["value"].take()
    }
}

/// The port that chromedriver says it has.
fn port(said: &mut impl BufRead) -> u16 {
    for _ in 0..20 {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if let Some((_, rest)) = line.split_once("successfully on port ") {
            return rest.trim_end().trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver does not say its port");
}

/// Bytes that came as base 64.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        held = (held << 6 | digit as u32) & 0xFF_FFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}
