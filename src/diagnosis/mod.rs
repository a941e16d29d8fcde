//! Operation why: whether a stream can be had from its shares, and if not, what it lacks.
//!
//! All shares of a stream are read side by side, in step, so that nothing is kept of a stripe but
//! what it adds to the sums: memory does not grow with the length of the shares.

mod fates;
mod lane;
mod map;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use distdup_codecs::ShardSet;

use self::fates::Fates;
pub use self::fates::Remedy;
use self::lane::Lane;
pub use self::map::{Cell, Map};
use crate::catalogue::Catalogued;
use crate::control::Control;
use crate::decode::{
    DecodeError, FrameFault, FrameFlaw, FrameState, GatherError, ShareFlaw, SourceOutcome,
};
use crate::format::{Common, StreamId, Totals};
use crate::pipeline::muster::{self, Mustered, Roll};
use crate::source::Source;
use crate::verify::Verdict;

/// Places that are kept word for word; beyond, they are counted.
const PLACES_KEPT: usize = 1000;

/// What was found out about shares, stream by stream.
#[derive(Debug)]
pub struct Diagnosis {
    /// The streams of which there are shares.
    pub streams: Vec<StreamDiagnosis>,
    /// Sources that hold no share of any of them.
    pub strays: Vec<SourceOutcome>,
}

/// What was found out about one stream.
#[derive(Debug)]
pub struct StreamDiagnosis {
    /// What its shares say alike.
    pub common: Arc<Common>,
    /// What it came to, by the trailers.
    pub totals: Option<Totals>,
    /// Its stripes, as far as anything tells of them.
    pub stripes: u64,
    /// Whether frames say that the stream ends with these; of a last stripe that is lost, and of no stripe,
    /// trailers.
    pub ends: bool,
    /// One for each source that holds a share of it.
    pub sources: Vec<Verdict>,
    /// Its n shares, by index.
    pub shares: Vec<ShareState>,
    /// Shares all of whose frames are good, and none marked falsely as the last.
    pub good: ShardSet,
    /// Stripes that cannot be had, ascending.
    pub lost: Places,
    /// Where in the stream these are: good cells are stripes that can be had.
    pub map: Map,
    /// What would bring it back.
    pub remedy: Remedy,
}

impl StreamDiagnosis {
    /// Whether every stripe can be had, and these are all, as far as frames and trailers vouch for
    /// themselves. That nobody forged them, a decode tells.
    pub fn is_recoverable(&self) -> bool {
        self.lost.count == 0 && self.ends
    }

    /// Shares that are whole: every frame good, and the trailer true.
    pub fn whole(&self) -> ShardSet {
        self.having(|share| share.is_whole)
    }

    /// Shares of which there is anything.
    pub fn there(&self) -> ShardSet {
        self.having(|share| !share.sources.is_empty())
    }

    fn having(&self, what: impl Fn(&ShareState) -> bool) -> ShardSet {
        let has = |index: &usize| what(&self.shares[*index]);
        (0..self.shares.len()).filter(has).collect()
    }

    /// Whether all n shares are there and whole, and so is every source, and all tell of the same end.
    pub fn is_flawless(&self) -> bool {
        let tells_so = |source: &Verdict| {
            let told = source
                .totals
                .is_some_and(|told| told.stripes == self.stripes);
            told && source.totals == self.totals
        };
        self.whole() == self.common.geometry().shards()
            && self.is_recoverable()
            && self.sources.iter().all(Verdict::is_whole)
            && self.sources.iter().all(tells_so)
    }

    /// Bytes of the stream, if a trailer tells.
    pub fn length(&self) -> Option<u64> {
        self.totals.map(|totals| totals.length)
    }
}

/// What was found of one share, in whatever source.
#[derive(Debug, Default)]
pub struct ShareState {
    /// Positions of the sources that hold it, in [`StreamDiagnosis::sources`].
    pub sources: Vec<usize>,
    /// Whether one of these is whole.
    pub is_whole: bool,
    /// Frames by what they are.
    pub frames: Cell,
    /// The bad frames, one after another where the same can be said of them.
    pub faults: Vec<FrameFault>,
    /// Where the frames are good and where not.
    pub map: Map,
}

/// Some stripes, as ranges.
#[derive(Debug, Default)]
pub struct Places {
    /// The first of them.
    pub ranges: Vec<Range<u64>>,
    /// How many stripes there are in all.
    pub count: u64,
}

