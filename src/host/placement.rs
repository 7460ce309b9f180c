//! Which CPUs client, server and harness run on, and how a process is kept there.
//!
//! Where the two ends run decides the answer more than most protocols do, so it is chosen here and
//! recorded, never left to chance unless asked to (`free`).

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::rpc::Placement;

/// `split` where there are two cores, else `shared`.
#[must_use]
pub fn default_for(cores: usize) -> Placement {
    if cores >= 2 { Placement::Split } else { Placement::Shared }
}

/// The CPUs of each process; an empty list is no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The load generator's.
    pub client: Vec<usize>,
    /// The server's.
    pub server: Vec<usize>,
    /// The harness's own, away from both where there is a core to spare.
    pub harness: Vec<usize>,
}

/// A CPU this process may use, and the CPUs that are hardware threads of the same core (itself
/// among them, or empty where the machine does not say).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The kernel's number.
    pub number: usize,
    /// Threads of the same core.
    pub siblings: Vec<usize>,
}

/// A placement that this machine has no room for, or CPUs that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Too few CPUs to split.
    #[error(
        "placement \"split\" needs {needed} CPUs ({server} for the server, {client} for the client), \
         this process may use {allowed}: use placement \"shared\" or fewer threads"
    )]
    TooFew {
        /// All together.
        needed: usize,
        /// The server's threads.
        server: usize,
        /// The client's threads.
        client: usize,
        /// What there is.
        allowed: usize,
    },
    /// The kernel refused.
    #[error("cannot run on CPUs {cpus:?}: {reason}")]
    Refused {
        /// What was asked for.
        cpus: Vec<usize>,
        /// The kernel's words.
        reason: String,
    },
}

/// The CPUs that this process may use, in order.
///
/// # Errors
/// The kernel's refusal to tell.
pub fn allowed_cpus() -> Result<Vec<Cpu>, PlacementError> {
    let set = sched_getaffinity(Pid::from_raw(0))
        .map_err(|errno| PlacementError::Refused { cpus: Vec::new(), reason: errno.to_string() })?;
    let allowed = (0..CpuSet::count()).filter(|&number| set.is_set(number).unwrap_or(false));
    Ok(allowed.map(|number| Cpu { number, siblings: siblings(number) }).collect())
}

fn siblings(number: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list");
    fs::read_to_string(path).map(|text| parse_list(text.trim())).unwrap_or_default()
}

/// The kernel's list format: `0,4-6`.
pub(super) fn parse_list(text: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cpus.extend(first..=last.min(first.saturating_add(CpuSet::count())));
        }
    }
    cpus
}

/// Deals the allowed CPUs: the server gets the last ones, the client the last of the rest, if
/// possible not hardware threads of the server's cores, and the harness what remains.
///
/// The last ones, because CPU 0 serves more interrupts than others on most machines.
///
/// # Errors
/// [`PlacementError::TooFew`] for `split` on too few CPUs.
pub fn assign(
    placement: Placement,
    allowed: &[Cpu],
    client_threads: usize,
    server_threads: usize,
) -> Result<Assignment, PlacementError> {
    let (client_threads, server_threads) = (client_threads.max(1), server_threads.max(1));
    let last_first: Vec<&Cpu> = allowed.iter().rev().collect();
    match placement {
        Placement::Free => Ok(Assignment::default()),
        Placement::Shared => {
            let shared: Vec<usize> = last_first.iter().take(1).map(|cpu| cpu.number).collect();
            let harness = remaining(allowed, &shared);
            Ok(Assignment { client: shared.clone(), server: shared, harness })
        }
        Placement::Split => {
            let needed = client_threads.saturating_add(server_threads);
            if needed > last_first.len() {
                return Err(PlacementError::TooFew {
                    needed,
                    server: server_threads,
                    client: client_threads,
                    allowed: last_first.len(),
                });
            }
            let (server, mut rest) = last_first.split_at(server_threads);
            let server_numbers: Vec<usize> = server.iter().map(|cpu| cpu.number).collect();
            let near = |cpu: &Cpu| cpu.siblings.iter().any(|number| server_numbers.contains(number));
            let mut ordered: Vec<&Cpu> = Vec::with_capacity(rest.len());
            ordered.extend(rest.iter().copied().filter(|cpu| !near(cpu)));
            ordered.extend(rest.iter().copied().filter(|cpu| near(cpu)));
            rest = &ordered;
            let client: Vec<usize> = rest.iter().take(client_threads).map(|cpu| cpu.number).collect();
            let taken: Vec<usize> = server_numbers.iter().chain(&client).copied().collect();
            let harness = remaining(allowed, &taken);
            Ok(Assignment { client, server: server_numbers, harness })
        }
    }
}

