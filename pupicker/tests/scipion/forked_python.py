"""A Python that starts at once: its processes are forks of one that has imported what takes seconds.

A protocol starts ``PYTHON script.py ARGUMENT...`` twice: Scipion starts the run, the run starts the core.  Importing
pwem and torch for that takes seconds, some hundred times.  :class:`ForkedPython` makes an executable file that can
stand in place of PYTHON: it asks a server, a process of one thread that has imported some *installed packages* but
nothing of pupicker, to fork, and waits.  The fork takes over the arguments, environment, folder and standard streams,
reads the script and pupicker from their files, and ends as any interpreter does.

What else is as with a real start, because tests rely on it:

* SIGTERM, SIGINT and SIGHUP are passed on; the end by a signal is an end by that signal; when the process that was
  started is killed, its fork is killed with all that it started.
* A fork is a process of its own session.  Random numbers are seeded anew.
* The server ends when the process that made it ends.

Not as with a real start: variables that a package reads when it is imported.  If one of the ``WATCHED`` ones is not
what it was for the server, or there is no server, the real Python is started instead.  Tests of the start itself, of
the isolation from other packages, and one of each kind of workflow do without this.

This file is the server's program too, so that it imports nothing but the standard library.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import runpy
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

CORE = ("torch", "matplotlib.figure", "matplotlib.backends.backend_agg", "PIL.PngImagePlugin", "jinja2", "imagecodecs",
        "tifffile", "gemmi", "mrcfile", "safetensors.torch", "html", "statistics")
"""What training, picking and their reports import."""
SCIPION = ("pwem.protocols", "pwem.objects", "pwem.convert", "pyworkflow.project", "pyworkflow.protocol.executor")
"""What a run imports; not the plugins, which read their variables when they are loaded."""
WATCHED = ("OMP_", "MKL_", "OPENBLAS_", "TORCH", "PYTORCH", "MPL", "SCIPION_", "CONDA_", "EM_", "VIEWERS")
UNWATCHED = (b"SCIPION_PYTHON", b"SCIPION_PROT_ID", b"SCIPION_PROJ_ID")  # of each run; no import depends on them
POLL_S = 0.1

CLIENT = """#!{python} -IS
import _socket
import marshal
import os
import signal
import sys

PASSED_ON = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until there is a fork to pass them on to

def real():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    os.execv({python!r}, [{python!r}] + sys.argv[1:])

