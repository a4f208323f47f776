"""Build a network, make a subnet dark and light again, and tell what clients see.

Run by test_isolation in a process of its own, because building namespaces moves the process into one. It
writes three lines: the port of a door to the outside, the pid of a child, and what was seen, as JSON.
"""

import json
import socket
import sys
import time
from pathlib import Path

from staging.local.network import Address, Network
from staging.local.network.choose import choose

PATIENCE_S = 20.0
HANGS_S = 0.5
DELAY_S = 0.5

ECHO = """
import socket, sys, threading
def echo(client):
    while heard := client.recv(100): client.sendall(heard)
    client.close()
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True: threading.Thread(target=echo, args=server.accept()[:1], daemon=True).start()
"""

CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as client:
    client.sendall(b"x")
    print(client.recv(1) == b"x")
"""


def tell(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def says(client: socket.socket, within_s: float) -> str:
    client.settimeout(within_s)
    try:
        client.sendall(b"x")
        return "echo" if client.recv(1) == b"x" else "end of stream"
    except OSError as error:
        return type(error).__name__


def knock(place: tuple[str, int], within_s: float) -> str:
    try:
        with socket.create_connection(place, within_s) as client:
            return says(client, within_s)
    except OSError as error:
        return type(error).__name__


def within_own_subnet(network: Network, target: Address, log: Path) -> str:
    host, port = network.route(target.subnet, target)
    client = network.spawn(target.subnet, [sys.executable, "-c", CLIENT, host, str(port)], log=log)
    client.wait(PATIENCE_S)
    return "echo" if log.read_text() == "True\n" else log.read_text()


def serve_echo(network: Network, subnet: str, directory: Path) -> tuple[Address, int]:
    address = network.listener(subnet)
    argv = [sys.executable, "-c", ECHO, address.host, str(address.port)]
    process = network.spawn(subnet, argv, log=directory / f"{subnet}.log")
    deadline = time.monotonic() + PATIENCE_S
    while knock(network.route("public", address), 1) != "echo" and time.monotonic() < deadline:
        time.sleep(0.02)
    return address, process.pid


def delayed(network: Network, target: Address) -> float:
    with socket.create_connection(network.delay("public", target, DELAY_S), PATIENCE_S) as client:
        asked_at = time.monotonic()
        assert says(client, PATIENCE_S) == "echo"
        return time.monotonic() - asked_at


def observe(network: Network, directory: Path) -> dict[str, object]:
    target, pid = serve_echo(network, "app-a", directory)
    tell(pid)
    elsewhere, _ = serve_echo(network, "app-b", directory)
    place = network.route("public", target)
    seen: dict[str, object] = {"isolation": network.isolation}
    with socket.create_connection(place) as established:
        seen["light"] = says(established, PATIENCE_S)
        network.darken(frozenset({"app-a"}))
        seen["dark, established"] = says(established, HANGS_S)
        seen["dark, new"] = [knock(place, HANGS_S) for _ in range(3)]
        seen["dark, own subnet"] = within_own_subnet(network, target, directory / "client.log")
        seen["dark, elsewhere"] = knock(network.route("public", elsewhere), PATIENCE_S)
        network.darken(frozenset())
        established.settimeout(PATIENCE_S)
        seen["light again, what was under way"] = established.recv(1).decode()
        seen["light again, established"] = says(established, PATIENCE_S)
    seen["light again, new"] = knock(place, PATIENCE_S)
    seen["refused"] = knock(network.route("app-b", network.listener("app-b")), PATIENCE_S)
    seen["delay_s"] = delayed(network, target)
    return seen


def main() -> None:
    network = choose(sys.argv[1])
    network.start()
    with network.outside() as door:
        tell(door.getsockname()[1])
        client, _ = door.accept()
        with client:
            client.sendall(b"inside")
    tell(json.dumps(observe(network, Path(sys.argv[2]))))
    sys.stdin.read()  # until the test has killed us, or let us go
    network.stop()


if __name__ == "__main__":
    main()
