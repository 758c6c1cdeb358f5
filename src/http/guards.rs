//! [`Guards`]: who may ask for what, decided before anything else looks at a request. A page from elsewhere in the owner's
//! browser, another user of this host, and whoever reaches the port are kept out here and nowhere else.

mod hosts;
mod tries;

use super::places::{Busy, Seat};
use super::problem::hinted;
use super::{health, page};
use crate::api::Problem;
use crate::config::Token;
use crate::daemon::Handle;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::time::Instant;

pub(super) use hosts::Hosts;
use tries::Tries;

/// Longest address of a request.
const URI: usize = 8 << 10;
/// Records in one list over TCP.
const LIMIT: u64 = 1000;
/// Longest headers of a request, in all.
const HEADERS: usize = 16 << 10;
/// What is asked of us, beside what a page is read with.
const METHODS: [Method; 5] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
/// What a write may carry. No form of another site can send these without being asked for leave, which we never give.
const BODIES: [&str; 3] = ["application/json", "application/octet-stream", "application/x-ndjson"];
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is said with every answer. The page needs no more than what is ours; nothing else may use what we answer.
const SAID: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The guards of the API over TCP. Over the control socket, which only its owner can open, no token is asked for.
#[derive(Debug)]
pub(super) struct Guards {
    hosts: Hosts,
    token: Token,
    tries: Mutex<Tries>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    seat: Seat,
    /// From where to where, over TCP.
    tcp: Option<(IpAddr, IpAddr)>,
}

impl Caller {
    /// The home's owner, on the control socket.
    pub(super) fn owner(seat: Seat) -> Caller {
        Caller { seat, tcp: None }
    }

    /// Somebody at `from` who connected to our address `local`.
    pub(super) fn stranger(seat: Seat, from: IpAddr, local: IpAddr) -> Caller {
        Caller { seat, tcp: Some((from, local)) }
    }
}

/// Whether so many records at once are too many for who asks: all of them at once are for the home's owner alone, whose
/// own program has to hold them, too.
pub(super) fn check_limit(caller: &Caller, limit: Option<u64>) -> Result<(), Problem> {
    if caller.tcp.is_none() || limit.is_none_or(|limit| (1..=LIMIT).contains(&limit)) {
        return Ok(());
    }
    let hint = "page through them with order=newest and the cursor of each answer";
    Err(hinted(StatusCode::BAD_REQUEST, format!("limit: over TCP a list has 1 to {LIMIT} records"), hint))
}

