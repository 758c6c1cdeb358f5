//! `gossip-node read`: one record; with `--raw` its MSG alone, byte for byte.

use super::context::Context;
use super::failure::Failure;
use super::list::date;
use crate::api::{HeldBy, Kind};
use crate::display::{bytes, counted, display_line, display_safe};
use clap::Args;

/// Show one message.
#[derive(Args, Debug)]
#[command(after_help = "  \
gossip-node read 43c54ed2
  gossip-node read 43c54ed2 --raw | sha256sum")]
pub struct Read {
    /// Its GUID, or the first 6 or more hex digits of it
    #[arg(value_parser = guid_prefix)]
    guid: String,
    /// Write the message alone, byte for byte (it may contain what acts on a terminal)
    #[arg(long)]
    raw: bool,
}

/// A GUID or the beginning of one.
pub fn guid_prefix(text: &str) -> Result<String, String> {
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    if (6..=32).contains(&digits) && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Ok(text.to_ascii_lowercase());
    }
    Err("say 6 or more hex digits of a GUID, as list shows them".into())
}

impl Read {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client();
        if self.raw {
            let msg = client.msg(&self.guid).await.map_err(context.explain())?;
            return context.print_bytes(&msg);
        }
        let gossip = client.read(&self.guid).await.map_err(context.explain())?;
        if context.json {
            return context.print_json(&gossip);
        }
        let head = &gossip.head;
        let held = gossip.held_by.map_or("not known".into(), held_by);
        let mut text = String::new();
        for (label, value) in [
            ("guid", head.guid.as_str()),
            ("kind", kind(head.kind)),
            ("date", &date(head)),
            ("who", &head.who_name),
            ("origin", &head.origin),
            ("size", &bytes(head.len)),
            ("sha2", head.sha2.as_deref().unwrap_or("not all here yet")),
            ("held", &held),
        ] {
            text.push_str(&format!("{label:<7} {}\n", display_line(value)));
        }
        if let (false, Some(preview)) = (head.kind == Kind::Message, &gossip.preview) {
            text.push_str(&format!("\n{}\n", display_line(preview)));
        } else if let Some(msg) = &gossip.msg {
            let end = if msg.ends_with('\n') { "" } else { "\n" };
            text.push_str(&format!("\n{}{end}", display_safe(msg)));
        }
        context.print(&text)
    }
}

/// What a record is for.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Message => "message",
        Kind::Forget => "forget",
        Kind::Settings => "network settings",
    }
}

/// How far a record has come.
pub fn held_by(held_by: HeldBy) -> String {
    match held_by.reachable {
        0 => "by this node; no peer is reachable".into(),
        reachable => format!("by {} of {}", held_by.known, counted(reachable, "reachable peer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_holds_it() {
        let held = |known, reachable| held_by(HeldBy { known, reachable });
        assert_eq!(held(0, 0), "by this node; no peer is reachable");
        assert_eq!(held(4, 4), "by 4 of 4 reachable peers");
        assert_eq!(held(0, 1), "by 0 of 1 reachable peer");
    }

    #[test]
    fn a_prefix_has_six_hex_digits() {
        for good in ["43c54e", "43c54ed2-0173", "43C54ED2-0173-8495-93c7-8a8c49826092"] {
            assert_eq!(guid_prefix(good), Ok(good.to_ascii_lowercase()));
        }
        for bad in ["", "43c54", "43c54-", "../../", "43c54g", &"a".repeat(33)] {
            assert!(guid_prefix(bad).is_err(), "{bad}");
        }
    }
}
