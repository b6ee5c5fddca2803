"""The product's surfaces: the commands, the pages, the API, the store and the live feed.

Rooms know only rooms above them in this list:

- ``settings``; ``views`` (what a page shows of a draft, errors); ``metrics``, ``logs``, ``templates``, ``theme``
- ``editing``: a seller's changes laid over what the model wrote
- ``store``: tables, repositories, photos, outbox, backups
- ``accounts``: passwords, tokens, cookies, who is asking
- ``drafting``: the waiting line, and drafts written, changed and thrown away
- ``market``: listings, posts, orders, promotions
- ``feed``: the live feed
- ``services``: all parts of a server, built once; ``routing``: what all routers share
- ``seller``, ``buyer``, ``ops``: one folder a page
- ``web``: the server and its API
- ``cli``, ``setup``: commands
"""

__version__ = "0.1.0"
