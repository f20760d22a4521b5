"""Where a client may have this server connect to: plain URLs, and addresses that are public."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urljoin

import httpx

MAX_URL_LENGTH = 4096

# Nothing is mended as browsers do it: that is where two readers of one URL see different hosts.
_UNSAFE = re.compile(r"[\s\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_IPV6 = re.compile(r"[0-9a-f:.]+")  # httpx has parsed it; this is without a zone

# The tables are ours rather than ``is_global``, which differs between releases of Python.
# IANA IPv4 Special-Purpose Address Registry, and multicast.
NOT_PUBLIC_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, and unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # looks public, but is every Azure machine's own host
        "169.254.0.0/16",  # link-local, and clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# All unicast that was ever given out is in one block; loopback, unique local, link- and site-local,
# multicast, IPv4-compatible and local NAT64 addresses are outside it.
UNICAST_V6 = IPv6Network("2000::/3")
# IANA IPv6 Special-Purpose Address Registry, as far as it is inside that block.
NOT_PUBLIC_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)

NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
# RFC 5214, 6.1: the upper half of an interface identifier that ends in an IPv4 address; the
# universal/local bit may be set.
ISATAP = (0x00005EFE, 0x02005EFE)


class BadUrl(ValueError):
    """A URL that will not be followed; the text says why, without repeating it."""


def parse_url(text: str) -> httpx.URL:
    """The URL, if it is of http or https and names a host and nothing secret; else ``BadUrl``."""
    if len(text) > MAX_URL_LENGTH:
        raise BadUrl("the URL is too long")
    if _UNSAFE.search(text):
        raise BadUrl("the URL has characters that must be percent-encoded")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise BadUrl("the URL is malformed") from error
    if url.scheme not in ("http", "https"):
        raise BadUrl("the URL must start with http:// or https://")
    if url.userinfo:
        raise BadUrl("the URL must not carry a name or password")
    host = ascii_host(url)
    if not (_IPV6 if ":" in host else _HOST_NAME).fullmatch(host):
        raise BadUrl("the URL has no valid host")
    if url.port is not None and not 1 <= url.port <= 65535:
        raise BadUrl("the URL has no valid port")
    return url


def redirected(url: httpx.URL, location: str) -> httpx.URL:
    """Where a Location header leads from the URL; ``BadUrl`` as any other."""
    try:
        target = urljoin(str(url), location)
    except ValueError as error:
        raise BadUrl("the URL is malformed") from error
    return parse_url(target)


def ascii_host(url: httpx.URL) -> str:
    """The host as it goes over the wire: ``url.host`` would undo the IDNA encoding."""
    return url.raw_host.decode("ascii")


def is_public(address: str) -> bool:
    """Whether the address is global unicast, and with it any IPv4 address inside it."""
    ip = ip_address(address)
    if isinstance(ip, IPv4Address):
        return _is_public_v4(ip)
    inside = _embedded_v4(ip)
    if inside is not None and not _is_public_v4(inside):
        return False
    return ip.ipv4_mapped is not None or ip in NAT64 or _is_public_v6(ip)


def _is_public_v4(ip: IPv4Address) -> bool:
    return not any(ip in block for block in NOT_PUBLIC_V4)


def _is_public_v6(ip: IPv6Address) -> bool:
    return ip in UNICAST_V6 and not any(ip in block for block in NOT_PUBLIC_V6)


def _embedded_v4(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one may end at."""
    bits = int(ip)
    if ip in SIX_TO_FOUR:
        return IPv4Address(bits >> 80 & 0xFFFFFFFF)
    if ip.ipv4_mapped or ip in NAT64 or (bits >> 32 & 0xFFFFFFFF) in ISATAP:
        return IPv4Address(bits & 0xFFFFFFFF)
    return None
