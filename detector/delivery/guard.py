"""A guard against server-side request forgery: an HTTP transport that picks its own addresses.

The host name is resolved here, addresses inside the network are dropped, and the connection goes
to one of the addresses that were checked, so a name that resolves differently a moment later gains
nothing. TLS still verifies the certificate against the name. The resolution follows the checks
that svix-server makes inside its connector.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[Address]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(httpx.ConnectError):
    """The host resolves only to addresses that are neither public nor allowed."""


def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Return the host's addresses as the operating system resolves them, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(_parse(str(entry[4][0])) for entry in found))


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public addresses are allowed, all others only when a listed network holds them."""

    allowed: tuple[Network, ...] = ()

    def permits(self, address: Address) -> bool:
        """Whether a connection to the address may be made."""
        target = _embedded(address)
        if any(target in network for network in self.allowed):
            return True
        if target.is_multicast or target.is_reserved or not target.is_global:
            return False
        # Long deprecated, and so global to `ipaddress`, but still in use inside networks.
        return not (isinstance(target, ipaddress.IPv6Address) and target.is_site_local)


class GuardedTransport(httpx.BaseTransport):
    """Sends each request to a checked address of its host, trying them in order."""

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolve = resolve,
        inner: httpx.BaseTransport | None = None,
    ) -> None:
        """Wrap `inner`; by default plain HTTP and HTTPS that keep no connection open."""
        self._policy = policy
        self._resolve = resolver
        self._inner = inner or httpx.HTTPTransport(
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; raises `ForbiddenAddressError` or httpx's transport errors."""
        failure: httpx.TransportError | None = None
        for address in self._addresses(request):
            try:
                return self._inner.handle_request(_pinned(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or ForbiddenAddressError("no address to connect to", request=request)

    def close(self) -> None:
        """Release the wrapped transport."""
        self._inner.close()

    def _addresses(self, request: httpx.Request) -> tuple[Address, ...]:
        host = request.url.host
        try:
            found = self._resolve(host, request.url.port or 443)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"cannot resolve {host}", request=request) from error
        permitted = tuple(address for address in found if self._policy.permits(address))
        if not permitted:
            raise ForbiddenAddressError(
                f"{host} resolves to no public or allowed address", request=request
            )
        return permitted


def _pinned(request: httpx.Request, address: Address) -> httpx.Request:
    """The same request to a literal address; Host header and TLS name stay the host's."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


def _parse(text: str) -> Address:
    """An address without its scope id (`fe80::1%eth0`)."""
    return ipaddress.ip_address(text.partition("%")[0])


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
