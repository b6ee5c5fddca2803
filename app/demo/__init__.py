"""``ipl demo``: a marketplace that fills itself. Its photos are real (``photos/SOURCE.txt``), its visitors people of
the simulated world (``recommend.simulation.live``); all that is written goes through the services that a server uses.

Rooms, each knows those before it: ``items`` (what is for sale), ``pipeline`` (their drafts), ``crowd`` (visitors),
``market`` (a day of sellers and visitors), ``home`` (the folder), ``make`` (fourteen days), ``live`` (from now on).
"""
