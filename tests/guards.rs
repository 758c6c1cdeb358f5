//! Who may ask a daemon for what over HTTP: requests of web pages, of other users of the host and of whoever reaches the
//! port, as they are on the wire; and that none of them keeps the node from its work.
#![cfg(feature = "cli")]
#![expect(clippy::disallowed_methods, reason = "how long real processes take is what is measured")]

#[path = "common/cluster.rs"]
mod cluster;

use cluster::{Cluster, NETWORK, Node, PATIENCE, block_on, eventually, init, init_with};
use gossip_node::api;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
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
        Tcp => exchange(node, request),
    };
    read(&answer).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

fn exchange(node: &Node, request: &[u8]) -> String {
    let mut stream = connect(node);
    // Who refuses a request need not read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
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
            assert!(problem.hint.is_some() || !is_guarded, "{what}: {problem:?}");
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

#[test]
fn what_is_no_request_gets_no_further() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let long = |count: usize| "x".repeat(count);
    let known = "Host: {at}\nAuthorization: Bearer {token}";
    for (status, line, more) in [
        (414, format!("GET /?{}", long(9 << 10)), String::new()),
        (431, "GET /".into(), format!("Cookie: {}", long(20 << 10))),
        (431, "GET /".into(), (0..90).map(|number| format!("X-{number}: {}\n", long(200))).collect()),
    ] {
        let answer = ask(node, Tcp, &request(node, &line, &format!("{known}\n{more}"), ""));
        assert_eq!(answer.status, status, "{}", answer.head);
        assert!(answer.problem().hint.is_some());
    }
    // These are no requests even to the parser, which says only that.
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", long(200 << 10));
    for (status, raw) in [
        (431, huge.as_str()),
        (431, &format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(300))),
        (400, "hello\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        (400, "POST /api/v1/gossip HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"),
        (400, "POST /api/v1/gossip HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        (400, "POST /api/v1/gossip HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ] {
        assert_eq!(ask(node, Tcp, raw.as_bytes()).status, status, "{raw:.80}");
    }
    // A second request in what looks like the first one's body is none.
    let hidden = "GET /api/v1/node HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let outer = request(node, "GET /", known, hidden);
    assert_eq!(ask(node, Tcp, &outer).body.matches("HTTP/1.1").count(), 0);
    assert_eq!(get(node, "/readyz").status, 200);
}

#[test]
fn ten_wrong_tokens_a_minute_and_the_right_one_at_any_time() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let wrong = || ask(node, Tcp, &request(node, "GET /api/v1/node", "Host: {at}\nAuthorization: Bearer nonsense", ""));
    for _ in 0..10 {
        assert_eq!(wrong().status, 401);
    }
    for _ in 0..20 {
        let answer = wrong();
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
        assert!(answer.problem().hint.is_some());
        assert_eq!(get(node, "/api/v1/node").status, 200);
        assert_eq!(ask(node, Tcp, &request(node, "GET /api/v1/node", HOST, "")).status, 401, "none is not a wrong one");
    }
    assert_eq!(ask(node, Tcp, &request(node, "GET /", HOST, "")).status, 200);
}

