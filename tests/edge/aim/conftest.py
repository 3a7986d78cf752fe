import pytest

from edge.inference.settings import ModelSettings
from edge.settings.settings import Settings
from tests.support.aim_client import page_of


@pytest.fixture(scope="package")
def tiny(models):
    """Settings of networks that take no time."""
    return ModelSettings(emotion=models / "tiny_emotion.json", gender=models / "tiny_gender.json")


@pytest.fixture
def page(tiny):
    """The page of a loop that plays the demo."""
    with page_of(Settings(source="demo", models=tiny)) as page:
        yield page
