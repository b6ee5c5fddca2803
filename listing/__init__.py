"""From photos of one thing to an honest draft of its listing.

    from listing.home import ipl_home
    from listing.intake.photos import intake
    from listing.pipeline import build_pipeline
    from listing.request import DraftRequest

    pipeline = build_pipeline(None, rag=True, home=ipl_home())
    for event in pipeline.run(DraftRequest(photos=intake([Path("hoodie.jpg")]))): ...

The rooms, from the lowest to the highest; none knows one that stands below it in this list:

    base modules  schema, taxonomy, lexicon, request, events, errors, home, prompts
    intake        files to clean photos, perceptual hash, items of a folder, quality
    backends      the multimodal LLM: local weights, or any OpenAI-compatible server
    safety        contact data, prohibited goods, instructions hidden in data
    evidence      what speaks for a fact: print, pixels, category, brand, past listings
    facts         questions to the model, the sources' ensemble, what is stated and what only suggested
    text          title and description: what may be said, rendered or written and checked, and the spans of its claims
    batch         many items: one process, workers, Ray
    pipeline      the whole walk (``pipeline.py``) and its parts (``pipeline_parts.py``)
"""
