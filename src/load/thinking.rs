//! A closed loop whose users think: each slot's next call is due when the think time after its last
//! answer is over. Between due and start it is an open loop in small: a pacer releases what is due,
//! lanes take it.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::task::{Context, Poll, Waker};

use super::source::{LATE_NS, Next, Released, Source};
use crate::clock::{PreciseTimer, now_ns};
use crate::rpc::random::Random;
use crate::scenario::ThinkTime;

/// Which calls a client thread makes, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Deal {
    /// The thread's first call.
    pub first: u64,
    /// From one of its calls to the next.
    pub step: u64,
    /// No call from this index on.
    pub end_index: u64,
    /// When the loop begins.
    pub begins_ns: u64,
    /// No call is due from this time on.
    pub ends_ns: u64,
}

/// The thinking closed loop of one client thread.
#[derive(Debug)]
pub struct Thinking {
    deal: Deal,
    next_index: u64,
    think: ThinkTime,
    random: Random,
    /// Calls whose user still thinks: due time and index.
    later: BinaryHeap<Reverse<(u64, u64)>>,
    /// Calls that are due.
    queue: VecDeque<Released>,
    in_flight: usize,
    /// Users that there should be, and those that there are.
    users: usize,
    present: usize,
    parked: Vec<Waker>,
    pacer: Option<Waker>,
    /// Whether users may still come ([`Self::set_users`]).
    steps_ahead: bool,
    /// Calls that were released more than 200 µs late.
    pub late: u64,
}

impl Thinking {
    /// A loop of `users` users of this thread. The think time before a call follows from the seed and
    /// the call's index. The first calls come spread over the think time: the one with index i after
    /// i ÷ `all_users` of its own, so that users who think equally long do not all ask at once.
    #[must_use]
    pub fn new(think: ThinkTime, seed: u64, deal: Deal, users: usize, all_users: u32) -> Self {
        let mut thinking = Self {
            deal,
            next_index: deal.first,
            think,
            random: Random::labelled(seed, "think time"),
            later: BinaryHeap::new(),
            queue: VecDeque::new(),
            in_flight: 0,
            users,
            present: 0,
            parked: Vec::new(),
            pacer: None,
            steps_ahead: false,
            late: 0,
        };
        for _ in 0..users {
            #[allow(clippy::cast_precision_loss)]
            let share = thinking.next_index as f64 / f64::from(all_users.max(1));
            thinking.arrive(deal.begins_ns, share);
        }
        thinking
    }

    /// Says that the number of users will still change.
    pub fn expect_steps(&mut self) {
        self.steps_ahead = true;
    }

    /// Changes the number of users from `at_ns` on. New ones ask at once. Of those beyond it, the ones
    /// who would think longest leave, and then others when their call is over. `is_last` says that it
    /// will not change again.
    pub fn set_users(&mut self, users: usize, at_ns: u64, is_last: bool) {
        self.users = users;
        self.steps_ahead = !is_last;
        let too_many = self.present.saturating_sub(users);
        if too_many > 0 {
            let mut thinking = std::mem::take(&mut self.later).into_vec();
            // Reversed, so that the latest come first.
            thinking.sort_unstable();
            let leaving = too_many.min(thinking.len());
            self.later = thinking.drain(leaving..).collect();
            self.present -= leaving;
        }
        while self.present < users {
            if !self.arrive(at_ns, 0.0) {
                break;
            }
        }
        self.tell();
    }

    /// A user who comes to make calls; `share` of the first think time is still to go.
    fn arrive(&mut self, at_ns: u64, share: f64) -> bool {
        let arrived = self.ask_after(at_ns, share);
        self.present += usize::from(arrived);
        arrived
    }

