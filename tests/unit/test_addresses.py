from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anello.adapters.addresses import (
    MAX_URL_LENGTH,
    NOT_PUBLIC_V4,
    BadUrl,
    ascii_host,
    is_public,
    parse_url,
    redirected,
)

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700::200:5efe:8.8.8.8",
]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]

# What an IPv4 address looks like inside an IPv6 address, its bits being the argument.
FORMS = {
    "mapped": lambda v4: 0xFFFF << 32 | v4,
    "compatible": lambda v4: v4,
    "NAT64": lambda v4: 0x0064FF9B << 96 | v4,
    "local NAT64": lambda v4: 0x0064FF9B0001 << 80 | v4,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "Teredo server": lambda v4: 0x20010000 << 96 | v4 << 64 | (0x08080808 ^ 0xFFFFFFFF),
    "Teredo client": lambda v4: 0x20010000 << 96 | 0x08080808 << 64 | (v4 ^ 0xFFFFFFFF),
    "ISATAP": lambda v4: 0x26064700 << 96 | 0x00005EFE << 32 | v4,
    "ISATAP, universal": lambda v4: 0x26064700 << 96 | 0x02005EFE << 32 | v4,
}

not_public_v4 = st.sampled_from(NOT_PUBLIC_V4).flatmap(
    lambda block: st.integers(int(block.network_address), int(block.broadcast_address))
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("form", FORMS)
@given(v4=not_public_v4)
@example(v4=int(IPv4Address("127.0.0.1")))
@example(v4=int(IPv4Address("169.254.169.254")))
@example(v4=int(IPv4Address("10.0.0.1")))
def test_a_v4_address_is_not_public_in_any_form(form: str, v4: int) -> None:
    assert not is_public(str(IPv4Address(v4)))
    assert not is_public(str(IPv6Address(FORMS[form](v4))))


@given(st.ip_addresses())
def test_public_is_never_more_than_what_python_calls_global(
    ip: IPv4Address | IPv6Address,
) -> None:
    if is_public(str(ip)) and not str(ip).startswith(("::ffff:", "64:ff9b:", "2002:")):
        assert ip.is_global
        assert not ip.is_multicast
        assert not ip.is_reserved


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://shop.example/ring.png", "shop.example"),
        ("HTTPS://Shop.Example:8443/a?b=c#d", "shop.example"),
        ("https://münchen.example/ring-ü.png", "xn--mnchen-3ya.example"),
        ("http://shop.example./", "shop.example."),
        ("http://my_bucket.example", "my_bucket.example"),
        ("http://[2606:4700::1111]:81/", "2606:4700::1111"),
        ("http://2130706433/", "2130706433"),  # these wait for the resolver, then the check
        ("http://0x7f000001/", "0x7f000001"),
        ("http://127.1/", "127.1"),
    ],
)
def test_a_good_url(text: str, host: str) -> None:
    assert ascii_host(parse_url(text)) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ring.png",
        "//shop.example/ring.png",
        "ftp://shop.example/ring.png",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "data:image/png;base64,AAAA",
        "http:shop.example",
        "http:///ring.png",
        "http://",
        "http://:80/",
        "http://user:secret@shop.example/",
        "http://user@shop.example/",
        "http://:secret@shop.example/",
        "http://shop.example:0/",
        "http://shop.example:65536/",
        "http://shop.example:-1/",
        "http://shop.example:http/",
        "http://shop.example\\@evil.example/",
        "http://shop.example/a b",
        " http://shop.example/",
        "http://shop.example/\n",
        "http://shop.example/\r\nHost: evil.example",
        "http://shop.example/\0",
        "http://shop.example/\x7f",
        "http://shop.example/\x85",
        "http://shop.example/\u2028",
        "http://shop.example/\ud800",
        "http://\ud800.example/",
        "http://shop..example/",
        "http://.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + ".".join(["a" * 60] * 5) + "/",
        "http://a%2eb/",
        "http://１２７.0.0.1/",
        "http://ﬀ.example/",
        "http://☃.example/",
        "http://0177.0.0.1/",
        "http://256.1.1.1/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.fe80::a]/",
        "http://[1.2.3.4]/",
        "http://shop.example/" + "a" * MAX_URL_LENGTH,
    ],
)
def test_a_bad_url(text: str) -> None:
    with pytest.raises(BadUrl):
        parse_url(text)


def test_a_reason_does_not_repeat_the_url() -> None:
    for text in ("http://name:hush@shop.example/?hush", "http://hush.ﬀ/hush", "hush://hush"):
        with pytest.raises(BadUrl) as refused:
            parse_url(text)
        assert "hush" not in str(refused.value)


any_text = st.text(st.characters(codec=None, categories=None))
texts = any_text | st.builds(
    "{}://{}{}{}".format, st.sampled_from(["http", "HTTPS"]), *[any_text] * 3
)


@given(texts)
def test_any_text_is_a_good_url_or_a_bad_one(text: str) -> None:
    try:
        url = parse_url(text)
    except BadUrl:
        return
    assert url.scheme in ("http", "https")
    assert ascii_host(url)
    assert parse_url(str(url)) == url  # what is asked for is what was checked


@given(texts)
@example("//[")
@example("http://[")
def test_any_redirect_is_good_or_bad(location: str) -> None:
    with suppress(BadUrl):
        redirected(httpx.URL("http://shop.example/a/b?c"), location)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/x.png", "https://shop.example/x.png"),
        ("x.png", "https://shop.example/a/x.png"),
        ("?v=2", "https://shop.example/a/b?v=2"),
        ("//cdn.example/x.png", "https://cdn.example/x.png"),
        ("http://cdn.example/x.png", "http://cdn.example/x.png"),
    ],
)
def test_a_redirect_is_read_as_seen_from_the_url(location: str, target: str) -> None:
    assert redirected(httpx.URL("https://shop.example/a/b?v=1"), location) == target
