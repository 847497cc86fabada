"""What `/innkeeper.js` keeps, and for whom nothing: networks that fail, tabs, consent, Global Privacy Control."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.shop import Shop

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { value: true })"
NO_STORAGE = """for (const kind of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, kind, { get() { throw new DOMException("no", "SecurityError"); } })"""
NO_COOKIE = """Object.defineProperty(Navigator.prototype, "cookieEnabled", { value: false });
Object.defineProperty(Document.prototype, "cookie", { get() { throw Error("no"); }, set() { throw Error("no"); } })"""
#: The last word is said so late that no timer of the script comes before the page has gone.
LAST_WORD = """addEventListener("pagehide", () => window.innkeeper && innkeeper.track("Last Word"));
const beacon = navigator.sendBeacon;
navigator.sendBeacon = function (address, body) {
  sessionStorage.noted = address;
  return beacon.call(this, address, body);
}"""
KEPT = "[...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie].filter(Boolean)"
WAITING = "Object.keys(localStorage).filter((name) => name.startsWith('innkeeper.q.')).length"


def sent(page: Page) -> list[str]:
    """The messageIds that a page sends from now on, each as often as it does."""
    ids: list[str] = []

    def note(body: str | None) -> None:
        ids.extend(each["messageId"] for each in json.loads(body or "{}").get("batch", []))

    page.on("request", lambda request: note(request.post_data) if request.url.endswith("/v1/b") else None)
    return ids


def test_what_is_said_offline_is_sent_online_in_its_order(shop: Shop) -> None:
    context = shop.visitor()
    page = shop.open(context, "/offline")
    shop.events("/offline", 1)
    shop.until(lambda: page.evaluate(WAITING) == 0)
    context.set_offline(True)
    page.evaluate("for (let i = 0; i < 250; i++) innkeeper.track('Step ' + i)")
    assert page.evaluate(WAITING) == 250
    assert len(shop.there("/offline")) == 1
    context.set_offline(False)
    assert [event.name for event in shop.events("/offline", 251)[1:]] == [f"Step {i}" for i in range(250)]
    shop.until(lambda: page.evaluate(WAITING) == 0)


def test_what_a_page_leaves_behind_offline_the_next_one_sends(shop: Shop) -> None:
    context = shop.visitor()
    page = shop.open(context, "/left")
    browser = page.evaluate("innkeeper.user().anonymousId()")
    shop.events("/left", 1)
    context.set_offline(True)
    page.evaluate("innkeeper.track('Left Behind')")
    page.close()
    context.set_offline(False)
    shop.open(context, "/left-next")
    found = shop.events("/left", 2)
    assert [(event.name, event.anonymous_id) for event in found] == [("Page Viewed", browser), ("Left Behind", browser)]


def test_the_last_words_of_a_page_go_out_as_it_closes(shop: Shop) -> None:
    page = shop.open(shop.visitor(LAST_WORD), "/closing", storage="none")
    shop.events("/closing", 1)
    page.evaluate("location.href = '/plain'")
    assert [event.name for event in shop.events("/closing", 2)] == ["Page Viewed", "Last Word"]
    page.wait_for_url("**/plain")
    assert page.evaluate("sessionStorage.noted") == f"{shop.host}/v1/b"


def test_a_stored_event_that_was_sent_as_its_page_closed_counts_once(shop: Shop) -> None:
    context = shop.visitor()
    page = shop.open(context, "/again")
    shop.events("/again", 1)
    page.evaluate("innkeeper.track('Once'); location.href = '/plain'")
    shop.events("/again", 2)
    after = shop.open(context, "/again-next")
    shop.events("/again-next", 1)
    shop.until(lambda: after.evaluate(WAITING) == 0)
    assert [event.name for event in shop.there("/again")] == ["Page Viewed", "Once"]


def test_two_tabs_do_not_send_the_same_event(shop: Shop) -> None:
    context = shop.visitor()
    pages = [shop.open(context, "/tabs") for _ in range(2)]
    shop.events("/tabs", 2)
    shop.until(lambda: pages[0].evaluate(WAITING) == 0)
    ids = [sent(page) for page in pages]
    context.set_offline(True)
    for number, page in enumerate(pages):
        page.evaluate("(tab) => { for (let i = 0; i < 150; i++) innkeeper.track(`Tab ${tab}: ${i}`); }", number)
    context.set_offline(False)
    found = shop.events("/tabs", 302)
    shop.until(lambda: pages[0].evaluate(WAITING) == 0)
    assert sorted(ids[0] + ids[1]) == sorted(event.message_id for event in found[2:])
    assert {event.name for event in found[2:]} == {f"Tab {tab}: {i}" for tab in range(2) for i in range(150)}
    assert len({event.anonymous_id for event in found}) == 1


def test_a_server_that_asks_for_patience_and_one_that_is_not_ours_are_asked_again(shop: Shop) -> None:
    context = shop.visitor()
    answers = [(429, "{}", {"Retry-After": "1"}), (503, "busy", {}), (200, "<html>please log in</html>", {})]
    seen: list[int] = []

    def instead(route: Route) -> None:
        if not answers:
            route.continue_()
            return
        status, body, headers = answers.pop(0)
        seen.append(status)
        named = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "retry-after", **headers}
        route.fulfill(status=status, body=body, headers=named)

    context.route("**/v1/b", instead)
    page = shop.open(context, "/patience")
    assert [event.name for event in shop.events("/patience", 1)] == ["Page Viewed"]
    assert (seen, page.evaluate("refused")) == ([429, 503, 200], [])


def test_a_key_that_is_refused_is_told_and_nothing_is_asked_again(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/key", key="pub_nobody")
    told = shop.until(lambda: page.evaluate("refused"))
    assert [(each["code"], each["event"]["type"]) for each in told] == [("bad-key", "page")]
    assert page.evaluate(WAITING) == 0


def test_of_too_much_the_oldest_goes_and_is_counted(shop: Shop) -> None:
    context = shop.visitor()
    page = shop.open(context, "/much")
    shop.events("/much", 1)
    shop.until(lambda: page.evaluate(WAITING) == 0)
    context.set_offline(True)
    page.evaluate("for (let i = 0; i < 50; i++) innkeeper.track('Heavy ' + i, { text: 'x'.repeat(28000) })")
    kept = page.evaluate(WAITING)
    assert 0 < kept < 50
    context.set_offline(False)
    page.evaluate("innkeeper.track('Light')")
    # Every event is in the log, or counted by one that is.
    found = shop.events("/much", kept + 2)
    dropped = sum(event.context.get("dropped", 0) for event in found)
    assert dropped + len(found) == 52
    assert [event.name for event in found[1:]] == [f"Heavy {i}" for i in range(50 - kept, 50)] + ["Light"]


def test_under_global_privacy_control_nothing_outlives_the_visit_and_the_log_knows(shop: Shop) -> None:
    path = "/gpc"
    context = shop.visitor()
    before = shop.open(context, f"{path}-before")
    known = before.evaluate("innkeeper.user().anonymousId()")
    shop.events(f"{path}-before", 1)
    before.close()
    context.add_init_script(GPC)
    visit = shop.open(context, path)
    browser = visit.evaluate("innkeeper.user().anonymousId()")
    visit.evaluate("(token) => { innkeeper.setUserToken(token); innkeeper.track('Looked'); }", shop.token("gil"))
    visit.evaluate("innkeeper.identify('gil')")
    shop.events(path, 3)
    visit.reload()
    shop.events(path, 4)
    assert visit.evaluate("[Object.keys(localStorage), document.cookie]") == [[], ""]
    assert visit.evaluate("innkeeper.user().anonymousId()") == browser
    next_visit = shop.open(context, f"{path}-next").evaluate("innkeeper.user().anonymousId()")
    shop.events(f"{path}-next", 1)
    assert len({known, browser, next_visit}) == 3
    signals = [each for each in shop.signals() if each.anonymous_id in (known, browser, next_visit)]
    assert [(each.user_id, each.anonymous_id, each.properties, each.extra) for each in signals] == [
        (None, browser, {"signal": "gpc"}, {"trust": "public"}),
        ("gil", browser, {"signal": "gpc"}, {"trust": "user"}),
        (None, next_visit, {"signal": "gpc"}, {"trust": "public"}),
    ]


def test_before_consent_nothing_is_kept_and_nothing_sent(shop: Shop) -> None:
    context = shop.visitor()
    page = shop.open(context, "/asked", consentRequired="analytics")
    ids = sent(page)
    page.evaluate("innkeeper.track('Before'); innkeeper.consent({ newsletter: true, analytics: false })")
    page.evaluate("new Promise((go) => setTimeout(go, 600))")
    assert (page.evaluate(KEPT), ids, shop.there("/asked")) == ([], [], [])
    page.evaluate("innkeeper.consent({ analytics: true })")
    assert [event.name for event in shop.events("/asked", 2)] == ["Page Viewed", "Before"]
    assert set(page.evaluate(KEPT)) >= {"innkeeper.id", "innkeeper.choices"}
    page.reload()
    shop.events("/asked", 3)
    page.evaluate("(token) => { innkeeper.setUserToken(token); innkeeper.identify('eva'); }", shop.token("eva"))
    shop.events("/asked", 4)
    page.evaluate("innkeeper.track('Unsent'); innkeeper.consent({ analytics: false }); innkeeper.track('After')")
    last = shop.events("/asked", 5)[4]
    assert (last.name, last.user_id, last.properties) == ("Consent Withdrawn", "eva", {"purpose": "analytics"})
    assert page.evaluate(KEPT) == []
    page.close()
    again = shop.open(context, "/asked-again", consentRequired="analytics")
    assert again.evaluate(KEPT) == []
    assert len(shop.there("/asked")) == 5


def test_a_consent_that_one_tab_takes_back_holds_in_the_other(shop: Shop) -> None:
    context = shop.visitor()
    first, second = (shop.open(context, "/both", consentRequired=True) for _ in range(2))
    first.evaluate("innkeeper.consent({ analytics: true })")
    shop.events("/both", 1)
    second.evaluate("innkeeper.consent({ analytics: true })")
    shop.events("/both", 2)
    first.evaluate("innkeeper.consent({ analytics: false })")
    second.evaluate("innkeeper.track('Unwelcome')")
    # Tabs are processes: one hears a moment later what another has written.
    shop.until(lambda: first.evaluate(KEPT) == second.evaluate(KEPT) == [])
    assert [page.evaluate(KEPT) for page in (first, second)] == [[], []]
    second.evaluate("new Promise((go) => setTimeout(go, 500))")
    assert len(shop.there("/both")) == 2


def test_what_a_tab_kept_before_it_heard_of_a_withdrawal_goes(shop: Shop) -> None:
    context = shop.visitor()
    first, second = (shop.open(context, "/late", consentRequired=True) for _ in range(2))
    first.evaluate("innkeeper.consent({ analytics: true })")
    second.evaluate("innkeeper.consent({ analytics: true })")
    shop.events("/late", 2)
    first.evaluate("innkeeper.consent({ analytics: false })")
    shop.until(lambda: second.evaluate(KEPT) == [])
    second.evaluate("localStorage.setItem('innkeeper.q.1.000001.0.late.key', '{}')")
    second.evaluate("dispatchEvent(new Event('online'))")
    shop.until(lambda: second.evaluate(KEPT) == [])


def test_any_purpose_opens_where_none_is_named(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/any", consentRequired=True, storage="session")
    assert page.evaluate(KEPT) == []
    page.evaluate("innkeeper.consent({ analytics: true })")
    shop.events("/any", 1)
    assert page.evaluate("Object.keys(localStorage)") == []
    assert "innkeeper.id" in page.evaluate(KEPT)


@pytest.mark.parametrize(
    ("name", "scripts", "stays"),
    [("cookie", (NO_STORAGE,), True), ("memory", (NO_STORAGE, NO_COOKIE), False)],
)
def test_where_storage_is_refused(shop: Shop, name: str, scripts: tuple[str, ...], stays: bool) -> None:
    page = shop.open(shop.visitor(*scripts), f"/{name}")
    browser = page.evaluate("innkeeper.user().anonymousId()")
    page.evaluate("innkeeper.track('Looked')")
    shop.events(f"/{name}", 2)
    page.reload()
    assert [event.anonymous_id == browser for event in shop.events(f"/{name}", 3)] == [True, True, stays]
