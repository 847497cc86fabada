"""What a source does with webhooks and with its users' tokens, over the API. The work: `runtime/webhooks.py`,
`runtime/sources.py`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.errors import UsageError
from innkeeper.runtime import sources, user_tokens, webhooks
from innkeeper.runtime.webhooks import MappingFile
from innkeeper.web.api import Api

_MANAGE: Final = "sources:manage"
#: Of a mapping that came without a file.
_DRAFT: Final = "mapping.yaml"


class NewWebhook(msgspec.Struct, forbid_unknown_fields=True):
    """What becomes of payloads (the YAML of a mapping), and how their sender signs; *file*: its name, for errors."""

    scheme: str
    mapping: str
    file: Annotated[str, msgspec.Meta(max_length=255)] = _DRAFT
    secret_env: str | None = None
    url: str | None = None
    topic: str | None = None
    verify_env: str | None = None


class Payload(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a webhook, as text, with its headers; *mapping*: a draft, else the one that was declared."""

    body: str
    headers: dict[str, str] = {}
    mapping: str | None = None


class NewSigning(msgspec.Struct, forbid_unknown_fields=True):
    """One of them: a public RSA key in PEM, or the environment variable of `up` that holds a secret."""

    rs256: str | None = None
    hs256_env: str | None = None

    def signing(self) -> user_tokens.Signing:
        """How tokens are signed.

        Raises:
            UsageError: Neither or both are there, or what is there is none.
        """
        if self.rs256 is not None and self.hs256_env is None:
            return user_tokens.by_public_key(self.rs256)
        if self.hs256_env is not None and self.rs256 is None:
            return user_tokens.by_secret(self.hs256_env)
        raise UsageError('name one of "rs256" and "hs256_env"', code="bad-signing", fix='{"hs256_env": "TOKEN_SECRET"}')


def routes(api: Api) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_webhooks(api), *_tokens(api)]


def _webhooks(api: Api) -> list[ControllerRouterHandler]:
    made = {"source": "stripe", "scheme": "stripe", "path": "/v1/webhooks/stripe", "shown_once": False}

    @api.post("/sources/{name:str}/webhook", _MANAGE, made, secret=True)
    def declare_webhook(name: FromPath[str], data: JSONBody[NewWebhook]) -> dict[str, Any]:
        """What a server source makes of webhooks; the last part of the path may be a secret, shown this once."""
        wish = webhooks.Wish(
            scheme=data.scheme, mapping=MappingFile(data.mapping, data.file), secret_env=data.secret_env, url=data.url,
            topic=data.topic, verify_env=data.verify_env,
        )  # fmt: skip
        return webhooks.declare(api.home, name, wish)

    @api.delete("/sources/{name:str}/webhook", _MANAGE, {"source": "stripe", "scheme": None})
    def withdraw_webhook(name: FromPath[str]) -> dict[str, Any]:
        """Take no webhooks of a source any more."""
        webhooks.withdraw(api.home, name)
        return {"source": name, "scheme": None}

    @api.post(
        "/sources/{name:str}/test", _MANAGE, {"events": [{"event": "Order Completed"}], "refused": []}, looks=True
    )
    def test_source(name: FromPath[str], data: JSONBody[Payload]) -> dict[str, Any]:
        """The events that would come of a webhook's payload; nothing is written."""
        return webhooks.try_payload(
            api.home, name, data.body.encode("utf-8", "surrogatepass"), clock=api.house.clock,
            mapping=None if data.mapping is None else MappingFile(data.mapping, _DRAFT),
            headers={key.strip().lower(): value.strip() for key, value in data.headers.items()},
        )  # fmt: skip

    return [declare_webhook, withdraw_webhook, test_source]


def _tokens(api: Api) -> list[ControllerRouterHandler]:
    @api.post("/sources/{name:str}/user-tokens", _MANAGE, {"source": "web", "user_tokens": "RS256"})
    def take_user_tokens(name: FromPath[str], data: JSONBody[NewSigning]) -> dict[str, Any]:
        """How the tokens of a public source's users are signed (JWT: aud NAME, sub the user id, exp)."""
        signing = data.signing()
        sources.set_user_tokens(api.home, name, signing)
        return {"source": name, "user_tokens": signing.algorithm}

    @api.delete("/sources/{name:str}/user-tokens", _MANAGE, {"source": "web", "user_tokens": None})
    def refuse_user_tokens(name: FromPath[str]) -> dict[str, Any]:
        """Take no user tokens for a source any more."""
        sources.set_user_tokens(api.home, name, None)
        return {"source": name, "user_tokens": None}

    return [take_user_tokens, refuse_user_tokens]
