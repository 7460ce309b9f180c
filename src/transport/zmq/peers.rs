//! Numbers for a ROUTER's peers, which have identities of up to 255 bytes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::backlog::{Backlog, Queue};

/// Peers remembered at once; beyond it the longest idle one is forgotten. Half of a number is a place in
/// the table, the other half tells the place's successive owners apart, so that a late reply never
/// reaches a stranger.
pub(super) const MAX_PEERS: usize = 1 << 16;

/// The peers of a socket.
#[derive(Debug)]
pub(super) struct Peers {
    limit: usize,
    numbers: HashMap<Bytes, u32>,
    places: Vec<Place>,
    free: Vec<u16>,
    backlog: Arc<Backlog>,
    ticks: u64,
    /// The number of the peer that was heard last: messages of one peer come in rows, and comparing
    /// costs less than hashing.
    last: u32,
}

#[derive(Debug)]
struct Place {
    generation: u16,
    peer: Option<Peer>,
}

#[derive(Debug)]
struct Peer {
    identity: Bytes,
    queue: Arc<Queue>,
    heard: u64,
}

impl Peers {
    pub(super) fn new(limit: usize, backlog: Arc<Backlog>) -> Self {
        Self {
            limit: limit.clamp(1, MAX_PEERS),
            numbers: HashMap::new(),
            places: Vec::new(),
            free: Vec::new(),
            backlog,
            ticks: 0,
            last: 0,
        }
    }

    /// The number of a peer that was just heard.
    pub(super) fn number(&mut self, identity: &Bytes) -> u32 {
        self.ticks += 1;
        let is_last = self.get(self.last).is_some_and(|(last, _)| last == identity);
        let known = if is_last { Some(&self.last) } else { self.numbers.get(identity) };
        if let Some(&number) = known {
            self.last = number;
            let (place, _) = split(number);
            if let Some(peer) = self.places.get_mut(place).and_then(|place| place.peer.as_mut()) {
                peer.heard = self.ticks;
            }
            return number;
        }
        if self.numbers.len() >= self.limit {
            self.forget_longest_idle();
        }
        // A copy: the frame may be a slice of a large read buffer.
        let identity = Bytes::copy_from_slice(identity);
        let peer = Peer { identity: identity.clone(), queue: Queue::new(&self.backlog), heard: self.ticks };
        let number = self.settle(peer);
        self.numbers.insert(identity, number);
        number
    }

    /// Where a reply to a number goes; `None` where the peer is forgotten.
    pub(super) fn get(&self, number: u32) -> Option<(&Bytes, &Arc<Queue>)> {
        let (place, generation) = split(number);
        let place = self.places.get(place).filter(|place| place.generation == generation)?;
        place.peer.as_ref().map(|peer| (&peer.identity, &peer.queue))
    }

    /// The peer has left.
    pub(super) fn forget(&mut self, identity: &[u8]) {
        let Some(number) = self.numbers.remove(identity) else { return };
        let (index, _) = split(number);
        if let Some(place) = self.places.get_mut(index) {
            place.peer = None;
            place.generation = place.generation.wrapping_add(1);
            #[allow(clippy::cast_possible_truncation)] // MAX_PEERS places
            self.free.push(index as u16);
        }
    }

    fn settle(&mut self, peer: Peer) -> u32 {
        if let Some(index) = self.free.pop()
            && let Some(place) = self.places.get_mut(usize::from(index))
        {
            place.peer = Some(peer);
            return join(index, place.generation);
        }
        #[allow(clippy::cast_possible_truncation)] // at most MAX_PEERS places
        let index = self.places.len() as u16;
        self.places.push(Place { generation: 0, peer: Some(peer) });
        join(index, 0)
    }

    fn forget_longest_idle(&mut self) {
        let peers = self.places.iter().filter_map(|place| place.peer.as_ref());
        if let Some(idle) = peers.min_by_key(|peer| peer.heard).map(|peer| peer.identity.clone()) {
            self.forget(&idle);
        }
    }
}

fn join(index: u16, generation: u16) -> u32 {
    u32::from(generation) << 16 | u32::from(index)
}

fn split(number: u32) -> (usize, u16) {
    #[allow(clippy::cast_possible_truncation)] // the two halves
    let halves = (number as u16, (number >> 16) as u16);
    (usize::from(halves.0), halves.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(limit: usize) -> Peers {
        Peers::new(limit, Arc::new(Backlog::default()))
    }

    #[test]
    fn a_peer_keeps_its_number_until_it_leaves() {
        let mut peers = peers(10);
        let (a, b) = (Bytes::from_static(b"a"), Bytes::from_static(b"b"));
        let (first, second) = (peers.number(&a), peers.number(&b));
        assert_eq!(peers.number(&a), first);
        assert_ne!(first, second);
        assert_eq!(peers.get(first).unwrap().0, &a);
        peers.forget(&a);
        peers.forget(b"stranger");
        assert!(peers.get(first).is_none());
        let again = peers.number(&a);
        assert_ne!(again, first, "the place has a new owner");
        assert!(peers.get(first).is_none());
    }

    #[test]
    fn beyond_the_limit_the_longest_idle_peer_is_forgotten() {
        let mut peers = peers(2);
        let names: Vec<Bytes> =
            ["a", "b", "c"].iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
        let (a, b) = (peers.number(&names[0]), peers.number(&names[1]));
        peers.number(&names[0]);
        let c = peers.number(&names[2]);
        assert!(peers.get(a).is_some() && peers.get(c).is_some());
        assert!(peers.get(b).is_none());
    }
}
