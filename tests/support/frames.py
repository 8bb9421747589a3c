"""Frames between the core and its children (relay/base/frame.h), spoken from Python."""
import json
import struct

MAGIC = b"CRf1"


def encode(header, blobs=()):
    """The bytes of one frame: a dict and raw blobs."""
    text = json.dumps(header).encode()
    sizes = struct.pack(f"<{len(blobs)}I", *map(len, blobs))
    return MAGIC + struct.pack("<II", len(text), len(blobs)) + sizes + text + b"".join(blobs)


def _read(sock, size):
    data = b""
    while len(data) < size:
        got = sock.recv(size - len(data))
        if not got:
            raise EOFError(f"the child closed its socket, {size - len(data)} bytes short")
        data += got
    return data


def read_frame(sock):
    """Waits for one frame and returns (header, blobs). EOFError where the child has ended."""
    head = _read(sock, 12)
    if head[:4] != MAGIC:
        raise ValueError(f"no frame: {head!r}")
    header_size, count = struct.unpack("<II", head[4:])
    sizes = struct.unpack(f"<{count}I", _read(sock, 4 * count))
    header = json.loads(_read(sock, header_size))
    return header, [_read(sock, size) for size in sizes]
