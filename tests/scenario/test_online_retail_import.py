"""The real year of the wholesaler, imported with the mapping that the example keeps."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from innkeeper.events.types import Event
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.imports import Imported, Order, import_file
from innkeeper.store.log import Log

MAPPING = Path(__file__).resolve().parents[2] / "examples" / "online-retail" / "mapping.yaml"


@pytest.fixture(scope="module")
def imported(online_retail: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Imported]:
    home = tmp_path_factory.mktemp("retail")
    return home, run(home, online_retail)


@pytest.fixture(scope="module")
def orders(imported: tuple[Path, Imported]) -> dict[str, Event]:
    with Log.open(imported[0], read_only=True) as log:
        return {event.properties["invoice"]: event for event in log.read(0, 100_000)}


def run(home: Path, file: Path) -> Imported:
    return import_file(home, Order(file=file, mapping=MAPPING), progress=lambda done, total: None)


def test_every_line_becomes_part_of_an_order(imported: tuple[Path, Imported], orders: dict[str, Event]) -> None:
    done = imported[1]
    assert (done.read, done.events, done.accepted, done.duplicates) == (531_282, 20_725, 20_725, 0)
    assert (done.rejected, done.skipped, done.rejects_file) == (0, 0, None)
    assert sum(len(event.properties["products"]) for event in orders.values()) == 531_282


def test_customers_and_guests(orders: dict[str, Event]) -> None:
    known = [event for event in orders.values() if event.user_id is not None]
    guests = [event for event in orders.values() if event.user_id is None]
    assert (len(known), len({event.user_id for event in known})) == (18_536, 4_339)
    assert (len(guests), len({event.anonymous_id for event in guests})) == (2_189, 2_189)
    assert not any(event.anonymous_id for event in known)
    assert all(event.traits["email"] == f"c{event.user_id}@example.com" for event in known)
    assert not any("email" in event.traits for event in guests)
    assert {event.name for event in orders.values()} == {"Order Completed"}
    countries = {event.traits.get("country") for event in orders.values()}
    assert {"GB", "IE", "NO", None} < countries
    assert all(country is None or len(country) == 2 for country in countries)


def test_orders_hold_what_the_table_holds(online_retail: Path, orders: dict[str, Event]) -> None:
    """Against DuckDB's own sums in exact decimals, and Python's own clock of London."""
    connection = duckdb.connect()
    expected = connection.execute(
        "SELECT InvoiceNo::VARCHAR, round(sum(Quantity * UnitPrice::DECIMAL(18, 6)), 6)::DOUBLE, "
        "sum(Quantity)::BIGINT, "
        "epoch_us(min(InvoiceDate)::TIMESTAMP AT TIME ZONE 'Europe/London'), first(CustomerID)::BIGINT::VARCHAR, "
        "list(StockCode ORDER BY file_row_number) "
        "FROM read_parquet(?, file_row_number = true) GROUP BY 1",
        [str(online_retail)],
    ).fetchall()
    connection.close()
    assert len(expected) == len(orders)
    for invoice, total, items, at, customer, codes in expected:
        event = orders[invoice]
        assert (event.properties["total"], event.properties["items"], event.timestamp) == (total, items, at)
        assert event.user_id == (customer if customer != "0" else None)
        assert [product["product_id"] for product in event.properties["products"]] == codes


def test_the_largest_order_is_whole_and_summer_time_is_kept(orders: dict[str, Event]) -> None:
    assert max(len(event.properties["products"]) for event in orders.values()) == 1_114
    assert min(event.timestamp for event in orders.values()) == parse_instant("2010-12-01T08:26:00Z")
    assert max(event.timestamp for event in orders.values()) == parse_instant("2011-12-09T12:50:00Z")


def test_a_second_import_is_all_duplicates(
    imported: tuple[Path, Imported], online_retail: Path, orders: dict[str, Event]
) -> None:
    again = run(imported[0], online_retail)
    assert (again.read, again.events, again.accepted, again.duplicates) == (531_282, 20_725, 0, 20_725)
