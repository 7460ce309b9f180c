//! Open channels and when each has to give or to hear a sign of life. Pure: time is passed in.
//!
//! Channels wait in one line, ordered by when they come due: whoever opens, and whoever has had a
//! turn, waits the same time and so goes to its end. A channel that closes within 5 s therefore costs
//! its place and two links, and nothing is looked at before it is due.

use super::HEARTBEAT_NS;

/// No place.
const NONE: u32 = u32::MAX;

/// The open channels of one side, each with a note of its owner's.
#[derive(Debug)]
pub(super) struct Channels<T> {
    places: Vec<Place<T>>,
    free: u32,
    first: u32,
    last: u32,
    open: usize,
}

#[derive(Debug)]
struct Place<T> {
    before: u32,
    /// The next in the line; for a free place the next free one.
    after: u32,
    due_ns: u64,
    heard_ns: Option<u64>,
    passive: bool,
    note: Option<T>,
}

/// What a channel that came due has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Send a heartbeat.
    Beat(u32),
    /// Give the other side up.
    Lost(u32),
}

impl<T> Channels<T> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), free: NONE, first: NONE, last: NONE, open: 0 }
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open
    }

    /// Opens a channel and says its place. A passive one (protocol version 1) neither beats nor is lost
    /// before it has heard the other side.
    pub(super) fn open(&mut self, now_ns: u64, passive: bool, note: T) -> u32 {
        let due_ns = now_ns.saturating_add(HEARTBEAT_NS);
        let place = Place { before: NONE, after: NONE, due_ns, heard_ns: None, passive, note: Some(note) };
        let slot = self.free;
        let slot = if let Some(free) = self.place(slot) {
            let after = free.after;
            *free = place;
            self.free = after;
            slot
        } else {
            self.places.push(place);
            u32::try_from(self.places.len() - 1).unwrap_or(NONE)
        };
        self.open += 1;
        self.append(slot);
        slot
    }

    /// Closes a channel and gives back its note.
    pub(super) fn close(&mut self, slot: u32) -> Option<T> {
        let note = self.place(slot)?.note.take()?;
        self.unlink(slot);
        let free = self.free;
        self.place(slot)?.after = free;
        self.free = slot;
        self.open -= 1;
        Some(note)
    }

    /// A channel's note.
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)?.note.as_ref()
    }

    /// A channel's note, to change.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.place(slot)?.note.as_mut()
    }

    /// The other side has given a sign of life.
    pub(super) fn heard(&mut self, slot: u32, now_ns: u64) {
        if let Some(place) = self.place(slot) {
            place.heard_ns = Some(now_ns);
        }
    }

    /// When the next channel comes due.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.places.get(self.first as usize).map(|place| place.due_ns)
    }

    /// The next channel that is due, which then waits another interval; a lost one is the caller's to
    /// close.
    pub(super) fn due(&mut self, now_ns: u64) -> Option<Due> {
        loop {
            let slot = self.first;
            let place = self.place(slot).filter(|place| place.due_ns <= now_ns)?;
            let late_ns = now_ns - place.due_ns;
            place.due_ns = now_ns.saturating_add(HEARTBEAT_NS);
            let heard_ns = match place.heard_ns {
                // Python's clock starts with the first interval, too: never heard is lost after three.
                None if !place.passive => *place.heard_ns.insert(now_ns),
                None => now_ns,
                Some(heard_ns) => heard_ns,
            };
            let silent = place.passive && place.heard_ns.is_none();
            self.unlink(slot);
            self.append(slot);
            if silent {
                continue;
            }
            // Whoever comes an interval late has slept, and what was sent meanwhile is still unread.
            let lost = now_ns.saturating_sub(heard_ns) >= 2 * HEARTBEAT_NS && late_ns < HEARTBEAT_NS;
            return Some(if lost { Due::Lost(slot) } else { Due::Beat(slot) });
        }
    }

    /// The open channels, the last in the line first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u32> + '_ {
        let before = |slot: &u32| self.places.get(*slot as usize).map(|place| place.before);
        let last = (self.last != NONE).then_some(self.last);
        std::iter::successors(last, move |slot| before(slot).filter(|slot| *slot != NONE))
    }

    fn place(&mut self, slot: u32) -> Option<&mut Place<T>> {
        self.places.get_mut(slot as usize)
    }

    fn append(&mut self, slot: u32) {
        let last = self.last;
        if let Some(place) = self.place(slot) {
            (place.before, place.after) = (last, NONE);
        }
        match self.place(last) {
            Some(place) => place.after = slot,
            None => self.first = slot,
        }
        self.last = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Some(place) = self.place(slot) else { return };
        let (before, after) = (place.before, place.after);
        match self.place(before) {
            Some(place) => place.after = after,
            None => self.first = after,
        }
        match self.place(after) {
            Some(place) => place.before = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn all_due(channels: &mut Channels<char>, now_ns: u64) -> Vec<Due> {
        std::iter::from_fn(|| channels.due(now_ns)).collect()
    }

    #[test]
    fn the_first_heartbeat_is_due_after_five_seconds_and_the_next_five_later() {
        let mut channels = Channels::new();
        let a = channels.open(0, false, 'a');
        let b = channels.open(2 * S, false, 'b');
        assert_eq!(channels.next_due_ns(), Some(5 * S));
        assert_eq!(all_due(&mut channels, 5 * S - 1), []);
        assert_eq!(all_due(&mut channels, 5 * S), [Due::Beat(a)]);
        assert_eq!(all_due(&mut channels, 5 * S), []);
        assert_eq!(channels.next_due_ns(), Some(7 * S));
        assert_eq!(all_due(&mut channels, 10 * S), [Due::Beat(b), Due::Beat(a)]);
    }

    #[test]
    fn a_side_never_heard_is_lost_after_three_intervals() {
        let mut channels = Channels::new();
        let a = channels.open(0, false, 'a');
        assert_eq!(all_due(&mut channels, 5 * S), [Due::Beat(a)]);
        assert_eq!(all_due(&mut channels, 10 * S), [Due::Beat(a)]);
        assert_eq!(all_due(&mut channels, 15 * S), [Due::Lost(a)]);
    }

    #[test]
    fn a_side_heard_once_is_lost_when_two_intervals_were_silent() {
        let mut channels = Channels::new();
        let a = channels.open(0, false, 'a');
        for beat in 1..=20 {
            channels.heard(a, beat * 5 * S - 1);
            assert_eq!(all_due(&mut channels, beat * 5 * S), [Due::Beat(a)]);
        }
        assert_eq!(all_due(&mut channels, 105 * S), [Due::Beat(a)]);
        assert_eq!(all_due(&mut channels, 110 * S), [Due::Lost(a)]);
    }

    #[test]
    fn a_process_that_slept_asks_again_before_it_gives_up() {
        let mut channels = Channels::new();
        let a = channels.open(0, false, 'a');
        channels.heard(a, S);
        assert_eq!(all_due(&mut channels, 60 * S), [Due::Beat(a)]);
        channels.heard(a, 60 * S);
        assert_eq!(all_due(&mut channels, 65 * S), [Due::Beat(a)]);
    }

    #[test]
    fn a_passive_channel_waits_to_be_addressed() {
        let mut channels = Channels::new();
        let a = channels.open(0, true, 'a');
        assert_eq!(all_due(&mut channels, 5 * S), []);
        assert_eq!(all_due(&mut channels, 500 * S), []);
        channels.heard(a, 501 * S);
        assert_eq!(all_due(&mut channels, 505 * S), [Due::Beat(a)]);
        assert_eq!(all_due(&mut channels, 510 * S), [Due::Beat(a)]);
        assert_eq!(all_due(&mut channels, 515 * S), [Due::Lost(a)]);
    }

    #[test]
    fn places_are_reused_and_the_line_stays_whole() {
        let mut channels = Channels::new();
        let slots: Vec<u32> = (0..4).map(|at| channels.open(at * S, false, 'x')).collect();
        for slot in [slots[1], slots[3], slots[0]] {
            assert_eq!(channels.close(slot), Some('x'));
            assert_eq!(channels.close(slot), None);
        }
        assert_eq!(channels.newest_first().collect::<Vec<_>>(), [slots[2]]);
        let again = channels.open(4 * S, false, 'y');
        assert!(slots.contains(&again));
        assert_eq!(channels.newest_first().collect::<Vec<_>>(), [again, slots[2]]);
        assert_eq!(channels.len(), 2);
        assert_eq!(all_due(&mut channels, 20 * S), [Due::Beat(slots[2]), Due::Beat(again)]);
        assert_eq!(channels.get(again), Some(&'y'));
        assert_eq!(channels.get(NONE), None);
    }
}
