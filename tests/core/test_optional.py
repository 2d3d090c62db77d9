import pytest

from vitruvius.core.errors import MissingExtraError
from vitruvius.core.optional import optional_import


def test_what_is_installed_is_imported() -> None:
    assert optional_import("json.decoder", extra="ray").__name__ == "json.decoder"


def test_what_is_not_names_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingExtraError, match="'nonesuch'") as caught:
        optional_import("nonesuch.part", extra="plots")
    assert 'pip install "vitruvius[plots]"' in caught.value.hint
    assert isinstance(caught.value, ImportError)
