"""Ports are checked before anything starts, and the error says what to change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from socket import create_connection, create_server

import pytest

from lakeveil.adapters.listeners import check_ports, holder, is_free
from lakeveil.errors import SetupError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_refused_with_its_setting_and_its_holder(taken: int) -> None:
    with pytest.raises(SetupError, match=rf"port {taken} .*`ports\.s3`") as caught:
        check_ports({"ports.s3": taken})
    assert f"process {os.getpid()}" in caught.value.why
    assert "LAKEVEIL_PORTS__S3" in caught.value.fix
    assert caught.value.code == "port_in_use"


def test_a_port_named_twice_is_refused() -> None:
    with pytest.raises(SetupError, match=r"`ports\.nats` and `ports\.s3` are both 30999"):
        check_ports({"ports.s3": 30999, "ports.nats": 30999})


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(SetupError, match=rf"`ports\.s3` is {port}") as caught:
        check_ports({"ports.s3": port})
    assert "1 to 65535" in caught.value.why


def test_a_port_whose_connections_were_just_closed_is_free() -> None:
    with create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with create_connection(("127.0.0.1", port)) as client:
            # The side that closes first keeps the port for a minute, in TIME_WAIT.
            server.accept()[0].close()
            assert client.recv(1) == b""
    assert is_free(port)
    check_ports({"ports.s3": port})
    assert holder(port) is None


def test_a_listener_on_every_address_takes_loopback_too() -> None:
    with create_server(("0.0.0.0", 0)) as server:
        assert not is_free(server.getsockname()[1])
