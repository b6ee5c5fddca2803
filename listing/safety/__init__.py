"""What may not be in a listing: goods that are not allowed, contact data, instructions in the words of others."""

from listing.safety.prohibited_goods import GoodsVerdict, PolicyGroup, check_goods
from listing.safety.prohibited_goods import load_groups as goods_groups

__all__ = ["GoodsVerdict", "PolicyGroup", "check_goods", "goods_groups"]