#[test]
fn the_token_is_made_once_for_its_owner_alone() {
    let mut cluster = Cluster::of_strangers(1);
    let node = &mut cluster.nodes[0];
    let file = node.home.join("token");
    let token = token_of(node);
    assert!(token.len() == 64 && token.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    node.stop("TERM");
    node.start();
    assert_eq!(token_of(node), token, "a restart keeps it");
    assert_eq!(get(node, "/api/v1/node").status, 200);
    node.stop("TERM");
    let refused = |says: &str| {
        let refused = node.command(["run"]).assert().code(78);
        let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(talk.contains(says) && talk.contains("token") && !talk.contains(&token), "{talk}");
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    refused("chmod 600");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "short").unwrap();
    refused("64 hex digits");
    fs::remove_file(&file).unwrap();
    node.start();
    assert_ne!(token_of(node), token, "one that was removed is replaced by another");
}

#[test]
fn a_port_that_is_taken_is_an_error_only_if_somebody_asked_for_it() {
    // Whoever has the default port, be it a node of another test: somebody has it from here on.
    let _default = TcpListener::bind("127.0.0.1:8684");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _taken = TcpListener::bind(taken).unwrap();
    let mut cluster = Cluster::of_strangers(1);
    let node = &mut cluster.nodes[0];
    let page = page_of(node);
    assert!(page.starts_with("127.0.0.1:") && page != "127.0.0.1:8684", "{page}");
    assert_eq!(node.json(["status", "network"])["http"], page.as_str());
    assert!(String::from_utf8(node.output(["status"])).unwrap().contains(&format!("http://{page}/")));
    node.stop("TERM");

    node.output(["init", "--set", &format!("http.listen={taken}")]);
    let refused = node.command(["run"]).assert().code(4);
    let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(talk.contains(&format!("cannot listen on TCP {taken}")) && talk.contains("hint: "), "{talk}");
    drop(_taken);
    node.start();
    assert_eq!(page_of(node), taken.to_string());
    node.stop("TERM");

    node.output(["init", "--set", "http.listen=off"]);
    node.start();
    assert_eq!((&node.ready["http"], &node.json(["status", "network"])["http"]), (&Value::Null, &Value::Null));
    let refused = node.command(["ui", "--print"]).assert().code(4);
    let talk = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(talk.contains("http.listen") && talk.contains("hint: "), "{talk}");
    for wrong in
        ["http.listen=on", "http.listen=127.0.0.1", "http.listen=nas:1", "http.lisen=off", r#"http.hosts=["a:1"]"#]
    {
        node.command(["init", "--set", wrong]).assert().code(2);
    }
}

#[test]
fn a_node_on_the_lan_says_so_and_answers_to_its_own_addresses() {
    let mut cluster = Cluster::of_strangers(0);
    let home = cluster.dir().join("lan");
    let more =
        ["--bind", "127.0.0.1:0", "--set", "http.listen=0.0.0.0:0", "--set", r#"http.hosts=["gossip.example.org"]"#];
    init_with(&home, NETWORK, "correct horse battery staple", &more);
    let node = cluster.start(Node::new(home.clone()));
    let log = fs::read_to_string(home.with_extension("log")).unwrap();
    assert!(log.contains("WARN") && log.contains("http.listen is 0.0.0.0:0"), "{log}");
    assert!(String::from_utf8(node.output(["status"])).unwrap().contains("not encrypted"));
    let port = page_of(node).rsplit_once(':').unwrap().1.to_owned();
    let url = String::from_utf8(node.output(["ui", "--print"])).unwrap();
    assert!(url.starts_with(&format!("http://127.0.0.1:{port}/#token=")), "{url}");

    check(
        node,
        &[
            (200, Tcp, "GET /api/v1/node", "Host: 127.0.0.1:{port}", "Authorization: Bearer {token}", ""),
            (401, Tcp, "GET /api/v1/node", "Host: 127.0.0.1:{port}", "", ""),
            (403, Tcp, "GET /", "Host: 192.0.2.1:{port}", "", ""),
            (403, Tcp, "GET /", "Host: example.org", "", ""),
            (200, Tcp, "GET /", "Host: Gossip.Example.Org", "", ""),
            (
                201,
                Tcp,
                POST,
                "Host: gossip.example.org\nAuthorization: Bearer {token}\nContent-Type: application/json",
                "Origin: https://gossip.example.org\nSec-Fetch-Site: same-origin",
                SAY,
            ),
            (
                403,
                Tcp,
                POST,
                "Host: gossip.example.org\nAuthorization: Bearer {token}\nContent-Type: application/json",
                "Origin: https://example.org",
                SAY,
            ),
        ],
    );
    // The address by which this host would leave, if it has one.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    if let Some(own) = own.ok().map(|own| own.ip()).filter(|own| !own.is_loopback() && !own.is_unspecified()) {
        for (host, status) in [(own.to_string(), "200"), ("192.0.2.1".into(), "403")] {
            let mut stream = TcpStream::connect((own, port.parse().unwrap())).unwrap();
            write!(stream, "GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host}: {answer}");
        }
    }
}

#[test]
fn the_page_is_served_file_by_file() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    for file in fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let path = if name == "index.html" { "" } else { name };
        let kind = match name.rsplit_once('.').unwrap().1 {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("{other} is no kind of file that the page has"),
        };
        let content = fs::read_to_string(&file).unwrap();
        let whole = ask(node, Tcp, &request(node, &format!("GET /{path}"), HOST, ""));
        assert_eq!((whole.status, whole.header("content-type")), (200, Some(kind)), "{name}");
        assert_eq!(whole.header("cache-control"), Some("no-cache"), "{name}");
        assert!(whole.body == content, "{name} is as it is");
        check_manners(name, &whole);
        let tag = whole.header("etag").unwrap();
        for (known, status) in [(tag, 304), ("*", 304), ("\"other\"", 200), (&format!("\"a\", W/{tag}"), 304)] {
            let headers = format!("{HOST}\nIf-None-Match: {known}");
            let again = ask(node, Tcp, &request(node, &format!("GET /{path}"), &headers, ""));
            assert_eq!((again.status, again.header("etag")), (status, Some(tag)), "{name}: {known}");
            assert_eq!(again.body.is_empty(), status == 304, "{name}");
        }
        let head = ask(node, Tcp, &request(node, &format!("HEAD /{path}"), HOST, ""));
        let len = content.len().to_string();
        assert_eq!(
            (head.status, head.body.as_str(), head.header("content-length")),
            (200, "", Some(len.as_str())),
            "{name}"
        );
    }
}

