"""The operator's figures in ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.ops.checks import WORST, Reports
from app.ops.impressions import USUAL
from app.ops.serving import serving

SECONDS = 60.0  # between two looks at the figures


class OpsCollector(Collector):
    """The latest figures of the usual window; a scrape computes nothing."""

    def __init__(self, reports: Reports) -> None:
        self.reports = reports

    def collect(self) -> Iterable[Metric]:
        """Value and ends of each measure, the state of each check, what serves, and when that was."""
        value = GaugeMetricFamily("ipl_ops_value", f"The operator's figures, {USUAL}", labels=["measure", "end"])
        state = GaugeMetricFamily("ipl_ops_state", "0 good, 1 unknown, 2 worth a look, 3 act", labels=["measure"])
        at = GaugeMetricFamily("ipl_ops_as_of", "When these figures were made, seconds since 1970")
        bins = GaugeMetricFamily("ipl_ops_calibration", "Click rates by bins of predictions", labels=["bin", "rate"])
        serves = GaugeMetricFamily(
            "ipl_ops_serves", "Share of the visitors, by stage and model", labels=["stage", "by"]
        )
        report = self.reports.latest()
        if report is not None:
            for m in report.measures.values():
                for end, number in asdict(m.interval).items():
                    if number is not None:
                        value.add_metric([m.key, end], number)
            for f in report.findings:
                state.add_metric([f.check.measure], len(WORST) - 1 - WORST.index(f.state))
            for n, rates in enumerate(report.figures.calibration, 1):
                for name, rate in zip(("predicted", "observed"), rates, strict=True):
                    bins.add_metric([str(n), name], rate)
            for stage in serving(report.figures.feed):
                serves.add_metric([stage.role, stage.serves], stage.share)
            at.add_metric([], report.over.until.timestamp())
        yield from (value, state, at, bins, serves)