fn remaining(allowed: &[Cpu], taken: &[usize]) -> Vec<usize> {
    allowed.iter().map(|cpu| cpu.number).filter(|number| !taken.contains(number)).collect()
}

/// Keeps the calling thread, and the threads and processes it starts from now on, on `cpus`.
/// An empty list changes nothing.
///
/// # Errors
/// [`PlacementError::Refused`] where the kernel refuses (no such CPU, not allowed here).
pub fn pin_self(cpus: &[usize]) -> Result<(), PlacementError> {
    if cpus.is_empty() {
        return Ok(());
    }
    let refused = |errno: nix::errno::Errno| PlacementError::Refused {
        cpus: cpus.to_vec(),
        reason: errno.desc().to_string(),
    };
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu).map_err(refused)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(count: usize) -> Vec<Cpu> {
        (0..count).map(|number| Cpu { number, siblings: vec![number] }).collect()
    }

    fn assignment(client: &[usize], server: &[usize], harness: &[usize]) -> Assignment {
        Assignment { client: client.into(), server: server.into(), harness: harness.into() }
    }

    #[test]
    fn shared_puts_both_on_the_last_core_and_the_harness_elsewhere() {
        assert_eq!(assign(Placement::Shared, &cpus(2), 1, 1).unwrap(), assignment(&[1], &[1], &[0]));
        assert_eq!(assign(Placement::Shared, &cpus(1), 1, 1).unwrap(), assignment(&[0], &[0], &[]));
    }

    #[test]
    fn split_gives_each_its_own_cores() {
        assert_eq!(assign(Placement::Split, &cpus(2), 1, 1).unwrap(), assignment(&[0], &[1], &[]));
        assert_eq!(assign(Placement::Split, &cpus(4), 1, 1).unwrap(), assignment(&[2], &[3], &[0, 1]));
        assert_eq!(assign(Placement::Split, &cpus(4), 1, 2).unwrap(), assignment(&[1], &[3, 2], &[0]));
    }

    #[test]
    fn split_avoids_the_second_thread_of_the_servers_core_if_it_can() {
        let adjacent: Vec<Cpu> =
            (0..4).map(|number| Cpu { number, siblings: vec![number & !1, number | 1] }).collect();
        assert_eq!(assign(Placement::Split, &adjacent, 1, 1).unwrap(), assignment(&[1], &[3], &[0, 2]));
        assert_eq!(assign(Placement::Split, &adjacent[2..], 1, 1).unwrap(), assignment(&[2], &[3], &[]));
    }

    #[test]
    fn split_is_refused_on_one_core_and_not_the_default_there() {
        let error = assign(Placement::Split, &cpus(1), 1, 1).unwrap_err();
        assert!(error.to_string().contains("use placement \"shared\""), "{error}");
        assert_eq!(default_for(1), Placement::Shared);
        assert_eq!(default_for(2), Placement::Split);
    }

    #[test]
    fn free_restricts_nobody() {
        assert_eq!(assign(Placement::Free, &cpus(4), 1, 1).unwrap(), Assignment::default());
    }

    #[test]
    fn the_kernels_lists_are_read() {
        assert_eq!(parse_list("0,4-6"), [0, 4, 5, 6]);
        assert_eq!(parse_list(""), Vec::<usize>::new());
    }

    #[test]
    fn a_thread_can_be_pinned_and_an_impossible_cpu_is_refused() {
        // In a thread of its own, so that other tests keep their CPUs.
        std::thread::spawn(|| {
            let last = allowed_cpus().unwrap().last().unwrap().number;
            pin_self(&[last]).unwrap();
            let now: Vec<usize> = allowed_cpus().unwrap().iter().map(|cpu| cpu.number).collect();
            assert_eq!(now, [last]);
            assert!(pin_self(&[1_000_000]).is_err());
        })
        .join()
        .unwrap();
    }
}
