//! A lane: one connection and the calls in flight on it. The driver is a task per lane; closed and
//! open loop, persistent and per-call connections are the same code over another source.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::link::{Link, connect, traffic};
use super::patience::Patience;
use super::phase::{Client, Phase, Started, settle};
use super::source::{Next, Released};
use crate::clock::now_ns;
use crate::rpc::{CallError, ErrorClass};
use crate::transport::Connection;

/// Takes at most this many turns before other tasks of the thread get theirs.
const TURNS_PER_POLL: usize = 32;
/// After a failed connection the next one waits, so that a dead server is not hammered.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);

/// Why a phase ends in which a lane died.
pub(super) const LANE_PANICKED: &str = "a lane panicked; this is a fault of Wirebench";

/// Whether a lane gives its connection calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intake {
    /// It does.
    Open,
    /// The connection did not take one: not until it has answered another, or the janitor comes.
    Paused,
    /// The connection takes no more: it answers what it has, and a new one takes its place.
    Closed,
}

/// A lane in one phase.
pub(super) struct Lane {
    client: Rc<Client>,
    phase: Rc<Phase>,
    link: Link,
    intake: Intake,
    /// Calls in flight, by the session's slot.
    started: Vec<Option<Started>>,
    /// Calls that wait for the connection.
    waiting: Vec<Started>,
    in_flight: usize,
    janitor: tokio::time::Interval,
    next_tick_ns: Option<u64>,
    source_is_done: bool,
    /// Traffic of the current connection that was there before the phase.
    traffic_before: (u64, u64),
}

impl Lane {
    pub(super) fn new(client: Rc<Client>, phase: Rc<Phase>, link: Link) -> Self {
        let started = (0..client.in_flight).map(|_| None).collect();
        // Time-outs and heartbeats need no precision: twenty looks per time-out.
        let period = Duration::from_nanos((client.timeout_ns / 20).clamp(5_000_000, 250_000_000));
        let mut janitor = tokio::time::interval(period);
        janitor.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let traffic_before = traffic(&link);
        Self {
            client,
            phase,
            link,
            intake: Intake::Open,
            started,
            waiting: Vec::new(),
            in_flight: 0,
            janitor,
            next_tick_ns: Some(0),
            source_is_done: false,
            traffic_before,
        }
    }

    /// Makes calls until the source has no more and every answer is there; gives the link back.
    pub(super) async fn run(mut self) -> Link {
        std::future::poll_fn(|cx| self.poll(cx)).await;
        self.account_traffic();
        std::mem::take(&mut self.link)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_PER_POLL {
            let mut progressed = self.advance_link(cx);
            if self.in_flight == 0 {
                // A connection that the peer closed while nothing was in flight must not get a call.
                progressed |= self.poll_session(cx);
            }
            progressed |= self.take_calls(cx);
            progressed |= self.poll_session(cx);
            progressed |= self.leave_when_drained();
            if self.janitor.poll_tick(cx).is_ready() {
                self.clean_up(now_ns());
                progressed = true;
            }
            if self.phase.results.borrow().gave_up.is_some() {
                self.fail_all(&CallError::Reset { reason: "the round was given up".into() });
                return Poll::Ready(());
            }
            if self.source_is_done && self.in_flight == 0 {
                return Poll::Ready(());
            }
            if !progressed {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Brings the connection up where a call waits for it.
    fn advance_link(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match &mut self.link {
                Link::Up(_) => return false,
                Link::Down if self.waiting.is_empty() => return false,
                Link::Down => self.link = connect(&self.client),
                Link::Pausing(pause) => match pause.as_mut().poll(cx) {
                    Poll::Pending => return false,
                    Poll::Ready(()) => self.link = Link::Down,
                },
                Link::Connecting(connecting) => match connecting.as_mut().poll(cx) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(connection)) => {
                        self.connected(connection);
                        return true;
                    }
                    Poll::Ready(Err(error)) => {
                        self.connect_failed(&crate::protocol::call_error(error));
                        return true;
                    }
                },
            }
        }
    }

    fn connected(&mut self, connection: Box<dyn Connection>) {
        let session = self.client.session(connection);
        self.client.opened(session.opening(), self.phase.is_warmup);
        {
            let mut results = self.phase.results.borrow_mut();
            results.patience.connected();
            let opening = session.opening();
            results.openings.add(opening.resolve_ns, opening.connect_ns, opening.handshake_ns);
        }
        self.traffic_before = (0, 0);
        self.link = Link::Up(session);
        let connected_ns = now_ns();
        for call in std::mem::take(&mut self.waiting) {
            if self.intake == Intake::Closed {
                self.waiting.push(call);
            } else {
                self.submit(Started { connected_ns, ..call });
            }
        }
    }

