"""Simulated people before items on sale: who clicks, orders and gives back with which probability.

The demo's visitors and the laboratory's World 2 are made of them.
"""
