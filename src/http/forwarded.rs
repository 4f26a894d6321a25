//! Finds the client's address of a request: that of its peer, or the one that a trusted proxy names in `X-Forwarded-For`.
//!
//! Pure. Knows no socket and no counter, and never prints a client's address. CIDR is our own: a prefix compared, and IPv4 addresses that
//! are written as IPv6 ones, are fewer lines than a library needs around it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::Serialize;

use crate::util::text::parse_decimal;

/// A block of addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3). An IPv4 address mapped to IPv6
/// (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) counts as IPv4, both in the block and in a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the block contains the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                mask(address.to_canonical(), self.bits) == self.first
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    /// Parses `10.0.0.0/8`, `fd00::/8`, or a single address.
    ///
    /// # Errors
    /// The end of a message that begins with "--flag is …, ", with what to write instead if that is clear.
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
                let bits = parse_decimal(bits).filter(|bits| *bits <= width);
                bits.ok_or_else(|| format!("but the number after / must be 0 to {width}"))?
            }
        };
        let first = mask(address, bits);
        if first != address {
            return Err(format!("but has bits set after the first {bits}; write {first}/{bits}"));
        }
        Ok(match first {
            // The written length includes the 96 bits before the IPv4 address.
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
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Trusts these networks; none if the list is empty.
    pub fn new(networks: Vec<Network>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    /// Whether one of the blocks contains the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The loopback addresses: 127.0.0.0/8 and ::1/128.
pub fn loopback() -> Vec<Network> {
    vec![
        Network { first: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
        Network { first: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
    ]
}

/// The client of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The client's address. A mapped IPv4 address is converted to IPv4. `None`: it came over a Unix socket, and nobody has named one.
    pub address: Option<IpAddr>,
    /// Whether the address comes from `X-Forwarded-For`.
    pub forwarded: Forwarded,
}

/// How `X-Forwarded-For` was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Forwarded {
    /// The header was missing or empty.
    None,
    /// The peer is not trusted, or the header named no address.
    Ignored,
    /// The header named the client.
    Believed,
}

/// Finds the client of a request from `peer` with these `X-Forwarded-For` values, in the order of the head.
///
/// Each proxy appends the address it sees, so an entry is reliable only if every hop to its right is trusted. The search
/// therefore goes from right to left past trusted addresses and ends at the first untrusted one, which is the client. If all are
/// trusted, the leftmost is the client. An entry that is no address ends the search at the last valid one, and without a valid
/// entry the peer itself is the client. Ports after addresses are ignored. A peer without an address is that of a Unix socket, whose
/// permissions say who is trusted there.
pub fn client<'h>(
    peer: Option<IpAddr>,
    forwarded: impl DoubleEndedIterator<Item = &'h str>,
    trusted: &TrustedProxies,
) -> Client {
    let address = peer.map(|peer| peer.to_canonical());
    let mut client = Client { address, forwarded: Forwarded::None };
    let entries = forwarded.rev().flat_map(|value| value.rsplit(',')).map(str::trim);
    for entry in entries.filter(|entry| !entry.is_empty()) {
        if client.forwarded == Forwarded::None {
            client.forwarded = Forwarded::Ignored;
        }
        if client.address.is_some_and(|address| !trusted.contains(address)) {
            break;
        }
        let Some(address) = parse_entry(entry) else { break };
        client = Client { address: Some(address), forwarded: Forwarded::Believed };
    }
    client
}

/// Whether these `X-Forwarded-For` values name nothing but loopback addresses, so that a request from this machine was not passed on by
/// a proxy for somebody else. An entry that is no address may stand for anybody.
pub fn names_only_loopback<'h>(mut forwarded: impl Iterator<Item = &'h str>) -> bool {
    let is_loopback = |entry: &str| parse_entry(entry).is_some_and(|address| address.is_loopback());
    forwarded.all(|value| {
        value.split(',').map(str::trim).all(|entry| entry.is_empty() || is_loopback(entry))
    })
}

/// The key that limits count clients by: an IPv4 address, or the /64 of an IPv6 address. A household or a rented server
/// usually gets a whole /64, so its 2^64 addresses are one client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientKey {
    /// The whole IPv4 address.
    V4([u8; 4]),
    /// The first half of the IPv6 address.
    V6([u8; 8]),
    /// No address: all clients of a Unix socket whose address nobody has named are one.
    Unnamed,
}

