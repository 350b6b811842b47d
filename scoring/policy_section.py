"""What every section of the policy file is: read-only, and strict about its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from features.spelling import suggest


class Section(BaseModel):
    """A section of the policy: read-only, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in values:
                if key not in known:
                    raise PydanticCustomError(
                        "unknown_key",
                        "no key `{key}` here; {hint}",
                        {"key": str(key), "hint": suggest(str(key), known)},
                    )
        return values
