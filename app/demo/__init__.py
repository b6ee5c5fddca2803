"""``ipl demo``: a marketplace that fills itself. Its photos are drawn here, its visitors are people of the simulated
world (``recommend.simulation.live``); all that is written goes through the services that a server uses.

Rooms, each knows those before it: ``photos/`` (drawing), ``things`` (what is for sale), ``known`` (their texts),
``crowd`` (visitors), ``market`` (a day of sellers and visitors), ``home`` (the folder), ``make`` (fourteen days),
``live`` (from now on).
"""
