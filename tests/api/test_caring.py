"""Tasks, consents and orders through the API, as a shop writes them."""

from __future__ import annotations

from tests.api.conftest import House
from tests.api.test_customers import make


async def test_a_program_notes_tasks_consents_and_orders(house: House) -> None:
    kat = f"/customers/{(await make(house, 'Kat', 'kat@x.example'))['id']}"
    task = {"text": "Call", "due_at": "2030-01-31T10:00:00Z", "person": str(house.people["agent"]), "client_id": "t1"}
    made, again = [await house.ask("agent", "POST", f"{kat}/tasks", task) for _ in range(2)]
    assert (made.status, again.status, made.json["id"]) == (201, 200, again.json["id"])
    assert [t["text"] for t in (await house.get("/tasks", "agent"))["items"]] == ["Call"]
    ticked = await house.ask("agent", "PATCH", f"/tasks/{made.json['id']}", {"done": True, "due_at": None})
    assert (ticked.json["done_at"] is not None, ticked.json["due_at"]) == (True, None)
    assert (await house.get("/tasks", "agent"))["items"] == []

    out = await house.ask("agent", "POST", f"{kat}/consents", {"kind": "email", "state": "out", "how": "letter"})
    assert [(c["kind"], c["state"], c["how"]) for c in out.json["items"]] == [("email", "out", "letter")]

    order = {"number": "A-1", "at": "2026-11-01T10:00:00Z", "amount": 12990, "currency": "EUR", "state": "ordered"}
    await house.ask("agent", "POST", f"{kat}/orders", order)
    put = await house.ask("agent", "POST", f"{kat}/orders", order | {"state": "shipped"})
    assert [(o["number"], o["amount"], o["state"]) for o in put.json["items"]] == [("A-1", 12990, "shipped")]
    gone = await house.ask("agent", "DELETE", f"{kat}/orders/{put.json['items'][0]['id']}")
    assert (gone.status, (await house.get(f"{kat}/orders"))["items"]) == (204, [])
    for path, body in (
        ("tasks", {"text": ""}),
        ("tasks", {"text": "x", "due_at": "tomorrow"}),
        ("tasks", {"text": "x", "person": "999"}),
        ("consents", {"kind": "email", "state": "maybe"}),
        ("orders", {"number": "x"}),
        ("orders", {"number": "x", "at": "2026-11-01T10:00:00Z", "url": "javascript:x"}),
    ):
        assert (await house.ask("agent", "POST", f"{kat}/{path}", body)).status == 422, (path, body)
    assert (await house.ask("light", "POST", f"{kat}/orders", order)).status == 403
