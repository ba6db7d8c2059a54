"""Fixtures for everybody: both databases, Redis, Dovecot, a browser, the corpora; and the guards over every test.

Servers start when the first test asks for one, once per run, shared by all workers; the process that began the run ends
them.
"""

import asyncio
import contextlib
import fcntl
import itertools
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # so that "from tests.fakes import until" works however pytest is started

from tests.chaos.forks import Forks  # noqa: E402
from tests.databases import Stock, share_compiled  # noqa: E402
from tests.fakes import corpora_folder, need  # noqa: E402
from tests.guard import Guard  # noqa: E402
from tests.servers import Dovecot, Postgres, Redis, Server, apart, end_left_over  # noqa: E402

GUARD = Guard()
KINDS = os.environ.get("HUB_TEST_DATABASES", "sqlite,postgresql").split(",")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Every process gets the guards; the first one makes the run's folder and will end what was started in it."""
    config.addinivalue_line("markers", "may_block: this test holds up its own event loop on purpose")
    GUARD.install()
    keep_bytecode()
    share_compiled()
    if not hasattr(config, "workerinput"):
        end_left_over()
        folder = tempfile.mkdtemp(prefix=f"hub-tests-{os.getpid()}-")
        Path(folder).chmod(0o755)
        os.environ["HUB_TEST_RUN"] = folder
        config.add_cleanup(lambda: end_left_over(Path(folder)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs on both databases is in the quick suite on one of them, a third of it on PostgreSQL; the other one is `rest`."""
    for item in items:
        given = getattr(item, "callspec", None)
        kind = next((str(p) for p in given.params.values() if p in KINDS), "") if given else ""
        slower = zlib.crc32(item.nodeid.replace(kind, "").encode()) % 3 == 0
        if kind and len(KINDS) == 2 and KINDS[slower] != kind:
            item.add_marker("rest")


def keep_bytecode() -> None:
    """Dozens of processes follow, and each would compile the hub and rewrite the tests anew where that is not kept."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test fails when it reached for the outside, even if the code under test shrugged it off."""
    GUARD.forget()
    result = yield
    if complaint := GUARD.complaint(may_block=item.get_closest_marker("may_block") is not None):
        pytest.fail(complaint, pytrace=False)
    return result


@pytest.fixture(scope="session")
def run_folder() -> Path:
    """The folder that all workers of this run share."""
    return Path(os.environ["HUB_TEST_RUN"])


@pytest.fixture(scope="session")
def guard() -> Guard:
    """What watches the tests, for the tests of the watch itself."""
    return GUARD


@contextlib.contextmanager
def only_one(folder: Path, name: str) -> Iterator[Path]:
    """One worker at a time; gives a folder for what it is about."""
    place = folder / name
    place.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def shared(server: type[Server], folder: Path) -> Server:
    """The run's one server of its kind: started here, or already there."""
    with only_one(folder, server.__name__.lower()) as place:
        note = place / "port"
        if note.exists():
            return server(place, int(note.read_text()))
        running = server(place)
        running.start()
        note.write_text(str(running.port))
        return running


@pytest.fixture(scope="session")
def postgres(run_folder: Path) -> Postgres:
    """The shared PostgreSQL: make databases in it, but do not stop it (see `own_postgres`)."""
    found = shared(Postgres, run_folder)
    assert isinstance(found, Postgres)
    return found


@pytest.fixture(scope="session")
def template_file(run_folder: Path) -> Path:
    """A migrated SQLite file to copy."""
    with only_one(run_folder, "sqlite") as place:
        if not (place / "done").exists():
            apart(lambda: migrate(f"sqlite:///{place / 'template.db'}"))
            (place / "done").touch()
        return place / "template.db"


@pytest.fixture(scope="session")
def template_database(postgres: Postgres, run_folder: Path) -> str:
    """The name of a migrated database to copy."""
    with only_one(run_folder, "template") as place:
        if not (place / "done").exists():
            postgres.run("DROP DATABASE IF EXISTS hub_template", "CREATE DATABASE hub_template")
            apart(lambda: migrate(postgres.url("hub_template")))
            (place / "done").touch()
    return "hub_template"


@pytest.fixture(scope="session")
def stock(postgres: Postgres, template_database: str) -> Iterator[Stock]:
    """This worker's PostgreSQL databases, migrated and empty."""
    with Stock(postgres, template_database, WORKER) as made:
        yield made


async def migrate(url: str) -> None:
    """Bring the database at ``url`` to the current schema."""
    from hub.database import open_database
    from hub.migrations import upgrade

    database = open_database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


@pytest.fixture(autouse=True, scope="session")
def few_connections() -> Iterator[None]:
    """Every test opens its hub anew, and a connection to PostgreSQL is dear: three show what twelve do. Processes have all."""
    from hub import database

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "CONNECTIONS", 3)
        patch.setattr(database, "MORE", 0)
        yield


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """sqlite or postgresql: whoever asks for it, or for what stands on it, runs on both."""
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own with the current schema and nothing in it."""
    if database_kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("template_file"), tmp_path / "hub.db")
        yield f"sqlite:///{tmp_path / 'hub.db'}"
    else:
        stock: Stock = request.getfixturevalue("stock")
        with stock.lend() as name:
            yield stock.server.url(name)


@pytest.fixture
def empty_database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own without any table: what `hub migrate` meets the first time."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        name = f"empty_{WORKER}_{next(numbers)}"
        server.run(f"CREATE DATABASE {name} TEMPLATE template0")
        yield server.url(name)
        server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Any]:
    """An open Database with the current schema; closed afterwards."""
    from hub.database import open_database

    database = open_database(database_url)
    yield database
    async with asyncio.timeout(10):
        await database.close()


@pytest.fixture(scope="session")
def redis(run_folder: Path) -> Redis:
    """The shared Redis: do not stop it (see `own_redis`)."""
    found = shared(Redis, run_folder)
    assert isinstance(found, Redis)
    return found


@pytest.fixture
def redis_url(redis: Redis) -> str:
    """An empty Redis database of this worker's own."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    redis.flush(number)
    return redis.url(number)


@pytest.fixture
def own_postgres(run_folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL of the test's own that it may `stop`, `kill`, `freeze`, `thaw` and `start` again (takes 1-2 s)."""
    yield from own(Postgres, run_folder)


@pytest.fixture
def own_redis(run_folder: Path) -> Iterator[Redis]:
    """A Redis of the test's own that it may `stop`, `kill`, `freeze`, `thaw` and `start` again."""
    yield from own(Redis, run_folder)


@pytest.fixture
def dovecot(run_folder: Path) -> Iterator[Dovecot]:
    """A Dovecot of the test's own: ``127.0.0.1`` and ``dovecot.port``, any user, password ``p``; see `Dovecot`."""
    need("dovecot")
    yield from own(Dovecot, run_folder, Dovecot.kill)  # nobody waits for its second of leave


def own(kind: type[Any], folder: Path, end: Callable[[Any], None] = Server.stop) -> Iterator[Any]:
    """A server for one test, ended with it."""
    server = kind(Path(tempfile.mkdtemp(prefix=f"{kind.__name__.lower()}-", dir=folder)))
    server.start()
    try:
        yield server
    finally:
        end(server)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Hub processes that start at once; all their tests are in the group ``forks``, so that one worker prepares them."""
    with Forks() as made:
        yield made


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real test material, read only; skips without it."""
    return corpora_folder()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path for Playwright's ``executable_path`` (start it with ``--no-sandbox``); skips without it."""
    return need("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Callable[..., Any]:
    """``settings(HUB_LISTEN="127.0.0.1:0", …)`` gives Settings on the test's database; variables as in the contract."""
    from config.settings import load

    def make(**environment: str) -> Any:
        given = {"HUB_DATA": str(tmp_path / "data"), "HUB_DATABASE": database_url, "HUB_LISTEN": "127.0.0.1:0"}
        return load(None, {**given, **environment})

    return make
