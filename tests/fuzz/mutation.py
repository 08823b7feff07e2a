"""Changes of bytes, of text and of JSON, and of safetensors files by their parts; by random.Random alone."""

import json
import struct

NUMBERS = [0, 1, -1, 2, 3, 7, 8, 255, 256, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**62, 2**63, 2**64 - 1, 2**64,
           -(2**63), 10**30, 0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, 1e39, float("nan"), float("inf"),
           float("-inf")]  # fmt: skip
TEXTS = ["", "x", "params", "F32", "F64", "BF16", "I64", "float32", "float64", "float16", "network", "checkpoint",
         "dense", "dropout", "layer_norm", "relu", "tanh", "softmax", "cross_entropy", "mse", "huber", "a" * 300,
         "\x00", "\ud800", "__metadata__", "../../x", "kind", "format", "inf", "nan", "-inf", "İ", "1", "true",
         "adam", "sgd"]  # fmt: skip
OTHERS = [None, True, False, [], {}, [[]], [None], {"": 0}, {"kind": "dense"}]
BLOCKS = [b"", b"\0", b"\xff", b"\xff\xfe", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"{", b"}", b"[",
          b'"', b",", b";", b"\t", b"\n", b"\r\n", b"\r", b'""', b"1e999", b"9" * 30, b"9" * 4400, b"-", b".",
          b"\xc3", b"\xef\xbb\xbf", b"nan", b"NA", b"\x1f\x8b", b"\\u0000", b"1.234,5", b"%", b"$", b"2024-01-01",
          b"31/12/1999", b"yes", b"no"]  # fmt: skip


def changed_bytes(data, rng):
    """One change: a bit, a byte, a block put in, taken out, doubled, or moved."""
    data = bytearray(data)
    at, kind = rng.randrange(len(data) + 1), rng.randrange(7)
    until = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 30)))
    if kind == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = rng.randrange(256)
    elif kind == 2:
        data[at:at] = rng.choice(BLOCKS)
    elif kind == 3:
        del data[at:until]
    elif kind == 4:
        data[at:at] = data[at:until] * rng.choice((1, 1, 2, 5))
    elif kind == 5:
        block = rng.choice(BLOCKS)
        data[at : at + len(block)] = block
    else:
        to, block = rng.randrange(len(data) + 1), data[at:until]
        data[to:to] = block
    return bytes(data)


def places(value):
    """[(container, key)] of everything in a value of JSON."""
    found, holders = [], [value]
    for holder in holders:  # the list grows under the loop
        for key, child in holder.items() if isinstance(holder, dict) else enumerate(holder):
            found.append((holder, key))
            if isinstance(child, (dict, list)):
                holders.append(child)
    return found


def some_value(rng):
    value = plain(rng.choice(rng.choice((NUMBERS, TEXTS, OTHERS))))
    if rng.random() < 0.02:
        for _ in range(rng.choice((3, 50, 2000))):
            value = [value]
    return value


def changed_json(value, rng):
    """One change, in place, of what json.loads gave; returns the value."""
    there = places(value) if isinstance(value, (dict, list)) else []
    if not there:
        return some_value(rng)
    holder, key = rng.choice(there)
    kind = rng.randrange(8)
    old = holder[key]
    if kind <= 2 or (kind == 3 and not isinstance(old, (int, float))):
        holder[key] = some_value(rng)
    elif kind == 3:
        holder[key] = old + rng.choice((1, -1)) if abs(old) < 2**70 and not isinstance(old, bool) else not old
    elif kind == 4:
        del holder[key]
    elif kind == 5:
        other, name = rng.choice(there)
        if name in other if isinstance(other, dict) else name < len(other):
            holder[key] = plain(other[name])
    elif kind == 6 and isinstance(holder, dict):
        holder[rng.choice([*TEXTS, *map(str, holder)])] = plain(holder.pop(key))
    elif isinstance(holder, list):
        holder[key:key] = [plain(old) for _ in range(rng.choice((1, 1, 2, 20)))]
    return value


def plain(value, depth=0):
    """A copy, so that nothing holds itself; of what is nested deeply, something else."""
    if depth > 20:
        return 0
    if isinstance(value, dict):
        return {key: plain(each, depth + 1) for key, each in value.items()}
    return [plain(each, depth + 1) for each in value] if isinstance(value, list) else value


# ---- safetensors: 8 bytes of length, a header of JSON, the tensors ---------------------------------------------------


def taken_apart(data):
    """(header, body) of a safetensors file, or None where it is none."""
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length]) if length < 1 << 20 else None
        return (header, data[8 + length :]) if isinstance(header, dict) else None
    except (ValueError, struct.error, RecursionError):
        return None


def put_together(header, body):
    """The file; a header that JSON cannot write is left to the caller as it is, {}."""
    try:
        text = json.dumps(header).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        text = b"{}"
    return struct.pack("<Q", len(text)) + text + body


def said(header):
    """The entry "fastbp" of a header's metadata, from JSON, or None."""
    try:
        return json.loads(header["__metadata__"]["fastbp"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def say(header, value, rng):
    """Puts a value there; in one of ten its text is changed by the byte."""
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError):
        return
    if rng.random() < 0.1:
        text = changed_bytes(text.encode(), rng).decode("utf-8", "replace")
    header["__metadata__"]["fastbp"] = text


def changed_file(data, rng, seal=None):
    """A safetensors file with one to three changes: of bytes, of its header, or of what it says of itself. seal(header,
    body): puts a checksum right."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        parts = taken_apart(data)
        kind = rng.randrange(10)
        if parts is None or kind == 0:
            data = changed_bytes(data, rng)
            continue
        header, body = parts
        description = said(header)
        if kind <= 2 or description is None:
            header = changed_json(header, rng)
        elif kind == 3:
            body = changed_bytes(body, rng)
        else:
            say(header, changed_json(description, rng), rng)
        if seal is not None and rng.random() < 0.95:
            seal(header, body)
        data = put_together(header, body)
    return data
