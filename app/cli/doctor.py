"""``ipl doctor``: what is installed, which model and device serve, what is missing and how to get it.

It needs the standard library alone, so that it also works when the set-up did not.
"""

from __future__ import annotations

import argparse
import sys

from app.setup.diagnosis import diagnose

SIGNS = {"ok": "●", "optional": "○", "missing": "✕"}


def register(parser: argparse.ArgumentParser) -> None:
    """No options beyond ``--help``."""


def run(args: argparse.Namespace) -> int:
    """Print one line a finding; exit status 1 when something needed is missing."""
    findings = []
    for finding in diagnose():
        findings.append(finding)
        print(f"{SIGNS[finding.state]} {finding.subject:<12} {finding.text}", flush=True)
        if finding.remedy:
            print(f"  {'':<12} -> {finding.remedy}", flush=True)
    missing = sum(f.state == "missing" for f in findings)
    if missing:
        print(f"ipl: {missing} needed {'thing is' if missing == 1 else 'things are'} missing.", file=sys.stderr)
    return int(missing > 0)
