"""``ipl accounts``: who may sign in and with which rights, passwords, tokens and their ends, also beside a server."""

from __future__ import annotations

import argparse
import sys
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

    action("list", "list the accounts and their rights")
    add = action("add", "add an account: of a seller, or of an operator, who may open /ops as well")
    action("password", "change a name's password, or add it: all it opened ends")
    action("remove", "take an account away: all it opened ends, its listings stay")
    for setting in (add, action("rights", "make an account an operator's, or with --no-operator a seller's alone")):
        text = "whether the account is an operator's"
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
    actions = {"add": _password, "list": _list, "password": _password, "remove": _remove, "rights": _rights}
    actions |= {"token": _token, "tokens": _tokens, "revoke": _revoke}
    actions[args.action](args)
    return 0


def _list(args: argparse.Namespace) -> None:
    print(ACCOUNT_TABLE.format("name", "rights"))
    for name, operator in _open()[1].accounts():
        print(ACCOUNT_TABLE.format(name, "seller, operator" if operator else "seller"))


def _rights(args: argparse.Namespace) -> None:
    if args.operator is None:
        raise CommandError("which rights? Add --operator or --no-operator.", 2)
    _open()[1].set_rights(args.name, args.operator)
    print(f"{args.name} is {'an operator' if args.operator else 'a seller'} from now on.")


def _password(args: argparse.Namespace) -> None:
    if sys.stdin.isatty():
        import getpass

        password = getpass.getpass(f"Password of {args.name}: ")
    else:
        password = sys.stdin.readline().rstrip("\n")
    added, (_, sellers) = args.action == "add", _open()
    operator = added and bool(args.operator)
    account = sellers.set_password(args.name, password, operator=operator, added=added)
    rights = "an operator" if account.operator else "a seller"
    if added:
        first = " A running server lets nobody else in from its next start." if sellers.single else ""
        if sellers.single and args.name != "me":
            first += " What was listed without an account is of the name me: ./ipl accounts add me, to go on with it."
        print(f"{args.name} may sign in, as {rights}.{first}")
        return
    ended = "sign-ins and tokens of an earlier one have ended"
    print(f"{args.name} has this password from now on, as {rights}; {ended}.")


def _remove(args: argparse.Namespace) -> None:
    _open()[1].close_account(args.name)
    print(f"The account {args.name} is gone; sign-ins and tokens have ended.")


def _token(args: argparse.Namespace) -> None:
    settings, sellers = _open()
    if len(args.label) > 64 or not args.label.isprintable():
        raise CommandError("a label has up to 64 printable characters; shorten it.", 2)
    if sellers.single and args.name != "me":
        raise CommandError(f"where nobody has an account there is one name: me; ./ipl accounts add {args.name}.", 2)
    if not sellers.single and sellers.account(args.name) is None:
        raise CommandError(f"there is no account {args.name}; ./ipl accounts add {args.name} adds it.")
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
    _, sellers = _open()
    _check_account(sellers, args.name)
    if args.token is not None:
        sellers.revoke_tokens(args.name, args.token)
        print(f"The token {args.token} of {args.name} has ended.")
        return
    sellers.end_cookies(args.name)
    count = sellers.revoke_tokens(args.name)
    print(f"All sign-ins of {args.name} have ended, and all tokens ({count}). The password is the same as before.")


def _open() -> tuple[Settings, Sellers]:
    """The settings, and the sellers of their store."""
    from app.accounts.sellers import open_sellers
    from app.settings import load_settings
    from app.store.db import open_store

    settings = load_settings()
    return settings, open_sellers(open_store(settings.store_url))


def _check_account(sellers: Sellers, name: str) -> None:
    if not sellers.exists(name):
        raise CommandError(f"there is no {name} here; check the name, IPL_HOME and IPL_STORE.")
