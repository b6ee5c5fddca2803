"""Every minute the rules are looked at; what begins or ends is logged and sent to a webhook, and stands in /metrics."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.ops.impressions import USUAL
from app.ops.serving import serving
from app.ops.verdicts import WORST, Reports
from app.settings import Settings, SettingsError
from rag_index.imports.fetch import is_public

log = logging.getLogger(__name__)
SECONDS = 60.0
SEND_SECONDS = 5.0


@dataclass(frozen=True)
class Alert:
    """What begins (or, ``over``, ends). ``at``: ISO time of the figures."""

    rule: str
    severity: str
    says: str
    do: str
    command: str
    over: bool
    window: str
    at: str


class Alerts:
    """Remembers what is wrong, so that each fault is told once. After a start all that is wrong is told again."""

    def __init__(self, reports: Reports, settings: Settings) -> None:
        self.reports = reports
        self._webhook = Webhook(settings.alert_webhook, settings.alert_private) if settings.alert_webhook else None
        self._alerts: dict[str, Alert] = {}
        self._unsent: list[Alert] = []

    def check(self) -> list[Alert]:
        """Look; returns what is new. A webhook that fails is tried again the next time, and hurts nobody else."""
        report = self.reports.get(USUAL)
        at = report.over.until.isoformat("T", "seconds")
        open_ = {f.rule.measure: Alert(f.rule.measure, f.state, f.says, f.rule.do, f.rule.command, False, USUAL, at)
                 for f in report.to_do}  # fmt: skip
        begun = [a for key, a in open_.items() if key not in self._alerts or self._alerts[key].severity != a.severity]
        # What merely became unknown is not over: nothing says that it is well.
        good = {f.rule.measure for f in report.findings if f.state == "good"}
        ended = [Alert(**{**asdict(a), "over": True, "at": at}) for key, a in self._alerts.items() if key in good]
        self._alerts = {**{k: a for k, a in self._alerts.items() if k not in good}, **open_}
        for alert in (*begun, *ended):
            level = logging.WARNING if alert.severity == "bad" and not alert.over else logging.INFO
            fields = {"rule": alert.rule, "severity": alert.severity}
            log.log(level, "alert %s: %s", "over" if alert.over else "begins", alert.says, extra={"fields": fields})
        self._send([*begun, *ended])
        self.reports.drift()  # for /metrics, where a scrape computes nothing
        return [*begun, *ended]

    def _send(self, alerts: list[Alert]) -> None:
        if self._webhook is None:
            return
        self._unsent = [*self._unsent, *alerts][-100:]
        if not self._unsent:
            return
        try:
            self._webhook.send({"alerts": [asdict(a) for a in self._unsent]})
            self._unsent = []
        except Exception as error:  # whatever the other side does
            # Only what is said here: words of others hold the address, and its path may be a secret.
            why = str(error) if isinstance(error, OSError) else type(error).__name__
            log.warning("the alerts cannot be sent, which is tried again in a minute: %s", why)


class Webhook:
    """An address that takes alerts as JSON.

    It has to be a public one, or, with ``private``, one of the own network; names are looked up at each sending, and
    what was looked up is what is called, so that a name that changes leads nowhere else. No redirects, no proxies.

    Raises:
        SettingsError: it is no address of http or https.
    """

    def __init__(self, url: str, private: bool) -> None:
        import httpx

        with contextlib.suppress(httpx.InvalidURL):
            self.url, self.private = httpx.URL(url), private
            if self.url.scheme in ("http", "https") and self.url.host and not self.url.userinfo:
                return
        raise SettingsError("IPL_ALERT_WEBHOOK is no address such as https://alerts.example/ipl.")

    def send(self, body: dict[str, Any]) -> None:
        """Post it.

        Raises:
            OSError: the address may not be called, or answers without success. httpx.HTTPError: it does not answer.
        """
        import httpx

        host, port = self.url.host, self.url.port or (443 if self.url.scheme == "https" else 80)
        addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        for address in addresses:
            if not self._allowed(address):
                raise OSError(
                    f"{host} is at {address}, which is not public; IPL_ALERT_PRIVATE=1 allows the own network"
                )
        numeric, named = self.url.copy_with(host=addresses[0]), {"Host": self.url.netloc.decode()}
        with (  # the body is not read: nothing in it is needed, and it may have no end
            httpx.Client(timeout=SEND_SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", numeric, json=body, headers=named, extensions={"sni_hostname": host}) as answer,
        ):
            if not answer.is_success:
                raise OSError(f"it answers {answer.status_code}")

    def _allowed(self, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        internal = address.is_private and not address.is_link_local and not address.is_unspecified
        return is_public(text) or (self.private and internal)


class OpsCollector(Collector):
    """The latest figures of the usual window for ``/metrics``; a scrape computes nothing."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports

    def collect(self) -> Iterable[Metric]:
        """Value and ends of each measure, the state of each rule, what serves, what has moved, and when that was."""
        value = GaugeMetricFamily("ipl_ops_value", f"The operator's figures, {USUAL}", labels=["measure", "end"])
        state = GaugeMetricFamily("ipl_ops_state", "0 good, 1 unknown, 2 worth a look, 3 act", labels=["measure"])
        at = GaugeMetricFamily("ipl_ops_as_of", "When these figures were made, seconds since 1970")
        bins = GaugeMetricFamily("ipl_ops_calibration", "Click rates by bins of predictions", labels=["bin", "rate"])
        serves = GaugeMetricFamily("ipl_ops_serves", "1 for what serves in each stage", labels=["stage", "by"])
        psi = GaugeMetricFamily("ipl_ops_drift", "Stability index of what moved beyond chance, else 0", labels=["what"])
        report, drift = self.reports.latest()
        if report is not None:
            for m in report.measures.values():
                for end, number in asdict(m.interval).items():
                    if number is not None:
                        value.add_metric([m.key, end], number)
            for f in report.findings:
                state.add_metric([f.rule.measure], len(WORST) - 1 - WORST.index(f.state))
            for n, rates in enumerate(report.figures.calibration, 1):
                for name, rate in zip(("predicted", "observed"), rates, strict=True):
                    bins.add_metric([str(n), name], rate)
            for stage in serving(report.figures.feed):
                serves.add_metric([stage.role, stage.serves], 1)
            at.add_metric([], report.over.until.timestamp())
        for what, moved in (drift.moves if drift is not None else {}).items():
            psi.add_metric([what], moved.psi if moved.psi > moved.chance else 0.0)
        yield from (value, state, at, bins, serves, psi)
