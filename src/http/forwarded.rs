//! Which address a request counts for: its peer, or whom a trusted proxy names.
//!
//! Pure. Knows no socket and no counter, and prints no client's address anywhere. CIDR is our own: a prefix compared, and the IPv4
//! addresses that are written as IPv6 ones, are fewer lines than a library needs around it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A block of addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3). IPv4 addresses that are written as IPv6 ones
/// (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) are IPv4 addresses, in the block and in what is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address lies in the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                cut(address.to_canonical(), self.bits) == self.first
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    /// `10.0.0.0/8`, `fd00::/8`, or one address without length.
    ///
    /// # Errors
    /// A sentence that goes on after "is …, ", with what to write where that can be told.
    fn from_str(text: &str) -> Result<Network, String> {
        const EXPECTED: &str = "but must be a block of addresses such as 10.0.0.0/8 or fd00::/8";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| EXPECTED.to_string())?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => {
                let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
                let bits = bits.parse().ok().filter(|bits| digits && *bits <= width);
                bits.ok_or_else(|| format!("but the number after / must be 0 to {width}"))?
            }
        };
        let first = cut(address, bits);
        if first != address {
            return Err(format!("but has bits set after the first {bits}; write {first}/{bits}"));
        }
        Ok(match first {
            // The 96 bits before the IPv4 address are part of the written length.
            IpAddr::V6(mapped) if bits >= 96 && mapped.to_ipv4_mapped().is_some() => {
                Network { first: first.to_canonical(), bits: bits - 96 }
            }
            _ => Network { first, bits },
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted(Vec<Network>);

impl Trusted {
    /// Nobody is trusted where the list is empty.
    pub fn new(networks: Vec<Network>) -> Trusted {
        Trusted(networks)
    }

    /// Whether one of the blocks has the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The blocks of this machine alone: 127.0.0.0/8 and ::1/128.
pub fn loopback() -> Vec<Network> {
    vec![
        Network { first: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
        Network { first: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
    ]
}

/// Whom a request counts for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// IPv4 wherever it can be.
    pub address: IpAddr,
    /// Whether a trusted peer named the address, so that the peer itself counts for nothing.
    pub forwarded: Forwarded,
}

/// What became of `X-Forwarded-For`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forwarded {
    /// There was none.
    None,
    /// Who sent it is not trusted, or it named no address.
    Ignored,
    /// It named the client.
    Believed,
}

/// Finds the client of a request that came from `peer` with these `X-Forwarded-For` values, in the order of the head.
///
/// Each proxy appends whom it saw, so only what stands right of the first untrusted address is known to be true:
/// the lists are read from the right, over trusted addresses, to the first that is not. Where all are trusted
/// it is the leftmost; what is no address ends the walk at the last good one, and a peer that says nothing good is the
/// client itself. Ports behind the addresses are tolerated.
pub fn client<'h>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'h str>,
    trusted: &Trusted,
) -> Client {
    let mut client = Client { address: peer.to_canonical(), forwarded: Forwarded::None };
    let entries = forwarded.rev().flat_map(|value| value.rsplit(',')).map(str::trim);
    for entry in entries.filter(|entry| !entry.is_empty()) {
        if client.forwarded == Forwarded::None {
            client.forwarded = Forwarded::Ignored;
        }
        if !trusted.contains(client.address) {
            break;
        }
        let Some(address) = parse(entry) else { break };
        client = Client { address, forwarded: Forwarded::Believed };
    }
    client
}

/// What caps and rates count: an IPv4 address, or the /64 of an IPv6 one, which is what one household or one rented
/// server gets, so that its 2^64 addresses are one client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// The whole address.
    V4([u8; 4]),
    /// The first half of the address.
    V6([u8; 8]),
}

impl Counted {
    /// What an address counts as.
    pub fn of(address: IpAddr) -> Counted {
        match address.to_canonical() {
            IpAddr::V4(address) => Counted::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut half = [0; 8];
                half.copy_from_slice(&address.octets()[..8]);
                Counted::V6(half)
            }
        }
    }
}

/// Says nothing, so that no log can have an address by accident.
impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted(…)")
    }
}

/// Likewise.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {{ forwarded: {:?}, … }}", self.forwarded)
    }
}

