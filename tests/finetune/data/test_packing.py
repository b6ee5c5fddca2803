"""The label mask, to the token: answers and their end of turn carry loss, nothing else does."""

from finetune.data.packing import collate, pack
from finetune.data.tasks import Task

PHOTO, END = 3, 2


class Layout:
    """A layout whose tokens are characters, so that every id can be read."""

    def prefix_ids(self):
        return [1, PHOTO, PHOTO]

    def question_ids(self, prompt):
        return [ord(c) for c in prompt] + [10]

    def prompt_ids(self, prompt):
        return [1] + [ord(c) for c in prompt] + [10]

    def answer_ids(self, answer):
        return [ord(c) for c in answer] + [END]


TASKS = [Task("colour", "Q?", "navy"), Task("title", "F", "Ab", photo=False)]


def test_only_answers_and_their_end_of_turn_are_targets():
    packed = pack(TASKS, Layout())
    wanted = [token for _, token, _ in packed.targets]
    assert wanted == [*map(ord, "navy"), END, *map(ord, "Ab"), END]


def test_each_target_is_predicted_by_the_token_right_before_it():
    packed = pack(TASKS, Layout())
    ids = packed.tree.ids
    first = packed.targets[0]
    assert ids[first[0]] == 10, "the last token of the question predicts the answer's first"
    for (index, token, _), (following, _, _) in zip(packed.targets[:4], packed.targets[1:5], strict=True):
        assert ids[index + 1] == token
        assert following == index + 1


def test_a_question_sees_the_photo_and_itself_alone():
    packed = pack([Task("a", "x", "y"), Task("b", "z", "w")], Layout())
    mask, ids = packed.tree.mask(), packed.tree.ids
    second = ids.index(ord("z"))
    seen = {ids[i] for i in range(len(ids)) if mask[second, i]}
    assert seen == {1, PHOTO, ord("z")}


def test_a_text_without_photo_sees_no_image_token():
    packed = pack(TASKS, Layout())
    mask, ids = packed.tree.mask(), packed.tree.ids
    last = len(ids) - 1
    assert PHOTO not in {ids[i] for i in range(len(ids)) if mask[last, i]}
    assert packed.tree.positions()[ids.index(ord("F"))] == 1, "positions count from the beginning of its own turn"


def test_padding_carries_no_loss_and_sees_only_itself():
    short, long = pack(TASKS[:1], Layout()), pack(TASKS, Layout())
    batch = collate([short, long], pad=0)
    n = len(short.tree.ids)
    assert batch.ids.shape == (2, len(long.tree.ids))
    assert (batch.ids[0, n:] == 0).all()
    assert not ((batch.where[:, 0] == 0) & (batch.where[:, 1] >= n)).any()
    assert batch.mask[0, 0, n:].sum() == batch.ids.shape[1] - n
    assert not batch.mask[0, 0, :n, n:].any()
    assert len(batch.wanted) == len(short.targets) + len(long.targets)


def test_a_soft_label_spreads_over_the_next_tokens_that_its_answers_share():
    soft = {"navy": 0.6, "nude": 0.3, "red": 0.1, "grey": 0.001}
    packed = pack([Task("colour", "Q?", "navy", soft=soft)], Layout())
    by_index: dict[int, dict[str, float]] = {}
    for index, token, weight in packed.targets:
        by_index.setdefault(index, {})[chr(token)] = round(weight, 3)
    steps = [by_index[i] for i in sorted(by_index)]
    assert steps[0] == {"n": 0.9, "r": 0.1}, "the rarest answer is left out"
    assert steps[1] == {"a": 0.667, "u": 0.333}
    assert steps[2:] == [{"v": 1.0}, {"y": 1.0}, {chr(END): 1.0}]
    batch = collate([packed], pad=0)
    assert len(batch.where) == 5
    assert batch.pick.tolist() == [0, 0, 1, 1, 2, 3, 4]
