//! Process id and machine name, queried once, and again in a forked child.

/// Process id and machine name.
#[derive(Debug, Default)]
pub(super) struct Host {
    pid: Option<u32>,
    hostname: Option<String>,
}

impl Host {
    pub(super) fn pid(&mut self) -> u32 {
        *self.pid.get_or_insert_with(std::process::id)
    }

    pub(super) fn hostname(&mut self) -> &str {
        self.hostname.get_or_insert_with(hostname)
    }

    /// Called in a forked child: the process id has changed.
    pub(super) fn forked(&mut self) {
        self.pid = None;
    }
}

pub(super) fn hostname() -> String {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default()
    }
}
