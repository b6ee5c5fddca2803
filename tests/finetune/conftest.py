import pytest

from tests.finetune import support


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder of a tiny random model by family, built once."""
    from tests.finetune import tiny

    built = {}

    def get(name):
        if name not in built:
            built[name] = tiny.build(name, tmp_path_factory.mktemp(name))
        return built[name]

    return get


@pytest.fixture(scope="session")
def conversations(tmp_path_factory):
    """Folder with a few conversations about plain photos."""
    return support.dataset(tmp_path_factory.mktemp("conversations"))


@pytest.fixture(scope="session")
def garments(tmp_path_factory):
    """Folder with a few annotated photos."""
    return support.garments(tmp_path_factory.mktemp("garments"))
