//! Where it ran: processor, cores, kernel, compiler.

use std::fmt;
use std::process::Command;

pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub rustc: String,
}

impl Machine {
    pub fn look() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split(':').nth(1)).map_or("unknown".into(), |value| value.trim().to_owned())
        };
        let kib = field(&read("/proc/meminfo"), "MemTotal").replace(" kB", "").parse::<u64>().unwrap_or(0);
        let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            // Without its commit and date.
            rustc: String::from_utf8_lossy(&rustc).split(" (").next().unwrap_or_default().trim().to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gib, kernel, rustc } = self;
        write!(f, "{processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}, {rustc}")
    }
}
