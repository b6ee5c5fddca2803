"""A market played to the end: rankings sell the same things to the same people, each by the live feed's own cascade.

``town`` (people, goods, chance), ``arms`` (what is compared), ``play`` (one arm through the days), ``nights`` (its
models, trained on its own log), ``measures``, ``table`` (all arms and seeds, paired), ``report`` (picture and page).
"""
