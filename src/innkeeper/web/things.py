"""Objects, accounts and items over the API."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.runtime import accounts, items, objects
from innkeeper.web.api import Api, instant_of
from innkeeper.web.paging import USUAL, cut


class ObjectChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is new about an object: a status, properties (null removes one), roles (null takes one away)."""

    status: str | None = None
    set: dict[str, Any] = {}
    roles: dict[str, str | None] = {}
    at: str | None = None


class Moment(msgspec.Struct, forbid_unknown_fields=True):
    """When it happened; without a time, now."""

    at: str | None = None


class ItemChange(msgspec.Struct, forbid_unknown_fields=True):
    """Values of an item by name; null gives the catalog's file its say again. *new*: the item may be unheard of."""

    set: dict[str, Any]
    by: str = "staff"
    at: str | None = None
    new: bool = False


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_objects(api), *_accounts(api), *_items(api)]


def _objects(api: Api) -> list[ControllerRouterHandler]:
    told = {"type": "booking", "id": "b1", "event": "Object Updated", "accepted": 1}

    @api.get("/objects/{type:str}", "things:read", {"objects": [{"id": "b1", "status": "confirmed"}], "next": None})
    def list_objects(
        type: FromPath[str], status: FromQuery[str | None] = None, limit: FromQuery[int] = USUAL,
        cursor: FromQuery[str | None] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The objects of a type, in the order of their ids."""
        found = [each for each in objects.list_of(api.home, type) if status in (None, each["status"])]
        return dict(cut("objects", found, limit, cursor, lambda row: [row["id"]]))

    @api.get("/objects/{type:str}/{id:str}", "things:read", {"type": "booking", "id": "b1", "history": []})
    def show_object(type: FromPath[str], id: FromPath[str]) -> dict[str, Any]:
        """Properties with where they come from, roles, dates in their zone, history of changes."""
        return objects.show(api.home, type, id)

    @api.post("/objects/{type:str}/{id:str}", "things:write", told)
    def change_object(type: FromPath[str], id: FromPath[str], data: JSONBody[ObjectChange]) -> dict[str, Any]:
        """Change an object, or make one; the engine takes it when it comes to that time."""
        if data.status is None and not data.set and not data.roles:
            raise UsageError("nothing to set", code="nothing-to-set", fix='send "status", "set" or "roles"')
        with api.writing():
            return objects.change(
                api.home, type, id, status=data.status, sets=data.set, roles=data.roles, at=instant_of(data.at),
                clock=api.house.clock,
            )  # fmt: skip

    @api.post("/objects/{type:str}/{id:str}/remove", "things:write", told)
    def remove_object(type: FromPath[str], id: FromPath[str], data: JSONBody[Moment]) -> dict[str, Any]:
        """Take an object away."""
        with api.writing():
            return objects.change(api.home, type, id, remove=True, at=instant_of(data.at), clock=api.house.clock)

    return [list_objects, show_object, change_object, remove_object]


def _accounts(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/accounts", "things:read", {"accounts": [{"id": "acme", "members": 12}], "next": None})
    def list_accounts(limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None) -> dict[str, Any]:
        """All accounts, how many members they have and the audiences they are in."""
        return dict(cut("accounts", accounts.list_accounts(api.home), limit, cursor, lambda row: [row["id"]]))

    @api.get("/accounts/{id:str}", "things:read", {"id": "acme", "traits": [], "members": []})
    def show_account(id: FromPath[str]) -> dict[str, Any]:
        """One account: its traits, its members with their roles, its audiences."""
        return accounts.show_account(api.home, id)

    return [list_accounts, show_account]


def _items(api: Api) -> list[ControllerRouterHandler]:
    @api.get("/items", "things:read", {"items": [{"catalog": "products", "id": "soap", "stock": 3}], "next": None})
    def list_items(
        catalog: FromQuery[str | None] = None, limit: FromQuery[int] = USUAL, cursor: FromQuery[str | None] = None
    ) -> dict[str, Any]:
        """The items of a catalog, or of all, as they are now."""
        found = items.list_items(api.home, catalog)
        return dict(cut("items", found, limit, cursor, lambda row: [row["catalog"], str(row["id"])]))

    @api.get("/items/{catalog:str}/{id:str}", "things:read", {"item": {"id": "soap"}, "wishes": 4})
    def show_item(catalog: FromPath[str], id: FromPath[str]) -> dict[str, Any]:
        """One item: its values, what events have set, how many asked for it."""
        return items.show_item(api.home, catalog, id)

    @api.post("/items/{catalog:str}/{id:str}", "things:write", {"catalog": "products", "id": "soap", "set": {}})
    def change_item(catalog: FromPath[str], id: FromPath[str], data: JSONBody[ItemChange]) -> dict[str, Any]:
        """Set values of an item, as an event does."""
        with api.writing():
            return items.set_item(
                api.home,
                catalog,
                id,
                data.set,
                by=data.by,
                at=instant_of(data.at),
                new=data.new,
                clock=api.house.clock,
            )

    return [list_items, show_item, change_item]