impl ClientKey {
    /// The key of an address.
    pub fn of(address: IpAddr) -> ClientKey {
        match address.to_canonical() {
            IpAddr::V4(address) => ClientKey::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut half = [0; 8];
                half.copy_from_slice(&address.octets()[..8]);
                ClientKey::V6(half)
            }
        }
    }

    /// The key of a client, with or without an address.
    pub fn of_client(address: Option<IpAddr>) -> ClientKey {
        address.map_or(ClientKey::Unnamed, ClientKey::of)
    }
}

/// Hides the address, so that it can't end up in a log by accident.
impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(…)")
    }
}

/// Hides the address, too.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {{ forwarded: {:?}, … }}", self.forwarded)
    }
}

/// The address with all but the first `bits` bits cleared.
fn mask(address: IpAddr, bits: u8) -> IpAddr {
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

/// Parses an entry such as `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]` or `[::1]:80`.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let bracketed = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']'));
    let address = match bracketed {
        Some(address) => address.parse().map(IpAddr::V6).ok(),
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

    /// The client's address, and whether it was forwarded, if 10.0.0.0/8 and loopback are trusted.
    fn find(peer: &str, forwarded: &[&str]) -> (String, bool) {
        let trusted = TrustedProxies::new([loopback(), vec![network("10.0.0.0/8")]].concat());
        let client = client(peer.parse().ok(), forwarded.iter().copied(), &trusted);
        let address = client.address.map_or("none".into(), |address| address.to_string());
        (address, client.forwarded == Forwarded::Believed)
    }

    fn direct(address: &str) -> (String, bool) {
        (address.into(), false)
    }

    fn forwarded(address: &str) -> (String, bool) {
        (address.into(), true)
    }

    #[test]
    fn a_block_contains_its_first_and_last_address_and_neither_neighbour() {
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
    fn a_block_of_length_0_contains_every_address_of_its_family() {
        assert!(network("0.0.0.0/0").contains(ip("255.255.255.255")));
        assert!(network("0.0.0.0/0").contains(ip("::ffff:1.2.3.4")));
        assert!(!network("0.0.0.0/0").contains(ip("2001:db8::1")));
        assert!(network("::/0").contains(ip("2001:db8::1")));
        assert!(!network("::/0").contains(ip("1.2.3.4")));
    }

    #[test]
    fn a_block_is_printed_as_it_is_written() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "::1/128", "192.0.2.7/32"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("192.0.2.7").to_string(), "192.0.2.7/32");
        assert_eq!(network("::ffff:10.0.0.0/104").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn a_printed_block_of_every_length_parses_to_itself() {
        for bits in 0..=32 {
            let block = Network { first: mask(ip("255.255.255.255"), bits), bits };
            assert_eq!(network(&block.to_string()), block);
        }
        for bits in 0..=128 {
            let block = Network { first: mask(ip("fdff:ffff:ffff::ffff"), bits), bits };
            assert_eq!(network(&block.to_string()), block);
        }
    }

    #[test]
    fn a_wrong_block_is_refused_with_what_to_write() {
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
    fn an_untrusted_peer_is_the_client_whatever_it_forwards() {
        assert_eq!(find("198.51.100.7", &[]), direct("198.51.100.7"));
        assert_eq!(find("198.51.100.7", &["192.0.2.1"]), direct("198.51.100.7"));
        assert_eq!(find("::ffff:198.51.100.7", &["192.0.2.1"]), direct("198.51.100.7"));
    }

    #[test]
    fn a_trusted_peer_that_forwards_nothing_is_the_client_itself() {
        assert_eq!(find("127.0.0.1", &[]), direct("127.0.0.1"));
        assert_eq!(find("127.0.0.1", &["", " , "]), direct("127.0.0.1"));
        assert_eq!(find("127.0.0.1", &["unknown"]), direct("127.0.0.1"));
    }

    #[test]
    fn entries_that_the_client_added_itself_are_not_believed() {
        assert_eq!(find("127.0.0.1", &["192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(find("127.0.0.1", &["6.6.6.6, 192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(find("127.0.0.1", &["6.6.6.6", "192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(find("127.0.0.1", &["192.0.2.1, 10.0.0.9", "10.0.0.8"]), forwarded("192.0.2.1"));
        assert_eq!(find("127.0.0.1", &["10.0.0.7, 192.0.2.1, 10.0.0.8"]), forwarded("192.0.2.1"));
    }

    #[test]
    fn if_all_entries_are_trusted_the_leftmost_is_the_client() {
        assert_eq!(find("127.0.0.1", &["10.0.0.7, 10.0.0.8", "10.0.0.9"]), forwarded("10.0.0.7"));
    }

    #[test]
    fn an_invalid_entry_ends_the_search_at_the_last_valid_address() {
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
                find("127.0.0.1", &[&format!("192.0.2.1, {junk}, 10.0.0.9")]),
                forwarded("10.0.0.9"),
                "{junk}"
            );
        }
    }

    #[test]
    fn a_peer_without_an_address_is_believed_and_stays_without_one_if_it_names_none() {
        assert_eq!(find("a Unix socket", &[]), direct("none"));
        assert_eq!(find("a Unix socket", &["unknown"]), direct("none"));
        assert_eq!(find("a Unix socket", &["192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(
            find("a Unix socket", &["6.6.6.6, 192.0.2.1, 10.0.0.9"]),
            forwarded("192.0.2.1")
        );
        assert!(ClientKey::of_client(None) != ClientKey::of(ip("::")));
    }

    #[test]
    fn only_readable_loopback_addresses_are_of_this_machine() {
        let is_local = |values: &[&str]| names_only_loopback(values.iter().copied());
        for local in [&[][..], &["", " , "], &["127.0.0.1, [::1]:80", "::ffff:127.0.0.9"]] {
            assert!(is_local(local), "{local:?}");
        }
        for other in [&["unknown"][..], &["127.0.0.1", "_x"], &["192.0.2.1, ::1"], &["\u{e9}"]] {
            assert!(!is_local(other), "{other:?}");
        }
    }

    #[test]
    fn ports_and_brackets_are_ignored() {
        assert_eq!(find("::1", &["192.0.2.1:567"]), forwarded("192.0.2.1"));
        assert_eq!(find("::1", &["[2001:db8::7]:80"]), forwarded("2001:db8::7"));
        assert_eq!(find("::1", &["[2001:db8::7]"]), forwarded("2001:db8::7"));
        assert_eq!(find("::1", &["2001:db8::7"]), forwarded("2001:db8::7"));
        assert_eq!(find("::1", &["::ffff:192.0.2.1"]), forwarded("192.0.2.1"));
        assert_eq!(
            find("::1", &["[::ffff:10.0.0.1]:9, [::ffff:10.0.0.2]:8"]),
            forwarded("10.0.0.1")
        );
    }

    #[test]
    fn ipv4_counts_by_address_and_ipv6_by_its_first_half() {
        let key = |text: &str| ClientKey::of(ip(text));
        assert!(key("192.0.2.1") != key("192.0.2.2"));
        assert!(key("192.0.2.1") == key("::ffff:192.0.2.1"));
        assert!(key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(key("2001:db8:1:2::1") != key("2001:db8:1:3::1"));
    }

    #[test]
    fn debug_output_contains_no_address() {
        let client = Client { address: Some(ip("192.0.2.1")), forwarded: Forwarded::Believed };
        assert!(!format!("{client:?} {:?}", ClientKey::of_client(client.address)).contains("192"));
    }
}