impl Places {
    fn add(&mut self, stripes: &Range<u64>) {
        self.count += stripes.end - stripes.start;
        let has_room = self.ranges.len() < PLACES_KEPT;
        match self.ranges.last_mut() {
            Some(last) if last.end == stripes.start => last.end = stripes.end,
            _ if has_room => self.ranges.push(stripes.clone()),
            _ => {}
        }
    }
}

/// Reads all shares to their ends, and finds out what their streams lack. A source that does not
/// open or gives nothing for `timeout` is taken for lost.
///
/// # Errors
/// There is no share at all, or none of the stream `asked`; or asked to stop.
pub fn diagnose(
    sources: Vec<Box<dyn Source>>,
    asked: Option<StreamId>,
    timeout: Duration,
    control: &Control,
) -> Result<Diagnosis, DecodeError> {
    let mustered = muster::open(sources, timeout, control).ok_or(GatherError::Cancelled)?;
    let roll = Roll::call(&mustered).of(asked)?;
    let mut strays = Vec::new();
    let mut of_stream: Vec<Vec<Mustered>> = roll.streams.iter().map(|_| Vec::new()).collect();
    for one in mustered {
        match at_home(&roll, &one) {
            Some(stream) => of_stream[stream].push(one),
            None => strays.push(stray(one)),
        }
    }
    let mut streams = Vec::new();
    for (stream, shares) in roll.streams.iter().zip(of_stream) {
        streams.push(read(&stream.common, shares, timeout, control)?);
    }
    Ok(Diagnosis { streams, strays })
}

/// Which stream a source belongs to. One that does not say may be of the only one there is.
fn at_home(roll: &Roll, one: &Mustered) -> Option<usize> {
    let share = one.share.as_ref().ok()?;
    match share.claims() {
        Some((common, _)) => roll.streams.iter().position(|it| *it.common == *common),
        None => (roll.streams.len() == 1).then_some(0),
    }
}

fn stray(one: Mustered) -> SourceOutcome {
    let mut outcome = SourceOutcome::new(one.name);
    outcome.failure = Some(match one.share {
        Err(failure) => failure,
        Ok(share) => match (share.claims(), share.header.as_ref().err()) {
            (Some((common, _)), _) => muster::SourceFailure::OtherStream(common.stream()),
            (None, fault) => {
                muster::SourceFailure::NoShare(fault.map_or_else(String::new, ToString::to_string))
            }
        },
    });
    outcome
}

fn read(
    common: &Arc<Common>,
    shares: Vec<Mustered>,
    timeout: Duration,
    control: &Control,
) -> Result<StreamDiagnosis, GatherError> {
    let mut lanes: Vec<Lane> = shares
        .into_iter()
        .map(|one| Lane::start(one, common, timeout, control))
        .collect();
    let mut reading = Reading {
        shares: (0..common.geometry().n())
            .map(|_| ShareState::default())
            .collect(),
        fates: Fates::new(common),
        lost: Places::default(),
        map: Map::default(),
        is_at_lost: false,
    };
    let mut at = 0;
    // Whether the stripe before says that it is the last; one that is lost does not prove it.
    let mut ended = false;
    while !ended || reading.is_at_lost {
        for lane in &mut lanes {
            lane.come_to(at, control)?;
        }
        let Some(mut end) = lanes.iter().filter_map(Lane::end).min() else {
            break;
        };
        // A frame that is good is read whatever trailers tell: one may be forged, and those of pipes are
        // yet to come.
        if lanes
            .iter()
            .all(|lane| lane.state() != Some(FrameState::Good))
        {
            match vote(lanes.iter().filter_map(Lane::told)) {
                Some(told) if at < told.stripes => end = end.min(told.stripes),
                None if !ended => {}
                _ => break,
            }
        }
        // A good frame stands alone in what its lane says.
        let ballot = Ballot::of(&lanes, common.geometry().n());
        ended = ballot.last.len() > ballot.others.len();
        reading.note(at..end, &lanes, &ballot);
        at = end;
    }
    let sources = lanes
        .into_iter()
        .map(|lane| lane.finish(control))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(reading.finish(common, at, ended, sources))
}

/// What the good frames of a stripe say: decode goes by most of them, and tells no two stripes apart that as many
/// are for.
#[derive(Default)]
struct Ballot {
    /// Shares that say that it is the stream's last, and that say that it is not.
    last: ShardSet,
    others: ShardSet,
}

