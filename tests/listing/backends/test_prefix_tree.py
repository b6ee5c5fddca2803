"""The layout of the tree of continuations; ``tests/finetune/test_families.py`` scores models by it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listing.backends.prefix_tree import Tree

VOCABULARY = 50


def ancestry(tree: Tree, number: int) -> list[int]:
    """Numbers of the nodes from the root to ``number``."""
    parent = tree.nodes[number].parent
    return [*(ancestry(tree, parent) if parent is not None else []), number]


def test_shared_tokens_are_laid_out_once() -> None:
    tree = Tree()
    asked = tree.add([1, 2])
    answers = [[3, 9], [4, 5, 9], [4, 6, 9], [9]]
    paths = tree.add_answers(answers, asked)
    assert tree.ids == [1, 2, 3, 4, 5, 6]
    assert [[token for _, token in answer] for answer in paths] == answers
    for answer, steps in zip(answers, paths, strict=True):
        ways = [[t for n in ancestry(tree, number) for t in tree.nodes[n].ids] for number, _ in steps]
        assert ways == [[1, 2, *answer[:length]] for length in range(len(answer))]
    assert tree.ends() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("ids", "parent"), [([], None), ([1], 0), ([1], -1)])
def test_impossible_nodes_are_refused(ids: list[int], parent: int | None) -> None:
    with pytest.raises(ValueError, match=r"at least one token|does not exist"):
        Tree().add(ids, parent)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """One root, up to seven further nodes with any earlier node as parent."""
    token = st.integers(0, VOCABULARY - 1)
    tree = Tree()
    tree.add(draw(st.lists(token, min_size=1, max_size=5)))
    for _ in range(draw(st.integers(1, 7))):
        tree.add(draw(st.lists(token, min_size=1, max_size=4)), draw(st.integers(0, len(tree.nodes) - 1)))
    return tree


@given(trees())
@settings(max_examples=100, deadline=None)
def test_layout_holds_for_any_tree(tree: Tree) -> None:
    starts, positions, mask = tree.starts(), tree.positions(), tree.mask()
    for number, node in enumerate(tree.nodes):
        branch = [t for n in ancestry(tree, number) for t in range(starts[n], starts[n] + len(tree.nodes[n].ids))]
        assert [positions[t] for t in branch] == list(range(len(branch)))
        for depth, token in enumerate(branch[-len(node.ids) :], len(branch) - len(node.ids)):
            assert mask[token].nonzero().flatten().tolist() == sorted(branch[: depth + 1])
