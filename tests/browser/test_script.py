"""`/innkeeper.js` in a real browser against a real door: what is called, and what the log holds, field by field."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from support.shop import Shop

from innkeeper.events.types import Event
from innkeeper.kernel.time import SystemClock

if TYPE_CHECKING:
    from playwright.sync_api import Route

SEEN = """({
  userAgent: navigator.userAgent, locale: "de-AT", timezone: "Europe/Vienna",
  screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
})"""


def about(event: Event) -> dict[str, Any]:
    """What an event says, without its times, its context and the name it bears."""
    kept = {
        "type": event.type, "name": event.name, "user": event.user_id, "browser": event.anonymous_id,
        "properties": event.properties, "traits": event.traits, **event.extra,
    }  # fmt: skip
    return {key: value for key, value in kept.items() if value not in ({}, None)}


def test_what_is_called_is_what_the_log_holds_field_by_field(shop: Shop) -> None:
    began = SystemClock().now()
    search = "?utm_source=letter&utm_campaign=nov&utm_id=7&utm___proto__=x&utm_=y&q=1"
    page = shop.open(shop.visitor(), f"/fields{search}")
    browser = page.evaluate("innkeeper.user().anonymousId()")
    assert uuid.UUID(browser).version == 4
    shop.events("/fields", 1)
    page.evaluate(
        """(token) => {
          innkeeper.setUserToken(token);
          innkeeper.identify("ana", { plan: "pro", since: new Date(0) });
          innkeeper.track("Order Completed", { total: 9.5, products: [{ id: "p1" }, undefined], gone: undefined });
          innkeeper.page("Docs", "Home", { depth: 2 });
          innkeeper.page("Only A Name");
          innkeeper.group("acme", { seats: 5 });
          innkeeper.alias("ana");
          innkeeper.identify({ plan: "free" }, { timestamp: "2026-01-02T03:04:05.000Z", context: { app: "till" } });
        }""",
        shop.token("ana"),
    )
    found = shop.events("/fields", 8)
    ended = SystemClock().now()
    own = {
        "path": "/fields", "referrer": "", "search": search, "title": "A shop", "url": f"{shop.address}/fields{search}"
    }  # fmt: skip
    signed = {"browser": browser, "user": "ana", "trust": "user"}
    home = {"depth": 2, "name": "Home", "category": "Docs"}
    assert [about(event) for event in found] == [
        {"type": "page", "name": "Page Viewed", "browser": browser, "trust": "public", "properties": own},
        {"type": "identify", "name": "Identified", "traits": {"plan": "pro", "since": "1970-01-01T00:00:00.000Z"}}
        | signed,
        {"type": "track", "name": "Order Completed"}
        | signed
        | {"properties": {"total": 9.5, "products": [{"id": "p1"}, None]}},
        {"type": "page", "name": "Page Viewed", "properties": own | home} | signed,
        {"type": "page", "name": "Page Viewed", "properties": own | {"name": "Only A Name"}} | signed,
        {"type": "group", "name": "Grouped", "groupId": "acme", "traits": {"seats": 5}} | signed,
        {"type": "alias", "name": "Aliased", "previousId": browser} | signed,
        {"type": "identify", "name": "Identified", "traits": {"plan": "free"}} | signed,
    ]
    library = {"library": {"name": "innkeeper.js", "version": "1.0.0"}}
    campaign = {"campaign": {"source": "letter", "name": "nov", "id": "7"}}
    context = page.evaluate(SEEN) | {"page": own} | library | campaign
    assert [event.context for event in found] == [*[context] * 7, context | {"app": "till"}]
    assert all(began - 1_000_000 <= event.timestamp <= event.received_at <= ended for event in found[:7])
    assert found[7].timestamp == 1_767_323_045_000_000
    assert {event.source for event in found} == {"web"}
    assert uuid.UUID(found[0].message_id).version == 4
    assert {event.message_id.rpartition(":")[0] for event in found[1:]} == {"user:ana"}


def test_without_a_token_a_user_is_a_claim_and_what_is_refused_is_told(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/claim")
    page.evaluate("""() => {
      innkeeper.identify("ben", { plan: "pro" });
      innkeeper.track("Looked");
      innkeeper.consent({ newsletter: true });
      innkeeper.track("x".repeat(40000));
    }""")
    found = shop.events("/claim", 2)
    assert [(event.name, event.user_id, event.extra.get("claimedUserId")) for event in found] == [
        ("Page Viewed", None, None),
        ("Looked", None, "ben"),
    ]
    shop.until(lambda: len(page.evaluate("refused")) >= 3)
    told = page.evaluate("refused")
    assert [(each["code"], (each.get("event") or {}).get("type")) for each in told] == [
        ("needs-user-token", None), ("too-large", "track"), ("needs-user-token", "identify"),
    ]  # fmt: skip
    assert page.evaluate("Object.keys(localStorage)") == ["innkeeper.id", "innkeeper.choices"]


def test_another_user_and_a_reset_are_other_browsers(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/who")
    told = page.evaluate("""() => {
      const user = innkeeper.user(), told = [], say = () => told.push([user.id(), user.anonymousId()]);
      say();
      innkeeper.identify("ana"); say();
      innkeeper.identify("ana"); say();
      innkeeper.identify({ plan: "pro" }); say();
      innkeeper.identify("ben"); say();
      innkeeper.reset(); say();
      return told;
    }""")
    assert [user for user, _ in told] == [None, "ana", "ana", "ana", "ben", None]
    browsers = [browser for _, browser in told]
    assert len(set(browsers[:4])) == 1
    assert len(set(browsers)) == 3
    page.reload()
    assert page.evaluate("innkeeper.user().anonymousId()") == browsers[-1]


def test_a_user_s_words_on_consent_are_said_once_with_their_token(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/words")
    page.evaluate(
        """(token) => {
          innkeeper.setUserToken(token);
          innkeeper.identify("cleo");
          const how = { channel: "email", proof: "form", purpose: "not this" };
          innkeeper.consent({ newsletter: true, ads: false, nonsense: "yes" }, how);
          innkeeper.consent({ newsletter: true }, how);
          innkeeper.consent({ newsletter: false }, how);
          innkeeper.consent({ newsletter: true });
        }""",
        shop.token("cleo"),
    )
    page.evaluate("innkeeper.track('Last')")
    shop.until(lambda: any(event.name == "Last" for event in shop.there("/words")))
    said = [event for event in shop.there("/words") if event.name.startswith("Consent")]
    details = {"channel": "email", "proof": "form"}
    assert [(event.name, event.user_id, event.properties, event.extra) for event in said] == [
        ("Consent Given", "cleo", {"purpose": "newsletter"} | details, {"trust": "user"}),
        ("Consent Withdrawn", "cleo", {"purpose": "ads"} | details, {"trust": "user"}),
        ("Consent Withdrawn", "cleo", {"purpose": "newsletter"} | details, {"trust": "user"}),
        ("Consent Given", "cleo", {"purpose": "newsletter"}, {"trust": "user"}),
    ]
    assert page.evaluate("refused") == []


def test_events_wait_for_a_token_in_the_place_of_one_that_has_ended(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/ended")
    say = "([token, name]) => { innkeeper.setUserToken(token); innkeeper.identify('dora'); innkeeper.track(name); }"
    page.evaluate(say, [shop.token("dora", -60), "Early"])
    shop.until(lambda: len(page.evaluate("refused")) >= 2)
    assert {each["code"] for each in page.evaluate("refused")} == {"bad-user-token"}
    assert page.evaluate("JSON.stringify(Object.entries(localStorage))").count("userToken") == 0
    page.evaluate("innkeeper.track('Between')")
    page.evaluate("(token) => { innkeeper.reset(); innkeeper.track('Nobody'); }", None)
    shop.until(lambda: any(event.name == "Nobody" for event in shop.there("/ended")))
    page.evaluate(say, [shop.token("dora"), "Late"])
    found = shop.events("/ended", 7)
    assert sorted((event.name, event.user_id) for event in found) == sorted(
        [("Page Viewed", None), ("Identified", "dora"), ("Early", "dora"), ("Between", "dora"), ("Nobody", None),
         ("Identified", "dora"), ("Late", "dora")], key=str,
    )  # fmt: skip


def test_page_views_by_themselves_as_the_address_changes(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/turn", autoPage=True)
    shop.events("/turn", 2)
    page.evaluate("history.pushState({}, '', '/turn-2')")
    shop.events("/turn-2", 1)
    page.evaluate("history.replaceState({}, '', '/turn-2#there')")
    page.evaluate("history.back()")
    shop.events("/turn", 3)
    page.evaluate("innkeeper.track('End')")
    shop.until(lambda: any(event.name == "End" for event in shop.there("/turn")))
    # One by the snippet, one by the option; back again; the hash counts for nothing.
    assert [event.name for event in shop.there("/turn")] == ["Page Viewed"] * 3 + ["End"]
    assert len(shop.there("/turn-2")) == 1


def test_a_tag_alone_loads_it(shop: Shop) -> None:
    page = shop.visitor().new_page()
    page.goto(f"{shop.address}/plain-tag")
    page.evaluate(
        """([host, key]) => {
          const script = document.createElement("script");
          script.src = host + "/innkeeper.js";
          Object.assign(script.dataset, { key, autoPage: "", storage: "none" });
          document.head.append(script);
        }""",
        [shop.host, shop.served.key("web")],
    )
    (event,) = shop.events("/plain-tag", 1)
    assert (event.type, page.evaluate("Object.keys(localStorage)")) == ("page", [])


def test_a19_keys_that_could_change_a_prototype_are_never_copied(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/hostile")
    page.evaluate("(token) => { innkeeper.setUserToken(token); innkeeper.identify('mallory'); }", shop.token("mallory"))
    cases = page.evaluate("""() => {
      const forms = [
        (bad) => bad, (bad) => ({ deep: { deeper: bad } }), (bad) => ({ list: [1, bad, [bad]] }),
        (bad) => Object.assign(Object.create(null), { inside: bad }), (bad) => ({ toJSON: () => bad }),
      ];
      const calls = [
        (value) => innkeeper.track("Hostile", value), (value) => innkeeper.page("Hostile", value),
        (value) => innkeeper.identify(value), (value) => innkeeper.track("Hostile", {}, { context: value }),
      ];
      let count = 0;
      for (const key of ["__proto__", "constructor", "prototype"])
        for (const form of forms)
          for (const call of calls) {
            call(form(JSON.parse(`{"${key}": {"polluted": 1, "prototype": {"polluted": 1}}, "beside": ${++count}}`)));
          }
      return count;
    }""")
    assert cases == 60
    found = shop.events("/hostile", 2 + cases)
    told = "".join(json.dumps([event.properties, event.traits, event.context, event.extra]) for event in found)
    assert not any(word in told for word in ("polluted", "__proto__", "constructor", "prototype"))
    assert all(f'"beside": {number}' in told for number in range(1, cases + 1))
    assert page.evaluate("[({}).polluted, [].polluted, (() => 0).polluted]") == [None] * 3
    assert page.evaluate("refused") == []


def test_a19_hostile_names_of_purposes_tokens_and_stored_values_change_nothing(shop: Shop) -> None:
    kept = """for (const name of ["innkeeper.id", "innkeeper.choices"])
      localStorage.setItem(name, '{"__proto__": {"polluted": 1}, "said": {"__proto__": {"polluted": 1}}}');
    localStorage.setItem("innkeeper.lost", "many");
    localStorage.setItem("innkeeper.q.1.x.1.y.KEY", "{");""".replace("KEY", shop.served.key("web"))
    page = shop.open(shop.visitor(kept), "/stored")
    page.evaluate(
        """(token) => {
          innkeeper.setUserToken(token);
          innkeeper.identify("__proto__");
          innkeeper.consent(JSON.parse('{"__proto__": true, "constructor": true, "toString": true, "ads": true}'));
          innkeeper.track("Still Here");
        }""",
        shop.token("__proto__"),
    )
    shop.until(lambda: any(event.name == "Still Here" for event in shop.there("/stored")))
    said = [event.properties for event in shop.there("/stored") if event.name == "Consent Given"]
    assert said == [{"purpose": "toString"}, {"purpose": "ads"}]
    assert page.evaluate("({}).polluted") is None


def test_nothing_throws_into_the_page(shop: Shop) -> None:
    page = shop.open(shop.visitor(), "/calm")
    answers = page.evaluate("""() => {
      const circle = { a: [] }; circle.a.push(circle);
      const wild = [
        undefined, null, 0, NaN, 10n, "x", "\\ud800", Symbol("x"), () => 1, [], [[]], circle, new Date(NaN),
        new Map(), window, document, { get a() { throw Error("a getter"); } },
        { toJSON() { throw Error("toJSON"); } }, { toJSON() { return this; } },
        new Proxy({}, { ownKeys() { throw Error("a proxy"); } }),
        { deep: JSON.parse("[".repeat(999) + "]".repeat(999)) },
        Object.fromEntries(Array.from({ length: 5000 }, (_, i) => ["k" + i, i])),
      ];
      const names = ["track", "page", "identify", "group", "alias", "consent", "setUserToken", "load", "ready"];
      const answers = [];
      for (const name of names)
        for (const one of wild) {
          answers.push(innkeeper[name](one), innkeeper[name]("Wild", one), innkeeper[name]("Wild", {}, one));
        }
      answers.push(innkeeper.reset(), innkeeper.load());
      innkeeper.track("Afterwards", { half: "\\ud800", big: 10n, circle });
      return answers.filter((answer) => answer !== undefined);
    }""")
    assert answers == []
    shop.until(lambda: any(event.name == "Afterwards" for event in shop.there("/calm")))
    (last,) = [event for event in shop.there("/calm") if event.name == "Afterwards"]
    assert last.properties == {"half": "\ufffd", "big": "10", "circle": {"a": [None]}}
    codes = {each["code"] for each in page.evaluate("refused.map(({ code }) => ({ code }))")}
    assert codes >= {"too-many-keys", "failed", "bad-user-token", "needs-user-token"}
    page.evaluate("window.refused.push = () => { throw Error('the page itself') }; innkeeper.track('x'.repeat(40000))")


def test_calls_before_the_script_is_there_are_played_in_their_order(shop: Shop) -> None:
    context = shop.visitor()
    held: list[Route] = []
    context.route("**/innkeeper.js", lambda route: held.append(route))
    page = context.new_page()
    page.goto(f"{shop.address}/early#%7B%7D", wait_until="commit")
    shop.until(lambda: page.evaluate("Array.isArray(window.innkeeper) && innkeeper.length > 1"))
    page.evaluate("window.kept = innkeeper; innkeeper.track('First'); innkeeper.track('Second')")
    page.evaluate("innkeeper.ready(function () { window.isReady = 1; })")
    assert page.evaluate("window.isReady") is None
    shop.until(lambda: held)
    held[0].continue_()
    assert [event.name for event in shop.events("/early", 3)] == ["Page Viewed", "First", "Second"]
    shop.until(lambda: page.evaluate("window.isReady"))
    page.evaluate("kept.track('Third')")
    assert shop.events("/early", 4)[3].name == "Third"
