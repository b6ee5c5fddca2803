"""Which models made an index: written at build, checked at every opening, so that vectors are never mixed."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rag_index.errors import IndexMismatch

SCHEMA_VERSION = 1
SPACE = "cosine"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderInfo(_Frozen):
    """One model: its name, a digest of its weights, the length of its vectors."""

    model: str
    revision: str
    dimensions: int = Field(gt=0)


class EncodersInfo(_Frozen):
    """The image model and the text model of an index."""

    image: EncoderInfo
    text: EncoderInfo


class Manifest(_Frozen):
    """``generation`` names the build that is current; ``count`` is the number of listings when it was built."""

    schema_version: int = SCHEMA_VERSION
    space: str = SPACE
    generation: str
    encoders: EncodersInfo
    count: int = Field(ge=0)
    built_at: str

    @classmethod
    def now(cls, generation: str, encoders: EncodersInfo, count: int) -> Manifest:
        """A manifest with the present time (UTC)."""
        built_at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(generation=generation, encoders=encoders, count=count, built_at=built_at)

    @classmethod
    def read(cls, text: str, where: str) -> Manifest:
        """From JSON; IndexMismatch: it is not a manifest of this version."""
        try:
            built = cls.model_validate_json(text)
        except ValidationError as error:
            raise IndexMismatch(
                f"The index at {where} has no readable manifest of this version: build it again (ipl index build)."
            ) from error
        if (built.schema_version, built.space) != (SCHEMA_VERSION, SPACE):
            raise IndexMismatch(
                f"The index at {where} has format {built.schema_version} ({built.space}), this program reads format "
                f"{SCHEMA_VERSION} ({SPACE}): build it again (ipl index build)."
            )
        return built

    def check(self, expected: EncodersInfo, where: str) -> None:
        """Refuse (IndexMismatch) other models than those that made the index. Weights decide, not names."""
        for kind in ("image", "text"):
            built: EncoderInfo = getattr(self.encoders, kind)
            current: EncoderInfo = getattr(expected, kind)
            if (built.revision, built.dimensions) != (current.revision, current.dimensions):
                raise IndexMismatch(
                    f"The index at {where} was built by the {kind} model {built.model} (weights {built.revision}, "
                    f"{built.dimensions} numbers), but {current.model} (weights {current.revision}, "
                    f"{current.dimensions} numbers) is in use: build the index again (ipl index build) or use the "
                    "model that built it."
                )
