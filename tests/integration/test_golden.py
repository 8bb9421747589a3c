"""The mails are what they were when somebody last looked at them: tests/support/golden.py."""
import golden
import mails
import pytest


def compare(folder, made):
    made = dict(made)
    differences = [golden.difference(folder, name, content) for name, content in made.items()]
    found = [difference for difference in differences if difference]
    assert not found, (f"{len(found)} files of {folder.name} differ; if that is as it should be: "
                       f"{golden.COMMAND}\n" + "\n".join(found[:3]))
    assert sorted(path.name for path in folder.iterdir()) == sorted(made)


@pytest.mark.parametrize("locale", mails.locales())
def test_the_mails_of_a_language_are_as_they_were_reviewed(composer, locale):
    compare(golden.FOLDER / locale, golden.of_locale(composer, locale))


@pytest.mark.parametrize("brand", mails.SAMPLE_BRANDS)
def test_the_mails_of_a_brand_are_as_they_were_reviewed(sample_composer, brand):
    compare(golden.FOLDER / f"brand-{brand}", golden.of_brand(sample_composer, brand))


def test_there_is_nothing_of_a_language_or_brand_that_is_gone():
    assert {path.name for path in golden.FOLDER.iterdir()} == {
        *mails.locales(), *(f"brand-{brand}" for brand in mails.SAMPLE_BRANDS)}