impl Ballot {
    fn of(lanes: &[Lane], n: usize) -> Self {
        let mut ballot = Self::default();
        for share in 0..n {
            let good = lanes.iter().filter(|lane| {
                lane.index() == Some(share) && lane.state() == Some(FrameState::Good)
            });
            let mut says = good.map(Lane::is_last);
            let Some(first) = says.next() else { continue };
            // Sources of one share that say different things are not believed.
            if says.all(|other| other == first) {
                let side = if first {
                    &mut ballot.last
                } else {
                    &mut ballot.others
                };
                side.insert(share);
            }
        }
        ballot
    }

    fn is_tied(&self) -> bool {
        !self.last.is_empty() && self.last.len() == self.others.len()
    }
}

/// What most of these say.
fn vote(totals: impl Iterator<Item = Totals>) -> Option<Totals> {
    let all: Vec<Totals> = totals.collect();
    let votes = |one: &&Totals| all.iter().filter(|other| other == one).count();
    all.iter().max_by_key(votes).copied()
}

struct Reading {
    shares: Vec<ShareState>,
    fates: Fates,
    lost: Places,
    map: Map,
    /// Whether the stripes noted last are lost.
    is_at_lost: bool,
}

impl Reading {
    /// Takes note of what the lanes say of some stripes; where as many frames say one thing as another, that
    /// these are lost.
    fn note(&mut self, stripes: Range<u64>, lanes: &[Lane], ballot: &Ballot) {
        let mut good = ShardSet::new();
        for (index, share) in self.shares.iter_mut().enumerate() {
            // Of several that hold the same share, the best counts.
            let best = lanes
                .iter()
                .filter(|lane| lane.index() == Some(index))
                .filter_map(|lane| Some((lane.state()?, lane)))
                .min_by_key(|(state, _)| *state);
            let state = best.map_or(FrameState::Missing, |(state, _)| state);
            share.frames.add(state, stripes.end - stripes.start);
            share.map.add(&stripes, state);
            if state == FrameState::Good {
                good.insert(index);
            } else if let Some(flaw) = best.and_then(|(_, lane)| lane.flaw()) {
                share.fault(&stripes, flaw);
            }
        }
        // Further shares would decide it, as if those of one side were not there.
        let is_tied = ballot.is_tied();
        let counted = if is_tied {
            good.difference(ballot.last)
        } else {
            good
        };
        let is_had = self.fates.is_had(counted, stripes.end - stripes.start) && !is_tied;
        self.is_at_lost = !is_had;
        let state = if is_had {
            FrameState::Good
        } else {
            self.lost.add(&stripes);
            FrameState::Damaged
        };
        self.map.add(&stripes, state);
    }

    fn finish(
        mut self,
        common: &Arc<Common>,
        stripes: u64,
        ended: bool,
        sources: Vec<Verdict>,
    ) -> StreamDiagnosis {
        for (at, source) in sources.iter().enumerate() {
            if let Some(index) = source.outcome.index {
                let share = &mut self.shares[index];
                share.sources.push(at);
                share.is_whole |= source.is_whole();
            }
        }
        let is_good = |index: &usize| {
            let share = &self.shares[*index];
            let is_true = |at: &usize| {
                let flaws = &sources[*at].outcome.flaws;
                !flaws
                    .iter()
                    .any(|flaw| matches!(flaw, ShareFlaw::LastDiffers { .. }))
            };
            share.sources.iter().any(is_true) && share.frames.good == stripes
        };
        let good: ShardSet = (0..self.shares.len()).filter(is_good).collect();
        let told = || sources.iter().filter_map(|source| source.totals);
        let here = |told: &Totals| told.stripes == stripes;
        let totals = vote(told().filter(here)).or_else(|| vote(told()));
        let is_told = if stripes == 0 {
            2 * told().filter(here).count() > told().count()
        } else {
            self.is_at_lost && told().any(|told| here(&told))
        };
        StreamDiagnosis {
            totals,
            ends: ended || is_told,
            remedy: self.fates.remedy(good),
            common: Arc::clone(common),
            stripes,
            sources,
            shares: self.shares,
            good,
            lost: self.lost,
            map: self.map,
        }
    }
}

impl ShareState {
    fn fault(&mut self, stripes: &Range<u64>, flaw: &FrameFlaw) {
        let count = stripes.end - stripes.start;
        let has_room = self.faults.len() < PLACES_KEPT;
        match self.faults.last_mut() {
            Some(last)
                if last.stripe + last.count == stripes.start
                    && last.flaw.entry() == flaw.entry() =>
            {
                last.count += count;
            }
            _ if has_room => self.faults.push(FrameFault {
                stripe: stripes.start,
                count,
                flaw: flaw.clone(),
            }),
            _ => {}
        }
    }
}
