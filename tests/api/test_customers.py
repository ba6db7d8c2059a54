"""Customers by API: finding, changing, addresses, merging two and undoing it."""

from typing import Any

from tests.api.conftest import House


async def make(house: House, name: str, *identities: str) -> dict[str, Any]:
    """A customer made by the agent."""
    answer = await house.ask("agent", "POST", "/customers", {"name": name, "identities": list(identities)})
    assert answer.status == 201, answer
    return answer.json  # type: ignore[no-any-return]


async def test_a_customer_is_made_once_found_and_changed(house: House) -> None:
    body = {
        "name": "Katrin Vogel",
        "identities": ["Katrin@Vogel.example", "+49 (30) 123-45"],
        "attributes": {"plan": "gold"},
    }
    made = await house.ask("agent", "POST", "/customers", body | {"client_id": "k"})
    again = await house.ask("agent", "POST", "/customers", body | {"client_id": "k"})
    taken = await house.ask("agent", "POST", "/customers", {"identities": ["katrin@vogel.example"]})
    path = f"/customers/{made.json['id']}"

    changed = await house.ask(
        "agent", "PATCH", path, {"owner": str(house.people["agent"]), "attributes": {"plan": None, "size": 3}}
    )
    renamed = await house.ask("agent", "PATCH", path, {"name": "Kat\n Vogel\x00", "owner": None})

    assert (made.status, again.status) == (201, 200)
    assert made.json["id"] == again.json["id"]
    assert [i["address"] for i in made.json["identities"]] == ["email:katrin@vogel.example", "tel:+493012345"]
    assert (taken.status, taken.json["customer"]) == (409, made.json["id"])
    assert (changed.json["owner"], changed.json["attributes"]) == (str(house.people["agent"]), {"size": 3})
    assert (renamed.json["name"], renamed.json["owner"]) == ("Kat  Vogel", None)
    for q in ("kat", "KATRIN@", "email:katrin", "+4930", "tel:+49301"):
        found = await house.ask("agent", "GET", "/customers", params={"q": q})
        assert [c["id"] for c in found.json["items"]] == [made.json["id"]], q
    assert (await house.get("/customers?q=%25"))["items"] == []
    wrong: Any
    for wrong in (
        {"name": ""},
        {"name": " "},
        {"owner": "999"},
        {"id": "1"},
        {"attributes": {"a": []}},
        {"name": None},
    ):
        assert (await house.ask("agent", "PATCH", path, wrong)).status == 422, wrong
    assert (await house.ask("light", "PATCH", path, {"name": "x"})).status == 403
    assert (await house.ask("agent", "POST", "/customers", {})).status == 422
    assert (await house.ask("agent", "POST", "/customers", {"identities": ["nothing"]})).status == 422


async def test_customers_come_in_pages(house: House) -> None:
    for number in range(3):
        await make(house, f"Person {number}")

    first = await house.get("/customers?limit=3")
    second = await house.get(f"/customers?limit=3&cursor={first['next']}")

    assert [len(first["items"]), len(second["items"]), second["next"]] == [3, 2, None]
    assert not {c["id"] for c in first["items"]} & {c["id"] for c in second["items"]}


async def test_addresses_are_given_and_taken(house: House) -> None:
    path = f"/customers/{(await make(house, 'Kat', 'kat@x.example'))['id']}/identities"
    other = (await make(house, "Otto", "otto@x.example"))["id"]

    added = await house.ask("agent", "POST", path, {"address": "tel:+49 1", "name": "mobile", "verified": True})
    again = await house.ask("agent", "POST", path, {"address": "+491"})
    taken = await house.ask("agent", "POST", path, {"address": "Otto@x.example"})
    wrong = await house.ask("agent", "POST", path, {"address": "email:nobody"})
    foreign = await house.ask("agent", "DELETE", f"/customers/{other}/identities/{added.json['id']}")
    gone = await house.ask("agent", "DELETE", f"{path}/{added.json['id']}")
    listed = await house.get(path, "agent")

    assert (added.status, added.json["address"], added.json["verified"]) == (201, "tel:+491", True)
    assert again.json["id"] == added.json["id"]
    assert (taken.status, wrong.status, foreign.status, gone.status) == (409, 422, 404, 204)
    assert [i["address"] for i in listed["items"]] == ["email:kat@x.example"]


