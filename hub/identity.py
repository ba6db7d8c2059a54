"""Who is behind an address? Finds the customers of a batch of senders, and makes those nobody has met yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.messages import Party
from hub.sql import allocate, among, insert_rows, is_postgres, run
from hub.tables import customers, identities, tombstones
from hub.text import fold


class Known(Struct, frozen=True):
    """The customer behind an address; ``new`` ones were made in this transaction."""

    id: int
    name: str
    owner_id: int | None
    new: bool = False


_find = sa.select(identities.c.address, customers.c.id, customers.c.name, customers.c.owner_id).join(
    customers, customers.c.id == identities.c.customer_id
)
_find = _find.where(among(identities.c.address, "addresses"))
_erased = sa.select(tombstones.c.address_hash, tombstones.c.at).where(among(tombstones.c.address_hash, "hashes"))
_lock = sa.text(
    "SELECT count(pg_advisory_xact_lock(715517, key)) FROM"
    " (SELECT DISTINCT key FROM unnest(CAST(:keys AS integer[])) AS k(key) ORDER BY key) AS sorted"
)


def lock(conn: Connection, addresses: Sequence[str]) -> None:
    """Hold these senders until the commit, so that two processes agree on who they are and in which order they spoke.

    SQLite has one writer; there is nothing to hold.
    """
    if is_postgres(conn):
        keys = sorted(
            {int.from_bytes(hashlib.blake2b(a.encode(), digest_size=4).digest(), "big", signed=True) for a in addresses}
        )
        run(conn, _lock, keys=keys)


def find(conn: Connection, addresses: Sequence[str]) -> dict[str, Known]:
    """The customers behind those of the addresses that are known. One statement."""
    rows = run(conn, _find, addresses=list(addresses)).all()
    return {address: Known(customer, name, owner) for address, customer, name, owner in rows}


def resolve(conn: Connection, senders: Sequence[Party]) -> dict[str, Known]:
    """The customer behind each sender, making customers and identities for new addresses. A fixed number of statements."""
    wanted = {party.address: party for party in senders}
    known = find(conn, list(wanted))
    missing = [party for address, party in wanted.items() if address not in known]
    if missing:
        known.update(_make(conn, missing))
    return known


def _make(conn: Connection, parties: Sequence[Party]) -> dict[str, Known]:
    moment, count = now(), len(parties)
    ids = allocate(conn, "people", 2 * count)
    made = {}
    rows, faces = [], []
    for party, customer, identity in zip(parties, ids[:count], ids[count:], strict=True):
        name = party.name or readable(party.address)
        made[party.address] = Known(customer, name, None, new=True)
        rows.append({"id": customer, "name": name, "folded": fold(name), "created_at": moment})
        faces.append(
            {
                "id": identity,
                "customer_id": customer,
                "address": party.address,
                "bare": fold(readable(party.address)),
                "name": party.name,
                "created_at": moment,
            }
        )
    insert_rows(conn, customers, rows)
    insert_rows(conn, identities, faces)
    return made


def attach(conn: Connection, customer_id: int, address: str, name: str) -> None:
    """Give the customer an address that was proven and that nobody has yet; the caller holds it (see `lock`)."""
    row = {
        "id": allocate(conn, "people", 1)[0],
        "customer_id": customer_id,
        "address": address,
        "bare": fold(readable(address)),
        "name": name,
        "verified": True,
        "created_at": now(),
    }
    insert_rows(conn, identities, [row])


def readable(address: str) -> str:
    """The address as people write it: without the kind in front."""
    return address.partition(":")[2] or address


def erased(conn: Connection, addresses: Sequence[str]) -> dict[str, int]:
    """Those of the addresses whose owner was erased, and when: what was said until then must not come back by a re-import."""
    hashes = {address_hash(a): a for a in addresses}
    rows = run(conn, _erased, hashes=list(hashes)).all()
    return {hashes[digest]: at for digest, at in rows}


def address_hash(address: str) -> str:
    """What a tombstone keeps of an address."""
    return hashlib.sha256(b"hub tombstone\0" + address.encode()).hexdigest()
