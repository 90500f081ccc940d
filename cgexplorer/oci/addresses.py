"""Which network addresses a registry may have. A name is resolved once, and only what was checked is connected to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from cgexplorer.oci.errors import Refused, Unreachable

type Address = IPv4Address | IPv6Address
type Resolver = Callable[[str, int], list[str]]

TIMEOUT_S = 5.0
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


def system_resolver(host: str, port: int) -> list[str]:
    """By the system, in a thread that is left behind when it takes too long: getaddrinfo knows no time-out."""
    found: list[str] = []
    failure: list[OSError] = [TimeoutError("the name server did not answer")]

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            found.extend(dict.fromkeys(str(address[0]) for *_, address in answers))
        except (OSError, UnicodeError) as error:
            failure[0] = error if isinstance(error, OSError) else OSError("no host name")

    asking = threading.Thread(target=ask, name="resolver", daemon=True)
    asking.start()
    asking.join(TIMEOUT_S)
    if not found:
        raise failure[0]
    return found


def resolve(host: str, port: int, *, private_allowed: bool, resolver: Resolver = system_resolver) -> tuple[str, ...]:
    """Every address of `host`; one that is not public refuses them all, since the next connection could take it."""
    try:
        addresses = [ip_address(text) for text in resolver(host, port)]
    except (OSError, ValueError) as error:
        raise Unreachable(f"The host {host!a} is not known: check its spelling and the name server.") from error
    if not addresses:
        raise Unreachable(f"The host {host!a} has no address.")
    for address in addresses:
        if not private_allowed and not is_public(address):
            raise Refused(
                f"The host {host!a} has the address {address}, which is not public. "
                "If that is meant, list it, and the registry that leads there, as a private registry: "
                "manage.py add_registry --access private"
            )
    return tuple(str(address) for address in addresses)


def is_public(address: Address) -> bool:
    """Global unicast, also after unwrapping IPv4 from IPv6 (mapped, compatible, NAT64, 6to4, Teredo)."""
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return all(one.is_global and not one.is_multicast and not one.is_reserved for one in _unwrapped(address))


def _unwrapped(address: Address) -> list[Address]:
    if isinstance(address, IPv4Address):
        return [address]
    inner: list[Address] = []
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address in _IPV4_COMPATIBLE:
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour:
        inner.append(address.sixtofour)
    if address.teredo:
        inner.extend(address.teredo)
    return [address, *inner]
