"""A child of the core (composer, deliverer) started by itself, with the test as its core."""
import os
import socket
import subprocess

import frames


class Child:
    """The program at path with a frame socket as its descriptor 3. Times are in seconds.

    options are those of Popen: its environment, its user, its standard error.
    """

    def __init__(self, path, timeout=60, **options):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(timeout)
        descriptor = theirs.fileno()

        def place_socket():
            os.dup2(descriptor, 3)  # inheritable, unless it is there already
            os.set_inheritable(3, True)
        self.process = subprocess.Popen(
            [path, str(os.getpid())], preexec_fn=place_socket, pass_fds=(3,),
            stdin=subprocess.DEVNULL, **options)
        theirs.close()

    def send(self, header, *blobs):
        self.socket.sendall(frames.encode(header, blobs))

    def receive(self):
        """The next frame as (header, blobs); None where the child has closed its end."""
        try:
            return frames.read_frame(self.socket)
        except (EOFError, ConnectionResetError):
            return None

    def ask(self, header, *blobs):
        self.send(header, *blobs)
        return self.receive()

    def wait(self):
        """The exit status."""
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()

    def close(self):
        """Closes our end, as the core's death would, and gives the exit status."""
        self.socket.close()
        return self.wait()
