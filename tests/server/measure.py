"""What a frame of 100 bytes to each of many sockets costs the server: ours beside stock daphne.

Run with `python tests/server/measure.py [sockets] [frames]`.
"""

import os
import pathlib
import selectors
import sys
import time

from conftest import Client, Process


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(*, stock, sockets, frames):
    process = Process(stock=stock, limits={}, **({} if stock else {"log": "INFO"}))
    clients = [Client(process.address) for _ in range(sockets)]
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.handshake(f"/trickle?n={frames}").head()
            selector.register(client.socket, selectors.EVENT_READ)
        before, begun = cpu_seconds(process.popen.pid), time.monotonic()
        for client in clients:
            client.frame(b"go")
        left = sockets * frames * 102
        while left > 0:
            for key, _ in selector.select(10):
                left -= len(key.fileobj.recv(65536))
        cost, wall = cpu_seconds(process.popen.pid) - before, time.monotonic() - begun
    weight = process.mebibytes
    for client in clients:
        client.close()
    process.close()
    return cost / (sockets * frames) * 1e6, wall, weight


def main(sockets=100, frames=1000):
    for stock in (True, False, True, False):
        cost, wall, weight = measure(stock=stock, sockets=sockets, frames=frames)
        name = "stock" if stock else "ours"
        sys.stdout.write(f"{name:5} {cost:6.1f} us CPU a frame, {wall:5.2f} s, {weight:.0f} MiB\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
