"""A wire tap: hands a connection on byte by byte, and keeps what the client has said."""
import re
import socket
import threading


class Tap:
    """Listens on a port of its own for the server on target_port."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.said = []  # a bytearray a connection
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        said = bytearray()
        self.said.append(said)
        threading.Thread(target=self._hand_on, args=[server, client, None], daemon=True).start()
        self._hand_on(client, server, said)

    @staticmethod
    def _hand_on(source, target, keep):
        try:
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(65536):
                if keep is not None:
                    keep += data
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mails(self):
        """The bytes of every mail that was said whole."""
        return [mail for said in self.said for mail in _mails(bytes(said))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


def _mails(said):
    found = []
    while said:
        line, end, said = said.partition(b"\r\n")
        if end and line.upper() == b"DATA" and b"\r\n.\r\n" in said:
            data, _, said = said.partition(b"\r\n.\r\n")
            found.append(re.sub(rb"(?m)^\.\.", b".", data + b"\r\n"))
    return found