/// Lets a request pass or answers it.
pub(super) async fn guard(
    State((guards, handle)): State<(Option<Arc<Guards>>, Handle)>,
    request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let passed = match (&guards, &caller) {
        (Some(guards), Some(Caller { tcp: Some((from, local)), .. })) => {
            guards.check(&request, *from, *local, &handle.hosts())
        }
        (None, Some(Caller { tcp: None, .. })) => check_owner(&request).map(|()| true),
        _ => Err(hinted(StatusCode::FORBIDDEN, "nobody knows where this request comes from", "ask over a listener")),
    };
    let busy = match (&passed, caller) {
        (Ok(true), Some(caller)) => Some(caller.seat.busy()),
        _ => None,
    };
    let mut response = match passed {
        Ok(_) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in SAID {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Messages are no business of a cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    match response.status() {
        StatusCode::UNAUTHORIZED => drop(response.headers_mut().insert(header::WWW_AUTHENTICATE, BEARER)),
        StatusCode::TOO_MANY_REQUESTS => {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(tries::SPAN.as_secs()));
        }
        _ => (),
    }
    response.map(|body| Body::new(Answer { body, _busy: busy }))
}

const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

impl Guards {
    /// For who has the token and asks for one of these hosts.
    pub(super) fn new(hosts: Hosts, token: Token) -> Guards {
        Guards { hosts, token, tries: Mutex::default() }
    }

    /// Whether a request may pass, and then whether it showed the token.
    fn check(&self, request: &Request, from: IpAddr, local: IpAddr, more: &[String]) -> Result<bool, Problem> {
        check_size(request)?;
        let host = self.check_host(request, local, more)?;
        check_method(request.method())?;
        if is_write(request.method()) {
            check_origin(request.headers(), &host)?;
        }
        let path = request.uri().path();
        let is_free = page::has(path) || health::PATHS.contains(&path);
        if !is_free {
            self.check_token(request.headers(), from)?;
        }
        check_body(request)?;
        Ok(!is_free)
    }

    fn check_host(&self, request: &Request, local: IpAddr, more: &[String]) -> Result<Authority, Problem> {
        let refused = |detail: &str| {
            let hint = "say the host as `gossip-node ui` does; more names can be set in http.hosts of server.json";
            hinted(StatusCode::FORBIDDEN, detail, hint)
        };
        if request.uri().authority().is_some() {
            return Err(refused("this is no proxy"));
        }
        let host = only(request.headers(), &header::HOST).map_err(|()| refused("it has several hosts"))?;
        let host = host.ok_or_else(|| refused("it names no host"))?;
        let authority: Option<Authority> = host.to_str().ok().and_then(|host| host.parse().ok());
        match authority {
            Some(authority) if self.hosts.include(&authority, local, more) => Ok(authority),
            _ => Err(refused("the host that it names is none of this node's")),
        }
    }

    fn check_token(&self, headers: &HeaderMap, from: IpAddr) -> Result<(), Problem> {
        let hint = "`gossip-node ui` prints the page's address with the token; scripts send the content of the file \
                    `token` in the node's home as `Authorization: Bearer ...`";
        let unknown = |detail: &str| hinted(StatusCode::UNAUTHORIZED, detail, hint);
        let claimed = match only(headers, &header::AUTHORIZATION) {
            Ok(Some(claimed)) => bearer(claimed.as_bytes()),
            Ok(None) => return Err(unknown("it shows no token")),
            Err(()) => None,
        };
        if claimed.is_some_and(|claimed| self.token.is(claimed)) {
            return Ok(());
        }
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.tried(from, Instant::now()) {
            return Err(unknown("the token is wrong"));
        }
        let detail = "many wrong tokens came from there in the last minute; the right one is taken at any time";
        Err(hinted(StatusCode::TOO_MANY_REQUESTS, detail, hint))
    }
}

/// What the owner's own programs keep to. A browser cannot open the socket, so what looks like one is led astray.
fn check_owner(request: &Request) -> Result<(), Problem> {
    check_size(request)?;
    check_method(request.method())?;
    if request.headers().contains_key(header::ORIGIN) || request.headers().contains_key(SITE) {
        let hint = "browsers go to the address that `gossip-node ui` prints";
        return Err(hinted(StatusCode::FORBIDDEN, "the control socket takes nothing from web pages", hint));
    }
    check_body(request)
}

fn check_size(request: &Request) -> Result<(), Problem> {
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI {
        let detail = format!("its address has {uri} bytes, more than {URI}");
        return Err(hinted(StatusCode::URI_TOO_LONG, detail, "long texts go into the body"));
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > HEADERS {
        let detail = format!("its headers have {headers} bytes, more than {HEADERS}");
        return Err(hinted(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail, "leave out what is not needed"));
    }
    Ok(())
}

fn check_method(method: &Method) -> Result<(), Problem> {
    if METHODS.contains(method) {
        return Ok(());
    }
    let detail = format!("{method:.20} is not among the methods that are known");
    Err(hinted(StatusCode::METHOD_NOT_ALLOWED, detail, "GET, HEAD, POST, PUT and DELETE are"))
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// A write comes from our own page, or from no page at all. Of another site not even the same host counts: any user of
/// this host may serve pages on another port.
fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), Problem> {
    let refused = |detail: &str| {
        hinted(StatusCode::FORBIDDEN, detail, "only the node's own page, and programs that are no browsers, may write")
    };
    if headers.get_all(SITE).iter().any(|site| site != "same-origin" && site != "none") {
        return Err(refused("a page of another site sent it"));
    }
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        named.is_some_and(|named| named.eq_ignore_ascii_case(host.as_str()))
    };
    match only(headers, &header::ORIGIN) {
        Ok(None) => Ok(()),
        Ok(Some(origin)) if is_ours(origin) => Ok(()),
        Ok(Some(_)) => Err(refused("a page of another origin sent it")),
        Err(()) => Err(refused("it has several origins")),
    }
}

/// What a write carries says what it is.
fn check_body(request: &Request) -> Result<(), Problem> {
    if !is_write(request.method()) || request.body().size_hint().exact() == Some(0) {
        return Ok(());
    }
    let refused = |detail: String| {
        let hint =
            "say Content-Type: application/json, application/x-ndjson for lines, or application/octet-stream for bytes";
        hinted(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, hint)
    };
    let kind = match only(request.headers(), &header::CONTENT_TYPE) {
        Ok(Some(kind)) => kind.to_str().unwrap_or_default(),
        Ok(None) => return Err(refused("its body does not say what it is".into())),
        Err(()) => return Err(refused("its body has several content types".into())),
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if BODIES.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(refused(format!("its body is {essence:.80?}, which nothing here takes")))
}

/// The value of a header that may stand but once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

/// `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// An answer's body, which keeps its connection busy until it has been told.
struct Answer {
    body: Body,
    _busy: Option<Busy>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
