//! Which processes descend from a process, read from `/proc`. Reads only; signals nobody.

use std::collections::HashMap;

use procfs::process::{Process, all_processes};

/// Every living descendant of `pid`, itself excluded, parents before children.
///
/// Scans the whole of `/proc` (some milliseconds), because that is complete where the kernel's
/// list of children may miss some while others exit (proc(5), `/proc/pid/task/tid/children`).
#[must_use]
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let processes = all_processes().into_iter().flatten().flatten();
    for stat in processes.filter_map(|process| process.stat().ok()) {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    breadth_first(pid, |parent| children.remove(&parent).unwrap_or_default())
}

/// The descendants by the kernel's own lists: cheap enough to sample during a measurement, at the
/// price of missing a process now and then while others exit.
#[must_use]
pub fn descendants_at_a_glance(pid: i32) -> Vec<i32> {
    breadth_first(pid, |parent| {
        let tasks = Process::new(parent).and_then(|process| process.tasks());
        let children = tasks.into_iter().flatten().flatten().filter_map(|task| task.children().ok());
        children.flatten().filter_map(|child| i32::try_from(child).ok()).collect()
    })
}

fn breadth_first(root: i32, mut children: impl FnMut(i32) -> Vec<i32>) -> Vec<i32> {
    let mut found = children(root);
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn both_ways_find_children_and_grandchildren() {
        let mut child = Command::new("sh")
            .args(["-c", "sh -c 'echo $$; exec sleep 100' & wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let grandchild: i32 = line.trim().parse().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(descendants(pid), [grandchild]);
        assert_eq!(descendants_at_a_glance(pid), [grandchild]);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(descendants(own).contains(&grandchild));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(grandchild), nix::sys::signal::SIGKILL).unwrap();
        child.wait().unwrap();
    }
}
