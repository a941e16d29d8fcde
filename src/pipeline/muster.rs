//! Opens sources side by side, and finds out which stream they hold.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded, select};
use distdup_codecs::ShardSet;

use crate::catalogue::catalogue;
use crate::control::Control;
use crate::format::header::HeaderFault;
use crate::format::scan::OpenShare;
use crate::format::{Common, StreamId};
use crate::quote::{lines, with_causes};
use crate::source::Source;

/// Sources that are enough do not wait longer for others than this part of the time-out.
const GRACE_PART: u32 = 4;

/// Why a source could not be used, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceFailure {
    /// It could not be opened.
    #[error("could not be opened")]
    Open(#[source] io::Error),
    /// It did not open in time, as a FIFO does that nobody writes to.
    #[error("did not open within {} s", waited.as_secs())]
    NotOpened {
        /// For how long.
        waited: Duration,
    },
    /// It could not be read further.
    #[error("could not be read further")]
    Read(#[source] io::Error),
    /// It gave no byte for too long.
    #[error("gave no byte for {} s", waited.as_secs())]
    TimedOut {
        /// For how long.
        waited: Duration,
    },
    /// It holds no share of the stream.
    #[error("holds no share of this stream: {0}")]
    NoShare(String),
    /// It holds a share of another stream.
    #[error("holds a share of another stream, {0}")]
    OtherStream(StreamId),
}

catalogue! {
    SourceFailure {
        Self::Open(_) => "share-not-opened":
            "The share counts as lost for now; the others are used."
            "Bring its host back; if it is lost for good, write it again by distdup repair.";
        Self::NotOpened { .. } => "share-not-opened-in-time":
            "The share counts as lost for now; the others are used."
            "See that its pipe has a writer, or give it longer by --source-timeout.";
        Self::Read(_) => "share-not-read":
            "What was read of the share before was used; what follows counts as lost."
            "Save what the disk still gives, and write the share again by distdup repair.";
        Self::TimedOut { .. } => "share-stalled":
            "The share counts as lost from there on; the others are used."
            "See what its host is waiting for, or give it longer by --source-timeout.";
        Self::NoShare(_) => "share-unknown":
            "It was not used."
            "Look what it says of itself: distdup inspect NAME";
        Self::OtherStream(_) => "share-of-another-stream":
            "It was not used."
            "Give the shares of one stream only, or say which by --stream.";
    }
}

/// A source that was opened, or why it was not.
#[derive(Debug)]
pub(crate) struct Mustered {
    pub(crate) name: String,
    pub(crate) share: Result<OpenShare, SourceFailure>,
}

/// Opens all sources, each on its own thread. Those that do not open in time are left behind, and
/// earlier if the others are enough. `None`: asked to stop.
pub(crate) fn open(
    sources: Vec<Box<dyn Source>>,
    timeout: Duration,
    control: &Control,
) -> Option<Vec<Mustered>> {
    if control.is_cancelled() {
        return None;
    }
    let began = Instant::now();
    let mut mustered: Vec<Mustered> = sources
        .iter()
        .map(|source| Mustered {
            name: source.name(),
            share: Err(SourceFailure::NotOpened { waited: timeout }),
        })
        .collect();
    let (report, opened) = bounded(sources.len());
    for (lane, source) in sources.into_iter().enumerate() {
        let report = report.clone();
        let open = move || {
            let share = source.open().and_then(OpenShare::open);
            // A source that was left behind reports to nobody.
            let _ = report.send((lane, share.map_err(SourceFailure::Open)));
        };
        if let Err(error) = thread::Builder::new()
            .name(format!("source {lane}"))
            .spawn(open)
        {
            mustered[lane].share = Err(SourceFailure::Open(error));
        }
    }
    drop(report);
    let mut graceful = true;
    loop {
        let limit = if graceful {
            timeout / GRACE_PART
        } else {
            timeout
        };
        let left = limit.saturating_sub(began.elapsed());
        let next = select! {
            recv(opened) -> item => item.map_err(|_| RecvTimeoutError::Disconnected),
            recv(control.cancelled) -> _ => return None,
            default(left) => Err(RecvTimeoutError::Timeout),
        };
        match next {
            Ok((lane, share)) => mustered[lane].share = share,
            Err(RecvTimeoutError::Disconnected) => return Some(mustered),
            Err(RecvTimeoutError::Timeout) if !graceful || choose(&mustered, None).is_ok() => {
                let waited = began.elapsed();
                for one in &mut mustered {
                    if let Err(SourceFailure::NotOpened { waited: so_far }) = &mut one.share {
                        *so_far = waited;
                    }
                }
                return Some(mustered);
            }
            Err(RecvTimeoutError::Timeout) => graceful = false,
        }
    }
}

/// Why no stream could be settled on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// Not one source holds a share that says what it is.
    #[error("none of the {sources} sources holds a share{}", lines(reasons))]
    NoShares {
        /// Sources that were given.
        sources: usize,
        /// What is wrong with each.
        reasons: Vec<String>,
    },
    /// Several streams could be decoded.
    #[error(
        "the shares are of {} streams, and more than one could be decoded: say which with \
         --stream:{}",
        streams.len(),
        lines(streams)
    )]
    Ambiguous {
        /// Those that could.
        streams: Vec<Candidate>,
    },
    /// The shares are not enough.
    #[error("too few shares:{}{}", lines(streams), lines(reasons))]
    TooFew {
        /// The streams of which there are shares.
        streams: Vec<Candidate>,
        /// What is wrong with the other sources.
        reasons: Vec<String>,
    },
    /// There is no share of the stream that was asked for.
    #[error("no share is of stream {asked}{}", lines(streams))]
    NoSuchStream {
        /// The stream that was asked for.
        asked: StreamId,
        /// Those of which there are shares.
        streams: Vec<Candidate>,
    },
}

