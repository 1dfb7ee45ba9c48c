//! How many datagrams the system has dropped because nobody had read them in time.

use std::net::SocketAddr;

/// Returns how many datagrams of the socket with this address the system has dropped; `None` where it does not tell.
///
/// # Source
/// The column `drops` of `/proc/net/udp` and `udp6`.
pub(super) fn dropped(address: SocketAddr) -> Option<u64> {
    let file = if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
    drops_in(&std::fs::read_to_string(file).ok()?, address)
}

fn drops_in(table: &str, address: SocketAddr) -> Option<u64> {
    let words: Vec<u32> = match address {
        SocketAddr::V4(address) => vec![u32::from_ne_bytes(address.ip().octets())],
        SocketAddr::V6(address) => {
            let octets = address.ip().octets();
            octets.chunks_exact(4).filter_map(|word| word.try_into().ok()).map(u32::from_ne_bytes).collect()
        }
    };
    let host: String = words.iter().map(|word| format!("{word:08X}")).collect();
    let local = format!("{host}:{:04X}", address.port());
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.get(1) == Some(&local.as_str()));
    rows.next()?.last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn drops_are_read_from_the_row_of_the_socket() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  102: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 0
  359: 0100007F:1432 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 17
";
        assert_eq!(drops_in(table, "127.0.0.1:5170".parse().unwrap()), Some(17));
        assert_eq!(drops_in(table, "127.0.0.1:5171".parse().unwrap()), None);
        let table = "head\n 1: 00000000000000000000000001000000:1432 00 07 0 0 0 0 0 0 0 3\n";
        assert_eq!(drops_in(table, "[::1]:5170".parse().unwrap()), Some(3));
    }
}
