#!/usr/bin/python3
"""An SMTP server in a process of its own that takes everything and remembers what arrived.

Prints its port at once. To each line of standard input it says how many recipients that begin so
have a mail; when standard input ends, one JSON object: recipient -> for each of its mails the
six-digit numbers in the body.
"""
import asyncio
import json
import re
import sys

NUMBER = re.compile(rb"(?<!\d)\d{6}(?!\d)")
END = b"\r\n.\r\n"
GREETING = b"220 sink.test ESMTP\r\n"
EHLO = b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
ANSWERS = {b"EHLO": EHLO, b"HELO": b"250 sink.test\r\n", b"MAIL": b"250 2.1.0 Ok\r\n",
           b"RCPT": b"250 2.1.5 Ok\r\n", b"RSET": b"250 Ok\r\n", b"NOOP": b"250 Ok\r\n",
           b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, arrived):
        self.arrived = arrived
        self.bytes = b""
        self.in_mail = False
        self.recipient = None
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        transport.write(GREETING)

    def data_received(self, data):
        self.bytes += data
        while self.take_mail() if self.in_mail else self.take_command():
            pass

    def take_mail(self):
        mail, end, rest = self.bytes.partition(END)
        if not end:
            return False
        self.bytes, self.in_mail = rest, False
        body = mail.partition(b"\r\n\r\n")[2]
        found = sorted({number.decode() for number in NUMBER.findall(body)})
        self.arrived.setdefault(self.recipient, []).append(found)
        self.transport.write(b"250 2.0.0 Ok\r\n")
        return True

    def take_command(self):
        line, end, rest = self.bytes.partition(b"\r\n")
        if not end:
            return False
        self.bytes = rest
        word = line[:4].upper()
        if word == b"RCPT":
            self.recipient = line.partition(b"<")[2].partition(b">")[0].decode()
        self.in_mail = word == b"DATA"
        self.transport.write(ANSWERS.get(word, b"500 what?\r\n"))
        if word == b"QUIT":
            self.transport.close()
        return True


async def main():
    arrived = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(arrived), "127.0.0.1", 0, backlog=511)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(sum(one.startswith(line.strip()) for one in arrived), flush=True)
    print(json.dumps(arrived))


if __name__ == "__main__":
    asyncio.run(main())
