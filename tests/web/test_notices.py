"""One number on every device, and notices for whom they concern: over the live stream."""

from typing import Any

import sqlalchemy as sa

from hub import collaboration, notify, outbox, presence
from hub.accounts import actor
from hub.notices import Wishes
from hub.sql import renew
from hub.tables import teams
from tests.fakes import until
from tests.web.conftest import Site
from tests.web.test_being import here, told
from tests.web.test_live import Ear, joined, listen


async def give(site: Site, number: int, who: str, by: str = "anna") -> None:
    person = await site.server.hub.db.read(actor, site.people[by])
    await site.write(collaboration.assign, person, number, site.people[who], None)


def numbers(ear: Ear) -> list[int]:
    return [said["n"] for said in told(ear, "number")]


async def test_the_number_is_the_same_on_every_device_and_cleared_by_the_act(site: Site) -> None:
    one, two = await site.signed_in("jonas@firm.example"), await site.signed_in("jonas@firm.example")
    number = await site.say()
    await give(site, number, "jonas")
    ears = [await listen(one), await listen(two)]
    await until(lambda: all(numbers(ear)[-1:] == [1] for ear in ears))
    assert (await two.get("/inbox/all")).words("title").startswith("(1) ")

    await one.post(f"/c/{number}/seen", X_Hub="part")

    await until(lambda: all(numbers(ear)[-1:] == [0] for ear in ears))
    assert not (await two.get("/inbox/all")).words("title").startswith("(")
    await site.say()
    await until(lambda: all(numbers(ear)[-1:] == [1] for ear in ears))
    await give(site, number, "anna")
    await until(lambda: all(numbers(ear)[-1:] == [0] for ear in ears))


async def test_whoever_is_responsible_is_told_what_the_customer_wrote(site: Site) -> None:
    number = await site.say()
    await give(site, number, "jonas")
    anna, jonas = await listen(await site.signed_in()), await listen(await site.signed_in("jonas@firm.example"))
    await joined(site, 2)

    await site.say("Where is my parcel?")

    await until(lambda: told(jonas, "notice"))
    said = told(jonas, "notice")[0]
    assert (said["title"], said["text"], said["path"].partition("#i")[0]) == (
        "Katrin Vogel",
        "Where is my parcel?",
        f"/c/{number}",
    )
    assert (said["away"]["desktop"], said["away"]["sound"]) == (True, "message")
    assert (said["front"]["desktop"], said["front"]["sound"]) == (False, "message")
    assert told(anna, "notice") == []


async def test_whoever_is_mentioned_is_told_and_counted_until_they_look(site: Site) -> None:
    number = await site.say()
    await give(site, number, "anna")
    jonas = await site.signed_in("jonas@firm.example")
    ear = await listen(jonas)
    await joined(site)
    boss = await site.server.hub.db.read(actor, site.people["anna"])

    await site.write(outbox.note, boss, number, "@Jonas Meier please ask the manufacturer", "n1")

    await until(lambda: told(ear, "notice"))
    said = told(ear, "notice")[0]
    assert said["text"] == "Katrin Vogel: @Jonas Meier please ask the manufacturer"
    assert said["away"] == {"desktop": True, "sound": "", "push": True}
    await until(lambda: numbers(ear)[-1:] == [1])
    await jonas.post(f"/c/{number}/seen", X_Hub="part")
    await until(lambda: numbers(ear)[-1:] == [0])


async def test_whoever_looks_at_it_is_not_told(site: Site) -> None:
    number, other = await site.say(), await site.say("Other", "other", "Henrik")
    for each in (number, other):
        await give(site, each, "jonas")
    jonas = await site.signed_in("jonas@firm.example")
    ear = await listen(jonas)
    await joined(site)
    await here(jonas, number)

    await site.say("You see this")
    await site.say("You do not see this", "other", "Henrik")

    await until(lambda: told(ear, "notice"))
    assert [said["text"] for said in told(ear, "notice")] == ["You do not see this"]


async def test_the_queue_rings_once_in_a_while_and_only_for_who_is_available(site: Site) -> None:
    await site.write(pulling)
    ears = {who: await listen(await site.signed_in(f"{who}@firm.example")) for who in ("jonas", "lea")}
    await joined(site, 2)

    async def available() -> bool:
        question = sa.text("SELECT count(*) FROM presence WHERE seen_at > 0")
        return bool(await site.server.hub.db.read(lambda c: c.execute(question).scalar() == 2))

    await until(available)
    await site.write(away, site.people["lea"])
    for n in range(3):
        await site.say(f"New {n}", f"kunde{n}")

    await until(lambda: told(ears["jonas"], "notice"))
    assert [said["away"]["sound"] for said in told(ears["jonas"], "notice")] == ["queue"]
    assert told(ears["lea"], "notice") == []


def away(conn: Any, who: int) -> None:
    presence.choose(conn, who, "away")


def pulling(conn: Any) -> None:
    """The team takes its work out of a queue."""
    conn.execute(sa.update(teams).values(strategy="queue"))
    renew(conn, "directory")


async def test_what_somebody_chose_counts_at_once(site: Site) -> None:
    number = await site.say()
    await give(site, number, "jonas")
    jonas = await site.signed_in("jonas@firm.example")
    page = await jonas.get("/settings/notifications")
    page = await jonas.send(page, "#notices", sound="", volume="30", tone="bell", quiet_from="", quiet_to="")
    assert page.status == 200
    wishes = (await site.server.hub.db.read(notify.wishes_of, [site.people["jonas"]]))[site.people["jonas"]]
    assert (wishes.sound, wishes.volume, wishes.tone, wishes.desktop) == (False, 30, "bell", True)
    ear = await listen(jonas)
    await joined(site)

    await site.say("Quietly")

    await until(lambda: told(ear, "notice"))
    assert told(ear, "notice")[0]["away"] == {"desktop": True, "sound": "", "push": True}
    await site.write(notify.save_wishes, site.people["jonas"], Wishes(alone=True))


async def test_half_a_quiet_hour_comes_back_with_what_is_wrong(site: Site) -> None:
    jonas = await site.signed_in("jonas@firm.example")
    page = await jonas.get("/settings/notifications")

    page = await jonas.send(page, "#notices", quiet_from="22:00", quiet_to="")

    assert page.status == 422
    assert "18:30" in page.words("#e-quiet_to")
    assert page.one("#f-quiet_from").attributes["value"] == "22:00"
