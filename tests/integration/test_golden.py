"""The mails are what they were when somebody last looked at them: tests/support/golden.py."""
import golden
import mails
import pytest


@pytest.mark.parametrize("locale", mails.locales())
def test_the_mails_of_a_language_are_as_they_were_reviewed(composer, locale):
    folder = golden.FOLDER / locale
    made = dict(golden.files(composer, locale))
    differences = [golden.difference(folder, name, content) for name, content in made.items()]
    found = [difference for difference in differences if difference]
    assert not found, (f"{len(found)} files of {locale} differ; if that is as it should be: "
                       f"{golden.COMMAND}\n" + "\n".join(found[:3]))
    assert sorted(path.name for path in folder.iterdir()) == sorted(made)


def test_there_is_nothing_of_a_language_that_is_gone():
    assert sorted(path.name for path in golden.FOLDER.iterdir()) == mails.locales()