    /// Puts the next call behind `share` of its think time; says whether there is one.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn ask_after(&mut self, at_ns: u64, share: f64) -> bool {
        let index = self.next_index;
        if index >= self.deal.end_index {
            return false;
        }
        let think_ns = self.think.draw(&mut self.random.at(index));
        let think_ns = if share < 1.0 { (think_ns as f64 * share) as u64 } else { think_ns };
        let due_ns = at_ns.saturating_add(think_ns);
        if due_ns >= self.deal.ends_ns {
            return false;
        }
        self.next_index += self.deal.step;
        self.later.push(Reverse((due_ns, index)));
        true
    }

    /// A call is over at `at_ns`: its user thinks, or leaves.
    pub(super) fn completed(&mut self, at_ns: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.present > self.users || !self.ask_after(at_ns, 1.0) {
            self.present = self.present.saturating_sub(1);
        }
        self.tell();
    }

    /// Lets the pacer look again, and at the end the lanes.
    fn tell(&mut self) {
        if self.is_finished() {
            self.parked.drain(..).for_each(Waker::wake);
        }
        if let Some(pacer) = self.pacer.take() {
            pacer.wake();
        }
    }

    fn is_finished(&self) -> bool {
        self.later.is_empty() && self.queue.is_empty() && self.in_flight == 0 && !self.steps_ahead
    }

    /// When the next call is due; `None` while all calls are under way.
    fn next_due_ns(&self) -> Option<u64> {
        self.later.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// Releases what is due at `ready_ns`.
    pub fn release_due(&mut self, ready_ns: u64) {
        while let Some(Reverse((due_ns, index))) = self.later.peek().copied() {
            if due_ns > ready_ns {
                break;
            }
            self.later.pop();
            self.late += u64::from(ready_ns - due_ns > LATE_NS);
            self.queue.push_back(Released { index, due_ns, ready_ns });
            if let Some(waker) = self.parked.pop() {
                waker.wake();
            }
        }
    }

    /// The next call for a lane with a free slot.
    pub(super) fn next(&mut self) -> Next {
        match self.queue.pop_front() {
            Some(call) => {
                self.in_flight += 1;
                Next::Call(call)
            }
            None if self.is_finished() => Next::Done,
            None => Next::Park,
        }
    }

    pub(super) fn has_call(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn parked(&mut self) -> &mut Vec<Waker> {
        &mut self.parked
    }
}

/// Ready when something is due at another time than `known_ns`, with the time, or `None` for the end.
fn poll_change(source: &RefCell<Source>, known_ns: Option<u64>, cx: &Context<'_>) -> Poll<Option<u64>> {
    let mut source = source.borrow_mut();
    let Source::Thinking(thinking) = &mut *source else { return Poll::Ready(None) };
    if thinking.is_finished() {
        return Poll::Ready(None);
    }
    match thinking.next_due_ns() {
        Some(due_ns) if Some(due_ns) != known_ns => Poll::Ready(Some(due_ns)),
        _ => {
            thinking.pacer = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}

/// Releases the calls of a thinking loop when they are due, until it is over; `spun_ns` counts how
/// long it polled for the last part of a wait ([`super::pacer`] says why).
///
/// # Errors
/// The system arms no timer.
pub(super) async fn pace(
    source: &RefCell<Source>,
    spin_ns: u64,
    spun_ns: &std::cell::Cell<u64>,
) -> io::Result<()> {
    let mut timer = PreciseTimer::new()?;
    loop {
        let Some(due_ns) = std::future::poll_fn(|cx| poll_change(source, None, cx)).await else {
            return Ok(());
        };
        let at_ns = now_ns();
        if at_ns.saturating_add(spin_ns) < due_ns {
            // Somebody who thinks shorter may come in between.
            std::future::poll_fn(|cx| match poll_change(source, Some(due_ns), cx) {
                Poll::Ready(_) => Poll::Ready(Ok(())),
                Poll::Pending => timer.poll_until(cx, due_ns - spin_ns),
            })
            .await?;
            continue;
        }
        if at_ns < due_ns {
            tokio::task::yield_now().await;
            spun_ns.set(spun_ns.get() + now_ns().saturating_sub(at_ns));
            continue;
        }
        if let Source::Thinking(thinking) = &mut *source.borrow_mut() {
            thinking.release_due(at_ns);
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn deal(end_index: u64, ends_ns: u64) -> Deal {
        Deal { first: 0, step: 1, end_index, begins_ns: 0, ends_ns }
    }

    /// Runs a loop on a computed clock with a server that takes `service_ns`; due times by index.
    fn run(mut thinking: Thinking, service_ns: u64) -> Vec<(u64, u64)> {
        let mut due = Vec::new();
        let mut answers: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        loop {
            let at_ns = match (thinking.next_due_ns(), answers.peek().map(|Reverse(at_ns)| *at_ns)) {
                (None, None) => break,
                (due_ns, done_ns) => due_ns.unwrap_or(u64::MAX).min(done_ns.unwrap_or(u64::MAX)),
            };
            while answers.peek().is_some_and(|Reverse(done_ns)| *done_ns <= at_ns) {
                answers.pop();
                thinking.completed(at_ns);
            }
            thinking.release_due(at_ns);
            while let Next::Call(call) = thinking.next() {
                assert_eq!((call.due_ns, call.ready_ns), (at_ns, at_ns));
                due.push((call.index, call.due_ns));
                answers.push(Reverse(at_ns + service_ns));
            }
        }
        assert!(matches!(thinking.next(), Next::Done));
        due
    }

    #[test]
    fn a_call_is_due_a_think_time_after_the_answer_before() {
        let thinking = Thinking::new(ThinkTime::FixedNs(5 * MS), 1, deal(4, u64::MAX), 1, 1);
        assert_eq!(run(thinking, MS), [(0, 0), (1, 6 * MS), (2, 12 * MS), (3, 18 * MS)]);
    }

    #[test]
    fn no_call_is_due_after_the_end() {
        let thinking = Thinking::new(ThinkTime::FixedNs(5 * MS), 1, deal(u64::MAX, 12 * MS), 1, 1);
        assert_eq!(run(thinking, MS), [(0, 0), (1, 6 * MS)]);
    }

    #[test]
    fn users_who_think_equally_long_begin_apart() {
        let thinking = Thinking::new(ThinkTime::FixedNs(8 * MS), 1, deal(4, u64::MAX), 4, 4);
        assert_eq!(run(thinking, MS), [(0, 0), (1, 2 * MS), (2, 4 * MS), (3, 6 * MS)]);
    }

    #[test]
    fn the_rate_of_many_users_is_what_their_think_and_service_times_allow() {
        // Little's law: 50 users, each 9 ms thinking on average and 1 ms served: 5,000/s.
        for think in [ThinkTime::ExponentialNs(9 * MS), ThinkTime::UniformNs(0, 18 * MS)] {
            let thinking = Thinking::new(think, 3, deal(u64::MAX, 4_000 * MS), 50, 50);
            let rate = run(thinking, MS).len() as f64 / 4.0;
            assert!((rate / 5_000.0 - 1.0).abs() < 0.02, "{think:?}: {rate}");
        }
    }

    #[test]
    fn the_same_seed_thinks_equally_long_however_the_users_are_split_over_threads() {
        let think = ThinkTime::ExponentialNs(5 * MS);
        let draws = |first: u64, step: u64, users: usize| {
            let deal = Deal { first, step, end_index: 6, begins_ns: 0, ends_ns: u64::MAX };
            run(Thinking::new(think, 7, deal, users, 6), MS)
        };
        let mut split: Vec<(u64, u64)> = [draws(0, 2, 3), draws(1, 2, 3)].concat();
        split.sort_unstable();
        let mut whole = draws(0, 1, 6);
        whole.sort_unstable();
        assert_eq!(split, whole);
    }

    #[test]
    fn users_come_and_leave_with_the_steps_of_a_load() {
        let mut thinking = Thinking::new(ThinkTime::FixedNs(10 * MS), 1, deal(u64::MAX, 100 * MS), 1, 1);
        thinking.release_due(0);
        assert!(matches!(thinking.next(), Next::Call(_)));
        thinking.set_users(3, MS, false);
        thinking.release_due(MS);
        assert_eq!(thinking.queue.len(), 2, "two more came, and asked at once");
        while let Next::Call(_) = thinking.next() {}
        thinking.set_users(1, 2 * MS, true);
        for _ in 0..3 {
            thinking.completed(3 * MS);
        }
        assert_eq!((thinking.present, thinking.later.len()), (1, 1), "one is left, and thinks");
        thinking.set_users(3, 4 * MS, false);
        assert_eq!(thinking.later.len(), 3, "two came again, and are due at once");
        thinking.set_users(1, 4 * MS, true);
        assert_eq!((thinking.present, thinking.next_due_ns()), (1, Some(4 * MS)), "who thinks longest left");
    }

    #[test]
    fn late_releases_are_counted() {
        let mut thinking = Thinking::new(ThinkTime::FixedNs(MS), 1, deal(9, u64::MAX), 2, 2);
        thinking.release_due(LATE_NS + 1);
        assert_eq!(thinking.late, 1, "the second user still thinks");
    }
}
