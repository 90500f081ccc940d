"""Which addresses a registry may have."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from cgexplorer.oci.addresses import is_public, resolve, system_resolver
from cgexplorer.oci.errors import Refused, Unreachable


@pytest.mark.parametrize("text", ["1.1.1.1", "140.82.121.33", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_global_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    ],
)
def test_everything_else_is_not_public_however_it_is_wrapped(text: str) -> None:
    assert not is_public(ip_address(text))


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        resolve("x.example", 443, private_allowed=False, resolver=lambda *_: ["1.1.1.1", "10.0.0.1"])


def test_a_host_listed_as_insecure_may_be_private() -> None:
    assert resolve("x", 80, private_allowed=True, resolver=lambda *_: ["10.0.0.1"]) == ("10.0.0.1",)


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_odd_spellings_of_loopback_are_refused_by_the_address_they_lead_to(spelling: str) -> None:
    with pytest.raises((Refused, Unreachable)):
        resolve(spelling, 443, private_allowed=False, resolver=system_resolver)


def test_an_unknown_host_is_unreachable() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(Unreachable, match="not known"):
        resolve("x.example", 443, private_allowed=False, resolver=unknown)
