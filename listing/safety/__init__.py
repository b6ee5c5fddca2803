"""Contents that no listing may have: goods that are not allowed, contact data, instructions in the words of others."""

from listing.safety.contacts import ContactSpan, find_contacts, scrub
from listing.safety.prohibited_goods import GoodsVerdict, check_goods

__all__ = ["ContactSpan", "GoodsVerdict", "check_goods", "find_contacts", "scrub"]
