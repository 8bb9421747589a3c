"""What the checks that need Docker have in common."""
import subprocess
import time

WAIT_S = 60


def run(*command, check=True, folder=None):
    done = subprocess.run([str(part) for part in command], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def wait_until(condition, what, limit_s=WAIT_S):
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"waited {limit_s} s for {what}")
        time.sleep(0.05)
