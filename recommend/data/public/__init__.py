"""Public logs: one file a log, one function a table. Nothing is downloaded; ``IPL_DATA`` names the folder of the logs.

Every reader returns a ``pyarrow.Table`` with exactly the columns that its file declares (types, units and when a value
is known travel as field metadata, as in ``recommend/data/schema.py``), or raises ``DataError`` with one sentence.
``data/sequences.py`` makes samples of (user, history, target, label) from logs of events; ``source.numpy`` gives
arrays.

| file | log | tables |
|---|---|---|
| ``taobao.py`` | Taobao UserBehavior | events |
| ``amazon_sequences.py`` | Amazon reviews, Beauty and Sports | events, attributes |
| ``amazon_cross_domain.py`` | Amazon electronics and cell phones, the same users | events |
| ``online_retail.py`` | Online Retail (UCI) | lines, cancellations with their purchase |
| ``open_bandit.py`` | Open Bandit, 60,000 rows | impressions, items |
| ``coat.py`` | Coat | ratings, users, items |
"""