catalogue! {
    ChooseError {
        Self::NoShares { .. } => "no-shares":
            "Nothing can be had from these, and nothing was written."
            "Look whether the names are right, and what each says of itself: distdup inspect NAME";
        Self::Ambiguous { .. } => "several-streams":
            "Nothing was written."
            "Run the same command again with --stream and one of those that are listed.";
        Self::TooFew { .. } => "too-few-shares":
            "The stream cannot be had from these shares alone, and nothing was written."
            "Give more shares; which would help most says: distdup why SHARE...";
        Self::NoSuchStream { .. } => "no-such-stream":
            "Nothing was written."
            "Run the same command again with one of the streams that are listed, or other shares.";
    }
}

/// A stream of which there are shares.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What its shares say alike.
    pub common: Arc<Common>,
    /// Indices of the shares there are.
    pub shares: ShardSet,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let geometry = self.common.geometry();
        let code = self.common.code();
        let (shares, suffices) = match self.shares.len() {
            1 => ("share", "does not suffice"),
            _ => ("shares", "do not suffice"),
        };
        write!(
            f,
            "stream {}: {} {geometry}, {shares} {}",
            self.common.stream(),
            code.id(),
            self.shares,
        )?;
        if code.is_recoverable(self.shares) {
            return Ok(());
        }
        write!(f, " {suffices}; ")?;
        // The fewest more, lowest first, that would.
        let missing = geometry.shards().difference(self.shares);
        let helps = |share: &usize| {
            let mut with = self.shares;
            with.insert(*share);
            code.is_recoverable(with)
        };
        if let Some(one) = missing.iter().find(helps) {
            write!(f, "share {one} as well would")
        } else {
            let needed = geometry.k().saturating_sub(self.shares.len()).max(2);
            write!(f, "at least {needed} more are needed, of shares {missing}")
        }
    }
}

