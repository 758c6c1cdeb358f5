//! `gossip-node ui`: the way to the page: its address with the token, printed and opened in a browser.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::config::{Home, Token};
use crate::display::{display_line, quoted};
use clap::Args;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long to wait for trouble with a browser.
const OPENING: Duration = Duration::from_secs(3);

/// Open the node's page in a browser.
#[derive(Args, Debug)]
#[command(after_help = "\
Prints the page's address with the token that opens it: who has it may do all that you can.
A browser is opened where there is a display. From another host: ssh -L 8684:127.0.0.1:8684 HOST,
`ui --print` there, and open here what it prints.

  gossip-node ui
  gossip-node ui --print")]
pub struct Ui {
    /// Print the address and open nothing
    #[arg(long)]
    print: bool,
}

/// The page's address, and the token that opens it.
#[derive(Clone, Debug)]
pub struct Page {
    /// Without the token.
    pub address: String,
    token: Token,
}

impl Page {
    /// The page that the daemon of `home` serves at `addr`.
    pub fn of(addr: SocketAddr, home: &Home) -> Result<Option<Page>, Failure> {
        // A wildcard is no address that a browser could go to; loopback is among those that it stands for.
        let ip = match addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let address = format!("http://{}/", SocketAddr::new(ip, addr.port()));
        Ok(Token::load(home)?.map(|token| Page { address, token }))
    }

    /// With the token, where only the browser sees it: what is behind `#` is never sent.
    pub fn with_token(&self) -> String {
        format!("{}#token={}", self.address, self.token.digits())
    }
}

impl Ui {
    /// Prints it, and opens it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let page = page(context).await?;
        let open = !self.print && has_display();
        let opened = if open { Some(open_browser(&page, &context.home).await) } else { None };
        if context.json {
            let opened = matches!(opened, Some(Ok(())));
            let url = page.with_token();
            context.print_json(&serde_json::json!({ "address": page.address, "url": url, "opened": opened }))?;
        } else {
            context.print(&format!("{}\n", page.with_token()))?;
        }
        match opened {
            Some(Err(why)) => context.note(&format!("no browser was opened ({why}): open the address yourself")),
            None if !self.print => context.note("There is no display: open the address in a browser of this host."),
            _ => (),
        }
        Ok(())
    }
}

/// Where the running daemon says that it is.
async fn page(context: &Context) -> Result<Page, Failure> {
    let node = context.client().node().await.map_err(context.explain())?;
    let Some(at) = node.http else {
        let init = format!("gossip-node init --home {} --set http.listen=null", quoted(context.home.dir().display()));
        return Err(Failure::new(Exit::Refused, "this node serves no page")
            .why("http.listen in server.json is off, or it could not listen on loopback")
            .hint(format!("{init}, and start the daemon again")));
    };
    let addr = at.parse().map_err(|_| Failure::new(Exit::No, format!("{} is no address", display_line(&at))))?;
    Page::of(addr, &context.home)?.ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("there is no {}", context.home.token().display()))
            .why("it was removed while the daemon runs")
            .hint("start the daemon again, which makes another")
    })
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Opens it by way of a file that only the owner may read, since anybody may read the arguments of a command.
async fn open_browser(page: &Page, home: &Home) -> Result<(), String> {
    let file = home.dir().join("ui.html");
    write_way(&file, &page.with_token()).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    let file = fs::canonicalize(&file).map_err(|error| error.to_string())?;
    let (failed, quiet) = (|error: io::Error| format!("xdg-open: {error}"), Stdio::null);
    let mut opening = Command::new("xdg-open");
    let mut opening = opening.arg(file).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().map_err(failed)?;
    match tokio::time::timeout(OPENING, opening.wait()).await {
        Ok(Ok(status)) if !status.success() => Err(format!("xdg-open: {status}")),
        Ok(Err(error)) => Err(failed(error)),
        // It may have become the browser itself.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// A file that leads a browser to `url`, which has no letter that HTML would read otherwise.
fn write_way(path: &Path, url: &str) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(dir)?;
    let head = format!(r#"<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}">"#);
    writeln!(temp, r#"<!doctype html>{head}<title>gossip-node</title><a href="{url}">gossip-node</a>"#)?;
    let _: File = temp.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_that_a_browser_can_go_to() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("home"));
        home.create().unwrap();
        let page = |addr: &str| Page::of(addr.parse().unwrap(), &home).unwrap();
        assert!(page("127.0.0.1:8684").is_none(), "without a token there is no way in");
        let token = Token::load_or_make(&home, &home.lock_exclusive().unwrap()).unwrap();
        for (addr, address) in [
            ("127.0.0.1:8684", "http://127.0.0.1:8684/"),
            ("0.0.0.0:80", "http://127.0.0.1:80/"),
            ("[::]:9", "http://[::1]:9/"),
            ("192.0.2.7:9", "http://192.0.2.7:9/"),
        ] {
            let page = page(addr).unwrap();
            assert_eq!(
                (page.address.as_str(), page.with_token()),
                (address, format!("{address}#token={}", token.digits()))
            );
        }
    }

    #[test]
    fn the_way_to_it_is_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ui.html");
        for url in ["http://127.0.0.1:1/#token=aa", "http://127.0.0.1:1/#token=bb"] {
            write_way(&path, url).unwrap();
            assert!(fs::read_to_string(&path).unwrap().contains(url));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
