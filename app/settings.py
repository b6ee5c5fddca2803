"""One frozen settings object for the page, the store and the API; every field is an environment variable ``IPL_*``."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from listing.errors import IplError, did_you_mean
from listing.home import ipl_home

PREFIX = "IPL_"
ALERTS = "Prometheus alerts by app/deploy/alerts.yaml"
SHARES = (
    "QUEUE_PER_SELLER", "REQUESTS_PER_SELLER", "ANONYMOUS_WAITING", "VISITORS_WAITING", "CONNECTIONS_PER_ADDRESS",
    "UPLOADS_TOTAL_MB",
)  # fmt: skip
GONE = {
    **{f"IPL_{name}": "it is a share of the limit on everybody (docs/operations.md)" for name in SHARES},
    **dict.fromkeys(("IPL_FEED_WAITING", "IPL_BODY_MB", "IPL_DRAFT_SECONDS"), "it is fixed"),
    "IPL_FEED_ALWAYS": "feed.yaml alone says what serves",
    **dict.fromkeys(("IPL_ALERT_RULES", "IPL_ALERT_WEBHOOK", "IPL_ALERT_PRIVATE"), ALERTS),
}
READ_ELSEWHERE = frozenset(
    {"IPL_API_KEY", "IPL_DATA", "IPL_DEBUG", "IPL_HOME", "IPL_PYTHON", "IPL_SETUP", "IPL_SHOP", "IPL_TAXONOMY"}
    | {"IPL_PASSWORDS", "IPL_OPERATORS"}  # of an older version, read once by open_sellers
)


class SettingsError(IplError):
    """A setting is unknown or unusable; the message names it and says what to do."""

    code, exit_status = "bad_setting", 2


class Settings(BaseSettings):
    """Settings of a server. Folders and the store default to places below ``home``; an empty variable is not set."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_ignore_empty=True)

    home: Path = Field(default_factory=ipl_home, description="Folder of everything that is written (IPL_HOME).")
    host: str = Field("127.0.0.1", description="Address to listen on; others than this machine need accounts.")
    port: int = Field(7860, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    hosts: str = Field("", description="Further host names that the server answers to, with commas (behind a proxy).")
    model: str | None = Field(None, description="Model: a folder, a hub id or a server's URL; none = the embedded one.")
    model_requests: int = Field(0, ge=0, description="Most requests a day to a model's server; 0: without limit.")
    calibrate: bool = Field(True, description="Whether a model that nobody measured is measured in the background.")
    concurrency: int = Field(8, ge=1, description="Most drafts at once of a server's model; one in this process: 1.")
    rag: bool = Field(True, description="Whether past listings are looked at.")
    index: str = Field("", description="Index: a folder or the address of a chroma server; default: in home.")
    store: str = Field("", description="Database URL (sqlite:///... or postgresql+psycopg://...); default: in home.")
    media: Path | None = Field(None, description="Folder of the photos; default: in home.")
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="Currency of prices.")
    secure_cookies: bool = Field(False, description="Reached by https alone: cookies and browsers keep to it.")
    session_hours: float = Field(24 * 14, gt=0, description="How long a sign-in lasts.")
    token_days: float = Field(365.0, ge=0, le=36_500, description="How long a new token is valid; 0: without end.")
    queue_length: int = Field(16, ge=1, description="Most drafts that wait, of one seller a quarter; then 429.")
    draft_minutes: float = Field(10.0, gt=0, description="A draft that takes longer is stopped.")
    retention_days: float = Field(30.0, ge=0, description="Unpublished drafts are deleted after that long untouched.")
    trash_days: float = Field(7.0, ge=0, description="Photos that no draft or listing has are deleted after so long.")
    log_days: float = Field(180.0, ge=1, description="What was seen and clicked is deleted after that long.")
    log_json: bool = Field(False, description="Log to stderr as JSON lines, one a request, with request ids.")
    shutdown_seconds: float = Field(20.0, gt=0, description="Longest wait for requests under way when stopped.")
    requests_waiting: int = Field(32, ge=1, description="Most calls under way, half of one seller, half of strangers.")
    visitors: bool = Field(True, description="Whether feed and listings also open for people who are not signed in.")
    connections: int = Field(768, ge=8, description="Most connections, of one address a third; the idlest makes room.")
    uploads_mb: float = Field(250.0, gt=0, description="Most megabytes of a seller's unclaimed photos; 8 times of all.")
    feed_candidates: float = Field(0.05, ge=0, le=1, description="Share of pages whose ranking candidates are kept.")
    feed_uniform_ads: float = Field(0.02, ge=0, le=1, description="Share of pages whose ads are drawn, to be fair.")
    notice_webhook: str = Field("", description="Address to which notices of sales and messages are sent as JSON.")
    notice_secret: str = Field("", repr=False, description="Key of the signature (HMAC-SHA256) of these notices.")
    feed_per_second: float = Field(20.0, gt=0, description="Most requests of one visitor in a second.")

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @property
    def queue_per_seller(self) -> int:
        """Most drafts of one seller that wait or run."""
        return max(1, self.queue_length // 4)

    @property
    def requests_per_seller(self) -> int:
        """Most calls of the API of one seller under way; as many of strangers, and as many of their visits."""
        return max(2, self.requests_waiting // 2)

    @property
    def connections_per_address(self) -> int:
        """Most connections of an address; behind a proxy, of its."""
        return max(4, self.connections // 3)

    @property
    def store_url(self) -> str:
        """The store's database URL."""
        return self.store or f"sqlite:///{self.home / 'store.sqlite'}"

    @property
    def media_folder(self) -> Path:
        """Folder of the photos."""
        return self.media or self.home / "media"

    @property
    def on_loopback(self) -> bool:
        """True where only this machine can reach the server."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    def checked(self) -> Settings:
        """These settings, if they are safe together.

        Raises:
            SettingsError: notices have no signature or no usable address.
        """
        if self.notice_webhook and not self.notice_secret:
            raise SettingsError("IPL_NOTICE_WEBHOOK needs IPL_NOTICE_SECRET, by which its receiver knows our notices.")
        if self.notice_webhook and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", self.notice_webhook):
            raise SettingsError("IPL_NOTICE_WEBHOOK is no address such as https://shop.example/notices.")
        return self


def load_settings(**overrides: Any) -> Settings:
    """Settings from ``IPL_*`` variables; ``overrides`` win over them.

    Raises:
        SettingsError: a variable is unknown (the nearest name is suggested) or its value is unusable.
    """
    names = [*(PREFIX + field.upper() for field in Settings.model_fields), *READ_ELSEWHERE]
    for variable in sorted(name for name in os.environ if name.startswith(PREFIX) and name not in names):
        if variable in GONE:
            raise SettingsError(f"There is no setting {variable} any more: {GONE[variable]}; unset it.")
        raise SettingsError(f"There is no setting {variable}; {did_you_mean(variable, names, 'unset it.')}")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        field, reason = str(first["loc"][0]).upper(), first["msg"]
        raise SettingsError(f"{PREFIX}{field} is unusable: {reason[:1].lower()}{reason[1:]}.") from None
