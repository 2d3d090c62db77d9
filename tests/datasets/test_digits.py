from vitruvius.datasets import check, is_raw, load_raw, split
from vitruvius.datasets.digits import digits
from vitruvius.spaces.task import ImageTask


def test_digits_come_by_name_and_can_be_trained_on() -> None:
    assert is_raw("digits")
    raw = load_raw("digits")
    assert raw.task == ImageTask(classes=10, channels=1, resolution=8)
    assert (len(raw), raw.class_names) == (1797, tuple("0123456789"))
    assert check(raw, split(raw, test=0.2)) == []
    images = digits().images
    assert (int(images.min()), int(images.max())) == (0, 255)
