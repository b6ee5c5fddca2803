"""``ipl accounts``: who may sign in and with which rights, passwords, tokens and their ends, also beside a server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import CommandError, number

if TYPE_CHECKING:
    from app.accounts.sellers import Sellers
    from app.settings import Settings

MAX_DAYS = 36_500
ACCOUNT_TABLE = "{:<16}  {}"
TOKEN_TABLE = "{:<16}  {:<8}  {:<10}  {:<10}  {:<5}  {}"


def register(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        if name != "list":
            optional = name == "tokens"
            added.add_argument("name", metavar="NAME", nargs="?" if optional else None, help="who signs in by it")
        return added

    add = action("add", "add a name to a password file: a seller, or an operator, who may open /ops as well")
    password = action("password", "change a name's password, or add it: all it opened ends")
    remove = action("remove", "take a name out of a password file: all it opened ends, its listings stay")
    for changing in (action("list", "list the names of a password file, and their rights"), add, password, remove):
        default = "default: the one that IPL_PASSWORDS names"
        changing.add_argument("file", type=Path, metavar="FILE", nargs="?", help=f"the password file ({default})")
    for setting in (add, password):
        text = "whether the name is an operator (default: as it was; a new one is a seller)"
        setting.add_argument("--operator", action=argparse.BooleanOptionalAction, help=text)
    token = action("token", "make a token for the API; it is shown this once")
    token.add_argument("--label", default="", help="what it is for, up to 64 characters")
    token.add_argument(
        "--days", type=number(float, 0, MAX_DAYS), help="how long it lasts (default: IPL_TOKEN_DAYS; 0: no end)"
    )
    action("tokens", "list the tokens of a name, or all")
    revoke = action("revoke", "end one token, or all tokens and sign-ins of a name")
    revoke.add_argument("token", nargs="?", metavar="TOKEN-ID", help="as 'tokens' lists it (default: everything)")


def run(args: argparse.Namespace) -> int:
    """Run a subcommand; returns the exit status."""
    actions = {"add": _password, "list": _list, "password": _password, "remove": _remove}
    actions |= {"token": _token, "tokens": _tokens, "revoke": _revoke}
    try:
        if "file" in args:
            args.file = args.file or _password_file()
        actions[args.action](args)
    except OSError as error:
        raise CommandError(f"{error.filename or 'a file'} cannot be written ({error.strerror or error}).") from error
    return 0


def _password_file() -> Path:
    from app.settings import load_settings

    file = load_settings().passwords
    if file is None:
        raise CommandError("no password file is named; give FILE, or name it in IPL_PASSWORDS.", 2)
    return file


def _list(args: argparse.Namespace) -> None:
    from app.accounts.passwords import is_operator, read_passwords
    from app.settings import load_settings

    named = {name.strip() for name in load_settings().operators.split(",")}
    print(ACCOUNT_TABLE.format("name", "rights"))
    for name, stored in sorted(read_passwords(args.file).items()):
        print(ACCOUNT_TABLE.format(name, "seller, operator" if is_operator(stored) or name in named else "seller"))


def _password(args: argparse.Namespace) -> None:
    from app.accounts.passwords import is_operator, read_passwords, write_password

    if sys.stdin.isatty():
        import getpass

        password = getpass.getpass(f"Password of {args.name}: ")
    else:
        password = sys.stdin.readline().rstrip("\n")
    added = args.action == "add"
    write_password(args.file, args.name, password, operator=args.operator, added=added)
    rights = "an operator" if is_operator(read_passwords(args.file)[args.name]) else "a seller"
    if added:
        print(f"{args.file}: {args.name} may sign in, as {rights}.")
        return
    ended = "sign-ins and tokens of an earlier one have ended"
    print(f"{args.file}: {args.name} has this password from now on, as {rights}; {ended}.")


def _remove(args: argparse.Namespace) -> None:
    from app.accounts.passwords import remove_password

    remove_password(args.file, args.name)
    print(f"{args.file}: {args.name} is gone; sign-ins and tokens have ended.")


def _token(args: argparse.Namespace) -> None:
    settings, sellers = _open()
    if len(args.label) > 64 or not args.label.isprintable():
        raise CommandError("a label has up to 64 printable characters; shorten it.", 2)
    if sellers.fingerprint(args.name) is None:
        file = settings.passwords
        raise CommandError(f"{file} has no {args.name}; ./ipl accounts add {args.name} {file} adds it.")
    if sellers.single and args.name != "me":
        raise CommandError("without a password file (IPL_PASSWORDS) there is only one name: me.", 2)
    days = settings.token_days if args.days is None else args.days
    print(sellers.new_token(sellers.named(args.name), args.label, days))


def _tokens(args: argparse.Namespace) -> None:
    _, sellers = _open()
    if args.name is not None:
        _check_account(sellers, args.name)
    print(TOKEN_TABLE.format("name", "id", "made", "ends", "valid", "label"))
    for token in sellers.tokens(args.name):
        ends = "never" if token.ends is None else token.ends.date().isoformat()
        valid = "yes" if token.valid else "no"
        print(TOKEN_TABLE.format(token.name, token.id, token.created.date().isoformat(), ends, valid, token.label))


def _revoke(args: argparse.Namespace) -> None:
    from app.accounts.sessions import key_file, revoke_cookies

    settings, sellers = _open()
    _check_account(sellers, args.name)
    if args.token is not None:
        sellers.revoke_tokens(args.name, args.token)
        print(f"The token {args.token} of {args.name} has ended.")
        return
    revoke_cookies(key_file(settings.home), args.name)
    count = sellers.revoke_tokens(args.name)
    print(f"All sign-ins of {args.name} have ended, and all tokens ({count}). The password is the same as before.")


def _open() -> tuple[Settings, Sellers]:
    """The settings, and the sellers of their store."""
    from app.accounts.passwords import read_passwords
    from app.accounts.sellers import Sellers
    from app.settings import load_settings
    from app.store.db import open_store

    settings = load_settings()
    passwords = read_passwords(settings.passwords) if settings.passwords else None
    return settings, Sellers(open_store(settings.store_url), passwords)


def _check_account(sellers: Sellers, name: str) -> None:
    if not sellers.exists(name):
        raise CommandError(f"there is no {name} here; check the name, IPL_HOME and IPL_PASSWORDS.")