#[test]
fn ui_prints_the_way_in_and_shows_the_token_to_nobody_else() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let (page, token) = (page_of(node), token_of(node));
    let url = format!("http://{page}/#token={token}");
    assert_eq!(String::from_utf8(node.output(["ui", "--print"])).unwrap(), format!("{url}\n"));
    let said = node.json(["ui", "--print"]);
    assert_eq!(
        (&said["url"], &said["address"], &said["opened"]),
        (&url.as_str().into(), &format!("http://{page}/").into(), &false.into())
    );

    // A browser that tells what it was called with.
    let (dir, told) = (cluster.dir().join("bin"), cluster.dir().join("told"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("xdg-open"), format!("#!/bin/sh\necho \"$@\" > {}\n", told.display())).unwrap();
    fs::set_permissions(dir.join("xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let output = node.command(["ui"]).env("DISPLAY", ":0").env("PATH", &path).assert().success();
    assert_eq!(String::from_utf8(output.get_output().stdout.clone()).unwrap(), format!("{url}\n"));
    let told = fs::read_to_string(&told).unwrap();
    assert!(!told.contains(&token), "others can read the arguments of a command: {told}");
    let way = std::path::Path::new(told.trim());
    assert_eq!(fs::metadata(way).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(way).unwrap().contains(&url));
}

#[tokio::test]
async fn a_daemon_is_ready_until_it_stops() {
    use gossip_node::config::{Home, ServerFile};
    use gossip_node::daemon::Daemon;
    let dir = tempfile::tempdir().unwrap();
    let home = Home::new(dir.path().join("home"));
    init(home.dir(), NETWORK, "correct horse battery staple");
    let daemon = Daemon::start(home.clone()).await.unwrap();
    let handle = daemon.handle();
    handle.ready().await.unwrap();
    handle.stop();
    daemon.stopped().await.unwrap();
    let refusal = handle.ready().await.unwrap_err();
    assert!(refusal.to_string().contains("stopping"), "{refusal}");
    // One that is in no network works too: it waits for one.
    let mut file = ServerFile::load(&home.server_json()).unwrap().file;
    file.networks.clear();
    file.save(&home.server_json()).unwrap();
    let daemon = Daemon::start(home).await.unwrap();
    daemon.handle().ready().await.unwrap();
}

#[test]
fn healthz_answers_at_once_while_the_store_is_blocked() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    node.add("before");
    let blocker = rusqlite::Connection::open(node.home.join("gossip.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let client = node.client();
    std::thread::scope(|scope| {
        let adding = scope.spawn(move || block_on(client.add(None, "blocked".into())));
        let asks = |path: &str, count: usize| {
            let mut times: Vec<Duration> = (0..count)
                .map(|_| {
                    let began = Instant::now();
                    let answer = ask(node, Tcp, &request(node, &format!("GET {path}"), HOST, ""));
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    began.elapsed()
                })
                .collect();
            times.sort();
            times
        };
        let times = asks("/healthz", 50);
        assert!(!adding.is_finished(), "the store was blocked all the while");
        // Of fifty on a busy host a few may have waited for a processor.
        assert!(times[25] < Duration::from_millis(500), "it waits for the store: {times:?}");
        assert!(asks("/readyz", 5)[2] < Duration::from_secs(1), "the node's task waits for the disk");
        assert!(!adding.is_finished(), "the store was blocked all the while");
        blocker.execute_batch("ROLLBACK").unwrap();
        adding.join().unwrap().unwrap();
    });
    assert_eq!(node.holds().0, 2);
}

#[test]
fn a_head_that_comes_byte_by_byte_and_a_connection_that_waits_end_in_time() {
    let cluster = Cluster::of_strangers(1);
    let node = &cluster.nodes[0];
    let ends = |mut stream: TcpStream, drips: bool| {
        let began = Instant::now();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        while began.elapsed() < PATIENCE {
            let sent = if drips { stream.write_all(b"x").is_ok() } else { true };
            match stream.read(&mut [0; 4096]) {
                Ok(0) => return began.elapsed(),
                Ok(_) => (),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) && sent => (),
                Err(_) => return began.elapsed(),
            }
        }
        panic!("it never ended");
    };
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let mut stream = connect(node);
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            ends(stream, true)
        });
        let silent = scope.spawn(|| ends(connect(node), false));
        let served = scope.spawn(|| {
            let mut stream = connect(node);
            write!(stream, "GET / HTTP/1.1\r\nHost: {}\r\n\r\n", page_of(node)).unwrap();
            ends(stream, false)
        });
        for ending in [slow, silent, served] {
            let took = ending.join().unwrap();
            assert!((8..30).contains(&took.as_secs()), "{took:?}");
        }
    });
}

