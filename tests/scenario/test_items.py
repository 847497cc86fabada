"""Items of catalogs: declared in files, changed by events, told to those who asked for them, readable in content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify, message

from innkeeper.kernel.errors import Invalid
from innkeeper.runtime.items import show_item
from innkeeper.runtime.replay import replay
from innkeeper.strategy.load import load

STRATEGY = {
    "strategy.yaml": "name: shop\nevents: {Wanted: [product_id], Order Completed: [product_id, total]}\n"
    "traits: [email]\n",
    "channels.yaml": "email: {provider: file, from: a@example.com}\n",
    "catalogs/products.yaml": "kind: product\nwished_by: { event: Wanted, item: product_id }\nitems:\n"
    "  - { id: soap, name: Soap, price: 9.5, stock: 0 }\n  - { id: robe, name: Robe, price: 80, stock: 3 }\n",
    "catalogs/places.csv": "id,name,lat,lon,needs\nspa,The spa,38.7,-9.1,rest|warmth\n",
    "messages/back.md": message("Again {{ item.name }}", body="{{ item.stock }} of them"),
    "messages/thanks.md": message(
        "Thanks", body='You have {{ items.products[event.product_id].name }}; rest at {{ items.places["spa"].name }}'
    ),
    "journeys/back.yaml": "enter: { item: products, change: back_in_stock }\nsteps:\n  - send: back\n",
    "journeys/drop.yaml": "enter: { item: products, change: price_drop, when: item.price < 50 }\nsteps:\n"
    '  - task: { queue: shop, title: "{{ item.name }} for {{ item.price }}" }\n',
    "journeys/thanks.yaml": "enter: { event: Order Completed }\nsteps:\n  - send: thanks\n",
}


def update(at: str, item: str, **values: Any) -> Any:
    """New values of an item."""
    made = event("Item Updated", "staff", at, catalog="products", item=item, set=values)
    return {**made, "properties": {"catalog": "products", "id": item, "set": values}}


def wish(name: str, who: str, at: str, item: str) -> Any:
    """Somebody asks for an item, or does not any more."""
    return {**event(name, who, at, item=item), "properties": {"catalog": "products", "id": item}}


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """A workspace with two catalogs."""
    home = Workspace(tmp_path / "home")
    home.apply(STRATEGY)
    home.add(*(identify(who, "2026-01-01T00:00:00Z", email=f"{who}@example.com") for who in ("ann", "bob", "cy")))
    return home


def bodies(home: Workspace) -> list[str]:
    """The mails that went out, their texts."""
    import email
    from email.message import Message

    def plain(path: Path) -> str:
        mail: Message = email.message_from_bytes(path.read_bytes())
        part = next(each for each in mail.walk() if each.get_content_type() == "text/plain")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return f"{mail['Subject']}: {content.decode().strip()}"

    return sorted(plain(path) for path in (home.home / "mail" / "new").iterdir())


def test_who_asked_hears_once_when_it_is_back(shop: Workspace) -> None:
    shop.add(
        wish("Item Requested", "ann", "2026-01-02T10:00:00Z", "soap"),
        event("Wanted", "bob", "2026-01-02T11:00:00Z", product_id="soap"),
        event("Wanted", "cy", "2026-01-02T11:00:00Z", product_id="soap"),
        wish("Item Request Withdrawn", "cy", "2026-01-02T12:00:00Z", "soap"),
        update("2026-01-03T10:00:00Z", "soap", stock=5),
        update("2026-01-04T10:00:00Z", "soap", stock=0),
        update("2026-01-05T10:00:00Z", "soap", stock=7),
    )
    shop.run("2026-02-01T00:00:00Z", deliver="file")
    entered = [(at, props["journey"], props["key"]) for at, _, props in shop.outputs("Journey Entered")]
    assert entered == [("2026-01-03T10:00:00Z", "back", "soap")] * 2
    assert bodies(shop) == ["Again Soap: 5 of them"] * 2
    assert replay(shop.home).different == 0


def test_a_wish_that_is_said_again_is_heard_again(shop: Workspace) -> None:
    shop.add(
        event("Wanted", "bob", "2026-01-02T11:00:00Z", product_id="robe"),
        update("2026-01-03T10:00:00Z", "robe", price=60),
        update("2026-01-04T10:00:00Z", "robe", price=40),
        event("Wanted", "bob", "2026-01-05T11:00:00Z", product_id="robe"),
        update("2026-01-06T10:00:00Z", "robe", price=30),
    )
    shop.run("2026-02-01T00:00:00Z")
    titles = [(at, props["title"]) for at, _, props in shop.outputs("Task Created")]
    # The first drop is heard and settles the wish, though the journey's condition is not met.
    assert titles == [("2026-01-06T10:00:00Z", "Robe for 30")]
    assert replay(shop.home).different == 0


def test_content_shows_items_as_they_are_when_it_is_sent(shop: Workspace) -> None:
    shop.add(
        update("2026-01-02T10:00:00Z", "soap", name="Black soap"),
        event("Order Completed", "ann", "2026-01-03T10:00:00Z", product_id="soap", total=9.5),
        update("2026-01-03T10:00:01Z", "soap", name="Green soap"),
        event("Order Completed", "bob", "2026-01-03T10:00:02Z", product_id="soap", total=9.5),
    )
    shop.run("2026-02-01T00:00:00Z", deliver="file")
    assert bodies(shop) == [
        "Thanks: You have Black soap; rest at The spa", "Thanks: You have Green soap; rest at The spa",
    ]  # fmt: skip


def test_the_newest_event_stands_whatever_came_first(shop: Workspace) -> None:
    shop.add(update("2026-01-05T00:00:00Z", "soap", stock=2), update("2026-01-06T00:00:00Z", "robe", price=70))
    shop.run("2026-01-10T00:00:00Z")
    shop.add(
        update("2026-01-04T00:00:00Z", "soap", stock=9, price=1), update("2026-01-07T00:00:00Z", "robe", price=None)
    )
    shop.run("2026-01-11T00:00:00Z")
    found = {each["id"]: each for each in shop.cli("item", "list", "products")["items"]}
    assert (found["soap"]["stock"], found["soap"]["price"], found["robe"]["price"]) == (2, 1, 80)
    shop.apply(
        {**STRATEGY, "catalogs/products.yaml": STRATEGY["catalogs/products.yaml"].replace("stock: 0", "stock: 4")}
    )
    shop.run("2026-01-12T00:00:00Z")
    assert shop.cli("item", "show", "products", "soap")["item"]["stock"] == 2
    assert replay(shop.home).different == 0


def test_the_command_line_sets_and_shows(shop: Workspace) -> None:
    shop.add(event("Wanted", "bob", "2026-01-02T11:00:00Z", product_id="soap"))
    shop.run("2026-01-10T00:00:00Z")
    assert shop.cli("item", "show", "products", "soap")["wishes"] == 1
    done = shop.cli("item", "set", "products", "soap", "stock=6", "note=new", "--at", "2026-01-11T00:00:00Z")
    assert done["set"] == {"stock": 6, "note": "new"}
    shop.run("2026-01-12T00:00:00Z")
    assert shop.cli("item", "show", "products", "soap")["wishes"] == 0
    assert shop.cli("item", "list", "places")["items"][0]["needs"] == ["rest", "warmth"]
    shop.cli("item", "show", "products", "sope", expect=2)


def test_a_mistyped_item_is_not_made_unless_it_is_said_to_be_new(shop: Workspace) -> None:
    wrong = shop.shell("item", "set", "products", "sope", "stock=3")
    assert wrong.returncode == 2
    assert "'products' has no item 'sope' yet [unknown-item]" in wrong.stderr
    assert "did you mean 'soap'? To make a new one add --new" in wrong.stderr
    shop.cli("item", "set", "products", "comb", "name=Comb", "stock=3", "--new", "--at", "2026-01-11T00:00:00Z")
    shop.run("2026-01-12T00:00:00Z")
    assert shop.cli("item", "show", "products", "comb")["item"] == {"name": "Comb", "stock": 3, "id": "comb"}
    shop.cli("item", "set", "products", "comb", "stock=4")


def test_a_value_of_a_wrong_kind_is_refused_and_the_good_one_stays(shop: Workspace) -> None:
    good = [update("2026-01-02T00:00:00Z", "soap", stock=4), update("2026-01-02T00:00:00Z", "robe", stock=5)]
    bad = [
        update("2026-01-03T00:00:00Z", "soap", price="abc", stock="many", name="Black soap", color=["any", 1]),
        update("2026-01-03T00:00:00Z", "robe", stock=-1, until="soon", needs=["", 1]),
    ]
    mended = update("2026-01-04T00:00:00Z", "robe", stock=6)
    expected = {
        "soap": {"id": "soap", "name": "Black soap", "price": 9.5, "stock": 4, "color": ["any", 1]},
        "robe": {"id": "robe", "name": "Robe", "price": 80, "stock": 6},
    }
    shop.add(*good, *bad, mended)
    shop.run("2026-01-10T00:00:00Z")
    other = Workspace(shop.home.parent / "other")
    other.apply(STRATEGY)
    other.add(mended, *bad[::-1])
    other.run("2026-01-05T00:00:00Z")
    other.add(*good)  # Late: the order in which they come changes nothing.
    other.run("2026-01-10T00:00:00Z")
    for home in (shop, other):
        assert {each["id"]: {**each["item"]} for each in map(shown(home), ("soap", "robe"))} == expected
        assert [(each["name"], each["value"]) for each in shown(home)("soap")["refused"]] == [
            ("price", "abc"), ("stock", "many"),
        ]  # fmt: skip
        assert [each["name"] for each in shown(home)("robe")["refused"]] == ["needs", "until"], "the stock is mended"
    found = [each for each in shop.cli("doctor")["findings"] if each["code"] == "item-value-refused"]
    assert len(found) == 4
    assert found[2]["message"] == (
        "'price' of the item 'soap' in 'products' is not set to 'abc', as import said at 2026-01-03T00:00:00Z:"
        " it must be a number from 0 on"
    )
    assert "price is not abc, as import said" in shop.shell("item", "show", "products", "soap").stdout
    assert replay(shop.home).different == 0


def shown(home: Workspace) -> Any:
    """What is shown of an item of a home, with its id."""
    return lambda item: {"id": item, **show_item(home.home, "products", item)}


def test_what_a_file_could_not_say_is_not_set_either(shop: Workspace) -> None:
    wrong = shop.shell("item", "set", "products", "soap", "price=cheap", "stock=-3", "until=soon", "needs=[1]")
    assert wrong.returncode == 2
    assert "'stock' of the item 'soap' is -3; it must be a number from 0 on" in wrong.stderr
    assert wrong.stderr.count("[bad-item]") == 4
    assert shop.cli("item", "set", "products", "soap", "price=null", "until=null")["set"] == {
        "price": None, "until": None,
    }  # fmt: skip


def test_what_is_wrong_in_a_catalog_is_said_with_its_line() -> None:
    files = {
        "catalogs/a.yaml": "items:\n  - { id: x, price: cheap }\n  - { id: x }\n  - { id: y, from: soon }\n"
        "  - { id: z, position: {lat: 91, lon: 0}, stages: [nowhere] }\n",
        "catalogs/b.csv": "id,price,stock\np1,ten,1\np1,1,-1\np2,1\np3,1,2,3\n",
        "journeys/j.yaml": "enter: { item: c }\nsteps: [ { wait: { for: 1 day } } ]\n",
    }
    with pytest.raises(Invalid) as caught:
        load(files)
    found = [(each.file, each.line, each.code) for each in caught.value.problems]
    assert found == [
        ("catalogs/a.yaml", 2, "bad-item"), ("catalogs/a.yaml", 3, "two-definitions"),
        ("catalogs/a.yaml", 4, "bad-item"),
        ("catalogs/a.yaml", 5, "bad-item"), ("catalogs/a.yaml", 5, "unknown-stage"),
        ("catalogs/b.csv", 2, "bad-item"), ("catalogs/b.csv", 3, "two-definitions"), ("catalogs/b.csv", 5, "bad-row"),
        ("journeys/j.yaml", 1, "unknown-catalog"),
    ]  # fmt: skip
