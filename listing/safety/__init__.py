"""What may not be in a listing: goods that are not allowed, contact data, instructions in the words of others."""

from listing.safety.contacts import ContactSpan, find_contacts, has_contacts, scrub
from listing.safety.prohibited_goods import GoodsVerdict, PolicyGroup, check_goods
from listing.safety.prohibited_goods import load_groups as goods_groups

__all__ = [
    "ContactSpan",
    "GoodsVerdict",
    "PolicyGroup",
    "check_goods",
    "find_contacts",
    "goods_groups",
    "has_contacts",
    "scrub",
]