/// The address with all but the first `bits` bits cleared.
fn cut(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]`, `[::1]:80`.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6).ok(),
        None => entry.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip())),
    };
    Some(address?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The client's address, and whether it was forwarded, where 10.0.0.0/8 and loopback are trusted.
    fn found(peer: &str, forwarded: &[&str]) -> (String, bool) {
        let trusted = Trusted::new([loopback(), vec![network("10.0.0.0/8")]].concat());
        let client = client(ip(peer), forwarded.iter().copied(), &trusted);
        (client.address.to_string(), client.forwarded == Forwarded::Believed)
    }

    fn direct(address: &str) -> (String, bool) {
        (address.into(), false)
    }

    fn forwarded(address: &str) -> (String, bool) {
        (address.into(), true)
    }

    #[test]
    fn a_block_has_its_first_and_last_address_and_neither_neighbour() {
        for (block, before, first, last, after) in [
            ("10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.127", "192.0.2.128", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.6", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
            (
                "fd00::/8",
                "fcff:ffff::",
                "fd00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "fe00::",
            ),
            ("2001:db8::1", "2001:db8::", "2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        ] {
            let network = network(block);
            assert!(network.contains(ip(first)) && network.contains(ip(last)), "{block}");
            assert!(!network.contains(ip(before)) && !network.contains(ip(after)), "{block}");
        }
    }

    #[test]
    fn length_0_is_every_address_of_its_family_only() {
        assert!(network("0.0.0.0/0").contains(ip("255.255.255.255")));
        assert!(network("0.0.0.0/0").contains(ip("::ffff:1.2.3.4")));
        assert!(!network("0.0.0.0/0").contains(ip("2001:db8::1")));
        assert!(network("::/0").contains(ip("2001:db8::1")));
        assert!(!network("::/0").contains(ip("1.2.3.4")));
    }

    #[test]
    fn a_block_prints_as_it_is_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "::1/128", "192.0.2.7/32"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
        assert_eq!(network("::ffff:10.0.0.0/104").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn every_length_of_both_families_reads_back() {
        for bits in 0..=32 {
            let block = Network { first: cut(ip("255.255.255.255"), bits), bits };
            assert_eq!(network(&block.to_string()), block);
        }
        for bits in 0..=128 {
            let block = Network { first: cut(ip("fdff:ffff:ffff::ffff"), bits), bits };
            assert_eq!(network(&block.to_string()), block);
        }
    }

    #[test]
    fn a_wrong_block_is_told_what_to_write() {
        let error = |text: &str| text.parse::<Network>().unwrap_err();
        assert!(error("10.1.2.3/8").contains("write 10.0.0.0/8"));
        assert!(error("fd00::1/8").contains("write fd00::/8"));
        assert!(error("10.0.0.0/33").contains("0 to 32"));
        assert!(error("::/129").contains("0 to 128"));
        for junk in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0/8",
            "proxy.example",
            "::1/x",
        ] {
            assert!(junk.parse::<Network>().is_err(), "{junk}");
        }
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        assert_eq!(found("198.51.100.7", &[]), direct("198.51.100.7"));
        assert_eq!(found("198.51.100.7", &["192.0.2.1"]), direct("198.51.100.7"));
        assert_eq!(found("::ffff:198.51.100.7", &["192.0.2.1"]), direct("198.51.100.7"));
    }

    #[test]
    fn a_trusted_peer_that_forwards_nothing_is_the_client_itself() {
        assert_eq!(found("127.0.0.1", &[]), direct("127.0.0.1"));
        assert_eq!(found("127.0.0.1", &["", " , "]), direct("127.0.0.1"));
        assert_eq!(found("127.0.0.1", &["unknown"]), direct("127.0.0.1"));
    }

    #[test]
    fn the_list_is_read_from_the_right_so_that_what_the_client_adds_is_not_believed() {
        assert_eq!(found("127.0.0.1", &["192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(found("127.0.0.1", &["6.6.6.6, 192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(found("127.0.0.1", &["6.6.6.6", "192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(
            found("127.0.0.1", &["192.0.2.1, 10.0.0.9", "10.0.0.8"]),
            forwarded("192.0.2.1")
        );
        assert_eq!(found("127.0.0.1", &["10.0.0.7, 192.0.2.1, 10.0.0.8"]), forwarded("192.0.2.1"));
    }

    #[test]
    fn where_all_are_trusted_it_is_the_leftmost() {
        assert_eq!(found("127.0.0.1", &["10.0.0.7, 10.0.0.8", "10.0.0.9"]), forwarded("10.0.0.7"));
    }

    #[test]
    fn junk_ends_the_walk_at_the_last_good_address() {
        for junk in [
            "unknown",
            "_hidden",
            "1.2.3",
            "1.2.3.4.5",
            "fe80::1%eth0",
            "[::1",
            "::1]:80",
            "[1.2.3.4]",
            "\u{e9}",
        ] {
            assert_eq!(
                found("127.0.0.1", &[&format!("192.0.2.1, {junk}, 10.0.0.9")]),
                forwarded("10.0.0.9"),
                "{junk}"
            );
        }
    }

    #[test]
    fn ports_and_brackets_are_tolerated() {
        assert_eq!(found("::1", &["192.0.2.1:567"]), forwarded("192.0.2.1"));
        assert_eq!(found("::1", &["[2001:db8::7]:80"]), forwarded("2001:db8::7"));
        assert_eq!(found("::1", &["[2001:db8::7]"]), forwarded("2001:db8::7"));
        assert_eq!(found("::1", &["2001:db8::7"]), forwarded("2001:db8::7"));
        assert_eq!(found("::1", &["::ffff:192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(
            found("::1", &["[::ffff:10.0.0.1]:9, [::ffff:10.0.0.2]:8"]),
            forwarded("10.0.0.1")
        );
    }

    #[test]
    fn ipv4_counts_by_address_and_ipv6_by_its_first_half() {
        let counted = |text: &str| Counted::of(ip(text));
        assert!(counted("192.0.2.1") != counted("192.0.2.2"));
        assert!(counted("192.0.2.1") == counted("::ffff:192.0.2.1"));
        assert!(counted("2001:db8:1:2::1") == counted("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(counted("2001:db8:1:2::1") != counted("2001:db8:1:3::1"));
    }

    #[test]
    fn no_address_is_printed_for_debugging() {
        let client = Client { address: ip("192.0.2.1"), forwarded: Forwarded::Believed };
        assert!(!format!("{client:?} {:?}", Counted::of(client.address)).contains("192"));
    }
}
