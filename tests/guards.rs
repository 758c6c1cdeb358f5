//! Who may ask a daemon for what over HTTP: requests of web pages, of other users of the host and of whoever reaches the
//! port, as they are on the wire; and that none of them keeps the node from its work.
#![cfg(feature = "cli")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, NETWORK, Node, PATIENCE, block_on, eventually, gossip_node, init, init_with};
use gossip_node::api;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// How requests come in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Tcp,
    Socket,
}
use Over::{Socket, Tcp};

/// One answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn problem(&self) -> api::Problem {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}\n{}", self.head, self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn page_of(node: &Node) -> String {
    node.ready["http"].as_str().unwrap_or_else(|| panic!("no page: {}", node.ready)).to_owned()
}

fn token_of(node: &Node) -> String {
    fs::read_to_string(node.home.join("token")).unwrap().trim().to_owned()
}

fn connect(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(page_of(node)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request as it is and reads the answer to the end of the connection.
fn ask(node: &Node, over: Over, request: &[u8]) -> Answer {
    let answer = match over {
        Socket => node.http(request).1,
        Tcp => {
            let mut stream = connect(node);
            // Who refuses a request need not read all of it.
            let _ = stream.write_all(request);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        }
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request with `headers`, one a line, in which `{at}` is the page's address, `{port}` its port and `{token}` the token.
fn request(node: &Node, line: &str, headers: &str, body: &str) -> Vec<u8> {
    let at = page_of(node);
    let port = at.rsplit_once(':').unwrap().1;
    let filled = |text: &str| text.replace("{at}", &at).replace("{port}", port).replace("{token}", &token_of(node));
    let mut text = format!("{} HTTP/1.1\r\nConnection: close\r\n", filled(line));
    for header in headers.lines().map(str::trim).filter(|header| !header.is_empty()) {
        text.push_str(&format!("{}\r\n", filled(header)));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{text}\r\n{body}").into_bytes()
}

/// A well-behaved request with the token.
fn get(node: &Node, path: &str) -> Answer {
    ask(node, Tcp, &request(node, &format!("GET {path}"), "Host: {at}\nAuthorization: Bearer {token}", ""))
}

/// What every answer says, and what none does.
fn check_manners(what: &str, answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}: {}", answer.head);
    }
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{what}: {policy}");
    let head = answer.head.to_ascii_lowercase();
    assert!(!head.contains("set-cookie") && !head.contains("access-control-"), "{what}: {head}");
}

const HOST: &str = "Host: {at}";
const KNOWN: &str = "Host: {at}\nAuthorization: Bearer {token}";
const JSON: &str = "Host: {at}\nAuthorization: Bearer {token}\nContent-Type: application/json";
const POST: &str = "POST /api/v1/gossip";
const SAY: &str = r#"{"msg":"x"}"#;

/// status, transport, method and address, headers, more headers, body
type Case = (u16, Over, &'static str, &'static str, &'static str, &'static str);

/// For whom a request is. A page whose name was made to lead here cannot hide that name.
const HOSTS: &[Case] = &[
    (200, Tcp, "GET /", HOST, "", ""),
    (200, Tcp, "GET /", "Host: localhost:{port}", "", ""),
    (200, Tcp, "GET /", "Host: LocalHost.", "", ""),
    (200, Tcp, "GET /", "Host: [::1]:{port}", "", ""),
    (200, Tcp, "GET /healthz", "Host: 127.0.0.1:9", "", ""),
    (403, Tcp, "GET /", "", "", ""),
    (403, Tcp, "GET /", "Host:", "", ""),
    (403, Tcp, "GET /", "Host: evil.example", "", ""),
    (403, Tcp, "GET /", "Host: evil.example:{port}", "", ""),
    (403, Tcp, "GET /", "Host: localhost.evil.example:{port}", "", ""),
    (403, Tcp, "GET /", "Host: 127.0.0.1.evil.example", "", ""),
    (403, Tcp, "GET /", "Host: localhost@evil.example", "", ""),
    (403, Tcp, "GET /", "Host: evil.example@localhost", "", ""),
    (403, Tcp, "GET /", "Host: 0.0.0.0:{port}", "", ""),
    (403, Tcp, "GET /", "Host: 192.0.2.1:{port}", "", ""),
    (403, Tcp, "GET /", "Host: 2130706433", "", ""),
    (403, Tcp, "GET /", "Host: {at}", "Host: evil.example", ""),
    (403, Tcp, "GET /", "Host: {at}", "Host: {at}", ""),
    (403, Tcp, "GET http://evil.example/", HOST, "", ""),
    (403, Tcp, "GET http://{at}/", "Host: evil.example", "", ""),
    (403, Tcp, "GET /healthz", "Host: evil.example", "", ""),
    (403, Tcp, "GET /api/v1/node", "Host: evil.example:{port}", "Authorization: Bearer {token}", ""),
    (
        403,
        Tcp,
        POST,
        "Host: evil.example:{port}\nAuthorization: Bearer {token}\nContent-Type: application/json",
        "Origin: http://evil.example:{port}\nSec-Fetch-Site: same-origin",
        SAY,
    ),
];

/// Who asks. What wrong tokens there are stay below the ten that are answered as such.
const TOKENS: &[Case] = &[
    (200, Tcp, "GET /api/v1/node", KNOWN, "", ""),
    (200, Tcp, "GET /api/v1/node", HOST, "authorization: bearer {token}", ""),
    (200, Tcp, "HEAD /api/v1/node", KNOWN, "", ""),
    (200, Tcp, "GET /readyz", HOST, "", ""),
    (200, Tcp, "GET /", HOST, "Authorization: Bearer wrong", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "Authorization: Bearer 0000", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "Authorization: Basic {token}", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "Authorization: {token}", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "Authorization: Bearer {token}0", ""),
    (401, Tcp, "GET /api/v1/node", KNOWN, "Authorization: Bearer {token}", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "Authorization:", ""),
    (401, Tcp, "GET /api/v1/node?token={token}", HOST, "", ""),
    (401, Tcp, "GET /api/v1/node", HOST, "Cookie: token={token}", ""),
    (401, Tcp, "GET /api/v1/events", HOST, "", ""),
    (401, Tcp, "GET /api/v1/nothing", HOST, "", ""),
    (401, Tcp, "GET /metrics", HOST, "", ""),
    (401, Tcp, "GET /token", HOST, "", ""),
    (401, Tcp, "GET //", HOST, "", ""),
    (401, Tcp, "GET /healthz/", HOST, "", ""),
    (401, Tcp, POST, "Host: {at}\nContent-Type: application/json", "", SAY),
    (401, Tcp, "PUT /api/v1/gossip/raw", "Host: {at}\nContent-Type: application/octet-stream", "", "x"),
    (404, Tcp, "GET /token", KNOWN, "", ""),
    (404, Tcp, "GET /../token", KNOWN, "", ""),
    (404, Tcp, "GET /%2e%2e/server.json", KNOWN, "", ""),
    (404, Tcp, "GET /index.html", KNOWN, "", ""),
    (404, Tcp, "GET /api/v1/nothing", KNOWN, "", ""),
    (200, Socket, "GET /api/v1/node", "Host: x", "", ""),
    (200, Socket, "GET /api/v1/node", "Host: x", "Authorization: Bearer wrong", ""),
];

/// From which page. Reads need no such check: what they answer no other page can see.
const ORIGINS: &[Case] = &[
    (201, Tcp, POST, JSON, "", SAY),
    (201, Tcp, POST, JSON, "Origin: http://{at}\nSec-Fetch-Site: same-origin", SAY),
    (201, Tcp, POST, JSON, "Sec-Fetch-Site: none", SAY),
    (200, Tcp, "GET /api/v1/node", KNOWN, "Origin: http://evil.example\nSec-Fetch-Site: cross-site", ""),
    (200, Tcp, "GET /", HOST, "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate", ""),
    (403, Tcp, POST, JSON, "Origin: http://evil.example", SAY),
    (403, Tcp, POST, JSON, "Origin: null", SAY),
    (403, Tcp, POST, JSON, "Origin:", SAY),
    (403, Tcp, POST, JSON, "Origin: http://127.0.0.1:1", SAY),
    (403, Tcp, POST, JSON, "Origin: http://localhost:{port}", SAY),
    (403, Tcp, POST, JSON, "Origin: ftp://{at}", SAY),
    (403, Tcp, POST, JSON, "Origin: http://{at}/", SAY),
    (403, Tcp, POST, JSON, "Origin: http://{at}.evil.example", SAY),
    (403, Tcp, POST, JSON, "Origin: http://{at}\nOrigin: http://evil.example", SAY),
    (403, Tcp, POST, JSON, "Sec-Fetch-Site: cross-site", SAY),
    (403, Tcp, POST, JSON, "Sec-Fetch-Site: same-site", SAY),
    (403, Tcp, POST, JSON, "Sec-Fetch-Site: same-origin, cross-site", SAY),
    (403, Tcp, POST, JSON, "Origin: http://{at}\nSec-Fetch-Site: cross-site", SAY),
    (
        403,
        Tcp,
        POST,
        "Host: {at}\nContent-Type: text/plain",
        "Origin: http://evil.example\nSec-Fetch-Site: cross-site",
        SAY,
    ),
    (
        403,
        Tcp,
        "PUT /api/v1/gossip/raw",
        KNOWN,
        "Content-Type: application/octet-stream\nSec-Fetch-Site: cross-site",
        "x",
    ),
    (403, Tcp, "POST /api/v1/register", JSON, "Origin: https://evil.example", r#"{"address":"a:1","timeout_ms":1}"#),
    (403, Tcp, "DELETE /api/v1/gossip", KNOWN, "Sec-Fetch-Site: cross-site", ""),
    (403, Tcp, "POST /healthz", HOST, "Origin: http://evil.example", ""),
    (403, Socket, POST, "Host: localhost\nContent-Type: application/json", "Origin: http://localhost", SAY),
    (403, Socket, "GET /api/v1/node", "Host: localhost", "Origin: null", ""),
    (403, Socket, "GET /", "Host: localhost", "Sec-Fetch-Site: none", ""),
];

/// By what method, with what kind of body, and how much of it.
const SHAPES: &[Case] = &[
    (405, Tcp, "OPTIONS /api/v1/gossip", HOST, "Origin: http://evil.example\nAccess-Control-Request-Method: POST", ""),
    (405, Tcp, "TRACE /", KNOWN, "", ""),
    (405, Tcp, "PATCH /api/v1/gossip", JSON, "", SAY),
    (405, Tcp, "BREW /", KNOWN, "", ""),
    (405, Tcp, "POST /", KNOWN, "", ""),
    (405, Tcp, "DELETE /healthz", KNOWN, "", ""),
    (405, Tcp, "PUT /api/v1/node", JSON, "", "{}"),
    (405, Socket, "OPTIONS /api/v1/gossip", "Host: x", "", ""),
    (201, Tcp, POST, KNOWN, "Content-Type: application/json; charset=utf-8", SAY),
    (201, Tcp, "PUT /api/v1/gossip/raw", KNOWN, "Content-Type: Application/Octet-Stream", "x"),
    (415, Tcp, POST, KNOWN, "", SAY),
    (415, Tcp, POST, KNOWN, "Content-Type: text/plain", SAY),
    (415, Tcp, POST, KNOWN, "Content-Type: application/x-www-form-urlencoded", "msg=x"),
    (415, Tcp, POST, KNOWN, "Content-Type: multipart/form-data; boundary=a", "--a--"),
    (415, Tcp, POST, KNOWN, "Content-Type: text/plain; application/json", SAY),
    (415, Tcp, POST, KNOWN, "Content-Type: application/jsonx", SAY),
    (415, Tcp, POST, KNOWN, "Content-Type: application/json\nContent-Type: text/plain", SAY),
    (415, Tcp, POST, KNOWN, "Content-Type: application/octet-stream", SAY),
    (415, Tcp, "PUT /api/v1/gossip/raw", KNOWN, "", "x"),
    (415, Tcp, "POST /api/v1/register", KNOWN, "Content-Type: text/plain\nTransfer-Encoding: chunked", ""),
    (415, Socket, POST, "Host: x", "Content-Type: application/x-www-form-urlencoded", "msg=x"),
    (
        413,
        Tcp,
        "PUT /api/v1/gossip/raw",
        KNOWN,
        "Content-Type: application/octet-stream\nContent-Length: 99999999999",
        "",
    ),
    (400, Tcp, POST, JSON, "", r#"{"msg":"x","colour":1}"#),
    (400, Tcp, POST, JSON, "", r#"{"msg":""}"#),
];

fn check(node: &Node, cases: &[Case]) -> usize {
    for &(status, over, line, headers, more, body) in cases {
        let what = format!("{line} over {over:?}: {headers} {more} {body}");
        let answer = ask(node, over, &request(node, line, &format!("{headers}\n{more}"), body));
        assert_eq!(answer.status, status, "{what}\n{}\n{}", answer.head, answer.body);
        check_manners(&what, &answer);
        if status >= 400 {
            let problem = answer.problem();
            assert_eq!(problem.status, status, "{what}");
            let is_guarded = matches!(status, 401 | 403 | 415);
            assert!(problem.hint.is_some() || !is_guarded || body == SAY, "{what}: {problem:?}");
        }
        assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"), "{what}");
    }
    cases.iter().filter(|(status, ..)| *status == 201).count()
}

#[test]
fn hostile_requests_are_answered_as_designed_and_leave_nothing() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let created: usize = [HOSTS, TOKENS, ORIGINS, SHAPES].into_iter().map(|cases| check(node, cases)).sum();
    assert_eq!(node.holds().0, created as u64);
}
