"""Requests that a destination's URL must not be able to make."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import httpx
import pytest

from detector.delivery.guard import Address, AddressPolicy, ForbiddenAddressError, GuardedTransport
from detector.delivery.webhook import WebhookDestination
from tests.delivery.conftest import LOOPBACK, Post
from tests.delivery.receiver import Receiver

INSIDE = [
    "127.0.0.1",
    "10.0.0.5",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - an address that must be refused
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::7f00:1",
    "::10.0.0.5",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.5",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:1:1:1:1:80ff:fffe",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_refused(address: str) -> None:
    assert not AddressPolicy().permits(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert AddressPolicy().permits(ip_address(address))


def test_listed_networks_are_permitted_and_their_neighbours_are_not() -> None:
    policy = AddressPolicy((ip_network("10.1.0.0/16"),))
    assert policy.permits(ip_address("10.1.2.3"))
    assert policy.permits(ip_address("::ffff:10.1.2.3"))
    assert not policy.permits(ip_address("10.2.0.1"))


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:127.0.0.1]", "localhost", "127.1", "2130706433"]
)
def test_connection_to_an_inner_address_is_not_made(receiver: Receiver, host: str) -> None:
    with (
        httpx.Client(transport=GuardedTransport(AddressPolicy())) as client,
        pytest.raises(ForbiddenAddressError),
    ):
        client.post(f"http://{host}:{receiver.port}/hook")
    assert receiver.received == []


def test_name_that_resolves_to_a_private_address_is_refused(receiver: Receiver) -> None:
    def rebound(host: str, port: int) -> Sequence[Address]:
        assert host == "receiver.example"
        return [ip_address("192.168.1.1"), ip_address("127.0.0.1")]

    with (
        httpx.Client(transport=GuardedTransport(AddressPolicy(), rebound)) as client,
        pytest.raises(ForbiddenAddressError),
    ):
        client.post(f"http://receiver.example:{receiver.port}/hook")
    assert receiver.received == []


def test_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    answers = iter([[ip_address("10.0.0.1"), ip_address("127.0.0.1")]])

    def once(host: str, port: int) -> Sequence[Address]:
        return next(answers)  # a second resolution, behind the check, would fail here

    with httpx.Client(transport=GuardedTransport(LOOPBACK, once)) as client:
        url = f"http://receiver.example:{receiver.port}/hook"
        assert client.post(url, content=b"{}").status_code == 200
    assert receiver.received[0].headers["host"] == f"receiver.example:{receiver.port}"


def test_next_address_is_tried_when_one_refuses(receiver: Receiver) -> None:
    def two(host: str, port: int) -> Sequence[Address]:
        return [ip_address("127.0.0.2"), ip_address("127.0.0.1")]

    with httpx.Client(transport=GuardedTransport(LOOPBACK, two)) as client:
        assert client.post(f"http://twin.example:{receiver.port}/hook", content=b"x").is_success


def test_forbidden_destination_is_a_failed_delivery(post: Post) -> None:
    post.open_incident()
    post.worker(WebhookDestination(post.settings(addresses=AddressPolicy()))).deliver_due()
    assert (post.receiver.received, post.pending(), post.count("retried")) == ([], 1, 1)
