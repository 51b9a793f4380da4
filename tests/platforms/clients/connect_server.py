"""Connect's reference server behind a gate: connect_server.py SERVER PORT GATE_PORT.

Connect's conformance suite starts it, and asks it on its standard input for a server: that is SERVER, on
PORT. What it says of itself is that it listens on GATE_PORT, where the gate in front of it is.
"""

import signal
import struct
import subprocess
import sys

server, port, gate_port = sys.argv[1:]


def message(stream):
    """A message of the suite: its length in four bytes, and as many bytes of protobuf."""
    length = stream.read(4)
    return length + stream.read(struct.unpack(">I", length)[0])


def varint(number):
    bytes_ = bytearray()
    while number > 0x7F:
        bytes_.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(bytes_) + bytes([number])


process = subprocess.Popen(
    ["setpriv", "--pdeathsig", "KILL", server, "-port", port],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
)


def end(*_):
    # The next server listens on the same port: not before this one is gone.
    process.kill()
    process.wait()
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
process.stdin.write(message(sys.stdin.buffer))
process.stdin.flush()
message(process.stdout)
host = b"127.0.0.1"
# ServerCompatResponse: host is field 1, port is field 2.
answer = b"\x0a" + bytes([len(host)]) + host + b"\x10" + varint(int(gate_port))
sys.stdout.buffer.write(struct.pack(">I", len(answer)) + answer)
sys.stdout.buffer.flush()
process.wait()
