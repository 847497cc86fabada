"""Who hears that an item is back, in plain Python: every word is kept, and everything is asked anew each time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Word:
    """Somebody asks for an item, or takes that back."""

    at: int
    identifier: str
    item: str
    asks: bool
    heard_at: int | None = None


@dataclass
class WishOracle:
    """A shop with items that come and go, and people who share browsers.

    A browser belongs to whoever logged in last, before the first login to whoever logs in first.
    """

    claims: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)

    def login(self, at: int, browser: str, who: str) -> None:
        """Somebody logs in."""
        self.claims.setdefault(browser, []).append((at, who))

    def owner(self, identifier: str, at: int) -> str:
        """Whose a word was."""
        claims = sorted(self.claims.get(identifier, []))
        until = [who for claimed, who in claims if claimed <= at]
        return until[-1] if until else claims[0][1] if claims else identifier

    def standing(self, item: str) -> dict[str, Word]:
        """The wishes that stand, by person."""
        said: dict[str, list[Word]] = {}
        for word in self.words:
            if word.item == item:
                said.setdefault(self.owner(word.identifier, word.at), []).append(word)
        newest = {who: max(words, key=lambda word: word.at) for who, words in said.items()}
        heard = {who: max((word.heard_at or 0) for word in words) for who, words in said.items()}
        return {who: word for who, word in newest.items() if word.asks and heard[who] < word.at}

    def update(self, at: int, item: str, stock: int) -> list[str]:
        """New stock; who hears of it."""
        back = self.stock.get(item, 0) <= 0 < stock
        self.stock[item] = stock
        told = self.standing(item) if back else {}
        for word in told.values():
            word.heard_at = at
        return sorted(told)
