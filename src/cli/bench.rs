//! `gossip-node bench`: how fast it is here, beside what the machine itself can do in the same run. Without `--home` it
//! works on temporary daemons on loopback; with it, what can, goes through the one that runs there.

mod cluster;
mod datagram;
mod digest;
mod idle;
mod ingest;
mod report;
mod restart;
mod spread;
mod sync;
mod udp;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::log::log_to_stderr;
use super::signals::Signals;
use clap::{Args, Subcommand};
use report::Report;
use tracing::level_filters::LevelFilter;

/// Measure how fast it is here, beside what the machine can do
#[derive(Args, Debug)]
#[command(after_help = "\
Each row has a figure, the bare probe of the same run and the ratio of both; the exit code is 1 if a row
does not hold what it should. Temporary daemons keep their files where TMPDIR says.")]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How fast messages are stored
    Ingest(ingest::Ingest),
    /// How many messages a second reach all nodes, and how soon one does
    Spread(spread::Spread),
    /// How fast a new node gets what it lacks
    Sync(sync::Sync),
    /// What few differences in many messages cost
    Digest(digest::Digest),
    /// What nodes cost that have nothing to say
    Idle(idle::Idle),
    /// What many messages cost a daemon that holds them
    Restart(restart::Restart),
    /// What a datagram costs
    Datagram(datagram::Datagram),
    /// What the sockets of this machine can do
    Udp(udp::Udp),
}

impl Bench {
    /// Measures, and shows the table.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        log_to_stderr(LevelFilter::WARN, None);
        let mut signals = Signals::take_all()?;
        let report = tokio::select! {
            report = self.what.measure(context) => report?,
            code = signals.first() => return Err(Failure::interrupted(code)),
        };
        report.show(context)
    }
}

impl What {
    async fn measure(self, context: &Context) -> Result<Report, Failure> {
        if let Some(why) = self.is_apart().filter(|_| context.home_said) {
            return Err(Failure::new(Exit::Usage, "this is not measured through a daemon that runs")
                .why(why)
                .hint("leave out --home"));
        }
        match self {
            What::Ingest(ingest) => ingest.measure(context).await,
            What::Spread(spread) => spread.measure(context).await,
            What::Sync(sync) => sync.measure(context).await,
            What::Digest(digest) => digest.measure(context).await,
            What::Idle(idle) => idle.measure(context).await,
            What::Restart(restart) => restart.measure(context).await,
            What::Datagram(datagram) => datagram.measure(context).await,
            What::Udp(udp) => udp.measure(context).await,
        }
    }

    /// Why it has nothing to do with any daemon that runs, if so.
    fn is_apart(&self) -> Option<&'static str> {
        match self {
            What::Digest(_) => Some("nobody can have a network's nodes differ on purpose"),
            What::Restart(_) => Some("nobody's daemon is to be killed"),
            What::Datagram(_) | What::Udp(_) => Some("it is about this machine and sockets of its own"),
            What::Ingest(_) | What::Spread(_) | What::Sync(_) | What::Idle(_) => None,
        }
    }
}

fn no_probe(error: std::io::Error) -> Failure {
    Failure::new(Exit::No, "the machine could not be measured").why(error.to_string())
}