try:
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect({address!r})
    if not sys.argv[1:] or not os.path.isfile(sys.argv[1]):
        real()
    mask = os.umask(0o22)
    os.umask(mask)
    request = marshal.dumps((sys.argv[1:], dict(os.environb), os.getcwdb(), mask))
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    server.sendmsg([len(request).to_bytes(8, "little")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    sent = 0
    while sent < len(request):
        sent += server.send(request[sent:])
    forked = server.recv(1) == b"y"
except OSError:
    forked = False
if not forked:
    real()

def forward(number, frame):
    try:
        server.send(bytes([number]))
    except OSError:
        pass

for number in PASSED_ON:
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, forward)
signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
answer = b""
while len(answer) < 4:
    part = server.recv(4 - len(answer))
    if not part:
        os.write(2, b"the server of the forked Python ended\\n")
        os._exit(70)
    answer += part
status = int.from_bytes(answer, "little", signed=True)
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
    os.kill(os.getpid(), -status)
os._exit(status)
"""


class ForkedPython:
    """The server and the executable file `path` that starts forks of it.

    Parameters
    ----------
    modules
        What the server imports.
    quickPolls
        Whether Scipion's executor looks every tenth of a second whether a step has ended, instead of every three.
    """

    def __init__(self, modules: tuple[str, ...], quickPolls: bool = False) -> None:
        self._folder = tempfile.mkdtemp(prefix="pupicker_fork_")
        atexit.register(self.close)
        address = os.path.join(self._folder, "socket")
        self.path = os.path.join(self._folder, "python")
        self.environment = watched(os.environb)
        environment = dict(os.environ)
        environment.pop("PYTHONPATH", None)  # each fork looks into that of its own environment
        ready, told = os.pipe()
        with open(os.path.join(self._folder, "log"), "wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), address, str(told), "quick" if quickPolls else "",
                 *modules], env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                pass_fds=[told])
        os.close(told)
        with open(ready, "rb") as stream:
            answer = stream.read()
        if answer != b"ready":
            with open(os.path.join(self._folder, "log"), encoding="utf-8") as stream:
                raise RuntimeError("the server of the forked Python did not start:\n" + stream.read())
        with open(self.path, "w", encoding="utf-8") as stream:
            stream.write(CLIENT.format(python=sys.executable, address=address))
        os.chmod(self.path, 0o755)

    def close(self) -> None:
        """End the server and all that it forked."""
        if self._server.poll() is None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            try:
                self._server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def watched(environment: Any) -> dict[bytes, bytes]:
    """The variables that a package may read when it is imported."""
    return {name: value for name, value in environment.items()
            if name.decode(errors="replace").startswith(WATCHED) and name not in UNWATCHED}


# ------------------------- the server -------------------------
class Server:
    """Forks one process for each connection, tells it how that ended, and passes signals on."""

    def __init__(self, address: str, known: dict[bytes, bytes]) -> None:
        self._known = known
        self._running: dict[int, socket.socket] = {}  # by the number of the fork
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(address)
        self._listening.listen(64)
        self._woken, self._waking = socket.socketpair()
        for end in (self._woken, self._waking):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waking.fileno())
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._selector.register(0, selectors.EVENT_READ)  # closed when the maker ends
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def serve(self) -> list[str]:
        """Return, in each fork, the script and arguments that it is to run; never in the server."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    self._end()
                elif key.fileobj is self._woken:
                    self._reap()
                elif key.fileobj is self._listening:
                    script = self._accept()
                    if script:
                        return script
                elif key.fileobj in self._running.values():
                    assert isinstance(key.fileobj, socket.socket)
                    self._obey(key.fileobj)

    def _accept(self) -> list[str]:
        """Fork for a new connection; the script, in the fork."""
        connection, _ = self._listening.accept()
        connection.settimeout(10)
        descriptors: list[int] = []
        try:
            head, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
            request = b""
            (size,) = struct.unpack("<Q", head)
            while len(request) < size:
                part = connection.recv(size - len(request))
                if not part:
                    raise OSError("the client ended")
                request += part
            script, environment, folder, mask = marshal.loads(request)
            alike = watched(environment) == self._known
            connection.sendall(b"y" if alike else b"n")
        except (OSError, struct.error):
            alike = False
        process = os.fork() if alike else None
        if process == 0:
            self._leave(connection)
            become(environment, folder, mask, descriptors)
            return list(script)
        for descriptor in descriptors:
            os.close(descriptor)
        if process is None:
            connection.close()
        else:
            self._running[process] = connection
            self._selector.register(connection, selectors.EVENT_READ)
        return []

    def _leave(self, connection: socket.socket) -> None:
        """Close, in a fork, what belongs to the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for held in (self._listening, self._woken, self._waking, connection, *self._running.values()):
            held.close()

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        while self._running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            connection = self._running.pop(process)
            with contextlib.suppress(KeyError):  # the client has left
                self._selector.unregister(connection)
            with contextlib.suppress(OSError):
                connection.sendall(struct.pack("<i", os.waitstatus_to_exitcode(status)))
            connection.close()

    def _obey(self, connection: socket.socket) -> None:
        """Pass on the signals that the client got; its end is the end of its fork."""
        process = next(number for number, other in self._running.items() if other is connection)
        try:
            signals = connection.recv(64)
        except OSError:
            signals = b""
        for number in signals:
            os.kill(process, number)
        if not signals:
            self._selector.unregister(connection)
            kill(process)

    def _end(self) -> None:
        for process in self._running:
            kill(process)
        os._exit(0)


def kill(process: int) -> None:
    """End a fork, which nobody has waited for yet, and what it started in its session."""
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:  # it has not come to make its session
        os.kill(process, signal.SIGKILL)


def become(environment: dict[bytes, bytes], folder: bytes, mask: int, descriptors: list[int]) -> None:
    """Take over, in a fork, what a process gets from the one that starts it."""
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.umask(mask)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environment)
    buffered = not os.environ.get("PYTHONUNBUFFERED")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream: Any = open(  # noqa: SIM115
            number, "r" if number == 0 else "w", encoding="utf-8", closefd=False, errors=getattr(sys, name).errors)
        if number:
            stream.reconfigure(line_buffering=number == 2 or stream.isatty(), write_through=not buffered)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


class QuickTime:
    """In place of the module ``time`` where Scipion's executor waits for steps."""

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, POLL_S))


def main() -> None:
    address, told, quick, *modules = sys.argv[1:]
    known = watched(os.environb)
    # Native threads do not live on in a fork; with one thread each, the libraries start none.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    folders = list(sys.path)
    for module in modules:
        importlib.import_module(module)
    if quick:
        sys.modules["pyworkflow.protocol.executor"].time = QuickTime  # type: ignore[attr-defined]
    if os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1:
        raise SystemExit("what was imported has started threads, which would be lost in a fork")
    gc.freeze()
    server = Server(address, known)
    os.write(int(told), b"ready")
    os.close(int(told))
    script = server.serve()
    added = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [os.path.dirname(os.path.abspath(script[0])), *added, *folders]
    sys.argv[:] = script
    importlib.invalidate_caches()
    runpy.run_path(script[0], run_name="__main__")


if __name__ == "__main__":
    main()
