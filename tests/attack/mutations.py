"""What can be done to a request's bytes. Each takes the bytes and a random source."""
import http_seeds

WORDS = [
    b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b" ", b"\t", b":", b"\x7f", b"\xff\xfe", b"%00",
    b"%0d%0a", b"\r\n ", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding : chunked\r\n", b"X-Api-Key: x\r\n",
    b"Host: other\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n", b"-1\r\n",
    b"7fffffffffffffff\r\n", b"GET ", b"HTTP/1.1", b"HTTP/9.9", b"HTTP/1.0", b"../", b"//",
    b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"[", b"{", b"]" * 50, b"\\u0000",
    b"A" * 9000, b"X: y\r\n" * 300, b"B" * 40000,
]
NUMBERS = [b"0", b"1", b"-1", b"+5", b"0x5", b"5, 5", b" 5", b"4294967296", b"2147483648",
           b"9223372036854775807", b"9223372036854775808", b"99999999999999999999999", b"1e3", b""]


def place(data, random):
    """Mostly in the head: that is where parsers are."""
    end = data.find(b"\r\n\r\n") + 4 if random.random() < 0.7 else 0
    return random.randrange(min(end, len(data)) if end > 4 else max(len(data), 1))


def flip_bits(data, random):
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8)) if data else 0):
        changed[place(data, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_byte(data, random):
    at = place(data, random)
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1:]


def cut_out(data, random):
    at = place(data, random)
    return data[:at] + data[at + random.choice((1, 2, 10, 100)):]


def cut_off(data, random):
    return data[:place(data, random)]


def insert_word(data, random):
    at = place(data, random)
    return data[:at] + random.choice(WORDS) + data[at:]


def insert_line(data, random):
    """A whole header, where headers stand."""
    ends = [at for at in range(len(data)) if data.startswith(b"\r\n", at)][:20]
    at = random.choice(ends) + 2 if ends else 0
    return data[:at] + random.choice([word for word in WORDS if word.endswith(b"\r\n")]) + data[at:]


def with_lines(data, change):
    head, blank, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    change(lines)
    return b"\r\n".join(lines) + blank + body


def repeat_line(data, random):
    return with_lines(data, lambda lines: lines.insert(random.randrange(len(lines)) + 1,
                                                       random.choice(lines)))


def drop_line(data, random):
    return with_lines(data, lambda lines: lines.pop(random.randrange(len(lines))))


def shuffle_lines(data, random):
    def change(lines):
        rest = lines[1:]
        random.shuffle(rest)
        lines[1:] = rest
    return with_lines(data, change)


def other_number(data, random):
    digits = [at for at in range(min(len(data), 2000)) if data[at:at + 1].isdigit()]
    if not digits:
        return data
    at = end = random.choice(digits)
    while data[end:end + 1].isdigit():
        end += 1
    return data[:at] + random.choice(NUMBERS) + data[end:]


def other_ends(data, random):
    return data.replace(b"\r\n", random.choice((b"\n", b"\r", b"\r\r\n", b"\0\r\n")),
                        random.choice((1, 2, -1)))


def other_case(data, random):
    return with_lines(data, lambda lines: lines.__setitem__(
        slice(None), [random.choice((line, line.swapcase())) for line in lines]))


def twice(data, _):
    return data + data


def splice(data, random):
    other, _ = http_seeds.SEEDS[random.choice(list(http_seeds.SEEDS))]
    other = other(b'{"spliced":1}')
    return data[:place(data, random)] + other[place(other, random):]


ALL = [flip_bits, set_byte, cut_out, cut_off, insert_word, insert_word, insert_line, insert_line,
       repeat_line, drop_line, shuffle_lines, other_number, other_ends, other_case, twice, splice]


def mutate(data, random):
    for _ in range(random.choice((1, 1, 2, 3, 5))):
        data = random.choice(ALL)(data, random)
    return data