/// What the sources say they hold.
pub(crate) struct Roll {
    /// The streams of which there are shares.
    pub(crate) streams: Vec<Candidate>,
    /// Sources that may hold a share of any of them: it does not say what it is.
    pub(crate) nameless: usize,
    /// What is wrong with the sources that say nothing.
    reasons: Vec<String>,
}

impl Roll {
    pub(crate) fn call(mustered: &[Mustered]) -> Self {
        let mut roll = Self {
            streams: Vec::new(),
            nameless: 0,
            reasons: Vec::new(),
        };
        for Mustered { name, share } in mustered {
            match share {
                Ok(share) => roll.enter(name, share),
                Err(failure) => roll
                    .reasons
                    .push(format!("{name}: {}", with_causes(failure))),
            }
        }
        roll
    }

    fn enter(&mut self, name: &str, share: &OpenShare) {
        let Some((common, index)) = share.claims() else {
            if let Err(fault) = &share.header {
                self.nameless += usize::from(!matches!(fault, HeaderFault::Empty));
                self.reasons.push(format!("{name}: {fault}"));
            }
            return;
        };
        match self.streams.iter_mut().find(|one| *one.common == *common) {
            Some(stream) => {
                stream.shares.insert(index);
            }
            None => self.streams.push(Candidate {
                common: Arc::new(common.clone()),
                shares: [index].into_iter().collect(),
            }),
        }
    }

    /// Keeps only the stream that was asked for, if one was.
    pub(crate) fn of(mut self, asked: Option<StreamId>) -> Result<Self, ChooseError> {
        if self.streams.is_empty() {
            return Err(ChooseError::NoShares {
                sources: self.reasons.len(),
                reasons: self.reasons,
            });
        }
        let Some(asked) = asked else { return Ok(self) };
        let of_it = |stream: &Candidate| stream.common.stream() == asked;
        if !self.streams.iter().any(of_it) {
            let streams = self.streams;
            return Err(ChooseError::NoSuchStream { asked, streams });
        }
        self.streams.retain(of_it);
        Ok(self)
    }

    /// Those streams that might be decoded. Shares that have lost their header may turn out to be of
    /// any of them.
    fn able(&self) -> Vec<Candidate> {
        let could_be = |stream: &&Candidate| {
            stream.common.code().is_recoverable(stream.shares)
                || self.nameless > 0
                    && stream.shares.len() + self.nameless >= stream.common.geometry().k()
        };
        self.streams.iter().filter(could_be).cloned().collect()
    }
}

/// The one stream that the sources hold, or that was asked for.
pub(crate) fn choose(
    mustered: &[Mustered],
    asked: Option<StreamId>,
) -> Result<Arc<Common>, ChooseError> {
    let roll = Roll::call(mustered).of(asked)?;
    match roll.able() {
        able if able.is_empty() => Err(ChooseError::TooFew {
            streams: roll.streams,
            reasons: roll.reasons,
        }),
        able => settle(able),
    }
}

/// The same, where shares need not be enough.
pub(crate) fn choose_any(
    mustered: &[Mustered],
    asked: Option<StreamId>,
) -> Result<Arc<Common>, ChooseError> {
    let roll = Roll::call(mustered).of(asked)?;
    match roll.able() {
        able if able.is_empty() => settle(roll.streams),
        able => settle(able),
    }
}

/// The stream of these. Of shares that give one stream two descriptions, the more numerous are
/// believed: the rest were altered. Between streams nothing but the user can choose.
fn settle(mut streams: Vec<Candidate>) -> Result<Arc<Common>, ChooseError> {
    streams.sort_by_key(|one| std::cmp::Reverse(one.shares.len()));
    let id = streams[0].common.stream();
    let one_stream = streams.iter().all(|one| one.common.stream() == id);
    let outvoted =
        one_stream && streams.len() > 1 && streams[0].shares.len() > streams[1].shares.len();
    if streams.len() == 1 || outvoted {
        return Ok(Arc::clone(&streams[0].common));
    }
    Err(ChooseError::Ambiguous { streams })
}