/// Opens connections that ask for nothing whole, and goes on writing a byte to each, until it is told to stop. What was
/// closed is opened again.
fn besiege(node: &Node, count: usize, begun: &Barrier, over: &AtomicBool) -> usize {
    let open = || {
        let mut stream = TcpStream::connect(page_of(node)).ok()?;
        stream.write_all(b"GET /api/v1/node HTTP/1.1\r\nX: ").ok()?;
        Some(stream)
    };
    let mut opened = 0;
    let mut streams: Vec<Option<TcpStream>> = (0..count).map(|_| open()).collect();
    begun.wait();
    while !over.load(Ordering::Relaxed) {
        for stream in &mut streams {
            let alive = stream.as_mut().is_some_and(|stream| stream.write_all(b"x").is_ok());
            if !alive {
                *stream = open();
                opened += usize::from(stream.is_some());
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    opened + count
}

/// Ends sieges, also where a test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_slow_connections_keep_nobody_out_and_leave_gossip_alone() {
    let cluster = Cluster::of(2);
    let [first, second] = &cluster.nodes[..] else { unreachable!() };
    let (begun, over) = (Barrier::new(3), AtomicBool::new(false));
    // One who has the token and follows keeps its place through all of it.
    let mut following = connect(first);
    following.write_all(&request(first, "GET /api/v1/events", KNOWN, "")).unwrap();
    let mut told = [0; 512];
    assert!(following.read(&mut told).unwrap() > 0);

    std::thread::scope(|scope| {
        let sieges = [(); 2].map(|()| scope.spawn(|| besiege(first, 500, &begun, &over)));
        begun.wait();
        let ending = Ending(&over);
        let began = Instant::now();
        let mut times = Vec::new();
        for number in 1..=40u64 {
            let text = format!("in spite of it {number}");
            let began = Instant::now();
            block_on(async {
                first.client().add(None, text.into()).await.unwrap();
                let query = api::WaitQuery { gossip: Some(number), timeout_ms: 60_000, ..Default::default() };
                assert!(second.client().wait(query).await.unwrap().holds);
            });
            times.push(began.elapsed());
            // Where two hundred come at the same moment one may have to knock twice, as browsers do.
            for (path, headers) in [("/", HOST), ("/healthz", HOST), ("/api/v1/node", KNOWN)] {
                let request = request(first, &format!("GET {path}"), headers, "");
                let answer = (0..3).find_map(|_| read(&exchange(first, &request)));
                assert_eq!(answer.map(|answer| answer.status), Some(200), "{path}");
            }
            let open = fs::read_dir(format!("/proc/{}/fd", first.pid())).unwrap().count();
            assert!(open < 300, "{open} files are open");
        }
        let took = began.elapsed();
        drop(ending);
        let opened: usize = sieges.map(|siege| siege.join().unwrap()).into_iter().sum();
        times.sort();
        println!("{opened} connections; 40 records in {took:?}, the slowest in {:?}", times[39]);
        assert!(opened >= 1000);
        // On a busy host a few may be late.
        assert!(times[20] < Duration::from_secs(1), "rumours are lost, and records come by repair alone: {times:?}");
    });
    eventually("the follower was told of the last record", || {
        let mut told = vec![0; 64 << 10];
        let count = following.read(&mut told).unwrap();
        assert!(count > 0, "the follower lost its place");
        String::from_utf8_lossy(&told[..count]).contains("in spite of it 40")
    });
}