async def test_a_merge_moves_everything_and_undoing_it_puts_back_exactly_that(house: House) -> None:
    kat = await make(house, "Kat", "kat@x.example")
    nora = next(c for c in (await house.get("/customers"))["items"] if c["name"] == "Nora North")
    before = await house.get(f"/customers/{nora['id']}/timeline")

    merged = await house.ask(
        "agent", "POST", f"/customers/{kat['id']}/merges", {"other": nora["id"], "evidence": "same phone"}
    )
    await house.receive("north", "n5", "nora", "Me again")
    winner = await house.get(f"/customers/{kat['id']}")
    as_winner = await house.get(f"/customers/{nora['id']}")
    timeline = await house.get(f"/customers/{kat['id']}/timeline")
    mine = await house.get(f"/conversations?customer={kat['id']}")
    undone = await house.ask("agent", "DELETE", f"/customers/{kat['id']}/merges/{merged.json['id']}")
    again = await house.ask("agent", "DELETE", f"/customers/{kat['id']}/merges/{merged.json['id']}")
    after = await house.get(f"/customers/{nora['id']}/timeline")

    assert (merged.status, merged.json["other"], merged.json["evidence"]) == (201, nora["id"], "same phone")
    assert {i["address"] for i in winner["identities"]} == {"email:kat@x.example", "api:nora"}
    assert as_winner["id"] == kat["id"]
    texts = [i["text"] for i in timeline["items"] if i["type"] == "message"]
    assert texts == ["Where is my parcel?", "Me again"]
    assert [c["customer"] for c in mine["items"]] == [kat["id"]]
    assert (undone.status, undone.json["id"], again.status) == (200, nora["id"], 404)
    assert [i["id"] for i in after["items"]][: len(before["items"])] == [i["id"] for i in before["items"]]
    assert [i["text"] for i in after["items"] if i["type"] == "message"] == texts
    assert [i["address"] for i in (await house.get(f"/customers/{kat['id']}"))["identities"]] == ["email:kat@x.example"]
    assert (await house.get(f"/conversations?customer={kat['id']}"))["items"] == []


async def test_merges_undone_in_any_order_give_everybody_their_own(house: House) -> None:
    a, b, c = [(await make(house, n, f"{n}@x.example"))["id"] for n in "abc"]
    ab = (await house.ask("agent", "POST", f"/customers/{a}/merges", {"other": b})).json["id"]
    ca = (await house.ask("agent", "POST", f"/customers/{c}/merges", {"other": a})).json["id"]

    assert (await house.ask("agent", "DELETE", f"/customers/{c}/merges/{ab}")).status == 200
    assert (await house.ask("agent", "DELETE", f"/customers/{c}/merges/{ca}")).status == 200

    for number, name in ((a, "a"), (b, "b"), (c, "c")):
        customer = await house.get(f"/customers/{number}")
        assert (customer["id"], [i["address"] for i in customer["identities"]]) == (number, [f"email:{name}@x.example"])
    assert (await house.ask("agent", "POST", f"/customers/{a}/merges", {"other": a})).status == 422
    assert (await house.ask("agent", "POST", f"/customers/{a}/merges", {"other": "999"})).status == 404


async def test_a_customers_timeline_shows_an_agent_only_their_conversations(house: House) -> None:
    known = {c["name"]: c["id"] for c in (await house.get("/customers"))["items"]}
    nora, sam = known["Nora North"], known["Sam South"]
    await house.ask("admin", "POST", f"/customers/{nora}/merges", {"other": sam})

    all_of_it = await house.get(f"/customers/{nora}/timeline", "boss")
    theirs = await house.get(f"/customers/{nora}/timeline", "agent")

    assert {i["text"] for i in all_of_it["items"] if i["type"] == "message"} == {
        "Where is my parcel?",
        "A question of money",
    }
    assert {i["text"] for i in theirs["items"] if i["type"] == "message"} == {"Where is my parcel?"}
