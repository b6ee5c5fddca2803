"""Installs the repository with its packages: by uv, which takes a third of pip's time, or by pip where uv fails.

``python -P -m app.setup.packages TARGET``, run by the Python of the environment that is to hold them. pip's settings
hold for both, and both compile the modules: where PYTHONDONTWRITEBYTECODE is set no later start would keep them.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys

PIP = (sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check")
UV_INSTALL = (sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "--compile-bytecode")
# pip's settings: uv's variables, and what stands between several values.
UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
SECTIONS = ("global", "install", ":env:")  # later ones count more


def uv_settings(listed: str) -> dict[str, str]:
    """uv's variables for pip's settings.

    Args:
        listed: what ``pip config list`` prints, a line ``section.name='value'`` each.
    """
    variables: dict[str, str] = {}
    for section in SECTIONS:
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(f"{section}.")
            if name != key and name in UV:
                variable, between = UV[name]
                variables[variable] = between.join(str(ast.literal_eval(value)).split())
    return variables


def by_uv(target: str) -> bool:
    """Whether uv came and installed everything."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    settings = {**uv_settings(listed), **os.environ}
    commands = (
        [*PIP, "install", "--progress-bar", "off", "uv>=0.9,<1"],
        [*UV_INSTALL, "--editable", target],
    )
    return all(subprocess.run(command, env=settings, check=False).returncode == 0 for command in commands)


def main(target: str) -> int:
    """The exit status of what installed last."""
    if by_uv(target):
        return 0
    options = ("--progress-bar", "off", "--prefer-binary")
    return subprocess.run([*PIP, "install", *options, "--editable", target], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
