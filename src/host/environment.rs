//! The machine that a run was made on: everything about it that influences a figure.
//!
//! What the machine does not tell stays absent; nothing is guessed.

use std::fs;
use std::path::Path;

use super::placement;
use crate::result::Environment;

/// Asks this machine.
#[must_use]
pub fn environment() -> Environment {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpus = "/sys/devices/system/cpu";
    let allowed = placement::allowed_cpus().unwrap_or_default();
    let allowed_cpus: Vec<usize> = allowed.iter().map(|cpu| cpu.number).collect();
    let online = line(format!("{cpus}/online")).map(|list| placement::parse_list(&list).len());
    Environment {
        cpu: field(&cpuinfo, "model name").or_else(|| field(&cpuinfo, "Model")),
        cores: online.filter(|&cores| cores > 0).or(Some(allowed_cpus.len())).map(|cores| cores as u64),
        allowed_cpus,
        smt: line(format!("{cpus}/smt/active")).map(|active| active == "1"),
        virtualization: virtualization(&cpuinfo),
        os: os_name(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        kernel: line("/proc/sys/kernel/osrelease"),
        clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        governor: line(format!("{cpus}/cpu0/cpufreq/scaling_governor")),
        cpuidle_governor: line(format!("{cpus}/cpuidle/current_governor_ro"))
            .or_else(|| line(format!("{cpus}/cpuidle/current_governor"))),
        memory_bytes: memory_bytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        container_cpu_quota: container_cpu_quota(),
        build_profile: Some(if cfg!(debug_assertions) { "debug" } else { "release" }.into()),
        ..Environment::default()
    }
}

fn line(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.lines().next()?.trim();
    (!text.is_empty()).then(|| text.to_string())
}

/// `name : value`, as in `/proc/cpuinfo`.
fn field(text: &str, name: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    values.next().filter(|value| !value.is_empty()).map(str::to_string)
}

fn virtualization(cpuinfo: &str) -> Option<String> {
    let flags = field(cpuinfo, "flags")?;
    if !flags.split_whitespace().any(|flag| flag == "hypervisor") {
        return Some("none".into());
    }
    let vendor = line("/sys/class/dmi/id/sys_vendor").or_else(|| line("/sys/hypervisor/type"));
    Some(vendor.unwrap_or_else(|| "unnamed hypervisor".into()))
}

fn os_name(release: &str) -> Option<String> {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_string())
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kib = field(meminfo, "MemTotal")?;
    kib.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The tightest quota from our control group up to the root: version 2's `cpu.max`, else
/// version 1's `cpu.cfs_quota_us` over `cpu.cfs_period_us`.
fn container_cpu_quota() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut tightest: Option<f64> = None;
    for group in groups.lines() {
        let mut parts = group.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            list if list.split(',').any(|name| name == "cpu") => Path::new("/sys/fs/cgroup/cpu"),
            _ => continue,
        };
        // In a container the path is often the host's; then only the root exists.
        for folder in Path::new(path.trim_start_matches('/')).ancestors() {
            let quota = quota_of(&root.join(folder));
            tightest = [tightest, quota].into_iter().flatten().reduce(f64::min);
        }
    }
    tightest
}

fn quota_of(folder: &Path) -> Option<f64> {
    if let Some(text) = line(folder.join("cpu.max")) {
        return parse_quota(&text);
    }
    let quota = line(folder.join("cpu.cfs_quota_us"))?;
    let period = line(folder.join("cpu.cfs_period_us"))?;
    parse_quota(&format!("{quota} {period}"))
}

/// `quota period` in microseconds; `max` and −1 are no quota.
fn parse_quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    let (quota, period) = (quota.parse::<f64>().ok()?, period.trim().parse::<f64>().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_the_essentials() {
        let environment = environment();
        assert!(environment.cores >= Some(environment.allowed_cpus.len() as u64));
        assert!(!environment.allowed_cpus.is_empty());
        assert!(environment.kernel.is_some() && environment.memory_bytes.is_some());
        let json = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), environment);
    }

    #[test]
    fn a_quota_is_cpus_of_time_and_no_quota_is_absent() {
        assert_eq!(parse_quota("150000 100000"), Some(1.5));
        assert_eq!(parse_quota("max 100000"), None);
        assert_eq!(parse_quota("-1 100000"), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        assert_eq!(
            field("model\t\t: 1\nmodel name\t: Some CPU\n", "model name").as_deref(),
            Some("Some CPU")
        );
        assert_eq!(memory_bytes("MemTotal:        2 kB\n"), Some(2_048));
        assert_eq!(os_name("NAME=x\nPRETTY_NAME=\"Debian 12\"\n").as_deref(), Some("Debian 12"));
    }
}
