"""The multimodal LLM: the protocol, local weights, and any OpenAI-compatible server."""
