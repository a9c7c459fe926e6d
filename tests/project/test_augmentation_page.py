"""The page of augmentations is what is registered."""


def test_the_page_is_what_is_registered(load_tool):
    page = load_tool("augmentation_page")
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.fill(text) == text, "run: make augmentation-page"
    assert page.fill(text.replace("### codec", "### kodek")) == text