    fn connect_failed(&mut self, error: &CallError) {
        self.link = Link::Pausing(Box::pin(tokio::time::sleep(RECONNECT_PAUSE)));
        for call in std::mem::take(&mut self.waiting) {
            self.failed(&call, error);
        }
        let results = &mut *self.phase.results.borrow_mut();
        results.give_up(|patience| patience.connect_failed(error));
    }

    /// Takes calls from the source while there are free slots and the connection takes them, and writes
    /// them in batches.
    fn take_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut taken = 0;
        while self.in_flight < self.client.in_flight && !self.source_is_done && self.intake == Intake::Open {
            let start_ns = now_ns();
            // Bound first: the source must not stay borrowed while the call is made.
            let next = self.phase.source.borrow_mut().next(start_ns, cx);
            match next {
                Next::Park => break,
                Next::Done => self.source_is_done = true,
                Next::Call(released) => {
                    self.start(released, start_ns);
                    taken += 1;
                    if taken % self.client.write_batch == 0
                        && let Link::Up(session) = &mut self.link
                    {
                        // A connection that is over says so when it is polled.
                        let _ = session.poll_flush(cx);
                    }
                }
            }
        }
        if self.in_flight == self.client.in_flight || self.intake != Intake::Open {
            self.phase.source.borrow_mut().pass_on();
        }
        taken > 0
    }

    fn start(&mut self, released: Released, start_ns: u64) {
        let generator = &self.client.generator;
        let planned = if self.phase.is_warmup {
            generator.warmup_call(released.index)
        } else {
            generator.call(released.index)
        };
        let (method, variant) = (planned.method, planned.variant);
        self.in_flight += 1;
        self.phase.results.borrow_mut().first_start_ns.get_or_insert(start_ns);
        let connected_ns = start_ns;
        let call = Started { released, method, variant, start_ns, connected_ns, ..Started::default() };
        if matches!(self.link, Link::Up(_)) {
            self.submit(call);
        } else {
            self.waiting.push(call);
            if matches!(self.link, Link::Down) {
                self.link = connect(&self.client);
            }
        }
    }

    fn submit(&mut self, mut call: Started) {
        let Link::Up(session) = &mut self.link else {
            self.waiting.push(call);
            return;
        };
        let arguments = self.client.generator.arguments(call.method, call.variant);
        match session.submit(call.method, arguments, call.start_ns) {
            Ok(submitted) => {
                call.id = Some(submitted.id);
                call.encoded_request = submitted.encoded_bytes as u64;
                self.started[submitted.id.slot()] = Some(call);
            }
            Err(error) => self.refused(call, &error),
        }
    }

    /// The connection did not take a call. Where it takes no more at all, a new one does: the call waits
    /// for it while the others are answered. Else the call itself does not fit.
    fn refused(&mut self, call: Started, error: &CallError) {
        if matches!(error, CallError::Reset { .. } | CallError::Connect { .. }) {
            return self.unsent(call, error);
        }
        self.phase.results.borrow_mut().give_up(|patience| patience.refused(error));
        self.failed(&call, error);
        if self.client.per_call {
            self.drop_link();
        } else {
            self.intake = Intake::Paused;
        }
    }

    /// A call waits for another connection, since this one takes no more. That is one refusal, however many
    /// calls it had.
    fn unsent(&mut self, call: Started, error: &CallError) {
        if self.intake != Intake::Closed {
            self.phase.results.borrow_mut().give_up(|patience| patience.refused(error));
        }
        self.intake = Intake::Closed;
        self.waiting.push(Started { id: None, ..call });
    }

    /// Leaves a connection that takes no more calls and has answered those that it had.
    fn leave_when_drained(&mut self) -> bool {
        if self.intake != Intake::Closed || self.in_flight > self.waiting.len() {
            return false;
        }
        self.drop_link();
        if self.phase.results.borrow().patience.is_refused_again() {
            self.link = Link::Pausing(Box::pin(tokio::time::sleep(RECONNECT_PAUSE)));
        }
        true
    }

    /// Polls the connection and settles what it delivers.
    fn poll_session(&mut self, cx: &mut Context<'_>) -> bool {
        let Link::Up(session) = &mut self.link else { return false };
        let mut settled = 0;
        let mut unsent = Vec::new();
        let (client, phase, started) = (&self.client, &self.phase, &mut self.started);
        let polled = session.poll(cx, &mut |answered| match answered.outcome {
            Err(error) if answered.is_unsent => {
                unsent.extend(started.get_mut(answered.id.slot()).and_then(Option::take).zip(Some(error)));
            }
            _ => settled += usize::from(settle(client, phase, started, &answered)),
        });
        self.in_flight -= settled;
        for (call, error) in unsent {
            self.unsent(call, &error);
        }
        if settled > 0 && self.intake == Intake::Paused {
            self.intake = Intake::Open;
        }
        match polled {
            Poll::Pending if settled > 0 && self.client.per_call => {
                self.drop_link();
                true
            }
            Poll::Pending => settled > 0,
            Poll::Ready(error) => {
                self.drop_link();
                self.fail_started(&error);
                true
            }
        }
    }

    /// Ends time-outs and lets the envelope do what time demands.
    fn clean_up(&mut self, at_ns: u64) {
        self.time_out_waiting(at_ns);
        if self.intake == Intake::Paused {
            self.intake = Intake::Open;
        }
        let Link::Up(session) = &mut self.link else { return };
        let mut is_usable = true;
        let mut timed = Vec::new();
        for slot in &mut self.started {
            let is_late = slot
                .as_ref()
                .is_some_and(|call| at_ns.saturating_sub(call.start_ns) > self.client.timeout_ns);
            if is_late && let Some(call) = slot.take() {
                if let Some(id) = call.id {
                    is_usable &= session.cancel(id);
                }
                timed.push(call);
            }
        }
        let mut lost = 0;
        if self.next_tick_ns.is_some_and(|next_ns| next_ns <= at_ns) {
            let (client, phase, started) = (&self.client, &self.phase, &mut self.started);
            let next_ns = session.tick(at_ns, &mut |answered| {
                lost += usize::from(settle(client, phase, started, &answered));
            });
            self.in_flight -= lost;
            // Calls that start later may want a tick before the one that was asked for.
            self.next_tick_ns = Some(next_ns.unwrap_or(at_ns).min(at_ns + 1_000_000_000));
        }
        for _ in 0..lost {
            self.phase.results.borrow_mut().give_up(Patience::unanswered);
        }
        let is_one_over = lost > 0 || !timed.is_empty();
        for call in timed {
            self.failed(&call, &timed_out(self.client.timeout_ns));
        }
        if !is_usable {
            self.drop_link();
            self.fail_started(&CallError::Reset { reason: "a call timed out on the same connection".into() });
        } else if is_one_over && self.client.per_call {
            self.drop_link();
        }
    }

    /// Ends the calls that have waited too long for a connection. One that is still on its way then is
    /// tried anew.
    fn time_out_waiting(&mut self, at_ns: u64) {
        let limit_ns = self.client.timeout_ns;
        let is_late = |call: &mut Started| at_ns.saturating_sub(call.start_ns) > limit_ns;
        let late: Vec<Started> = self.waiting.extract_if(.., is_late).collect();
        if !late.is_empty() && !matches!(self.link, Link::Up(_)) {
            self.link = Link::Down;
        }
        for call in late {
            self.failed(&call, &timed_out(limit_ns));
        }
    }

    fn fail_started(&mut self, error: &CallError) {
        for slot in 0..self.started.len() {
            if let Some(call) = self.started[slot].take() {
                self.failed(&call, error);
            }
        }
    }

    fn fail_all(&mut self, error: &CallError) {
        self.fail_started(error);
        for call in std::mem::take(&mut self.waiting) {
            self.failed(&call, error);
        }
    }

    fn failed(&mut self, call: &Started, error: &CallError) {
        self.in_flight -= 1;
        let mut results = self.phase.results.borrow_mut();
        results.tally.failed(call.method, error);
        let at_ns = now_ns();
        results.last_done_ns = at_ns;
        if error.class() == ErrorClass::Timeout {
            results.give_up(Patience::unanswered);
        }
        drop(results);
        if let Some(stages) = &self.phase.stages {
            stages.failed(call.released.due_ns, error.class());
        }
        self.phase.source.borrow_mut().completed(at_ns);
    }

    fn drop_link(&mut self) {
        self.account_traffic();
        self.link = Link::Down;
        self.intake = Intake::Open;
        self.traffic_before = (0, 0);
    }

    fn account_traffic(&mut self) {
        let (sent, received) = traffic(&self.link);
        let mut results = self.phase.results.borrow_mut();
        results.sent_bytes += sent - self.traffic_before.0;
        results.received_bytes += received - self.traffic_before.1;
        self.traffic_before = (sent, received);
    }
}

impl Drop for Lane {
    /// A lane that dies takes its calls with it: the others must not wait for them.
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(mut results) = self.phase.results.try_borrow_mut()
        {
            results.gave_up.get_or_insert_with(|| LANE_PANICKED.into());
        }
    }
}

fn timed_out(limit_ns: u64) -> CallError {
    CallError::Timeout { after_ms: limit_ns / 1_000_000 }
}
